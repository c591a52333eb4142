"""Gradients over mixtures of bases, which at certain bases are the classifier."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genomic_ulmfit.inference.explaining.attribution import integrated_gradients, mixed_logits
from genomic_ulmfit.inference.explaining.mutagenesis import saturation_mutagenesis
from genomic_ulmfit.inference.targets import sequence_log_odds
from genomic_ulmfit.models.bases import one_hot
from genomic_ulmfit.models.classifier import Classifier
from genomic_ulmfit.models.prediction import predict_probabilities

from .conftest import KINDS, classifier, sequences


@pytest.mark.parametrize("kind", KINDS)
def test_mixtures_of_certain_bases_are_the_classifier(kind: str) -> None:
    model = classifier(kind)
    for codes in sequences(kind):
        tokens = model.config.encoder.tokenizer.n_tokens(len(codes))
        with torch.no_grad():
            found = mixed_logits(
                model,
                one_hot(torch.from_numpy(codes)[None]),
                torch.tensor([len(codes)]),
                torch.tensor([tokens]),
                "fp32",
            ).softmax(1)
        expected = predict_probabilities(model, [codes], precision="fp32")
        assert found.numpy() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_add_up_to_the_log_odds(kind: str) -> None:
    model, codes = classifier(kind), sequences(kind)
    # Gentle weights: 16 points integrate a smooth function well.
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.4)
    found = integrated_gradients(model, codes, 1, "fp32")
    assert found.log_odds == pytest.approx(sequence_log_odds(model, codes, 1, "fp32"), abs=1e-4)
    spread = np.abs(found.contributions[~np.isnan(found.contributions)]).sum()
    assert np.abs(found.residual).max() < 0.02 * spread
    assert found.contributions[1, 4] == 0
    if kind.startswith("pooling"):
        assert np.isnan(found.contributions[1, 9:]).all()


def test_a_known_motif_is_found_base_by_base(motif_model: Classifier) -> None:
    """Each base of the motif is worth 4 and all others nothing, whatever the method."""
    rng = np.random.default_rng(0)
    codes = [rng.integers(0, 4, 40).astype(np.uint8)]
    motif = [3, 3, 2, 0, 1, 2, 3, 0, 3, 0, 0, 3, 2]
    codes[0][12:25] = motif
    found = saturation_mutagenesis(motif_model, codes, 1, "fp32")
    worth = np.zeros(40)
    worth[12:25] = 4
    assert found.log_odds[0] == pytest.approx(2, abs=1e-4)
    assert found.importance(codes)[0] == pytest.approx(worth, abs=1e-4)
    gradient = integrated_gradients(motif_model, codes, 1, "fp32").contributions[0]
    # Against equal parts of all bases a right base is worth three quarters of its weight.
    assert gradient == pytest.approx(0.75 * worth, abs=1e-4)
