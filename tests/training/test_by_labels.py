"""Training by the recipe for this many labels, with an encoder and without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from genomic_ulmfit.models.language_model import LanguageModel
from genomic_ulmfit.models.prediction import predict_probabilities
from genomic_ulmfit.models.store import load_classifier, save_classifier
from genomic_ulmfit.training import recipes
from genomic_ulmfit.training.by_labels import train_by_labels, train_without_encoder
from genomic_ulmfit.training.finetuning_recipe import FROZEN, FineTuningRecipe, Stage
from genomic_ulmfit.training.probe_fit import head_probabilities
from genomic_ulmfit.training.recipes import ProbeRecipe, Recipe


@pytest.mark.parametrize("with_motifs", [False, True])
def test_many_labels_take_all_and_few_the_probe(
    encoder: LanguageModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    with_motifs: bool,
    windows: Callable[..., Any],
    config: Callable[..., Any],
) -> None:
    quick = FineTuningRecipe((Stage(0, 1, 3e-3),), dropout=0.0)
    both = Recipe(ProbeRecipe(1.0), quick, motifs=with_motifs)
    monkeypatch.setattr(recipes, "RECIPES", ((0, Recipe(ProbeRecipe(4.0), None)), (50, both)))
    wanted = replace(config(), head="position")
    options = {"encoder": encoder, "precision": "fp32", "progress": False}
    few, curve = train_by_labels(*windows(20), wanted, **options)
    assert few.config.head == "probe"
    assert curve == []

    codes, targets = windows(60)
    model, curve = train_by_labels(codes, targets, wanted, **options)
    assert len(curve) == 1
    assert model.config == replace(wanted, with_probe=True, phases=2, with_motifs=with_motifs)
    save_classifier(model, tmp_path / "model", "# card\n", {})
    network, probe, motifs, whole = (load_classifier(tmp_path / "model") for _ in range(4))
    network.probe_head = network.motifs = None
    probe.pooling_head = probe.position_head = probe.motifs = None
    motifs.pooling_head = motifs.position_head = motifs.probe_head = None
    parts = [
        np.log(predict_probabilities(one, codes, precision="fp32"))
        for one in (network, probe, motifs)[: 2 + with_motifs]
    ]
    assert abs(parts[0] - parts[-1]).max() > 1e-3
    together = np.exp(np.mean(parts, axis=0))
    expected = together / together.sum(1, keepdims=True)
    assert predict_probabilities(whole, codes, precision="fp32") == pytest.approx(
        expected, abs=1e-5
    )


def test_the_recipe_without_an_encoder(
    monkeypatch: pytest.MonkeyPatch, windows: Callable[..., Any]
) -> None:
    codes, targets = windows(60)
    others, truth = windows(200, seed=1)
    alone = train_without_encoder(codes, targets, 2)
    assert alone.motifs is None
    assert alone.predict_proba(others) == pytest.approx(head_probabilities(alone.head, others))
    monkeypatch.setattr(recipes, "RECIPES", ((0, Recipe(ProbeRecipe(4.0), FROZEN, True)),))
    both = train_without_encoder(codes, targets, 2)
    assert both.motifs is not None
    with torch.no_grad():
        of_motifs = both.motifs(torch.from_numpy(np.stack(others))).softmax(-1).double().numpy()
    odds = np.log(head_probabilities(both.head, others)) + np.log(of_motifs)
    expected = np.exp(odds / 2)
    found = both.predict_proba(others)
    assert found == pytest.approx(expected / expected.sum(1, keepdims=True), abs=1e-5)
    assert (found.argmax(1) == truth).mean() > 0.9
