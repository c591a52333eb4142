"""Log-odds of a class, and the probabilities that they stand for."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


def log_odds(logits: Tensor, target: int) -> Tensor:
    """Return the natural logarithm of the odds of one class against all others.

    Parameters
    ----------
    logits : Tensor, shape (..., n_classes)
    target : int

    Returns
    -------
    Tensor, shape (...)
        The sigmoid of it is the class's probability.
    """
    others = torch.cat([logits[..., :target], logits[..., target + 1 :]], dim=-1)
    return logits[..., target] - others.logsumexp(-1)


def probability(log_odds: npt.ArrayLike) -> npt.NDArray[np.floating]:
    """Return the probabilities that log-odds stand for, of the same shape.

    Infinity is allowed, and NaN stays NaN: it stands where there is no base or no score.
    """
    # In this form nothing overflows, and small probabilities keep all their digits.
    with np.errstate(invalid="ignore"):
        return np.asarray(np.exp(-np.logaddexp(0, -np.asarray(log_odds))))


def log_odds_of(probability: float) -> float:
    """Return the log-odds of a probability; those of 0 and 1 are infinite."""
    if probability in (0, 1):
        return math.inf if probability else -math.inf
    return math.log(probability / (1 - probability))
