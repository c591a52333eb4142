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
    open_page: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in a browser.")
    ] = True,
) -> None:
    """Make one HTML page of a scan, and open it.

    Shows the scores of both strands, called promoters and annotated genes,
    from the whole genome down to single bases; the sequence of each call;
    and finds genes by name or locus tag. The page is one file that needs no
    server and no network: keep it, or send it.

    Example:

      genomic-ulmfit view scan/k12 --genome k12.gbk

    Writes SCAN.html.
    """
    import webbrowser

    from genomic_ulmfit.console import plain_console
    from genomic_ulmfit.errors import InputError
    from genomic_ulmfit.files import require_another, require_writable, write_text
    from genomic_ulmfit.inference.scan_job import output_path
    from genomic_ulmfit.reports.view import render_view
    from genomic_ulmfit.reports.view_files import find_scan, read_scan

    prefix = find_scan(scan)
    page = out or output_path(prefix, ".html")
    if page.suffix not in (".html", ".htm") or page.is_dir():
        raise InputError(f"--out: got {page}, but the page is a file whose name ends with .html.")
    require_writable(page.parent)
    require_another(page, genome)
    write_text(page, render_view(read_scan(prefix, genome)))
    plain_console().print(f"{page}")
    if open_page and not webbrowser.open(page.resolve().as_uri()):
        notes = plain_console(stderr=True)
        notes.print("Note: no browser could be opened; open the page yourself.")
