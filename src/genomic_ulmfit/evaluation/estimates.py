"""Values with 95 % intervals: over seeds (Student's t), and over test sequences (bootstrap)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student_t

from genomic_ulmfit.errors import InputError

Floats = npt.NDArray[np.floating[Any]]

CONFIDENCE = 0.95
RESAMPLES = 1000

_BLOCK = 4_000_000
"""Draws that are in memory at a time."""


class Estimate(NamedTuple):
    """A value and its 95 % interval; None stands for what is not defined."""

    value: float | None
    low: float | None
    high: float | None


def mean_interval(values: Sequence[float | None]) -> Estimate:
    """Return the mean of `values` and Student's t 95 % interval of it.

    Parameters
    ----------
    values : sequence of float
        One per seed. One value alone has no interval; if any is None (not defined), so is the
        mean, for a mean over the seeds that happened to work would flatter.

    Returns
    -------
    Estimate
        ``(mean, low, high)``.

    Raises
    ------
    InputError
        If there are no values.
    """
    if len(values) == 0:
        raise InputError("values: got none; a mean needs at least one.")
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return Estimate(None, None, None)
    mean = float(np.mean(known))
    if len(known) == 1:
        return Estimate(mean, None, None)
    error = np.std(known, ddof=1) / np.sqrt(len(known))
    reach = float(student_t.ppf((1 + CONFIDENCE) / 2, len(known) - 1) * error)
    return Estimate(mean, mean - reach, mean + reach)


def paired_difference(a: Sequence[float | None], b: Sequence[float | None]) -> Estimate:
    """Return the mean of a - b over seeds and its paired Student's t 95 % interval.

    Parameters
    ----------
    a, b : sequence of float
        The same metric of two models, in the same order of seeds.

    Returns
    -------
    Estimate
        As from `mean_interval`.

    Raises
    ------
    InputError
        If the lengths differ or are 0.
    """
    if len(a) != len(b):
        raise InputError(f"paired values: got {len(a)} and {len(b)}; give one pair per seed.")
    return mean_interval(
        [
            None if left is None or right is None else left - right
            for left, right in zip(a, b, strict=True)
        ]
    )


def percentile_interval(value: float | np.floating[Any], samples: Floats) -> Estimate:
    """Return a value with the percentiles of its resampled values as its 95 % interval.

    Parameters
    ----------
    value : float
        NaN where it is not defined.
    samples : numpy.ndarray of float, shape (n_resamples,)
        NaN where a resample has no value; it does not count.

    Returns
    -------
    Estimate
        Without an interval if no resample has a value, and without anything if `value` is NaN.
    """
    if np.isnan(value):
        return Estimate(None, None, None)
    defined = samples[~np.isnan(samples)]
    if len(defined) == 0:
        return Estimate(float(value), None, None)
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(defined, [tail, 100 - tail])
    return Estimate(float(value), float(low), float(high))


def bootstrap_mean(values: npt.ArrayLike, seed: int = 0) -> Estimate:
    """Return the mean over test sequences and its percentile bootstrap 95 % interval.

    Parameters
    ----------
    values : array-like of float, shape (n,)
        One of each test sequence, such as the difference in accuracy of two models there.
    seed : int
        Of the 1,000 resamples.

    Returns
    -------
    Estimate
    """
    of_each = np.asarray(values, dtype=np.float64)
    rng = np.random.default_rng(seed)
    samples = [weights @ of_each / len(of_each) for weights in resampled_weights(len(of_each), rng)]
    return percentile_interval(of_each.mean(), np.concatenate(samples))


def resampled_weights(n: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Give how often each resample of a bootstrap drew each of `n` test sequences.

    Parameters
    ----------
    n : int
    rng : numpy.random.Generator

    Yields
    ------
    numpy.ndarray of float, shape (n_block, n)
        Blocks of resamples, 1,000 in all.
    """
    block = max(1, min(RESAMPLES, _BLOCK // n))
    for start in range(0, RESAMPLES, block):
        rows = min(block, RESAMPLES - start)
        drawn = rng.integers(n, size=(rows, n)) + n * np.arange(rows)[:, None]
        counts = np.bincount(drawn.reshape(-1), minlength=rows * n)
        yield counts.reshape(rows, n).astype(np.float64)
