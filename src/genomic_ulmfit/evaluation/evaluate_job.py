"""Scoring a trained classifier on the labelled sequences of a file."""

from __future__ import annotations

from pathlib import Path

from genomic_ulmfit.data.tables import read_labelled
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.evaluation.metrics import Evaluation, evaluate_predictions
from genomic_ulmfit.files import file_sha256
from genomic_ulmfit.models.prediction import predict_probabilities
from genomic_ulmfit.models.store import load_classifier, read_config
from genomic_ulmfit.training.classifier_setup import encode_all, targets_of


def evaluate_file(
    model_folder: str | Path, table_path: str | Path, split: str | None = None, seed: int = 0
) -> tuple[Evaluation, str | None]:
    """Predict a file's sequences and compare with its labels.

    Parameters
    ----------
    model_folder : path-like
        Folder of a classifier.
    table_path : path-like
        Labelled sequences.
    split : str, optional
        Use the rows of this split only; by default test where there is a split column, else
        all rows.
    seed : int
        Of the bootstrap.

    Returns
    -------
    evaluation : Evaluation
    split : str or None
        Whose rows were used; None for all rows.

    Raises
    ------
    InputError
        If no row is of the split, or a row has a label or a length that the model does not know.
    """
    model = load_classifier(model_folder)
    table = read_labelled(table_path, min_length=model.config.encoder.tokenizer.k)
    if split is None and "split" in table:
        split = "test"
    if split is not None:
        if "split" not in table:
            raise InputError(f"--split {split}: {table_path} has no split column; leave it out.")
        found = sorted(set(table["split"]))
        table = table[table["split"] == split]
        if table.empty:
            raise InputError(
                f"--split {split}: {table_path} has no such rows; it has {', '.join(found)}; "
                "name one of these."
            )
    # The index is that of the whole file.
    places = [
        f"{table_path}, row {row + 1} ({name})"
        for row, name in zip(table.index.tolist(), table["id"], strict=True)
    ]
    for place, label in zip(places, table["label"], strict=True):
        if str(label) not in model.config.classes:
            raise InputError(
                f"{place}: label {label!r} is none of the model's classes: "
                f"{', '.join(model.config.classes)}."
            )
    probabilities = predict_probabilities(
        model, encode_all(table, model.config.context), names=places
    )
    targets = targets_of(table["label"], model.config)
    return evaluate_predictions(targets, probabilities, model.config.classes, seed=seed), split


def was_trained_on(model_folder: str | Path, table_path: str | Path, split: str | None) -> bool:
    """Return whether a classifier has learnt from what `evaluate_file` used.

    Parameters
    ----------
    model_folder, table_path : path-like
    split : str or None
        As `evaluate_file` returned it.

    Returns
    -------
    bool
        True for the very file it was trained on, if all rows were used or those marked train.
    """
    training = read_config(model_folder).get("training", {})
    trained_on = (training.get("table") or {}).get("sha256")
    return trained_on == file_sha256(table_path) and split in (None, "train")
