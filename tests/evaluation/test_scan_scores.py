"""Calls against known sites: matching, curves and files, each against a slow reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from genomic_ulmfit.errors import InputError
from genomic_ulmfit.evaluation.scan_scores import BLOCK, METRICS, score_calls
from genomic_ulmfit.evaluation.scan_sites import Site


def site(position: int, strand: int = 1, score: float = 0.0, name: str = "") -> Site:
    return Site("c", position, strand, score, name)


def slow(
    calls: list[Site], truth: list[Site], others: list[Site], reach: int
) -> tuple[list[float], list[bool], int, list[int]]:
    """Every call against every site, best call first."""
    left = list(truth)
    scores, right, left_out, distances = [], [], 0, []
    for call in sorted(calls, key=lambda call: -call.score):

        def near(sites: list[Site], call: Site = call) -> list[Site]:
            same = [s for s in sites if (s.contig, s.strand) == (call.contig, call.strand)]
            same = [s for s in same if abs(s.position - call.position) <= reach]
            return sorted(
                same, key=lambda s: (abs(s.position - call.position), s.strand * s.position)
            )

        if near(left):
            chosen = near(left)[0]
            left.remove(chosen)
            distances.append((call.position - chosen.position) * call.strand)
            right.append(True)
        elif near(others):
            left_out += 1
            continue
        else:
            right.append(False)
        scores.append(call.score)
    return scores, right, left_out, distances


sites = st.builds(
    Site,
    st.sampled_from(("a", "b")),
    st.integers(0, 120),
    st.sampled_from((1, -1)),
    st.integers(0, 6).map(float),
)


@given(
    st.lists(sites, max_size=25),
    st.lists(sites, min_size=1, max_size=15),
    st.lists(sites, max_size=10),
    st.integers(0, 30),
)
def test_against_the_slow_way(
    calls: list[Site], truth: list[Site], others: list[Site], reach: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genomic_ulmfit.evaluation.scan_scores.RESAMPLES", 5)
        found = score_calls(calls, truth, others=others, tolerance=reach)
    scores, right, left_out, distances = slow(calls, truth, others, reach)
    assert (found.n_calls, found.n_right, found.n_left_out) == (len(scores), sum(right), left_out)
    assert list(found.distances) == distances
    assert sum(count for _, _, count in found.histogram()) == len(distances)
    for first, last, count in found.histogram():
        assert count == sum(first <= distance <= last for distance in distances)
    assert found.recall.value == pytest.approx(sum(right) / len(truth))
    if not scores:
        assert found.precision.value is None
        assert found.auprc.value == 0
        return
    assert found.precision.value == pytest.approx(sum(right) / len(scores))
    assert found.f1.value == pytest.approx(2 * sum(right) / (len(scores) + len(truth)))
    # A site that is never found is a positive below everything else, which scikit-learn counts
    # only in the number of positives.
    area = 0.0
    if any(right):
        area = average_precision_score(right, scores) * sum(right) / len(truth)
    assert found.auprc.value == pytest.approx(area)
    best = max(
        2
        * sum(r for r, s in zip(right, scores, strict=True) if s >= least)
        / (sum(s >= least for s in scores) + len(truth))
        for least in scores
    )
    assert found.best_f1 == pytest.approx(best)


def test_no_site_is_found_twice_and_strands_do_not_mix() -> None:
    truth = [site(100), site(130), site(300, -1)]
    calls = [
        site(104, score=5),
        site(97, score=4),
        site(120, score=3),
        site(301, score=2),
        site(320, -1, score=1),
    ]
    found = score_calls(calls, truth, tolerance=25)
    # The second call is as near to the first site, but that one is taken.
    assert found.distances == (4, -10, -20)
    assert (found.n_right, found.n_calls) == (3, 5)


def test_calls_at_sites_that_do_not_count_are_left_out() -> None:
    truth = [site(100)]
    others = [site(140), site(500)]
    calls = [site(120, score=3), site(125, score=2), site(510, score=1), site(900, score=0)]
    found = score_calls(calls, truth, others=others, tolerance=30)
    assert (found.n_right, found.n_left_out, found.n_calls) == (1, 2, 2)
    assert found.precision.value == 0.5
    without = score_calls(calls, truth, tolerance=30)
    assert (without.n_right, without.n_left_out, without.n_calls) == (1, 0, 4)


def test_intervals() -> None:
    rng = np.random.default_rng(0)
    truth = [site(int(place)) for place in np.sort(rng.integers(0, 5_000_000, 400))]
    calls = [site(t.position, score=float(rng.random())) for t in truth[::2]]
    calls += [site(int(p), score=float(rng.random())) for p in rng.integers(0, 5_000_000, 200)]
    found = score_calls(calls, truth, tolerance=10)
    for estimate in (found.precision, found.recall, found.f1, found.auprc):
        value, low, high = estimate
        assert value is not None
        assert low is not None
        assert high is not None
        assert low < value < high
    assert found.recall.low == pytest.approx(0.5, abs=0.09)
    assert found == score_calls(calls, truth, tolerance=10)
    other = score_calls(calls, truth, tolerance=10, seed=1)
    assert other.auprc.value == found.auprc.value
    assert other.auprc.low != found.auprc.low


def test_no_interval_from_one_stretch() -> None:
    calls = [site(10, score=2), site(500, score=1)]
    found = score_calls(calls, [site(12)], tolerance=10)
    assert found.precision == (0.5, None, None)
    assert found.n_blocks == 1
    assert "There are no intervals" in found.notes[0]
    few = score_calls([*calls, site(90_000)], [site(12)], tolerance=10)
    assert few.precision.low is not None
    assert "rough: calls and sites are in 2 stretches" in few.notes[0]


def test_nothing_called() -> None:
    found = score_calls([], [site(5)], tolerance=50)
    assert found.to_dict()["precision"]["value"] is None
    assert found.to_dict()["auprc"]["value"] == 0
    assert found.best_f1 is None


def test_refusals() -> None:
    with pytest.raises(InputError, match="there is no known site"):
        score_calls([site(1)], [])
    with pytest.raises(InputError, match="--tolerance: got -1"):
        score_calls([site(1)], [site(1)], tolerance=-1)


@pytest.mark.parametrize("tolerance", [-1, 10_001, 10**30])
def test_tolerances_that_mean_nothing(tolerance: int) -> None:
    site = Site("c", 5, 1, 1.0)
    with pytest.raises(InputError, match=f"--tolerance: got {tolerance}, allowed are 0 to 10,000"):
        score_calls([site], [site], tolerance=tolerance)


@given(
    st.lists(st.tuples(st.integers(-12, 12), st.sampled_from((1, -1))), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(-12, 12), st.sampled_from((1, -1))), min_size=1, max_size=12),
)
def test_intervals_stay_within_bounds_where_blocks_meet(
    calls: list[tuple[int, int]], truth: list[tuple[int, int]]
) -> None:
    called = [site(BLOCK + at, strand, score) for score, (at, strand) in enumerate(calls)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genomic_ulmfit.evaluation.scan_scores.RESAMPLES", 40)
        found = score_calls(called, [site(BLOCK + at, strand) for at, strand in truth])
    for name in METRICS:
        value, low, high = getattr(found, name)
        assert all(one is None or 0 <= one <= 1 for one in (value, low, high))
