"""Non-maximum suppression, and genes downstream."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genomic_ulmfit.dna.genome import Contig, Gene
from genomic_ulmfit.inference.scanning.calls import Call, call_sites, suppress
from genomic_ulmfit.inference.scanning.scan import ScanSettings

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


@given(
    st.lists(st.tuples(st.integers(0, 199), st.sampled_from([1, -1])), max_size=12),
    st.integers(0, 199),
    st.sampled_from([1, -1]),
    st.booleans(),
)
def test_the_nearest_start_against_all_of_them(
    starts: list[tuple[int, int]], anchor: int, strand: int, circular: bool
) -> None:
    genes = [Gene(f"g{n}", start, start + 1, way) for n, (start, way) in enumerate(sorted(starts))]
    (call,) = called(contig(*genes, length=200, circular=circular), strand, [anchor])
    turns = (-200, 0, 200) if circular else (0,)
    distances = [
        strand * (gene.start - anchor) + turn
        for gene in genes
        if gene.strand == strand
        for turn in turns
    ]
    possible = [distance for distance in distances if distance >= -15]
    if not possible:
        assert (call.gene, call.distance) == (None, None)
    else:
        assert call.distance in possible
        assert abs(call.distance) == min(map(abs, possible))
