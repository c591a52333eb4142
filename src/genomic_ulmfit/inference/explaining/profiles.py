"""From what each base contributes to what matters: averages over a set, and stretches of bases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from genomic_ulmfit.dna.alphabet import AMBIGUOUS, BASES, Codes, decode, one_hot
from genomic_ulmfit.inference.targets import Floats

WIDTH = 6
"""Bases of a stretch that matters: −10 and −35 box and Shine-Dalgarno sequence have six each."""

MOST = 8
"""Stretches that are listed of the average; of a single sequence, half as many."""

CONFIDENCE = 0.95
"""Of intervals over sequences."""


@dataclass(frozen=True, eq=False)
class Average:
    """What bases contribute on average over sequences of one length.

    Parameters
    ----------
    n : int
        Sequences.
    shares : numpy.ndarray of float64, shape (length, 4)
        How often each base stands at each place, of the sequences that have a known base there.
    mean, margin : numpy.ndarray of float64, shape (length,)
        Contribution of the base that stands there, and how far its 95 % interval over sequences
        (Student's t) reaches on either side. NaN where no base is known, and a margin where that
        of one sequence alone is.
    letters : numpy.ndarray of float64, shape (length, 4)
        The part of `mean` that comes from sequences with that base: the rows add up to it. Drawn
        as a logo.
    """

    n: int
    shares: npt.NDArray[np.float64]
    mean: npt.NDArray[np.float64]
    margin: npt.NDArray[np.float64]
    letters: npt.NDArray[np.float64]

    @property
    def consensus(self) -> str:
        """At each place the base that contributes most, of those that stand there, else N."""
        standing = np.where(self.shares > 0, self.letters, -np.inf)
        return "".join(BASES[row.argmax()] if np.isfinite(row).any() else "N" for row in standing)


class Stretch(NamedTuple):
    """Bases that matter.

    Parameters
    ----------
    start, end : int
        Within the sequence, 0-based half-open.
    bases : str
        What stands there; of an average, the base at each place that contributes most.
    contribution : float
        Sum of the contributions of its bases, in log-odds.
    margin : float
        How far the 95 % interval of an average reaches on either side; NaN for a single sequence.
    """

    start: int
    end: int
    bases: str
    contribution: float
    margin: float

    @property
    def interval(self) -> tuple[float, float]:
        """Its ends, NaN for a single sequence."""
        return self.contribution - self.margin, self.contribution + self.margin


def average(contributions: Floats, windows: Sequence[Codes]) -> Average:
    """Average contributions over sequences of one length.

    Parameters
    ----------
    contributions : numpy.ndarray of float32, shape (n, length)
        NaN at ambiguous bases.
    windows : sequence of numpy.ndarray of uint8, each of shape (length,)
    """
    known = ~np.isnan(contributions)
    counts = known.sum(0)
    some, several = np.maximum(counts, 1), np.maximum(counts, 2)
    values = np.where(known, contributions, 0).astype(np.float64)
    mean = values.sum(0) / some
    squares = (np.where(known, values - mean, 0) ** 2).sum(0)
    bases = one_hot(np.stack(windows)).astype(np.float64)
    return Average(
        len(windows),
        bases.sum(0) / np.maximum(bases.sum((0, 2)), 1)[:, None],
        np.where(counts > 0, mean, np.nan),
        np.where(counts > 1, _margin(squares, several), np.nan),
        np.einsum("nl,nlb->lb", values, bases) / some[:, None],
    )


def _margin(squares: npt.ArrayLike, n: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return half of the interval of a mean of `n` values, two or more, from their squared sum."""
    n = np.asarray(n)
    error = np.sqrt(np.asarray(squares) / (n - 1) / n)
    return np.asarray(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * error, dtype=np.float64)


def preferences(effects: Floats) -> npt.NDArray[np.float64]:
    """Return what each base at each place does on average, against the mean of the four.

    Parameters
    ----------
    effects : numpy.ndarray of float32, shape (n, length, 4)
        Of saturation mutagenesis.

    Returns
    -------
    numpy.ndarray of float64, shape (length, 4)
        Rows add up to 0. Unlike contributions it does not depend on how frequent a base is.
    """
    mean = effects.astype(np.float64).mean(0)
    return np.asarray(mean - mean.mean(1, keepdims=True), dtype=np.float64)


def stretches_of_average(contributions: Floats, found: Average) -> list[Stretch]:
    """Return the stretches that contribute most on average, the strongest first.

    Parameters
    ----------
    contributions : numpy.ndarray of float32, shape (n, length)
    found : Average
        Of them.
    """
    consensus, means = found.consensus, np.nan_to_num(found.mean)
    stretches = []
    for start, end in _strongest(means, MOST):
        # Of a sequence with an ambiguous base there, nobody knows the sum.
        sums = contributions[:, start:end].astype(np.float64).sum(1)
        sums = sums[~np.isnan(sums)]
        squares = np.square(sums - sums.mean()).sum() if len(sums) else 0.0
        margin = float(_margin(squares, len(sums))) if len(sums) > 1 else float("nan")
        total = float(means[start:end].sum())
        stretches.append(Stretch(start, end, consensus[start:end], total, margin))
    return stretches


def stretches_of_sequence(contributions: Floats, window: Codes) -> list[Stretch]:
    """Return the stretches of one sequence that contribute most, the strongest first.

    Parameters
    ----------
    contributions : numpy.ndarray of float32, shape (length,)
    window : numpy.ndarray of uint8, shape (length,)
    """
    values = np.nan_to_num(contributions).astype(np.float64)
    return [
        Stretch(start, end, decode(window[start:end]), float(values[start:end].sum()), float("nan"))
        for start, end in _strongest(values, MOST // 2)
    ]


def _strongest(values: npt.NDArray[np.float64], most: int) -> list[tuple[int, int]]:
    """Take the stretch with the highest sum, then the next that does not overlap it, and so on.

    Only stretches that speak for the class count. Shorter sequences are one stretch.
    """
    width = min(WIDTH, len(values))
    sums = np.convolve(values, np.ones(width), mode="valid")
    chosen: list[tuple[int, int]] = []
    while len(chosen) < most:
        start = int(sums.argmax())
        if not sums[start] > 0:
            break
        chosen.append((start, start + width))
        sums[max(0, start - width + 1) : start + width] = -np.inf
    return chosen


def from_site(place: int, anchor: int | None) -> int:
    """Number a base as biologists do: the site is +1, the base before it −1, and there is no 0.

    Parameters
    ----------
    place : int
        0-based.
    anchor : int or None
        Where the site is, 0-based. Without one, bases count from 1.
    """
    if anchor is None:
        return place + 1
    return place - anchor + 1 if place >= anchor else place - anchor


def known_bases(contributions: Floats, windows: Sequence[Codes]) -> Floats:
    """Return contributions with NaN in place of those of ambiguous bases.

    Parameters
    ----------
    contributions : numpy.ndarray of float32, shape (n, longest)
    windows : sequence of numpy.ndarray of uint8
    """
    known = contributions.copy()
    for row, window in zip(known, windows, strict=True):
        row[: len(window)][window == AMBIGUOUS] = np.nan
    return known


def has_unknown(window: Codes) -> bool:
    """Return whether a sequence has ambiguous bases."""
    return bool((window == AMBIGUOUS).any())
