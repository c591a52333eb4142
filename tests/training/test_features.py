"""Hidden states of a frozen encoder, and that they are as good as reading again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from genomic_ulmfit.data.readings import Readings
from genomic_ulmfit.models.language_model import LanguageModel
from genomic_ulmfit.training.features import cached_states, frozen_states
from genomic_ulmfit.training.finetuning import fine_tune
from genomic_ulmfit.training.finetuning_recipe import FineTuningRecipe, Stage


def test_states_are_cached_by_weights_and_sequences(
    encoder: LanguageModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    windows: Callable[..., Any],
) -> None:
    codes, _ = windows(6)
    first = cached_states(encoder.encoder, "a", codes, tmp_path, precision="fp32")
    assert (first == frozen_states(encoder.encoder, codes, precision="fp32")).all()
    tokens = encoder.encoder.config.tokenizer.tokenize(codes[2]).astype(np.int64)
    hidden, _, _ = encoder.encoder(torch.from_numpy(tokens)[:, None])
    assert first[2] == pytest.approx(hidden[:, 0].detach().numpy(), abs=1e-3)
    cached_states(encoder.encoder, "b", codes, tmp_path, precision="fp32")
    cached_states(encoder.encoder, "a", codes[:5], tmp_path, precision="fp32")
    assert len(list(tmp_path.iterdir())) == 3
    monkeypatch.setattr("genomic_ulmfit.training.features.frozen_states", None)
    again = cached_states(encoder.encoder, "a", codes, tmp_path, precision="fp32")
    assert (again == first).all()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("readings", [Readings(), Readings(True, 2)])
def test_hidden_states_at_hand_change_nothing(
    encoder: LanguageModel,
    readings: Readings,
    precision: str,
    windows: Callable[..., Any],
    config: Callable[..., Any],
) -> None:
    codes, targets = windows(30)
    wanted = replace(
        config(),
        head="position",
        both_strands=readings.both_strands,
        phases=readings.phases,
    )
    states = frozen_states(encoder.encoder, codes, readings=readings, precision=precision)
    recipe = FineTuningRecipe((Stage(0, 2, 3e-3),), dropout=0.0)
    curves = [
        fine_tune(
            codes,
            targets,
            wanted,
            recipe,
            encoder=encoder,
            states=given,
            precision=precision,
            progress=False,
        )[1]
        for given in (None, states)
    ]
    losses = [[point["train_loss"] for point in curve] for curve in curves]
    rounding = {"fp32": 2e-3, "bf16": 2e-2}[precision]
    assert losses[0] == pytest.approx(losses[1], rel=rounding)
