"""`genomic-ulmfit predict`: what a classifier says of sequences."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, TextIO, cast

import typer

if TYPE_CHECKING:
    from genomic_ulmfit.inference.sequences import Named


def predict(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Classifier folder written by train.")
    ],
    sequences: Annotated[
        Path,
        typer.Argument(
            metavar="SEQS",
            help="FASTA, or CSV or TSV with a column sequence (optional: id); plain, gzip, or - "
            "for standard input.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="File to write; gzipped if it ends in .gz.", show_default="standard output"
        ),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(
            "--format", help="csv, tsv or jsonl.", show_default="by the name of --out, else csv"
        ),
    ] = None,
) -> None:
    """Predict the class of each sequence.

    Writes one row per sequence, in the order of the input: id, label (the
    likeliest class), probability (of that label), and the probability of
    every class. Reads and writes as it goes, so that any number of
    sequences will do. A file that is there under the name of --out is
    replaced.

    Example:

      genomic-ulmfit predict model sequences.fasta --out predictions.csv

    Ambiguous bases (N and the like) are allowed; a k-mer that holds one says
    nothing. A model that was trained on sequences of one length takes that
    length only; if it was trained with context, a table's columns before and
    after are read too.
    """
    import contextlib
    import gzip
    import io
    import sys

    from genomic_ulmfit.cli.progress import Progress
    from genomic_ulmfit.console import plain_console
    from genomic_ulmfit.errors import InputError
    from genomic_ulmfit.files import atomic_path, require_another, require_writable
    from genomic_ulmfit.inference.predict import FORMATS, writer
    from genomic_ulmfit.inference.predict import predict as predict_all
    from genomic_ulmfit.inference.sequences import read_sequences
    from genomic_ulmfit.models.store import load_classifier

    if out is not None:
        require_writable(out.parent)
        require_another(out, sequences, model)
    if format is None:
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
        format = next((name for name in FORMATS if stem.endswith(f".{name}")), "csv")
    if format not in FORMATS:
        raise InputError(f"--format: got {format!r}, allowed are {', '.join(FORMATS)}.")
    classifier = load_classifier(model)

    count = ambiguous = bare = 0
    with contextlib.ExitStack() as stack:
        file: TextIO = sys.stdout
        if out is not None:
            path = stack.enter_context(atomic_path(out))
            binary: IO[bytes] = stack.enter_context(open(path, "wb"))
            if out.suffix.lower() == ".gz":
                zipped = gzip.GzipFile("", "wb", fileobj=binary, mtime=0)
                binary = cast("IO[bytes]", stack.enter_context(zipped))
            file = stack.enter_context(io.TextIOWrapper(binary, encoding="utf-8", newline=""))
        progress = stack.enter_context(Progress("sequences"))
        config = classifier.config

        def watched() -> Iterator[Named]:
            nonlocal bare
            for record in read_sequences(sequences, context=config.context > 0):
                bare += config.context > 0 and len(record.codes) == config.length
                yield record

        predictions = predict_all(classifier, watched())
        write = None
        for prediction in predictions:
            # Not before the first one: input that cannot be used leaves standard output empty.
            write = write or writer(file, format, config.classes, config.integer_labels)
            write(prediction)
            count += 1
            ambiguous += prediction.ambiguous
            if count % 1000 == 0:
                progress("Predicting", count)

    notes = plain_console(stderr=True)
    if bare:
        notes.print(
            f"Note: {bare:,} of {count:,} sequences stand alone, but the model was trained with "
            f"{config.context} bases on either side (columns before and after, as data promoters "
            "--context writes them): its probabilities are less certain without."
        )
    if ambiguous:
        notes.print(f"Note: {ambiguous:,} of {count:,} sequences have ambiguous bases.")
    if out is not None:
        notes.print(f"{count:,} predictions written to {out}")
