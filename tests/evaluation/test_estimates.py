from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from genomic_ulmfit.errors import InputError
from genomic_ulmfit.evaluation.estimates import (
    RESAMPLES,
    mean_interval,
    paired_difference,
    percentile_interval,
    resampled_weights,
)


def test_mean_interval_is_students():
    values = [0.91, 0.95, 0.93, 0.9]
    mean, low, high = mean_interval(values)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert mean == pytest.approx(np.mean(values))
    assert (low, high) == pytest.approx(tuple(expected))


def test_mean_interval_of_little():
    assert mean_interval([0.9]) == (0.9, None, None)
    assert mean_interval([0.9, None]) == (None, None, None)
    assert mean_interval([0.5, 0.5, 0.5]) == (0.5, 0.5, 0.5)
    with pytest.raises(InputError, match="values: got none"):
        mean_interval([])


def test_paired_difference_is_the_paired_t_interval():
    a, b = [0.91, 0.95, 0.93], [0.9, 0.93, 0.925]
    mean, low, high = paired_difference(a, b)
    expected = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert mean == pytest.approx(np.mean(a) - np.mean(b))
    assert (low, high) == pytest.approx(tuple(expected))
    assert paired_difference([0.9, None], [0.8, 0.7]) == (None, None, None)
    with pytest.raises(InputError, match="got 1 and 2"):
        paired_difference([0.9], [0.8, 0.7])


def test_percentile_interval_of_what_is_defined():
    samples = np.array([*np.arange(101.0), np.nan])
    assert percentile_interval(50.0, samples) == pytest.approx((50, 2.5, 97.5))
    assert percentile_interval(0.5, np.array([np.nan])) == (0.5, None, None)
    assert percentile_interval(np.nan, samples) == (None, None, None)


def test_resamples_draw_as_many_sequences_as_there_are():
    blocks = list(resampled_weights(7000, np.random.default_rng(0)))
    assert len(blocks) > 1
    weights = np.concatenate(blocks)
    assert weights.shape == (RESAMPLES, 7000)
    assert (weights.sum(axis=1) == 7000).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(7000), abs=0.2)
