"""From a classifier and a file of sequences to a file of predictions."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import open_text, require_another, require_writable
from genomic_ulmfit.inference.predict import FORMATS, predict, writer
from genomic_ulmfit.inference.sequences import Named, read_sequences
from genomic_ulmfit.models.classifier import ClassifierConfig
from genomic_ulmfit.models.store import load_classifier
from genomic_ulmfit.progress import Report

REPORT_EVERY = 1000
"""Sequences."""


@dataclass(frozen=True)
class PredictResult:
    """What was predicted.

    Parameters
    ----------
    n : int
        Sequences.
    notes : tuple of str
        What is worth knowing about them, one sentence each.
    """

    n: int
    notes: tuple[str, ...]


def predict_file(
    model_folder: str | Path,
    sequences: str | Path,
    out: str | Path | None = None,
    *,
    format: str | None = None,
    report: Report = lambda *_: None,
) -> PredictResult:
    """Predict the class of each sequence of a file, and write the predictions as they come.

    Parameters
    ----------
    model_folder : path-like
        Classifier.
    sequences : path-like
        As for `read_sequences`. Columns `before` and `after` are read if the model was trained
        with context.
    out : path-like, optional
        File to write, atomically; gzipped if it ends in .gz. Standard output if not given,
        which stays empty if the first sequences cannot be used.
    format : {"csv", "tsv", "jsonl"}, optional
        By the name of `out` if not given, else CSV. See `writer`.
    report : callable
        Told about progress.

    Returns
    -------
    PredictResult

    Raises
    ------
    InputError
        If an argument, the model or a sequence cannot be used.
    """
    out = None if out is None else Path(out)
    if out is not None:
        require_writable(out.parent)
        require_another(out, sequences, model_folder)
    format = _format(format, out)
    model = load_classifier(model_folder)
    config = model.config
    n = n_ambiguous = n_bare = 0

    def read() -> Iterator[Named]:
        nonlocal n_bare
        for sequence in read_sequences(sequences, context=config.context):
            n_bare += config.context > 0 and len(sequence.codes) == config.length
            yield sequence

    with contextlib.ExitStack() as stack:
        file: TextIO = sys.stdout if out is None else stack.enter_context(open_text(out))
        write = None
        report("Predicting", 0)
        for prediction in predict(model, read()):
            # Not before the first one: input that cannot be used leaves standard output empty.
            write = write or writer(file, format, config.classes, config.integer_labels)
            write(prediction)
            n += 1
            n_ambiguous += prediction.ambiguous
            if n % REPORT_EVERY == 0:
                report("Predicting", n)
    return PredictResult(n, tuple(_notes(config, n, n_ambiguous, n_bare)))


def _format(wanted: str | None, out: Path | None) -> str:
    """Return what format to write: the one asked for, else what the file's name says."""
    if wanted is None:
        stem = "" if out is None else out.name.lower().removesuffix(".gz")
        if stem.endswith(".json"):
            raise InputError(
                f"--out: got {out}, but predictions are no single JSON value. Name it .jsonl for "
                "JSON Lines, or say what to write: --format"
            )
        if stem.endswith((".xlsx", ".xls", ".ods", ".parquet")):
            raise InputError(
                f"--out: got {out}, but predictions are written as CSV, TSV or JSON Lines. Name it "
                ".csv, .tsv or .jsonl (spreadsheets open .csv), or say what to write: --format"
            )
        return next((name for name in FORMATS if stem.endswith(f".{name}")), "csv")
    if wanted not in FORMATS:
        raise InputError(f"--format: got {wanted!r}, allowed are {', '.join(FORMATS)}.")
    return wanted


def _notes(config: ClassifierConfig, n: int, n_ambiguous: int, n_bare: int) -> Iterator[str]:
    """Say what a user should know of the sequences."""
    if n_bare:
        yield (
            f"{n_bare:,} of {n:,} sequences stand alone, but the model was trained with "
            f"{config.context} bases on either side (columns before and after, as data promoters "
            "--context writes them): its probabilities are less certain without."
        )
    if n_ambiguous:
        yield f"{n_ambiguous:,} of {n:,} sequences have ambiguous bases."
