"""Windows that slide must say what predicting every changed sequence by itself says."""

from __future__ import annotations

import numpy as np
import pytest

from genomic_ulmfit.inference.explaining.perturbation import window_perturbation

from .conftest import classifier, context_of, sequences, slow_log_odds


@pytest.mark.parametrize("kind", ["pooling, both strands", "probe", "with context"])
def test_windows_against_every_window_by_itself(kind: str) -> None:
    model, codes = classifier(kind), sequences(kind)
    found = window_perturbation(model, codes, 1, "fp32", 10)
    for row, sequence in enumerate(codes):
        before = context_of(kind, sequence)
        base = slow_log_odds(model, sequence)
        for column, start in enumerate(found.starts):
            last = len(sequence) - 2 * before - 10
            # A window at another one's end.
            if start > last or (start % 5 and start != last):
                assert np.isnan(found.effects[row, column])
                continue
            scores = []
            for by in (1, 2, 3):
                edited = sequence.copy()
                part = edited[before + start : before + start + 10]
                part[part < 4] = (part[part < 4] + by) % 4
                scores.append(slow_log_odds(model, edited))
            expected = np.mean(scores) - base
            assert found.effects[row, column] == pytest.approx(expected, abs=4e-3)
    importance = found.importance(30)
    # Windows reach the last base of every sequence that is as wide as one.
    for row, sequence in enumerate(codes):
        n = len(sequence) - 2 * context_of(kind, sequence)
        assert np.isnan(importance[row, :n]).any() == (n < 10)
    assert importance[0, 4] == pytest.approx(-found.effects[0, 0] / found.width, abs=1e-5)
    assert importance[0, 7] == pytest.approx(-found.effects[0, :2].mean() / found.width, abs=1e-5)
