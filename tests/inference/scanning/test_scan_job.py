"""A scan's files: every coordinate proved on planted motifs, read back with real parsers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import gffutils
import numpy as np
import pybigtools
import pytest

from genomic_ulmfit import SequenceClassifier
from genomic_ulmfit.dna.alphabet import AMBIGUOUS, decode
from genomic_ulmfit.dna.genome import Contig, Gene, Genome
from genomic_ulmfit.dna.simulate import write_genbank
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.inference.scanning import scan_job
from genomic_ulmfit.inference.scanning.scan_job import ScanResult, output_path, scan_genome

from ..conftest import ANCHOR, WINDOW, planted

FORWARD, REVERSE = [57, 250, 391], [120, 333]
GENES = (Gene("fwd", 280, 310, 1), Gene("rev", 60, 100, -1))


@pytest.fixture
def genbank(tmp_path: Path) -> Path:
    """A circle, its third motif over the origin, beside a linear contig and one too short."""
    circle = planted(400, FORWARD, REVERSE, circular=True)
    contigs = (
        Contig("circle", circle.codes, True, GENES),
        Contig("linear", planted(90, [30], []).codes),
        Contig("short", planted(WINDOW - 1, [5], []).codes),
    )
    path = tmp_path / "genome.gbk"
    write_genbank(Genome("genome", contigs), path)
    return path


@pytest.fixture
def fasta(tmp_path: Path) -> Path:
    path = tmp_path / "genome.fa"
    path.write_text(f">one\n{decode(planted(400, FORWARD, REVERSE, circular=True).codes)}\n")
    return path


def run(model: Path, genome: Path, out: Path, **options: Any) -> ScanResult:
    chosen = {"anchor": ANCHOR, "step": 1, "threshold": 0.5, "mode": "dense", **options}
    return scan_genome(model, genome, out, precision="fp32", **chosen)


def places(result: ScanResult) -> list[tuple[str, int, int]]:
    return [(call.contig.name, call.anchor, call.strand) for call in result.calls]


CALLED = [
    ("circle", 57, 1),
    ("circle", 120, -1),
    ("circle", 250, 1),
    ("circle", 333, -1),
    ("circle", 391, 1),
    ("linear", 30, 1),
]


@pytest.mark.parametrize("mode", ["dense", "exact"])
def test_motifs_are_called_where_they_are(
    motif_folder: Path, genbank: Path, tmp_path: Path, mode: str
) -> None:
    out = tmp_path / "made" / "scan"
    result = run(motif_folder, genbank, out, mode=mode)
    assert places(result) == CALLED
    names = sorted(path.name for path in out.parent.iterdir())
    assert names == [f"scan.{end}" for end in ("bed", "gff3", "json", "minus.bw", "plus.bw")]

    rows = [
        line.split("\t") for line in (tmp_path / "made" / "scan.bed").read_text().splitlines()[1:]
    ]
    assert [(r[0], int(r[6]), 1 if r[5] == "+" else -1) for r in rows] == CALLED
    spans = [(int(r[1]), int(r[2])) for r in rows]
    # 12 bases before the anchor and 27 behind it; cut off where the circle is closed.
    assert spans == [(45, 85), (93, 133), (238, 278), (306, 346), (379, 400), (18, 58)]
    assert [(r[13], r[14]) for r in rows] == [
        ("fwd", "223"),
        ("rev", "21"),
        ("fwd", "30"),
        ("rev", "234"),
        ("fwd", "289"),
        (".", "."),
    ]

    base = gffutils.create_db(str(output_path(out, ".gff3")), ":memory:")
    found = [(f.seqid, f.start, f.end) for f in base.features_of_type("promoter")]
    bounds = [(45, 85), (93, 133), (238, 278), (306, 346), (379, 419), (18, 58)]
    wanted = [
        (name, start + 1, end) for (name, _, _), (start, end) in zip(CALLED, bounds, strict=True)
    ]
    assert found == wanted
    assert [f.attributes["anchor"] for f in base.features_of_type("promoter")] == [
        [str(place + 1)] for _, place, _ in CALLED
    ]

    for strand, word in ((1, "plus"), (-1, "minus")):
        file = pybigtools.open(str(output_path(out, f".{word}.bw")))
        assert file.chroms() == {"circle": 400, "linear": 90}
        high = [
            (name, start)
            for name in ("circle", "linear")
            for start, end, value in file.records(name)
            if value > 0.5 and end == start + 1
        ]
        assert high == [(name, place) for name, place, of_call in CALLED if of_call == strand]
        # Every base of a circle is some window's anchor; a line's ends are no window's.
        assert sum(end - start for start, end, _ in file.records("circle")) == 400
        of_line = list(file.records("linear"))
        first = ANCHOR if strand > 0 else WINDOW - 1 - ANCHOR
        assert (of_line[0][0], len(of_line)) == (first, 90 - WINDOW + 1)

    summary = json.loads(output_path(out, ".json").read_text())
    assert summary == json.loads(json.dumps(result.summary))
    assert summary["calls"] == {"all": 6, "plus": 4, "minus": 2, "per_mbp": 6 / 490 * 1e6}
    assert summary["windows"] == {"scored": 2 * (400 + 51), "not_scored": 0}
    assert summary["genome"]["contigs_shorter_than_a_window"] == 1
    assert "1 of 3 contigs were not scanned" in " ".join(result.notes)


def test_shape_of_fasta_contigs(motif_folder: Path, fasta: Path, tmp_path: Path) -> None:
    line = run(motif_folder, fasta, tmp_path / "line")
    assert [place for _, place, _ in places(line)] == [57, 120, 250, 333]
    circle = run(motif_folder, fasta, tmp_path / "circle", circular=True)
    assert [place for _, place, _ in places(circle)] == [57, 120, 250, 333, 391]


def test_anchor_and_mode_are_the_models_if_it_tells(
    motif_folder: Path, fasta: Path, tmp_path: Path
) -> None:
    middle = run(motif_folder, fasta, tmp_path / "middle", anchor=None, mode=None)
    assert middle.settings.anchor == 20
    # The same windows, named by another base: 8 bases further along their strand.
    assert [place for _, place, _ in places(middle)] == [65, 112, 258, 325]
    folder = tmp_path / "told"
    folder.mkdir()
    for path in motif_folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    config["training"] |= {"anchor": ANCHOR}
    config["architecture"]["context"] = 64
    (folder / "config.json").write_text(json.dumps(config))
    told = run(folder, fasta, tmp_path / "told_scan", anchor=None, mode=None)
    assert told.settings.anchor == ANCHOR
    assert middle.settings.mode == told.settings.mode == "dense"
    assert "trained without context" in " ".join(middle.notes)
    assert "trained without context" not in " ".join(told.notes)


def test_a_scan_that_is_stopped_while_it_writes_leaves_nothing(
    motif_folder: Path, fasta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(scan_job, "write_gff3", stop)
    with pytest.raises(KeyboardInterrupt):
        run(motif_folder, fasta, tmp_path / "made" / "scan")
    assert list((tmp_path / "made").iterdir()) == []


def test_regions(motif_folder: Path, genbank: Path, tmp_path: Path) -> None:
    bed = tmp_path / "regions.bed"
    bed.write_text("circle\t110\t121\nlinear\t0\t90\ncircle\t100\t115\ncircle\t249\t251\n")
    result = run(motif_folder, genbank, tmp_path / "scan", regions=bed)
    assert places(result) == [("circle", 120, -1), ("circle", 250, 1), ("linear", 30, 1)]
    assert result.summary["bases_scanned"] == 21 + 2 + 90
    file = pybigtools.open(str(tmp_path / "scan.plus.bw"))
    covered = {base for start, end, _ in file.records("circle") for base in range(start, end)}
    assert covered == {*range(100, 121), 249, 250}


def test_nothing_of_an_earlier_scan_stays(
    motif_folder: Path, fasta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "here" / "scan"
    run(motif_folder, fasta, out)
    run(motif_folder, fasta, out, track="bedgraph")
    assert sorted(path.name for path in out.parent.iterdir()) == [
        f"scan.{ending}" for ending in ("bed", "gff3", "json", "minus.bedgraph", "plus.bedgraph")
    ]

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    # Stopped before it writes, a scan leaves the earlier one whole; while it writes, nothing.
    before = {path: path.read_bytes() for path in out.parent.iterdir()}
    monkeypatch.setattr(scan_job, "densest_region", stop)
    with pytest.raises(KeyboardInterrupt):
        run(motif_folder, fasta, out)
    assert {path: path.read_bytes() for path in out.parent.iterdir()} == before
    monkeypatch.undo()
    monkeypatch.setattr(scan_job, "write_bed", stop)
    with pytest.raises(KeyboardInterrupt):
        run(motif_folder, fasta, out)
    assert list(out.parent.iterdir()) == []


def test_a_model_that_does_not_know_its_site_says_so(
    motif_folder: Path, fasta: Path, tmp_path: Path
) -> None:
    said = "calls are named by the middle, base 20 of 40"
    unknown = run(motif_folder, fasta, tmp_path / "unknown", anchor=None)
    assert any(said in note for note in unknown.notes)
    known = run(motif_folder, fasta, tmp_path / "known")
    assert not any(said in note for note in known.notes)


def test_a_model_without_a_record_of_training(
    motif_folder: Path, genbank: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "bare"
    shutil.copytree(motif_folder, folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    del config["training"]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert places(run(folder, genbank, tmp_path / "scan")) == CALLED
    loaded = SequenceClassifier.load(folder)
    with pytest.raises(InputError, match=r"folder: .* no card can be written"):
        loaded.save(tmp_path / "again")


def test_min_distance_and_threshold(motif_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "g.fa"
    path.write_text(f">one\n{decode(planted(300, [100, 120, 200], []).codes)}\n")
    near = run(motif_folder, path, tmp_path / "near", min_distance=20)
    assert [place for _, place, _ in places(near)] == [100, 120, 200]
    far = run(motif_folder, path, tmp_path / "far", min_distance=21)
    assert [place for _, place, _ in places(far)] == [100, 200]
    assert run(motif_folder, path, tmp_path / "none", threshold=1.0).calls == ()
    everything = run(motif_folder, path, tmp_path / "all", threshold=0.0, min_distance=1)
    assert len(everything.calls) == 2 * (300 - WINDOW + 1)
    assert json.loads((tmp_path / "all.json").read_text())["threshold"]["log_odds"] is None
    least = run(motif_folder, path, tmp_path / "least", threshold=1e-310)
    assert least.summary["threshold"]["probability"] == 0


def test_runs_of_n(motif_folder: Path, tmp_path: Path) -> None:
    codes = planted(300, [40, 200], []).codes
    codes[45 + WINDOW : 45 + WINDOW + 80] = AMBIGUOUS
    path = tmp_path / "g.fa"
    path.write_text(f">one\n{decode(codes)}\n")
    result = run(motif_folder, path, tmp_path / "scan", track="bedgraph")
    assert [place for _, place, _ in places(result)] == [40, 200]
    assert result.summary["windows"]["not_scored"] > 100
    assert any("windows have no score" in note for note in result.notes)
    lines = (tmp_path / "scan.plus.bedgraph").read_text().splitlines()
    covered = {int(line.split("\t")[1]) for line in lines}
    few = 0.1 * WINDOW
    for start in range(300 - WINDOW + 1):
        n = int((codes[start : start + WINDOW] == AMBIGUOUS).sum())
        assert (start + ANCHOR in covered) == (n <= few)


def test_the_default_threshold_is_calibrated(
    motif_folder: Path, fasta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genomic_ulmfit.inference.scanning.calibration.SHORTEST_BACKGROUND", 50_000)
    result = run(motif_folder, fasta, tmp_path / "scan", threshold=None, step=2, seed=4)
    threshold = result.summary["threshold"]
    assert threshold["expected_calls_by_chance_per_mbp"] <= 20
    assert threshold["calibration"]["seed"] == 4
    assert threshold["calibration"]["bases"] == 50_000
    assert -46 < threshold["log_odds"] < 2
    assert len(result.calls) >= 2
    # So far apart that chance cannot make as many calls as it may.
    monkeypatch.setattr(
        "genomic_ulmfit.inference.scanning.calibration.SHORTEST_BACKGROUND", 200_000
    )
    options = {"threshold": None, "step": 2, "min_distance": 200_000}
    far = run(motif_folder, fasta, tmp_path / "far", **options)
    assert far.summary["threshold"]["expected_calls_by_chance_per_mbp"] == 10


def test_the_densest_region(motif_folder: Path, genbank: Path, tmp_path: Path) -> None:
    result = run(motif_folder, genbank, tmp_path / "scan")
    region = result.densest
    assert (region.contig.name, region.start, region.end, len(region.calls)) == (
        "circle",
        0,
        400,
        5,
    )
    spans = region.strands[1]
    (found,) = spans.values[spans.starts == 57]
    assert found == pytest.approx(1 / (1 + np.exp(-2)), abs=1e-4)
    none = run(motif_folder, genbank, tmp_path / "none", threshold=1.0)
    assert (none.densest.start, none.densest.calls) == (0, ())


def test_thousands_of_tiny_contigs(motif_folder: Path, tmp_path: Path) -> None:
    lengths = np.random.default_rng(0).integers(10, 90, 1500).tolist()
    contigs = [planted(int(n), [20][: n >= WINDOW], [], seed=i) for i, n in enumerate(lengths)]
    path = tmp_path / "g.fa"
    path.write_text("".join(f">c{i}\n{decode(c.codes)}\n" for i, c in enumerate(contigs)))
    result = run(motif_folder, path, tmp_path / "scan")
    # From base 20 on, 28 bases are left in the window.
    assert places(result) == [(f"c{i}", 20, 1) for i, n in enumerate(lengths) if n >= 48]
    file = pybigtools.open(str(tmp_path / "scan.plus.bw"))
    assert file.chroms() == {f"c{i}": n for i, n in enumerate(lengths) if n >= WINDOW}


def test_a_strand_without_any_score_has_no_track(motif_folder: Path, tmp_path: Path) -> None:
    path, bed = tmp_path / "g.fa", tmp_path / "r.bed"
    path.write_text(f">one\n{decode(planted(100, [], [5]).codes)}\n")
    bed.write_text("one\t20\t30\n")
    run(motif_folder, path, tmp_path / "both", regions=bed)
    # Windows begin 12 bases before their anchor, on the reverse strand they end 12 behind it.
    bed.write_text("one\t0\t10\n")
    with pytest.raises(InputError, match="no window has a score"):
        run(motif_folder, path, tmp_path / "none", regions=bed)
    bed.write_text("one\t12\t15\n")
    one = run(motif_folder, path, tmp_path / "one", regions=bed)
    assert (tmp_path / "one.plus.bw").exists()
    assert not (tmp_path / "one.minus.bw").exists()
    assert one.summary["tracks"] == {"plus": True, "minus": False}
    assert "No window of the minus strand has a score; it has no track." in one.notes


def test_a_scan_that_is_stopped_leaves_nothing(
    motif_folder: Path, fasta: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out" / "scan"

    def press(what: str, done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(motif_folder, fasta, out, report=press)
    assert list(out.parent.iterdir()) == []
    assert len(run(motif_folder, fasta, out).calls) == 4


def test_refusals(motif_folder: Path, genbank: Path, fasta: Path, tmp_path: Path) -> None:
    bed = tmp_path / "r.bed"
    short = tmp_path / "short.fa"
    short.write_text(">a\nACGT\n>b\nACGTACGTAC\n")
    bed.write_text("chr1\t0\t10\n")
    refused: list[tuple[dict[str, Any], str]] = [
        ({"regions": bed}, "line 1: there is no contig 'chr1' in the genome; it has one"),
        ({"threshold": 1.5}, "--threshold: got 1.5"),
        ({"min_distance": 0}, "--min-distance: got 0"),
        ({"track": "wig"}, "--track: got 'wig'"),
        ({"window": 50}, "--window: got 50"),
    ]
    for options, message in refused:
        with pytest.raises(InputError, match=message):
            run(motif_folder, fasta, tmp_path / "scan", **options)
    with pytest.raises(InputError, match=r"no contig is as long as a window of 40 .* has 10"):
        run(motif_folder, short, tmp_path / "scan")
    bed.write_text("one\t300\t401\n")
    with pytest.raises(InputError, match="ends at 401, but contig one has 400 bases"):
        run(motif_folder, fasta, tmp_path / "scan", regions=bed)
    bed.write_text("one\t300\t300\n")
    with pytest.raises(InputError, match="has no interval that holds a base"):
        run(motif_folder, fasta, tmp_path / "scan", regions=bed)
    with pytest.raises(InputError, match="is a folder; give a prefix"):
        run(motif_folder, fasta, tmp_path)
    with pytest.raises(InputError, match="is not a folder; name another one"):
        run(motif_folder, fasta, fasta / "scan")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith((".", "scan"))]
