"""Reading prefixes once must say what predicting every edited sequence by itself says."""

from __future__ import annotations

import numpy as np
import pytest

from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.inference.explaining import edits as edits_module
from genomic_ulmfit.inference.explaining.mutagenesis import saturation_mutagenesis

from .conftest import KINDS, LENGTH, classifier, context_of, sequences, slow_log_odds


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tokenizer", [KmerTokenizer(5, 2), KmerTokenizer(4, 3)])
def test_against_every_mutant_by_itself(
    monkeypatch: pytest.MonkeyPatch, kind: str, tokenizer: KmerTokenizer
) -> None:
    # Few at a time, so that batches have seams.
    monkeypatch.setattr(edits_module, "SEQUENCES", 2)
    monkeypatch.setattr(edits_module, "TOKENS", 70)
    monkeypatch.setattr(edits_module, "KEPT", 40)
    model, codes = classifier(kind, tokenizer), sequences(kind)
    reported: list[int] = []
    found = saturation_mutagenesis(model, codes, 1, "fp32", reported.append)
    assert reported[-1] == len(codes)
    longest = 30 if kind.startswith("pooling") else LENGTH
    assert found.effects.shape == (3, longest, 4)
    largest = 0.0
    for row, sequence in enumerate(codes):
        before = context_of(kind, sequence)
        base = slow_log_odds(model, sequence)
        assert found.log_odds[row] == pytest.approx(base, abs=2e-3)
        assert np.isnan(found.effects[row, len(sequence) - 2 * before :]).all()
        for place in range(len(sequence) - 2 * before):
            for letter in range(4):
                mutant = sequence.copy()
                mutant[before + place] = letter
                expected = slow_log_odds(model, mutant) - base
                assert found.effects[row, place, letter] == pytest.approx(expected, abs=4e-3)
                largest = max(largest, abs(expected))
    assert largest > 0.1


def test_importance_is_the_mean_loss() -> None:
    model, codes = classifier("position"), sequences("position")
    found = saturation_mutagenesis(model, codes, 1, "fp32")
    importance = found.importance(codes)
    assert np.isnan(importance[1, 4])
    others = [letter for letter in range(4) if letter != codes[0][7]]
    assert importance[0, 7] == pytest.approx(-found.effects[0, 7, others].mean(), abs=1e-5)
    assert found.effects[0, 7, codes[0][7]] == 0
