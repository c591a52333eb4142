"""`genomic-ulmfit learning-curve`: how many labels are enough."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from genomic_ulmfit.limits import LARGEST_SEED


def learning_curve(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE",
            help="Labelled sequences of one length with a split column, as from `genomic-ulmfit "
            "data promoters`.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for everything the study makes.")],
    encoder: Annotated[
        list[str] | None,
        typer.Option(
            help="Language model to start from, by name or folder; repeat the option for more.",
            show_default="bacteria",
        ),
    ] = None,
    sizes: Annotated[
        str | None,
        typer.Option(
            help="Numbers of labels, with commas; all for every training row. If not given, those "
            "of 20, 50, 100, 200, 500, 1000, 3000 and all that the table has rows for.",
        ),
    ] = None,
    repeats: Annotated[int, typer.Option(help="Random subsets of each size.")] = 10,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Size of the naive network: tiny, small or paper.",
            show_default="the first encoder's",
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            max=LARGEST_SEED,
            help="Seed of the random numbers for subsets and trainings; the same seed gives the "
            "same curve.",
        ),
    ] = 0,
) -> None:
    """Train every model on the same small subsets of a table, and test it.

    Subsets are balanced and nested: the 20 labelled sequences are among the 50.
    Rows: the network without pretraining, one for each encoder (by the recipe
    for that many labels), the same recipe without an encoder, one-hot and
    k-mer logistic regression and a small CNN.

    Interrupt it when you like: the same command continues where it stopped, and
    with more --repeats it adds to what is there.

    Example:

      genomic-ulmfit learning-curve promoters.csv --encoder e-coli
      --encoder bacteria --out curve

    Writes results.json, table.md, figures/ and report.html into --out, what is
    needed to go on into study.json and cells/, and the encoders' hidden states
    into features/, which may be deleted.
    """
    from rich.table import Table

    from genomic_ulmfit.console import marked, plain_console
    from genomic_ulmfit.models.pretrained import DEFAULT
    from genomic_ulmfit.reports.learning_curve import table_rows
    from genomic_ulmfit.studies.learning_curve import learning_curve as run_study

    notes = plain_console(stderr=True)
    try:
        results = run_study(
            table,
            out,
            encoders=encoder or [DEFAULT],
            sizes=sizes,
            repeats=repeats,
            seed=seed,
            preset=preset,
            command=shlex.join(["genomic-ulmfit", *sys.argv[1:]]),
            say=notes.print,
        )
    except KeyboardInterrupt:
        notes.print(marked("Stopped.", "The same command continues where it stopped."))
        raise typer.Exit(130) from None
    shown = Table("accuracy", *results["sizes"], title=results["title"], title_justify="left")
    for row in table_rows(results):
        shown.add_row(*row)
    plain_console(tables=True).print(shown)
    notes.print(f"report: {out / 'report.html'}")
