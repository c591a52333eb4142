"""What pretraining measured, and how a model's `config.json` keeps it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from genomic_ulmfit.models.folder import LANGUAGE_MODEL, read_config


@dataclass(frozen=True)
class LanguageModelReport:
    """What a language model achieves on held-out text, both strands.

    Parameters
    ----------
    loss : float
        Cross-entropy in nats per token.
    accuracy : float
        Share of tokens whose new bases are predicted exactly.
    perplexity : float
        exp(loss).
    bits_per_base : float
        loss / ln 2 / stride; 2 is informed random: every base equally likely.
    tokens : int
        Tokens trained on.
    seconds : float
        Training time, validation included.
    curve : list of dict
        ``tokens``, ``train_loss``, ``valid_loss`` after every epoch, and more often in long
        ones. The training loss is a running mean, with dropout; the validation loss is of a
        sample of the held-out regions.
    genomes : dict of str to dict
        By name, for each genome that was trained on: of its held-out regions what
        `genomic_ulmfit.training.held_out.figures` returns.
    excluded : dict of str to dict
        The same for each genome that was left out of training. The figures above are without
        them.
    """

    loss: float
    accuracy: float
    perplexity: float
    bits_per_base: float
    tokens: int
    seconds: float
    curve: list[dict[str, float]] = field(default_factory=list)
    genomes: dict[str, dict[str, float]] = field(default_factory=dict)
    excluded: dict[str, dict[str, float]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able form."""
        return asdict(self)


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
    """Return what was measured when the language model in `folder` was trained.

    Raises
    ------
    InputError
        If there is no language model in it.
    """
    training = read_config(folder, LANGUAGE_MODEL)["training"]
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
