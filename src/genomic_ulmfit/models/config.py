"""Sizes and dropout rates: everything needed to build an encoder again from its folder."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass, field
from typing import Any

from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.errors import InputError


@dataclass(frozen=True)
class Dropouts:
    """The five dropout rates of AWD-LSTM (Merity et al. 2017, arXiv:1708.02182, section 4).

    Parameters
    ----------
    embedding : float
        Whole k-mers dropped from the embedding table.
    input : float
        Channels of the embedded input, one mask per sequence.
    weight : float
        Entries of the hidden-to-hidden matrices (DropConnect), one mask per forward pass.
    hidden : float
        Channels between LSTM layers, one mask per sequence.
    output : float
        Channels of the last layer's output, one mask per sequence.
    """

    embedding: float = 0.0
    input: float = 0.0
    weight: float = 0.0
    hidden: float = 0.0
    output: float = 0.0

    def __post_init__(self) -> None:
        for name, rate in asdict(self).items():
            if not 0 <= rate < 1:
                raise InputError(f"dropout {name}: got {rate}, allowed is 0 up to below 1.")

    def scaled(self, multiplier: float) -> Dropouts:
        """Return all five rates times `multiplier`."""
        return Dropouts(**{name: rate * multiplier for name, rate in asdict(self).items()})


LANGUAGE_MODEL_DROPOUTS = Dropouts(embedding=0.02, input=0.2, weight=0.15, hidden=0.1, output=0.25)
"""At multiplier 1, for pretraining: the seed's rates."""

CLASSIFIER_DROPOUTS = Dropouts(embedding=0.1, input=0.6, weight=0.5, hidden=0.2, output=0.4)
"""At multiplier 1, for fine-tuning: the seed's rates."""


@dataclass(frozen=True)
class EncoderConfig:
    """Shape of an AWD-LSTM encoder.

    Parameters
    ----------
    embedding : int
        Width of the token embedding, and of the last layer's output.
    hidden : int
        Width of the layers between.
    layers : int
        Number of LSTM layers, 1 or more.
    tokenizer : KmerTokenizer
        How bases become tokens.
    """

    embedding: int = 256
    hidden: int = 512
    layers: int = 3
    tokenizer: KmerTokenizer = field(default_factory=KmerTokenizer)

    def __post_init__(self) -> None:
        for name in ("embedding", "hidden", "layers"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}: got {getattr(self, name)}, allowed is 1 or more.")

    def layer_sizes(self) -> list[tuple[int, int]]:
        """Return (input, output) width of each LSTM layer."""
        widths = [self.embedding, *[self.hidden] * (self.layers - 1), self.embedding]
        return list(itertools.pairwise(widths))

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able form."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> EncoderConfig:
        """Read what `to_dict` wrote."""
        return cls(**{**value, "tokenizer": KmerTokenizer(**value["tokenizer"])})


PRESETS = {
    "tiny": EncoderConfig(embedding=32, hidden=64, layers=2),
    "small": EncoderConfig(embedding=256, hidden=512, layers=3),
    "paper": EncoderConfig(embedding=400, hidden=1150, layers=3),
}
"""Named sizes: `tiny` for tests, `small` for two CPU cores, `paper` as in the seed."""


def preset(name: str) -> EncoderConfig:
    """Return the encoder shape called `name`, or raise `InputError` naming those that exist."""
    if name not in PRESETS:
        raise InputError(f"preset: got {name!r}, allowed are {', '.join(PRESETS)}.")
    return PRESETS[name]
