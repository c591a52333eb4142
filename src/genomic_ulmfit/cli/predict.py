"""`genomic-ulmfit predict`: what a classifier says of sequences."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


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
    from genomic_ulmfit.console import counted, note, plain_console
    from genomic_ulmfit.inference.predict_job import predict_file
    from genomic_ulmfit.progress import Progress

    with Progress("sequences") as progress:
        result = predict_file(model, sequences, out, format=format, report=progress)

    notes = plain_console(stderr=True)
    for text in result.notes:
        note(text)
    if out is not None:
        notes.print(f"{counted(result.n, 'prediction')} written to {out}")
