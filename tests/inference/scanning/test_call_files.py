"""Where calls stand in BED and GFF3, and what they are called."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import gffutils
import numpy as np
import pytest

from genomic_ulmfit.dna.genome import Contig, Gene
from genomic_ulmfit.inference.scanning.call_files import BED_COLUMNS, kind_of, write_bed, write_gff3
from genomic_ulmfit.inference.scanning.calls import Call
from genomic_ulmfit.inference.scanning.scan import ScanSettings

SETTINGS = ScanSettings(40, 12, 2, 1, "dense", "fp32")


def contig(*genes: Gene, length: int = 1000, circular: bool = False) -> Contig:
    return Contig("c", np.zeros(length, np.uint8), circular, genes)


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
        ("Terminator", "Terminator", "terminator"),
        ("ribosome binding site", "ribosome_binding_site", "ribosome_entry_site"),
        ("non-terminator", "non-terminator", "sequence_feature"),
        ("σ54", "σ54", "sequence_feature"),
        ("a\tb;c", "a_b_c", "sequence_feature"),
        ("?", "promoter", "promoter"),
        ("non-promoter", "non-promoter", "sequence_feature"),
        ("0", "class_0", "sequence_feature"),
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


def test_a_contig_whose_name_looks_like_a_comment(tmp_path: Path) -> None:
    of = Contig("#>c", np.zeros(1000, np.uint8))
    path = tmp_path / "calls.gff3"
    write_gff3([Call(of, 200, 1, 2.0)], kind_of("1"), [of], SETTINGS, path)
    assert path.read_text().splitlines()[-1].startswith("%23%3Ec\t")
