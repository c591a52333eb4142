"""How language models are trained, by preset."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PretrainingRecipe:
    """How a language model is trained.

    Parameters
    ----------
    epochs : float
        Passes over the training text, each on one randomly drawn strand per piece.
    streams : int
        Parallel streams of text: the batch size, over all processes.
    bptt : int
        Tokens through which gradients flow back. What the LSTM remembers reaches further: its state
        goes on from window to window.
    learning_rate : float
        Peak of the one-cycle schedule (Smith 2018, arXiv:1803.09820).
    dropout : float
        Multiplier on `LANGUAGE_MODEL_DROPOUTS`.
    weight_decay : float
        AdamW's.
    alpha, beta : float
        Weights of activation and temporal activation regularisation.
    """

    epochs: float
    streams: int = 128
    bptt: int = 25
    learning_rate: float = 5e-3
    dropout: float = 0.3
    weight_decay: float = 0.01
    alpha: float = 0.0
    beta: float = 0.0


RECIPES = {
    "tiny": PretrainingRecipe(epochs=2, streams=16, bptt=50, learning_rate=1e-2, dropout=0.1),
    "small": PretrainingRecipe(epochs=5),
    "paper": PretrainingRecipe(epochs=20, bptt=100, learning_rate=3e-3),
}
"""By preset."""
