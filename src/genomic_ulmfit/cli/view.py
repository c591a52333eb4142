"""`genomic-ulmfit view`: a scan as one page to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def view(
    scan: Annotated[
        Path,
        typer.Argument(
            metavar="SCAN",
            help="What scan was given as --out, such as scan/k12, or a folder with one scan.",
        ),
    ],
    genome: Annotated[
        Path | None,
        typer.Option(
            help="The file that was scanned.",
            show_default="looked for by its name beside the scan and here",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Page to write.", show_default="SCAN.html")
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            help="The classifier that scanned. With it the calls get logos: what each base of a "
            "window speaks for.",
            show_default="no logos",
        ),
    ] = None,
    logos: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="With --model: how many calls get a logo, the highest scores first.",
            show_default="100",
        ),
    ] = None,
    open_page: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in a browser.")
    ] = True,
) -> None:
    """Make one HTML page of a scan, and open it.

    Shows the scores of both strands, calls and annotated genes, from the
    whole genome down to single bases; the sequence of each call; and finds
    genes by name or locus tag. The page is one file that needs no
    server and no network: keep it, or send it.

    With --model, a call also shows which bases the classifier went by; that
    takes a second or more a call.

    Example:

      genomic-ulmfit view scan/k12 --genome k12.gbk --model model

    Writes SCAN.html.
    """
    import webbrowser

    from genomic_ulmfit.console import note, plain_console
    from genomic_ulmfit.progress import Progress
    from genomic_ulmfit.reports.view_job import view_scan

    with Progress("calls") as progress:
        result = view_scan(scan, genome, out, model_folder=model, logos=logos, report=progress)

    notes = plain_console(stderr=True)
    if result.n_logos is not None:
        notes.print(f"{result.n_logos:,} of {result.n_calls:,} calls have a logo.")
    plain_console().print(f"{result.page}")
    if open_page and not webbrowser.open(result.page.resolve().as_uri()):
        note("no browser could be opened; open the page yourself.")
