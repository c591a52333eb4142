"""Looking at held-out text while training runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genomic_ulmfit.data.corpus import Corpus
from genomic_ulmfit.models.language_model import LanguageModel
from genomic_ulmfit.training import journal
from genomic_ulmfit.training.journal import validation_steps
from genomic_ulmfit.training.pretraining_result import LanguageModelReport


def test_looking_at_held_out_text_does_not_change_training(
    reference: tuple[LanguageModel, LanguageModelReport],
    corpus: Corpus,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run: Callable[..., Any],
    same_weights: Callable[..., Any],
) -> None:
    monkeypatch.setattr(journal, "VALIDATION_TOKENS", 0)
    model, report = run(corpus, tmp_path)
    assert len(report.curve) == 2 * 10
    assert same_weights(model, reference[0])


@pytest.mark.parametrize(
    ("total", "per_epoch", "tokens_per_step", "expected"),
    [
        (66, 33, 160, {33, 66}),
        (16, 33, 160, {16}),
        (1, 33, 160, {1}),
        (80, 33, 160, {33, 66, 80}),
        # Spacing is 5 % of the run, where that is 4 million tokens.
        (1_000, 1_000, 80_000, set(range(50, 1_001, 50))),
        (1_000, 1_000, 40_000, set(range(100, 1_001, 100))),
        (500, 1_000, 80_000, set(range(50, 501, 50))),
        (200, 100, 10**9, {10 * i for i in range(1, 21)}),
    ],
)
def test_when_to_validate(
    total: int, per_epoch: int, tokens_per_step: int, expected: set[int]
) -> None:
    assert validation_steps(total, per_epoch, tokens_per_step) == expected
