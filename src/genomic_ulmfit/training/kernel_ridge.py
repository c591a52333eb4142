"""Kernel ridge regression, its strength chosen on what each sequence scores when it is left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genomic_ulmfit.training.places import Floats

RIDGES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Shares of the mean of the kernel's diagonal that may be added to it."""

SAME = 1e-6
"""Spread of a kernel, over its largest value, below which it is rounding alone."""


@dataclass(frozen=True, eq=False)
class Ridge:
    """Scores are ``kernel @ coefficients + offset``.

    Parameters
    ----------
    coefficients : numpy.ndarray of float32, shape (n, n_classes)
    offset : numpy.ndarray of float32, shape (n_classes,)
    left_out : numpy.ndarray of float64, shape (n, n_classes)
        What each training sequence would score if it were left out.
    """

    coefficients: Floats
    offset: Floats
    left_out: npt.NDArray[np.float64]


def fit_ridge(kernel: Floats, wanted: Floats) -> Ridge:
    """Fit ridge regression with an intercept to one column per class.

    The strength is the one of `RIDGES` with the least squared error on left-out sequences.

    Parameters
    ----------
    kernel : numpy.ndarray of float32, shape (n, n)
        Of every training sequence with every other.
    wanted : numpy.ndarray of float32, shape (n, n_classes)
        1 for a sequence's class, else 0.

    Returns
    -------
    Ridge
    """
    n = len(kernel)
    means = kernel.mean(axis=0)
    centred = kernel - means - means[:, None] + means.mean()
    size = float(centred.trace()) / n
    if size <= SAME * float(np.abs(kernel).max()):
        # Nothing tells the sequences apart.
        others = (wanted.sum(axis=0) - wanted) / (n - 1)
        return Ridge(np.zeros_like(wanted), wanted.mean(axis=0), others.astype(np.float64))
    target = (wanted - wanted.mean(axis=0)).astype(np.float64)
    values, vectors = np.linalg.eigh(centred.astype(np.float64) / size)
    along = vectors.T @ target
    best: tuple[float, npt.NDArray[np.float64], npt.NDArray[np.float64]] | None = None
    for ridge in RIDGES:
        shrunk = 1 / (np.maximum(values, 0) + ridge)
        coefficients = vectors @ (shrunk[:, None] * along)
        # Leave-one-out residuals in closed form (Allen 1974). The diagonal of the hat matrix
        # is 1 - ridge * that of the inverse, and 1 / n for the intercept.
        inverse = np.square(vectors) @ shrunk
        residual = ridge * coefficients / np.maximum(ridge * inverse - 1 / n, 1e-9)[:, None]
        error = float(np.square(residual).mean())
        if best is None or error < best[0]:
            best = error, coefficients / size, residual
    assert best is not None
    _, coefficients, residual = best
    offset = wanted.mean(axis=0) - means @ coefficients
    return Ridge(coefficients.astype(np.float32), offset.astype(np.float32), wanted - residual)
