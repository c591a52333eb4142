"""What pretraining measured, and how a model's `config.json` keeps it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genomic_ulmfit.training.pretraining import LanguageModelReport


@dataclass(frozen=True)
class PretrainingResult:
    """What was measured when a language model was trained.

    Parameters
    ----------
    report : LanguageModelReport
        On held-out regions.
    markov : dict of int to float
        Bits per base of Markov models, by order: same training text, same held-out regions.
    training : dict
        Everything else that goes into the model's `config.json`: data, recipe, precision.
    markov_excluded : dict of str to dict of int to float
        The same by name, for genomes that were kept out of training.
    """

    report: LanguageModelReport
    markov: dict[int, float]
    training: dict[str, Any]
    markov_excluded: dict[str, dict[int, float]] = field(default_factory=dict)

    @property
    def best_markov(self) -> tuple[int, float]:
        """Order and bits per base of the best Markov model."""
        return min(self.markov.items(), key=lambda item: item[1])


def read_pretraining_result(folder: str | Path) -> PretrainingResult:
    """Return what was measured when the language model in `folder` was trained."""
    training = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))["training"]
    return PretrainingResult(
        LanguageModelReport(**training["report"]),
        _with_whole_keys(training["markov_bits_per_base"]),
        training,
        {n: _with_whole_keys(bits) for n, bits in training.get("markov_excluded", {}).items()},
    )


def with_text_keys(bits: dict[int, float]) -> dict[str, float]:
    """Return bits per base by order as JSON can hold them, as `read_pretraining_result` reads."""
    return {str(order): value for order, value in bits.items()}


def _with_whole_keys(bits: dict[str, float]) -> dict[int, float]:
    return {int(order): value for order, value in bits.items()}
