"""Scoring a trained classifier on the labelled sequences of a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from genomic_ulmfit.data.tables import is_simulated, read_labelled
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.evaluation.metrics import Evaluation, evaluate_predictions
from genomic_ulmfit.files import file_sha256
from genomic_ulmfit.models.folder import read_config
from genomic_ulmfit.models.prediction import predict_probabilities
from genomic_ulmfit.models.store import load_classifier
from genomic_ulmfit.models.target_class import target_index
from genomic_ulmfit.training.classifier_setup import encode_all, targets_of


@dataclass(frozen=True)
class FileEvaluation:
    """How a classifier does on a file, and what is to be known of that.

    Parameters
    ----------
    evaluation : Evaluation
    split : str or None
        Whose rows were used; None for all rows.
    simulated : bool
        Whether the sequences are made up.
    learnt_from : bool
        Whether the model was trained on them: True for the very file it was trained on, if all
        rows were used or those marked train.
    """

    evaluation: Evaluation
    split: str | None
    simulated: bool
    learnt_from: bool


def evaluate_file(
    model_folder: str | Path,
    table_path: str | Path,
    split: str | None = None,
    target: str | None = None,
    seed: int = 0,
) -> FileEvaluation:
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
    target : str, optional
        Of two classes, the positive one; as `target_index` chooses if not given.
    seed : int
        Of the bootstrap.

    Returns
    -------
    FileEvaluation

    Raises
    ------
    InputError
        If no row is of the split, a row has a label or a length that the model does not know, or
        there is no such class or more than two.
    """
    model = load_classifier(model_folder)
    names = model.config.classes
    if target is not None and len(names) != 2:
        raise InputError(
            f"--class: got {target!r}, but this model knows {len(names)} classes, over which "
            "metrics are averaged. Leave --class out."
        )
    positive = target_index(names, target) if len(names) == 2 else None
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
                f"{', '.join(model.config.classes)}. Rename it to the one that is meant, or "
                "remove such rows."
            )
    probabilities = predict_probabilities(
        model, encode_all(table, model.config.context), names=places
    )
    targets = targets_of(table["label"], model.config)
    if positive == 0:
        # Of two classes, metrics are about the second.
        targets, probabilities, names = 1 - targets, probabilities[:, ::-1], names[::-1]
    evaluation = evaluate_predictions(targets, probabilities, names, seed=seed)
    training = read_config(model_folder)["training"]
    trained_on = (training.get("table") or {}).get("sha256")
    learnt_from = split in (None, "train") and trained_on == file_sha256(table_path)
    return FileEvaluation(evaluation, split, is_simulated(table), learnt_from)
