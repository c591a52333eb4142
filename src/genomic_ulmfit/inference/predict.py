"""Class probabilities for a stream of sequences, in flat memory."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TextIO

from genomic_ulmfit.dna.alphabet import AMBIGUOUS
from genomic_ulmfit.inference.sequences import Named, in_chunks
from genomic_ulmfit.models.classifier import Classifier
from genomic_ulmfit.models.precision import settled_precision
from genomic_ulmfit.models.prediction import predict_probabilities

CHUNK = 4096
"""Sequences at a time: enough to sort by length, few enough for long ones."""

CHUNK_BASES = 400_000
"""Bases at a time, but for a single sequence."""

FORMATS = ("csv", "tsv", "jsonl")


class Prediction(NamedTuple):
    """What the model says of one sequence.

    Parameters
    ----------
    id : str
    label : str
        The likeliest class.
    probabilities : tuple of float
        In the order of the model's classes.
    ambiguous : bool
        Whether the sequence has ambiguous bases.
    """

    id: str
    label: str
    probabilities: tuple[float, ...]
    ambiguous: bool


def predict(
    model: Classifier, sequences: Iterable[Named], precision: str | None = None
) -> Iterator[Prediction]:
    """Predict sequences in their order, a chunk at a time.

    Parameters
    ----------
    model : Classifier
    sequences : iterable of Named
        Read only as far as is needed.
    precision : {"bf16", "fp32"}, optional
        Probed if not given.

    Yields
    ------
    Prediction

    Raises
    ------
    InputError
        If a sequence has a length that the model does not take.
    """
    precision = settled_precision(precision)
    for chunk in in_chunks(sequences, CHUNK, CHUNK_BASES):
        probabilities = predict_probabilities(
            model,
            [sequence.codes for sequence in chunk],
            names=[sequence.place for sequence in chunk],
            precision=precision,
        )
        for sequence, row in zip(chunk, probabilities, strict=True):
            yield Prediction(
                sequence.id,
                model.config.classes[int(row.argmax())],
                tuple(row.tolist()),
                bool((sequence.codes == AMBIGUOUS).any()),
            )


def writer(
    file: TextIO, format: str, classes: Iterable[str], integers: bool
) -> Callable[[Prediction], None]:
    """Return what writes predictions to a file, the header already written.

    Parameters
    ----------
    file : text file
    format : {"csv", "tsv", "jsonl"}
        A table has the columns id, label, probability (of that label) and
        ``probability_CLASS`` for every class. In JSON Lines the latter are one object,
        ``probabilities``.
    classes : iterable of str
        The model's.
    integers : bool
        Whether class names are integers, which JSON knows.
    """
    names = tuple(classes)
    if format == "jsonl":

        def write_line(prediction: Prediction) -> None:
            rounded = [_rounded(p) for p in prediction.probabilities]
            line = {
                "id": prediction.id,
                "label": int(prediction.label) if integers else prediction.label,
                "probability": max(rounded),
                "probabilities": dict(zip(names, rounded, strict=True)),
            }
            file.write(json.dumps(line) + "\n")

        return write_line
    table = csv.writer(file, delimiter="\t" if format == "tsv" else ",", lineterminator="\n")
    table.writerow(["id", "label", "probability", *(f"probability_{name}" for name in names)])

    def write_row(prediction: Prediction) -> None:
        rounded = [_rounded(p) for p in prediction.probabilities]
        table.writerow([prediction.id, prediction.label, max(rounded), *rounded])

    return write_row


def _rounded(probability: float) -> float:
    # Six figures, however small: small probabilities are told apart too.
    return float(f"{probability:.6g}")
