"""Called promoters against known transcription start sites (TSS).

Calls are taken from the best score down. A call is right if a known site of the same contig and
strand lies within the tolerance and no better call has taken that site yet; of several such
sites it takes the nearest, of equally near ones the upstream one. So no site is found twice and
no call finds two, and what is right among the best n calls does not depend on the rest: one
pass gives the whole precision-recall curve.

Where only some of the known sites count (those held out from training), a call that takes none
of them but lies within the tolerance of another known site is left out: it is neither right nor
wrong. Files of intervals do not say which contigs are circular: a call and a site on either side
of an origin are far apart.
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from genomic_ulmfit.errors import InputError
from genomic_ulmfit.evaluation.estimates import (
    CONFIDENCE,
    RESAMPLES,
    Estimate,
    percentile_interval,
)
from genomic_ulmfit.evaluation.scan_sites import Site

METRICS = ("precision", "recall", "f1", "auprc")
BLOCK = 20_000
"""Bases that the bootstrap draws together, for neighbouring sites are not independent."""
FEW_BLOCKS = 10
"""Stretches below which a bootstrap's interval is rough."""
LARGEST_TOLERANCE = 10_000
"""Bases, some ten genes: farther off, a call says nothing of a site."""

BIN = 5
"""Bases per bin of the histogram of distances."""

RIGHT, WRONG, LEFT_OUT = 1, 0, -1


