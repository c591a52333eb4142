"""How a row of a study's table is trained: a baseline, the recipe without an encoder, a network.

The first two are the same in every study. What a network starts from differs, so each study says
how its own are trained.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from genomic_ulmfit.dna.alphabet import Codes
from genomic_ulmfit.evaluation.baselines import BASELINES
from genomic_ulmfit.reports.names import WITHOUT_ENCODER, WITHOUT_ENCODER_EXTERNAL
from genomic_ulmfit.training.by_labels import train_without_encoder
from genomic_ulmfit.training.classifier_setup import encode_all


@dataclass(frozen=True, eq=False)
class Part:
    """Rows of a labelled table: those that are learnt from, or some that are tested on.

    Parameters
    ----------
    sequences : list of str, length n
        DNA, as baselines take it.
    codes : list of numpy.ndarray of uint8, length n
        The same as base codes, as everything else takes it.
    labels : numpy.ndarray of str or int, shape (n,)
    """

    sequences: list[str]
    codes: list[Codes]
    labels: npt.NDArray[Any]

    @classmethod
    def of(cls, table: pd.DataFrame) -> Part:
        """Return a table's rows; it has the columns id, sequence and label."""
        return cls(table["sequence"].tolist(), encode_all(table), table["label"].to_numpy())

    def take(self, rows: npt.NDArray[np.intp]) -> Part:
        """Return some of the rows, by number."""
        return Part(
            [self.sequences[row] for row in rows],
            [self.codes[row] for row in rows],
            self.labels[rows],
        )


Predict = Callable[[Part], npt.NDArray[np.floating[Any]]]
"""Returns class probabilities, shape (n, n_classes), classes in sorted order."""


def train_row(
    model: str, train: Part, network: Callable[[], Predict], *, seed: int, progress: bool
) -> Predict:
    """Train what a row's name stands for.

    Parameters
    ----------
    model : str
        Name of a baseline, `WITHOUT_ENCODER` or `WITHOUT_ENCODER_EXTERNAL`, or whatever the study
        calls its networks.
    train : Part
        What to learn from.
    network : callable
        Trains the network of that name; not called for the other rows.
    seed : int
        Of the rows that are no networks.
    progress : bool
        Whether to draw bars on standard error.

    Returns
    -------
    callable
        Takes a `Part` and returns its class probabilities.

    Raises
    ------
    InputError
        If the labels do not suffice for a baseline, or its sequences have several lengths and it
        takes one.
    """
    if model in BASELINES:
        baseline = BASELINES[model](seed)
        baseline.fit(train.sequences, train.labels.tolist())
        return lambda part: baseline.predict_proba(part.sequences)
    if model in (WITHOUT_ENCODER, WITHOUT_ENCODER_EXTERNAL):
        classes, targets = np.unique(train.labels, return_inverse=True)
        classifier = train_without_encoder(
            train.codes, targets, len(classes), seed=seed, progress=progress
        )
        return lambda part: classifier.predict_proba(part.codes)
    return network()
