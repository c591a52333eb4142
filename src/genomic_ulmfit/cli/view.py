"""`genomic-ulmfit view`: a scan as one page to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from genomic_ulmfit.cli.progress import Progress
    from genomic_ulmfit.inference.scan_files import ScanFiles
    from genomic_ulmfit.reports.view import Logos


LOGOS = 100
"""Calls that get a logo: a few minutes."""


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

    from genomic_ulmfit.cli.progress import Progress
    from genomic_ulmfit.console import plain_console
    from genomic_ulmfit.errors import InputError
    from genomic_ulmfit.files import require_another, require_writable, write_text
    from genomic_ulmfit.inference.scan_files import find_scan, output_path, read_scan
    from genomic_ulmfit.reports.view import render_view

    if logos is not None and model is None:
        raise InputError(
            f"--logos: got {logos} without --model; logos need the classifier that scanned."
        )
    prefix = find_scan(scan)
    page = out or output_path(prefix, ".html")
    if page.suffix not in (".html", ".htm") or page.is_dir():
        raise InputError(f"--out: got {page}, but the page is a file whose name ends with .html.")
    require_writable(page.parent)
    require_another(page, genome)
    found = read_scan(prefix, genome)
    drawn = None
    if model is not None:
        with Progress("calls") as progress:
            drawn = _logos(found, model, logos or LOGOS, progress)
    write_text(page, render_view(found, drawn))
    notes = plain_console(stderr=True)
    if drawn is not None:
        notes.print(f"{len(drawn.calls):,} of {len(found.calls):,} calls have a logo.")
    plain_console().print(f"{page}")
    if open_page and not webbrowser.open(page.resolve().as_uri()):
        notes.print("Note: no browser could be opened; open the page yourself.")


def _logos(scan: ScanFiles, model_folder: Path, count: int, progress: Progress) -> Logos | None:
    """Ask the classifier that made a scan what the bases of its highest calls contribute."""
    from genomic_ulmfit.errors import InputError
    from genomic_ulmfit.inference.call_logos import call_contributions
    from genomic_ulmfit.models.precision import best_precision
    from genomic_ulmfit.models.store import load_classifier, read_config
    from genomic_ulmfit.reports.view import Logos, highest_calls

    model = load_classifier(model_folder)
    told = scan.summary["model"]
    if told.get("sha256") != read_config(model_folder)["sha256"]:
        raise InputError(
            f"--model: {model_folder} is not the classifier that made this scan, which was one "
            f"called {told['folder']}. Give that one, or scan with this one."
        )
    if not scan.calls:
        return None
    # A scan of older versions does not say.
    precision = scan.summary["settings"].get("precision", best_precision())
    contigs = {contig.name: contig for contig in scan.genome.contigs}
    chosen = highest_calls(scan, count)
    calls = [scan.calls[number] for number in chosen]
    return Logos(
        chosen,
        call_contributions(
            model,
            [(contigs[call.contig], call.anchor, call.strand) for call in calls],
            model.config.classes.index(told["class"]),
            window=scan.summary["settings"]["window"],
            anchor=scan.summary["settings"]["anchor"],
            precision=precision if precision == "fp32" else best_precision(),
            report=lambda done: progress("Drawing logos", done, len(calls)),
        ),
    )