@dataclass(frozen=True)
class ScanScores:
    """How well calls meet known sites.

    Parameters
    ----------
    n_truth : int
        Known sites that count.
    n_calls : int
        Calls that count.
    n_right : int
    n_left_out : int
        Calls at known sites that do not count.
    precision, recall, f1 : Estimate
        Of all calls that count, with 95 % bootstrap intervals.
    auprc : Estimate
        Average precision over all thresholds; sites that no call reaches count as never found.
    best_f1 : float or None
        Over all thresholds,
    best_score : float or None
        and the score at which it is reached.
    curve : tuple of (float, float, float)
        Score, precision and recall at every score that a call has, best first.
    distances : tuple of int
        From the site to each right call, along the site's strand: positive is downstream.
    n_blocks : int
        Stretches of `BLOCK` bases with calls or sites; there are no intervals from a single one.
    tolerance : int
    seed : int
    """

    n_truth: int
    n_calls: int
    n_right: int
    n_left_out: int
    precision: Estimate
    recall: Estimate
    f1: Estimate
    auprc: Estimate
    best_f1: float | None
    best_score: float | None
    curve: tuple[tuple[float, float, float], ...]
    distances: tuple[int, ...]
    n_blocks: int
    tolerance: int
    seed: int

    @property
    def notes(self) -> list[str]:
        """What intervals from few stretches are worth, one sentence each."""
        if self.n_blocks >= FEW_BLOCKS:
            return []
        if self.n_blocks == 1:
            return [
                f"There are no intervals: all calls and sites are within {BLOCK:,} bases, which "
                "the bootstrap draws as one."
            ]
        return [
            f"The intervals are rough: calls and sites are in {self.n_blocks} stretches of "
            f"{BLOCK:,} bases, which the bootstrap draws."
        ]

    def histogram(self) -> list[tuple[int, int, int]]:
        """Return (first distance, last distance, number of calls) per bin of `BIN` bases.

        The middle bin is centred on 0; the outermost ones end at the tolerance.
        """
        half = BIN // 2
        n_bins = -(-max(0, self.tolerance - half) // BIN)
        counts = np.bincount(
            [(distance + half) // BIN + n_bins for distance in self.distances],
            minlength=2 * n_bins + 1,
        )
        bounds = [(i * BIN - half, i * BIN + half) for i in range(-n_bins, n_bins + 1)]
        return [
            (max(first, -self.tolerance), min(last, self.tolerance), int(count))
            for (first, last), count in zip(bounds, counts, strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the curve as JSON-able values."""
        return {
            "n_truth": self.n_truth,
            "n_calls": self.n_calls,
            "n_right": self.n_right,
            "n_left_out": self.n_left_out,
            **{name: getattr(self, name)._asdict() for name in METRICS},
            "best_f1": self.best_f1,
            "best_f1_score": self.best_score,
            "distances": [
                {"from": first, "to": last, "calls": count}
                for first, last, count in self.histogram()
            ],
            "tolerance": self.tolerance,
            "bootstrap": {
                "resamples": RESAMPLES,
                "confidence": CONFIDENCE,
                "block": BLOCK,
                "blocks": self.n_blocks,
                "seed": self.seed,
            },
        }


def score_calls(
    calls: Sequence[Site],
    truth: Sequence[Site],
    *,
    others: Sequence[Site] = (),
    tolerance: int = 50,
    seed: int = 0,
) -> ScanScores:
    """Compare calls with known sites.

    Parameters
    ----------
    calls : sequence of Site
        With scores.
    truth : sequence of Site
        At least one.
    others : sequence of Site
        Known sites that do not count.
    tolerance : int
        Bases a call may be away from its site.
    seed : int
        Of the bootstrap over stretches of `BLOCK` bases.

    Returns
    -------
    ScanScores

    Raises
    ------
    InputError
        If there is no known site, or the tolerance is not allowed.
    """
    if not truth:
        raise InputError("truth: there is no known site to compare with.")
    if not 0 <= tolerance <= LARGEST_TOLERANCE:
        raise InputError(
            f"--tolerance: got {tolerance}, allowed are 0 to {LARGEST_TOLERANCE:,} bases."
        )
    order = np.argsort([-call.score for call in calls], kind="stable")
    calls = [calls[i] for i in order]
    verdicts, distances, at = _match(calls, truth, others, tolerance)
    counted = verdicts != LEFT_OUT
    scores = np.array([call.score for call in calls])[counted]
    right = verdicts[counted] == RIGHT

    blocks = _Blocks([*calls, *truth])
    # A right call comes and goes with its site, on whichever side of a border it lies.
    of_call = blocks.of(at)[counted]
    of_truth = blocks.of(truth)
    values = _scores(scores, right[None], np.array([len(truth)]), np.ones((1, len(scores))))
    rng = np.random.default_rng(seed)
    samples: dict[str, list[npt.NDArray[np.float64]]] = {name: [] for name in METRICS}
    # Few resamples at a time where there are many calls.
    size = max(1, min(RESAMPLES, 5_000_000 // max(1, len(scores))))
    for first in range(0, RESAMPLES, size):
        n = min(size, RESAMPLES - first)
        drawn = rng.multinomial(blocks.count, np.full(blocks.count, 1 / blocks.count), size=n)
        weights = drawn[:, of_call].astype(np.float64)
        sampled = _scores(scores, right[None], drawn[:, of_truth].sum(1), weights)
        for name in METRICS:
            samples[name].append(sampled[name])
    estimates = {
        name: percentile_interval(values[name][0], np.concatenate(samples[name]))
        for name in METRICS
    }
    if blocks.count == 1:
        # Drawn again and again it is always the same, which is no certainty.
        estimates = {name: Estimate(one.value, None, None) for name, one in estimates.items()}

    curve = _curve(scores, right, len(truth))
    best = max(curve, key=lambda point: _f1(point[1], point[2]), default=None)
    return ScanScores(
        n_truth=len(truth),
        n_calls=len(scores),
        n_right=int(right.sum()),
        n_left_out=int((~counted).sum()),
        **estimates,
        best_f1=None if best is None else _f1(best[1], best[2]),
        best_score=None if best is None else best[0],
        curve=curve,
        distances=distances,
        n_blocks=blocks.count,
        tolerance=tolerance,
        seed=seed,
    )


def _match(
    calls: Sequence[Site], truth: Sequence[Site], others: Sequence[Site], tolerance: int
) -> tuple[npt.NDArray[np.int64], tuple[int, ...], list[Site]]:
    """Return a verdict for each call, best first, and the distances of the right ones.

    Beside them, the site that each right call was taken for, and all other calls as they are.
    """
    free: dict[tuple[str, int], list[int]] = defaultdict(list)
    known: dict[tuple[str, int], list[int]] = defaultdict(list)
    for sites, into in ((truth, free), (others, known)):
        for site in sites:
            into[site.contig, site.strand].append(site.position)
        for positions in into.values():
            positions.sort()
    verdicts = np.zeros(len(calls), dtype=np.int64)
    distances = []
    at = list(calls)
    for number, call in enumerate(calls):
        strand = (call.contig, call.strand)
        index = _nearest(free[strand], call.position, tolerance, call.strand)
        if index is not None:
            verdicts[number] = RIGHT
            position = free[strand].pop(index)
            distances.append((call.position - position) * call.strand)
            at[number] = call._replace(position=position)
        elif _nearest(known[strand], call.position, tolerance, call.strand) is not None:
            verdicts[number] = LEFT_OUT
    return verdicts, tuple(distances), at


def _nearest(positions: list[int], wanted: int, tolerance: int, strand: int) -> int | None:
    """Return the index of the nearest of some sorted positions, if it is within reach."""
    place = bisect.bisect_left(positions, wanted)
    near = [i for i in (place - 1, place) if 0 <= i < len(positions)]
    near = [i for i in near if abs(positions[i] - wanted) <= tolerance]
    return min(
        near, key=lambda i: (abs(positions[i] - wanted), strand * positions[i]), default=None
    )


class _Blocks:
    """Numbers the stretches of `BLOCK` bases in which there is any site."""

    def __init__(self, sites: Sequence[Site]) -> None:
        self.numbers: dict[tuple[str, int], int] = {}
        for site in sites:
            self.numbers.setdefault((site.contig, site.position // BLOCK), len(self.numbers))

    @property
    def count(self) -> int:
        return len(self.numbers)

    def of(self, sites: Sequence[Site]) -> npt.NDArray[np.int64]:
        return np.array(
            [self.numbers[site.contig, site.position // BLOCK] for site in sites], dtype=np.int64
        )


def _scores(
    scores: npt.NDArray[np.float64],
    right: npt.NDArray[np.bool_],
    n_truth: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float64],
) -> dict[str, npt.NDArray[np.float64]]:
    """Compute each metric under many weightings of the calls; NaN where it is not defined.

    `scores` (n,) are in descending order, `right` is (1, n), `weights` (n_weightings, n) and
    `n_truth` (n_weightings,).
    """
    truths = n_truth[:, None]
    # Calls of one score come together: the curve has one point for each.
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1).astype(np.intp)
    with np.errstate(invalid="ignore", divide="ignore"):
        if not len(scores):
            nothing = np.full(len(n_truth), np.nan)
            zero = np.where(n_truth > 0, 0.0, np.nan)
            return {"precision": nothing, "recall": zero, "f1": zero, "auprc": zero}
        found = np.cumsum(weights * right, axis=1)[:, last]
        called = np.cumsum(weights, axis=1)[:, last]
        precision, recall = found / called, found / truths
        steps = np.diff(recall, axis=1, prepend=0)
        return {
            "precision": precision[:, -1],
            "recall": recall[:, -1],
            "f1": 2 * found[:, -1] / (called[:, -1] + n_truth),
            "auprc": np.where(n_truth > 0, np.nansum(precision * steps, axis=1), np.nan),
        }


def _curve(
    scores: npt.NDArray[np.float64], right: npt.NDArray[np.bool_], n_truth: int
) -> tuple[tuple[float, float, float], ...]:
    found = np.cumsum(right)
    last = [i for i in range(len(scores)) if i == len(scores) - 1 or scores[i] != scores[i + 1]]
    return tuple(
        (float(scores[i]), float(found[i] / (i + 1)), float(found[i] / n_truth)) for i in last
    )


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
