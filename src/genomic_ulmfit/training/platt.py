"""Probabilities from scores (Platt 1999, Advances in Large Margin Classifiers, 61-74)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from genomic_ulmfit.training.places import Floats


def calibrate(
    scores: npt.NDArray[np.float64], targets: npt.NDArray[np.intp]
) -> tuple[np.float32, Floats]:
    """Return the gain and the bias that turn scores into logits.

    They maximise the likelihood of smoothed targets (Platt 1999).

    Parameters
    ----------
    scores : numpy.ndarray of float64, shape (n, n_classes)
        Of sequences that the scores have not seen.
    targets : numpy.ndarray of int, shape (n,)
        Indices of their classes.

    Returns
    -------
    gain : numpy.float32
        0 or more.
    bias : numpy.ndarray of float32, shape (n_classes,)
    """
    n, n_classes = scores.shape
    wanted = smoothed(targets, n_classes)

    def loss(parameters: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        gain, bias = parameters[0], parameters[1:]
        logits = gain * scores + bias
        logits = logits - logits.max(axis=1, keepdims=True)
        logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        slope = np.exp(logs) - wanted
        gradient = np.concatenate([[(slope * scores).sum()], slope.sum(axis=0)])
        return float(-(wanted * logs).sum()) / n, gradient / n

    start = np.concatenate([[1.0], np.zeros(n_classes)])
    # A gain below 0 would mean that left-out scores point the wrong way: then they say nothing.
    bounds = [(0.0, None), *[(None, None)] * n_classes]
    found: Any = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return np.float32(found.x[0]), found.x[1:].astype(np.float32)


def smoothed(targets: npt.NDArray[np.intp], n_classes: int) -> npt.NDArray[np.float64]:
    """Return probabilities to aim at (Platt 1999), shape (len(targets), n_classes).

    They are a little less than 1, so that a handful of sequences that are all on the right side do
    not give certainty.
    """
    sizes = np.bincount(targets, minlength=n_classes)
    hit = (sizes + 1) / (sizes + n_classes)
    smoothed = np.repeat(((1 - hit) / (n_classes - 1))[:, None], n_classes, axis=1)
    np.fill_diagonal(smoothed, hit)
    found: npt.NDArray[np.float64] = smoothed[targets]
    return found
