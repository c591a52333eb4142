"""The classifier as a scikit-learn estimator."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from genomic_ulmfit.dna.alphabet import Codes, encode
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.limits import LARGEST_SEED
from genomic_ulmfit.models.classifier import HEADS, Classifier
from genomic_ulmfit.models.config import PRESETS
from genomic_ulmfit.models.folder import read_config, require_no_model
from genomic_ulmfit.models.prediction import predict_probabilities
from genomic_ulmfit.models.pretrained import pretrained_encoders
from genomic_ulmfit.models.store import load_classifier, save_classifier
from genomic_ulmfit.training.by_labels import train_by_labels
from genomic_ulmfit.training.classifier_card import classifier_card, classifier_facts
from genomic_ulmfit.training.classifier_setup import (
    choose_encoder,
    choose_recipe,
    classifier_config,
    load_start,
    targets_of,
)

LABELS = ("str", "int", "bool", "float")
"""Types of labels that a model folder can hold; of the last, whole numbers."""


@contextlib.contextmanager
def _naming_parameters() -> Iterator[None]:
    """Name parameters where messages name options: the rooms below serve the command line."""
    try:
        yield
    except InputError as error:
        values = "|".join((*HEADS, *PRESETS))
        text = str(error).replace("--encoder none", "encoder=None")
        text = re.sub(rf"--(head|preset) ({values})\b", r'\1="\2"', text)
        raise InputError(re.sub(r"--(head|preset|encoder|epochs)\b", r"\1", text)) from None


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
    facts_ : dict
        What a folder written by `save` says of the training.

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

    @_naming_parameters()
    def fit(self, X: Sequence[str], y: npt.ArrayLike) -> SequenceClassifier:
        """Train on labelled sequences.

        Parameters
        ----------
        X : sequence of str, length n
            Sequences of five bases (the tokenizer's k) or more.
        y : array-like of str, int or bool, shape (n,)
            Their labels.

        Returns
        -------
        SequenceClassifier
            Itself.

        Raises
        ------
        InputError
            If the two differ in length, a label is missing or there is one class only, a
            sequence cannot be read, or a parameter is none that is allowed.
        """
        if not isinstance(self.seed, (int, np.integer)) or not 0 <= self.seed <= LARGEST_SEED:
            raise InputError(f"seed: got {self.seed!r}, allowed are 0 to {LARGEST_SEED}.")
        codes = _encode(X)
        values = _labels(y, len(codes))
        classes = np.unique(values)
        if len(classes) < 2:
            raise InputError(f"labels: got {len(classes)} class; a classifier needs at least two.")
        # The caller's random numbers go on as if nothing had been drawn here.
        with torch.random.fork_rng(range(min(1, torch.cuda.device_count()))):
            model, facts = self._train(codes, values)
        # Together, so that a fit that is stopped leaves the last one as it was.
        self.model_, self.facts_, self.curve_ = model, facts, facts["curve"]
        self.classes_ = classes
        return self

    def _train(
        self, codes: list[Codes], values: npt.NDArray[Any]
    ) -> tuple[Classifier, dict[str, Any]]:
        folder = choose_encoder(self.encoder, self.preset)
        start, architecture = load_start(folder, self.preset)
        for number, sequence in enumerate(codes, start=1):
            if len(sequence) < architecture.tokenizer.k:
                raise InputError(
                    f"sequence {number}: has {len(sequence)} bases; at least "
                    f"{architecture.tokenizer.k} are needed."
                )
        config = classifier_config(codes, values, architecture, self.head)
        recipe = choose_recipe(len(codes), config, start, self.head, self.epochs)
        facts = classifier_facts(values, folder, recipe, self.seed)
        model, facts["curve"] = train_by_labels(
            codes,
            targets_of(values, config),
            config,
            recipe,
            encoder=start,
            seed=self.seed,
            progress=self.progress,
        )
        return model, facts

    @_naming_parameters()
    def predict_proba(self, X: Sequence[str]) -> npt.NDArray[np.float64]:
        """Return class probabilities.

        Parameters
        ----------
        X : sequence of str, length n

        Returns
        -------
        numpy.ndarray of float64, shape (n, n_classes)
            Columns in the order of `classes_`.

        Raises
        ------
        InputError
            If a sequence cannot be read, or has a length that the model does not take.
        """
        check_is_fitted(self)
        return predict_probabilities(self.model_, _encode(X))

    def predict(self, X: Sequence[str]) -> npt.NDArray[Any]:
        """Return the most probable class of each sequence, shape (n,); as `predict_proba`."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return self.classes_[likeliest]

    def save(self, folder: str | Path, *, anchor: int | None = None) -> None:
        """Write a model folder, which every command takes as it takes one of ``train``.

        Parameters
        ----------
        folder : path-like
            New, or without a model.
        anchor : int, optional
            Bases of each sequence before the site that it was cut around, for ``scan`` to name
            windows by; that of the folder which the model was loaded from, if not given.

        Raises
        ------
        InputError
            If the folder holds a model or cannot be written, or the anchor is no base of a
            sequence.
        """
        check_is_fitted(self)
        require_no_model(folder, "folder")
        if "classes" not in self.facts_:
            raise InputError(
                "folder: the model was loaded from one that says nothing of its training, so that "
                "no card can be written. Copy that folder instead."
            )
        length = self.model_.config.length
        if anchor is not None and not 0 <= anchor < (length or 0):
            allowed = "none for sequences of any length" if length is None else f"0 to {length - 1}"
            raise InputError(f"anchor: got {anchor}, allowed is {allowed}.")
        facts = {**self.facts_, "anchor": self.facts_.get("anchor") if anchor is None else anchor}
        save_classifier(self.model_, folder, classifier_card(self.model_, facts), facts)

    @classmethod
    def load(cls, folder: str | Path) -> SequenceClassifier:
        """Read a model folder that `save` or ``genomic-ulmfit train`` wrote.

        Parameters
        ----------
        folder : path-like

        Returns
        -------
        SequenceClassifier
            Fitted. `fit` trains anew, from the same shipped encoder (or none) and seed; other
            parameters are the defaults, and so is an encoder of one's own, whose place the folder
            does not know.

        Raises
        ------
        InputError
            If it is no complete folder of a classifier.
        """
        model, facts = load_classifier(folder), read_config(folder)["training"]
        encoder = facts.get("encoder", "auto")
        shipped = {(one.name, one.sha256) for one in pretrained_encoders()}
        if encoder is not None and (encoder, facts.get("encoder_sha256")) not in shipped:
            encoder = "auto"
        fitted = cls(encoder, seed=facts.get("seed", 0))
        fitted.model_, fitted.facts_ = model, facts
        config = fitted.model_.config
        named = np.array(config.classes, dtype=int if config.integer_labels else str)
        # Folders of older versions hold names alone.
        fitted.classes_ = np.array(fitted.facts_.get("labels", named))
        fitted.curve_ = fitted.facts_.get("curve", [])
        return fitted


def _encode(sequences: Sequence[str]) -> list[Codes]:
    if isinstance(sequences, str):
        raise InputError("sequences: got one string; give a list of sequences.")
    if isinstance(sequences, pd.DataFrame):
        if sequences.shape[1] != 1:
            raise InputError(
                f"sequences: got a table of {sequences.shape[1]} columns; give the one that has "
                "the sequences, as table['sequence']."
            )
        sequences = sequences.iloc[:, 0]
    if isinstance(sequences, np.ndarray) and sequences.ndim == 2 and sequences.shape[1] == 1:
        sequences = sequences[:, 0]
    codes = []
    for number, sequence in enumerate(sequences, start=1):
        if not isinstance(sequence, str):
            raise InputError(
                f"sequence {number}: got {sequence!r}, which is no text but a "
                f"{type(sequence).__name__}; give letters (of objects, what str makes of them), or "
                "leave it out."
            )
        codes.append(encode(str(sequence), name=f"sequence {number}"))
    return codes


def _labels(labels: npt.ArrayLike, n: int) -> npt.NDArray[Any]:
    """Return one label for each of `n` sequences, if they can be told apart."""
    values = np.asarray(labels)
    if values.shape != (n,):
        raise InputError(
            f"labels: got shape {values.shape} for {n} sequences; give one label for each."
        )
    # As they were given: of a list, NumPy makes text of whatever stands beside text.
    given = np.empty(n, dtype=object)
    given[:] = list(labels) if isinstance(labels, Iterable) else values
    missing = pd.isna(given)
    if missing.any():
        raise InputError(
            f"labels: that of sequence {int(missing.argmax()) + 1} is missing. Fill it in, or "
            "leave the sequence out."
        )
    kinds = {_kind(value) for value in given}
    if len(kinds) > 1 or not kinds <= set(LABELS):
        named = " and ".join(sorted(kinds))
        raise InputError(f"labels: got {named}; give labels of one type: {', '.join(LABELS)}.")
    # Now that they are of one type NumPy can tell numbers, in a column of objects, too.
    values = np.array([one.item() if isinstance(one, np.generic) else one for one in given])
    if values.dtype == object:
        raise InputError("labels: got a number too large to be a class; give smaller ones.")
    try:
        check_classification_targets(values)
    except ValueError:
        raise InputError(
            "labels: got numbers that are not whole; a classifier needs classes, such as 0 and 1."
        ) from None
    return values


def _kind(label: Any) -> str:
    """Return the name of a label's type; NumPy's are as good as Python's."""
    value = label.item() if isinstance(label, np.generic) else label
    return type(value).__name__
