"""Non-maximum suppression, genes downstream, and where calls stand in BED and GFF3."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import gffutils
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genomic_ulmfit.dna.genome import Contig, Gene
from genomic_ulmfit.inference.calls import (
    BED_COLUMNS,
    Call,
    call_sites,
    kind_of,
    suppress,
    write_bed,
    write_gff3,
)
from genomic_ulmfit.inference.scan import ScanSettings

SETTINGS = ScanSettings(40, 12, 2, 1, "dense", "fp32")


def slow(anchors: list[int], scores: list[float], least: int, circle: int | None) -> list[int]:
    """Compare every place with every one that was kept."""
    kept: list[int] = []
    for index in sorted(range(len(anchors)), key=lambda i: (-scores[i], anchors[i])):
        gaps = [abs(anchors[index] - anchors[other]) for other in kept]
        if circle is not None:
            gaps += [circle - gap for gap in gaps]
        if all(gap >= least for gap in gaps):
            kept.append(index)
    return kept


@given(
    st.lists(st.integers(0, 199), unique=True, max_size=60),
    st.integers(1, 60),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_suppression(places: list[int], least: int, circular: bool, seed: int) -> None:
    anchors = sorted(places)
    # Few different scores, so that some are equal.
    scores = np.random.default_rng(seed).integers(0, 10, len(anchors)).astype(float)
    circle = 200 if circular else None
    found = suppress(np.array(anchors, dtype=np.int64), scores, least, circle=circle)
    assert found.tolist() == slow(anchors, scores.tolist(), least, circle)
    limited = suppress(np.array(anchors, dtype=np.int64), scores, least, circle=circle, limit=3)
    assert limited.tolist() == found.tolist()[:3]


def contig(*genes: Gene, length: int = 1000, circular: bool = False) -> Contig:
    return Contig("c", np.zeros(length, np.uint8), circular, genes)


def called(of: Contig, strand: int, anchors: list[int]) -> list[Call]:
    scores = np.ones(len(anchors), np.float32)
    return call_sites(of, strand, np.array(anchors), scores, threshold=0.5, min_distance=10)


def test_the_nearest_gene_downstream() -> None:
    a, b = Gene("a", 100, 200, 1), Gene("b", 400, 500, 1)
    x, y = Gene("x", 150, 350, -1), Gene("y", 600, 800, -1)
    of = contig(a, x, b, y)
    forward = called(of, 1, [50, 100, 110, 150, 450])
    assert [(call.gene, call.distance) for call in forward] == [
        (a, 50),
        (a, 0),
        (a, -10),
        (b, 250),
        (None, None),
    ]
    # A gene on the reverse strand starts at its last base.
    reverse = called(of, -1, [120, 349, 400, 810])
    assert [(call.gene, call.distance) for call in reverse] == [
        (None, None),
        (x, 0),
        (x, 51),
        (y, 11),
    ]


def test_genes_over_the_origin_of_a_circle() -> None:
    a, over = Gene("a", 100, 200, 1), Gene("over", 950, 1050, -1)
    of = contig(a, over, circular=True)
    (call,) = called(of, 1, [900])
    assert (call.gene, call.distance) == (a, 200)
    (call,) = called(of, -1, [60])
    assert (call.gene, call.distance) == (over, 11)


def test_a_threshold_and_windows_without_score() -> None:
    anchors = np.array([10, 30, 50, 70])
    scores = np.array([0.4, np.nan, 0.5, 3.0], np.float32)
    calls = call_sites(contig(), 1, anchors, scores, threshold=0.5, min_distance=5)
    assert [(call.anchor, call.log_odds) for call in calls] == [(50, 0.5), (70, 3.0)]


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, Path]:
    gene = Gene("lac;Z, one", 300, 600, 1)
    straight, circle = contig(gene), Contig("c 2", np.zeros(500, np.uint8), True)
    calls = [
        Call(straight, 200, 1, 2.0, gene, 100),
        Call(straight, 300, -1, 0.0),
        Call(circle, 5, 1, 1.0),
        Call(circle, 480, -1, -1.0),
    ]
    write_bed(calls, kind_of("1"), SETTINGS, tmp_path / "calls.bed")
    write_gff3(calls, kind_of("1"), [straight, circle], SETTINGS, tmp_path / "calls.gff3")
    return tmp_path / "calls.bed", tmp_path / "calls.gff3"


def test_bed(written: tuple[Path, Path]) -> None:
    header, *lines = written[0].read_text().splitlines()
    assert header == "#" + "\t".join(BED_COLUMNS)
    rows = [dict(zip(BED_COLUMNS, line.split("\t"), strict=True)) for line in lines]
    spans = [(int(row["chromStart"]), int(row["chromEnd"]), row["strand"]) for row in rows]
    assert [row["name"] for row in rows] == [f"promoter_{i}" for i in range(1, 5)]
    # Anchor 12 of 40: 12 bases before it and 27 behind it, along the strand.
    assert spans == [(188, 228, "+"), (273, 313, "-"), (0, 33, "+"), (453, 493, "-")]
    assert [int(row["thickStart"]) for row in rows] == [200, 300, 5, 480]
    assert [int(row["score"]) for row in rows] == [881, 500, 731, 269]
    assert [row["gene"] for row in rows] == ["lac;Z, one", ".", ".", "."]
    for row in rows:
        assert int(row["thickEnd"]) == int(row["thickStart"]) + 1
        assert int(row["chromStart"]) <= int(row["thickStart"]) < int(row["chromEnd"])
        assert int(row["blockSizes"]) == int(row["chromEnd"]) - int(row["chromStart"])


def test_lines_are_in_the_order_of_their_starts(tmp_path: Path) -> None:
    # On the reverse strand a window begins further before its anchor than on the forward one.
    first, second = contig(circular=True), Contig("d", np.zeros(1000, np.uint8))
    calls = [
        Call(first, 2, 1, 1.0),
        Call(first, 100, 1, 1.0),
        Call(first, 105, -1, 1.0),
        Call(first, 995, 1, 1.0),
        Call(second, 300, 1, 1.0),
        Call(second, 301, -1, 1.0),
    ]
    write_bed(calls, kind_of("1"), SETTINGS, tmp_path / "calls.bed")
    rows = [line.split("\t") for line in (tmp_path / "calls.bed").read_text().splitlines()[1:]]
    places = [(row[0], int(row[1])) for row in rows]
    assert places == sorted(places)
    anchors = {row[3]: (row[0], int(row[6])) for row in rows}
    write_gff3(calls, kind_of("1"), [first, second], SETTINGS, tmp_path / "calls.gff3")
    lines = [
        line.split("\t")
        for line in (tmp_path / "calls.gff3").read_text().splitlines()
        if "\tpromoter\t" in line
    ]
    places = [(line[0], int(line[3])) for line in lines]
    assert places == sorted(places)
    # One name is one call in both files.
    for line in lines:
        told = dict(part.split("=") for part in line[8].split(";"))
        assert (line[0], int(told["anchor"]) - 1) == anchors[told["ID"]]


@pytest.mark.parametrize("strand", [1, -1])
def test_a_gene_that_starts_just_before_the_origin(strand: int) -> None:
    # Eight bases before the anchor, across the origin; the next gene is far.
    near = Gene("near", 995, 1200, 1) if strand > 0 else Gene("near", 805, 1005, -1)
    far = Gene("far", 300, 400, 1) if strand > 0 else Gene("far", 600, 700, -1)
    of = contig(far, near, circular=True)
    anchor = 3 if strand > 0 else 996
    (call,) = called(of, strand, [anchor])
    assert (call.gene, call.distance) == (near, -8)


def test_scores_beyond_what_exponentials_can_say() -> None:
    assert Call(contig(), 0, 1, -2000.0).probability == 0
    assert Call(contig(), 0, 1, 2000.0).probability == 1


def test_gff3_in_a_real_parser(written: tuple[Path, Path]) -> None:
    base = gffutils.create_db(str(written[1]), ":memory:")
    features = list(base.features_of_type("promoter"))
    spans = {f.id: (f.seqid, f.start, f.end, f.strand) for f in features}
    assert spans == {
        "promoter_1": ("c", 189, 228, "+"),
        "promoter_2": ("c", 274, 313, "-"),
        "promoter_3": ("c%202", 494, 533, "+"),
        "promoter_4": ("c%202", 454, 493, "-"),
    }
    first = base["promoter_1"]
    assert first.attributes["gene"] == ["lac;Z, one"]
    assert first.attributes["anchor"] == ["201"]
    assert first.attributes["gene_distance"] == ["100"]
    assert float(first.score) == pytest.approx(1 / (1 + np.exp(-2)), abs=1e-6)
    (landmark,) = base.features_of_type("region")
    assert landmark.attributes["Is_circular"] == ["true"]
    assert (landmark.start, landmark.end) == (1, 500)
    assert "sequence-region c 1 1000" in base.directives


@pytest.mark.parametrize(
    ("class_name", "name", "feature"),
    [
        ("1", "promoter", "promoter"),
        ("positive", "promoter", "promoter"),
        ("sigma 70 promoter", "sigma_70_promoter", "promoter"),
        ("terminator", "terminator", "sequence_feature"),
        ("σ54", "σ54", "sequence_feature"),
        ("a\tb;c", "a_b_c", "sequence_feature"),
        ("?", "promoter", "promoter"),
    ],
)
def test_calls_are_named_by_their_class(
    class_name: str, name: str, feature: str, tmp_path: Path
) -> None:
    kind = kind_of(class_name)
    assert kind == (name, feature)
    of, path = contig(), tmp_path / "calls.gff3"
    write_gff3([Call(of, 200, 1, 2.0)], kind, [of], SETTINGS, path)
    fields = path.read_text(encoding="utf-8").splitlines()[-1].split("\t")
    assert fields[2] == feature
    assert unquote(fields[8]).startswith(f"ID={name}_1;")
    write_bed([Call(of, 200, 1, 2.0)], kind, SETTINGS, path)
    assert path.read_text(encoding="utf-8").splitlines()[-1].split("\t")[3] == f"{name}_1"
