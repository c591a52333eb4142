"""`genomic-ulmfit evaluate`: how good is a classifier?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genomic_ulmfit.limits import LARGEST_SEED


def evaluate(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Classifier folder written by train.")
    ],
    table: Annotated[
        Path, typer.Argument(metavar="TABLE", help="Labelled sequences: CSV, TSV or FASTA.")
    ],
    split: Annotated[
        str | None,
        typer.Option(help="Rows to use.", show_default="test where there is a split column"),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--class",
            help="Positive class, of a model of two.",
            show_default="the one not named 0, no, non-..., other",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            max=LARGEST_SEED,
            help="Seed of the random numbers of the bootstrap; the same seed gives the same "
            "intervals.",
        ),
    ] = 0,
) -> None:
    """Score a classifier on labelled sequences, with 95 % bootstrap intervals.

    Prints accuracy, precision, recall, specificity, MCC, AUROC, AUPRC, the
    confusion matrix and how far predicted probabilities can be believed
    (calibration). Of two classes, these are of the one that is looked for,
    which --class names; of more, they are averages over all.

    Example:

      genomic-ulmfit evaluate model promoters.csv --split test
    """
    import json

    from rich.table import Table

    from genomic_ulmfit.cli.metric_table import metric_table, why_no_interval
    from genomic_ulmfit.console import counted, note, plain_console
    from genomic_ulmfit.evaluation.evaluate_job import evaluate_file
    from genomic_ulmfit.evaluation.metrics import METRICS

    of_file = evaluate_file(model, table, split, target, seed)
    result = of_file.evaluation
    if of_file.learnt_from:
        note(
            "the model was trained on these very sequences; scores on them say nothing about "
            "others. Keep some for a test, in a split column."
        )
    if as_json:
        typer.echo(json.dumps({**result.to_dict(), "simulated": of_file.simulated}, indent=2))
        return

    console = plain_console(tables=True)
    if of_file.simulated:
        console.print(
            "SIMULATED SEQUENCES: these numbers say nothing about real DNA.", style="bold yellow"
        )
    rows = f" of split {of_file.split}" if of_file.split else ""
    title = f"{counted(result.n, 'sequence')}{rows}; {result.averaging}"
    console.print(title)
    console.print(metric_table(result, METRICS))
    if why := why_no_interval(result, METRICS, "sequences"):
        console.print(why)
    if result.accuracy.value == 1.0 and not of_file.learnt_from:
        console.print(
            f"All are right: with {counted(result.n, 'sequence')} the "
            f"accuracy may still be as low as {max(0.0, 1 - 3 / result.n):.3f} (rule of three)."
        )
    summed = "" if len(result.class_names) == 2 else ", summed over classes"
    console.print(
        f"brier: mean squared distance between probability and truth{summed}; ece: mean distance "
        "between predicted and observed share, over bins of probability. Both are 0 at best.\n"
    )

    console.print("Confusion matrix: rows are true, columns predicted")
    confusion = Table()
    confusion.add_column("")
    for name in result.class_names:
        confusion.add_column(name, justify="right")
    for name, row in zip(result.class_names, result.confusion, strict=True):
        confusion.add_row(name, *(f"{count:,}" for count in row))
    console.print(confusion)

    of_what = (
        f"class {result.class_names[1]}"
        if len(result.class_names) == 2
        else "the likeliest class of each sequence"
    )
    calibration = Table(title=f"Calibration of {of_what}")
    for column in ("predicted probability", "n", "mean predicted", "observed"):
        calibration.add_column(column, justify="right")
    for entry in result.reliability:
        if entry.n and entry.predicted is not None and entry.observed.value is not None:
            calibration.add_row(
                f"{entry.start:.1f} to {entry.end:.1f}",
                f"{entry.n:,}",
                f"{entry.predicted:.3f}",
                f"{entry.observed.value:.3f}",
            )
    console.print(calibration)
