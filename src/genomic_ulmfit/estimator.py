"""The classifier as a scikit-learn estimator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from genomic_ulmfit.dna.alphabet import Codes, encode
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models.prediction import predict_probabilities
from genomic_ulmfit.training.by_labels import train_by_labels
from genomic_ulmfit.training.finetuning_job import (
    choose_encoder,
    choose_recipe,
    classifier_config,
    load_start,
    targets_of,
)


class SequenceClassifier(ClassifierMixin, BaseEstimator):
    """Classify DNA sequences with a pretrained language model.

    What is trained depends on the number of labels: a linear probe of the frozen encoder from
    few, and from 1,500 on also a small network on top of it and one over bases alone.

    Parameters
    ----------
    encoder : path-like, "auto" or None
        Pretrained language model to start from: the name of one that comes with this package
        (``genomic-ulmfit models``), or a folder written by ``genomic-ulmfit pretrain``; None
        trains from random weights. "auto" is "bacteria", or None where `preset` is given.
    head : {"auto", "position", "pooling", "probe"}
        "auto" follows the number of labels; "position" (sequences of one length) and "pooling"
        (any lengths) fine-tune a network with that head; "probe" fits a linear probe alone.
    preset : {"tiny", "small", "paper"} or None
        Size where there is no encoder; None for "small".
    epochs : int or None
        Epochs of the last stage of fine-tuning, in which all layers are trained; None for the
        recipe's. Only where a network is fine-tuned.
    seed : int
        Of weights, dropout and batches.
    progress : bool
        Whether to draw progress bars on standard error.

    Attributes
    ----------
    classes_ : numpy.ndarray, shape (n_classes,)
        Class labels, sorted.
    model_ : genomic_ulmfit.models.classifier.Classifier
        The trained network.
    curve_ : list of dict
        Loss after each epoch of fine-tuning; empty for a probe.

    Examples
    --------
    >>> from genomic_ulmfit import SequenceClassifier
    >>> model = SequenceClassifier(encoder="bacteria")
    >>> model.fit(sequences, labels).predict_proba(others)  # doctest: +SKIP
    """

    def __init__(
        self,
        encoder: str | Path | None = "auto",
        head: str = "auto",
        preset: str | None = None,
        epochs: int | None = None,
        seed: int = 0,
        progress: bool = False,
    ) -> None:
        self.encoder = encoder
        self.head = head
        self.preset = preset
        self.epochs = epochs
        self.seed = seed
        self.progress = progress

    def fit(self, sequences: Sequence[str], labels: npt.ArrayLike) -> SequenceClassifier:
        """Train on labelled sequences.

        Parameters
        ----------
        sequences : sequence of str, length n
        labels : array-like of str or int, shape (n,)

        Returns
        -------
        SequenceClassifier
            Itself.

        Raises
        ------
        InputError
            If the two differ in length, there is one class only, or a sequence cannot be read.
        """
        codes = _encode(sequences)
        values = np.asarray(labels)
        if values.shape != (len(codes),):
            raise InputError(
                f"labels: got shape {values.shape} for {len(codes)} sequences; give one label "
                "for each."
            )
        classes = np.unique(values)
        if len(classes) < 2:
            raise InputError(f"labels: got {len(classes)} class; a classifier needs at least two.")
        folder = choose_encoder(self.encoder, self.preset)
        start, architecture = load_start(folder, self.preset)
        config = classifier_config(codes, values, architecture, self.head)
        self.classes_ = classes
        self.model_, self.curve_ = train_by_labels(
            codes,
            targets_of(values, config),
            config,
            choose_recipe(len(codes), config, start, self.head, self.epochs),
            encoder=start,
            seed=self.seed,
            progress=self.progress,
        )
        return self

    def predict_proba(self, sequences: Sequence[str]) -> npt.NDArray[np.float64]:
        """Return class probabilities.

        Parameters
        ----------
        sequences : sequence of str, length n

        Returns
        -------
        numpy.ndarray of float64, shape (n, n_classes)
            Columns in the order of `classes_`.
        """
        check_is_fitted(self)
        return predict_probabilities(self.model_, _encode(sequences))

    def predict(self, sequences: Sequence[str]) -> npt.NDArray[Any]:
        """Return the most probable class of each sequence, shape (n,)."""
        likeliest = self.predict_proba(sequences).argmax(axis=1)
        return self.classes_[likeliest]


def _encode(sequences: Sequence[str]) -> list[Codes]:
    if isinstance(sequences, str):
        raise InputError("sequences: got one string; give a list of sequences.")
    return [
        encode(str(sequence), name=f"sequence {number}")
        for number, sequence in enumerate(sequences, start=1)
    ]
