"""How classifiers are fine-tuned: stages of unfreezing, learning rates and batch sizes.

After ULMFiT (Howard & Ruder 2018, arXiv:1801.06146), whose sections are named below.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

LAYER_DECAY = 2.6
"""Each layer's learning rate is that of the layer above divided by this (section 3.2)."""


@dataclass(frozen=True)
class Stage:
    """One stage of gradual unfreezing.

    Parameters
    ----------
    layers : int or None
        LSTM layers that are trained below the head, counted from the top; None for all of
        them and the embedding.
    epochs : int
    learning_rate : float
        Peak, for the head.
    min_steps : int
        Optimizer steps of the whole stage, at least. A handful of sequences is one batch, and a
        handful of steps teaches nothing: an epoch then goes round them several times.
    """

    layers: int | None
    epochs: int
    learning_rate: float
    min_steps: int = 0


@dataclass(frozen=True)
class FineTuningRecipe:
    """How a classifier is trained.

    Parameters
    ----------
    stages : tuple of Stage
    dropout : float
        Multiplier on `CLASSIFIER_DROPOUTS`.
    batch_size : int
        Sequences per step, fewer if they are long (`finetuning.MOST_TOKENS`).
    weight_decay : float
        AdamW's.
    layer_decay : float
        1 trains all layers at the head's rate, as random weights need.
    every_phase : bool
        Whether every phase of the tokens is a sequence of its own to learn from; the mean of
        their logits counts.
    """

    stages: tuple[Stage, ...]
    dropout: float
    batch_size: int = 64
    weight_decay: float = 0.01
    layer_decay: float = LAYER_DECAY
    every_phase: bool = False


NAIVE = FineTuningRecipe(
    stages=(Stage(None, 3, 2e-3, min_steps=120),), dropout=0.2, batch_size=32, layer_decay=1.0
)
"""From random weights: all layers at once."""

PRETRAINED = FineTuningRecipe(
    stages=(
        Stage(0, 3, 3e-3, min_steps=150),
        Stage(1, 1, 2e-3, min_steps=30),
        Stage(2, 1, 2e-3, min_steps=30),
        Stage(None, 1, 2e-3, min_steps=30),
    ),
    dropout=0.3,
    batch_size=32,
)
"""From an encoder: head, last layer, last two, everything."""

POOLED = FineTuningRecipe(
    stages=(Stage(None, 4, 4e-3, min_steps=120),),
    dropout=0.3,
    layer_decay=1.2,
    batch_size=32,
    every_phase=True,
)
"""From an encoder to pooled states, which only say where something stands if the encoder learns to
count: all layers at once, at high rates."""

FROZEN = replace(PRETRAINED, stages=PRETRAINED.stages[:1])
"""The head alone, on an encoder that stays as it is."""
