"""`genomic-ulmfit evaluate-scan`: do called promoters lie where transcription starts?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genomic_ulmfit.limits import LARGEST_SEED


def evaluate_scan(
    calls: Annotated[
        Path, typer.Argument(metavar="CALLS", help="Called promoters: BED written by scan.")
    ],
    truth: Annotated[
        Path,
        typer.Argument(
            metavar="TRUTH",
            help="Known sites: BED with six columns; a site is an interval's first base along its "
            "strand, or its thick part, if that is one base.",
        ),
    ],
    tolerance: Annotated[int, typer.Option(help="Bases between a call and its site.")] = 50,
    truth_name: Annotated[
        str | None,
        typer.Option(
            help="Score only known sites of this name (fourth column), such as test; calls at "
            "the others are neither right nor wrong.",
            show_default="all",
        ),
    ] = None,
    regions: Annotated[
        Path | None, typer.Option(help="BED; look only at what lies in these intervals.")
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
    """Score called promoters against known transcription start sites (TSS).

    From the best call down, each takes the nearest site on its strand that
    lies within the tolerance and has not been taken. Prints precision,
    recall, F1 and AUPRC (average precision over all scores) with 95 %
    bootstrap intervals, and how far calls lie from their sites.

    Example:

      genomic-ulmfit evaluate-scan scan/k12.bed tss.bed --tolerance 50

    AUPRC can only see what was called: for the whole curve, scan with a low
    --threshold.
    """
    import json

    from rich.table import Table

    from genomic_ulmfit.cli.metric_table import metric_table, why_no_interval
    from genomic_ulmfit.console import counted, note, plain_console
    from genomic_ulmfit.evaluation.evaluate_scan_job import evaluate_calls
    from genomic_ulmfit.evaluation.scan_scores import METRICS

    scores, remarks = evaluate_calls(
        calls, truth, tolerance=tolerance, truth_name=truth_name, regions=regions, seed=seed
    )
    for text in remarks:
        note(text)
    if as_json:
        typer.echo(json.dumps({**scores.to_dict(), "notes": remarks}, indent=2))
        return

    console = plain_console(tables=True)
    title = (
        f"{counted(scores.n_calls, 'call')}, {counted(scores.n_truth, 'known site')}, "
        f"±{tolerance} bases"
    )
    console.print(title)
    console.print(metric_table(scores, METRICS))
    if why := why_no_interval(scores, METRICS, "stretches of DNA"):
        console.print(why)
    console.print(f"right: {scores.n_right:,}; left out: {scores.n_left_out:,}")
    if scores.best_f1 is not None:
        console.print(f"best F1 over all thresholds: {scores.best_f1:.4f}")
    if scores.distances:
        histogram = Table(title="Bases from site to call, downstream positive")
        histogram.add_column("distance", justify="right")
        histogram.add_column("calls", justify="right")
        histogram.add_column("")
        bins = scores.histogram()
        most = max(count for _, _, count in bins)
        for first, last, count in bins:
            histogram.add_row(f"{first} to {last}", f"{count:,}", "█" * round(30 * count / most))
        console.print(histogram)
