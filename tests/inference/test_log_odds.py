"""Log-odds and probabilities against the definition, in high precision."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from genomic_ulmfit.inference.log_odds import log_odds, log_odds_of, probability


@pytest.mark.parametrize("value", [-700.0, -28.0, -14.0, -0.5, 0.0, 3.0, 20.0])
def test_small_probabilities_keep_their_digits(value: float) -> None:
    expected = 1 / (1 + Fraction(math.exp(-value)))
    assert float(probability(value)) == pytest.approx(float(expected), rel=1e-12)
    single = probability(np.float32([value]))
    assert single.dtype == np.float32
    assert float(single[0]) == pytest.approx(float(expected), rel=1e-5, abs=1e-44)


def test_infinities_are_certain() -> None:
    assert probability([-math.inf, math.inf]).tolist() == [0, 1]
    assert (log_odds_of(0), log_odds_of(1)) == (-math.inf, math.inf)
    assert log_odds_of(0.75) == pytest.approx(math.log(3))


@pytest.mark.filterwarnings("error")
def test_what_is_not_there_stays_so() -> None:
    for kind in (np.float32, np.float64):
        found = probability(np.array([math.nan, 0, math.inf] * 5, dtype=kind))
        assert np.isnan(found[::3]).all()
        assert found[1:3].tolist() == [0.5, 1]


def test_a_class_against_all_others() -> None:
    logits = torch.tensor([[1.0, 2.0, 0.5]])
    shares = logits.softmax(-1)[0]
    for target in range(3):
        expected = float(torch.log(shares[target] / (1 - shares[target])))
        assert log_odds(logits, target).item() == pytest.approx(expected, abs=1e-5)
