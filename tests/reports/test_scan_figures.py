"""The picture of a scanned region: what is high must be seen, and gaps must stay gaps."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from genomic_ulmfit.dna.genome import Contig, Gene, Genome
from genomic_ulmfit.inference.scanning.calls import Call
from genomic_ulmfit.inference.scanning.regions import Region
from genomic_ulmfit.inference.scanning.scan import ScanSettings
from genomic_ulmfit.inference.scanning.scan_job import ScanResult
from genomic_ulmfit.inference.scanning.tracks import Spans
from genomic_ulmfit.reports.scan_figures import draw_region


def result(*, genes: bool, strands: tuple[int, ...], simulated: bool = False) -> ScanResult:
    annotated = (Gene("abc$", 4900, 5600, 1), Gene("over", 9500, 10_500, -1)) if genes else ()
    contig = Contig("chr_$1", np.zeros(10_000, np.uint8), True, annotated)
    values = np.full(2000, 0.0003, np.float32)
    values[1001] = 0.9975
    known = np.r_[:500, 600:2000]
    starts = np.arange(5000, 9000, 2)
    spans = Spans(starts[known], starts[known] + 2, values[known])
    scores = dict.fromkeys((1, -1), spans)
    calls = tuple(Call(contig, 7002, strand, 6.0) for strand in strands)
    region = Region(contig, 5000, 9000, scores, calls)
    genome = Genome("gen$ome", (contig,), simulated=simulated)
    settings = ScanSettings(150, 100, 2, 1, "dense", "fp32")
    return ScanResult(genome, settings, 2.0, calls, region, {}, ())


@pytest.mark.parametrize("genes", [True, False])
@pytest.mark.parametrize("strands", [(), (1,), (-1,), (1, -1)])
def test_it_is_drawn(tmp_path: Path, genes: bool, strands: tuple[int, ...]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = draw_region(result(genes=genes, strands=strands))
        picture.save_png(tmp_path / "p.png")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    assert picture.title == f"chr_$1: bases 5,001 to 9,000, {len(strands)} calls"
    assert "the threshold, 0.880797" in picture.caption
    assert ("arrows: annotated genes" in picture.caption) == genes
    scores, below = picture.figure.axes
    drawn = [line for line in scores.lines if line.get_marker() in ("v", "^")]
    assert [len(line.get_xdata()) for line in drawn] == [1 in strands, -1 in strands]
    assert len(below.patches) == genes


def test_a_single_high_window_is_seen_and_a_gap_is_none() -> None:
    picture = draw_region(result(genes=True, strands=(1,)))
    up, down = picture.figure.axes[0].patches
    corners = up.get_path().vertices
    assert corners[:, 1].max() == pytest.approx(0.9975)
    top = corners[corners[:, 1].argmax(), 0]
    assert abs(top - 7002) < 10
    assert not ((corners[:, 0] > 6010) & (corners[:, 0] < 6190)).any()
    assert down.get_path().vertices[:, 1].min() < -0.99


@pytest.mark.parametrize(("length", "step"), [(300, 2), (120, 50), (30, 50), (10_000, 40)])
def test_few_scores_fill_the_width(length: int, step: int) -> None:
    contig = Contig("short", np.zeros(length, np.uint8))
    anchors = np.arange(0, length, step)
    ends = np.minimum(anchors + step, length)
    values = np.full(len(anchors), 0.5, np.float32)
    region = Region(contig, 0, length, {1: Spans(anchors, ends, values)}, ())
    settings = ScanSettings(150, 100, step, 1, "dense", "fp32")
    scan = ScanResult(Genome("g", (contig,)), settings, 2.0, (), region, {}, ())
    (drawn,) = draw_region(scan).figure.axes[0].patches
    edges = drawn.get_data().edges
    assert (edges[0], edges[-1]) == (0, length)
    assert drawn.get_data().values == pytest.approx(np.full(len(edges) - 1, 0.5))


def test_simulated_genomes_are_called_so() -> None:
    picture = draw_region(result(genes=False, strands=(), simulated=True))
    assert picture.title.startswith("SIMULATED GENOME.")
    assert picture.caption.startswith("Simulated")
