"""From the files of a scan to one page to look at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import require_another, require_writable, write_text
from genomic_ulmfit.inference.scanning.call_logos import call_contributions
from genomic_ulmfit.inference.scanning.scan_files import (
    ScanFiles,
    find_scan,
    output_path,
    read_scan,
)
from genomic_ulmfit.models.folder import read_config
from genomic_ulmfit.models.precision import best_precision
from genomic_ulmfit.models.store import load_classifier
from genomic_ulmfit.progress import Report
from genomic_ulmfit.reports.view import Logos, highest_calls, render_view

LOGOS = 100
"""Calls that get a logo: a few minutes."""


@dataclass(frozen=True)
class ViewResult:
    """What was written.

    Parameters
    ----------
    page : Path
    n_calls : int
        Of the scan.
    n_logos : int or None
        Calls with a logo; None if there is no model to ask, or no call.
    """

    page: Path
    n_calls: int
    n_logos: int | None


def view_scan(
    scan: str | Path,
    genome: str | Path | None = None,
    out: str | Path | None = None,
    *,
    model_folder: str | Path | None = None,
    logos: int | None = None,
    report: Report = lambda *_: None,
) -> ViewResult:
    """Make one HTML page of a scan.

    Parameters
    ----------
    scan : path-like
        As for `find_scan`.
    genome : path-like, optional
        The file that was scanned; looked for if not given, see `read_scan`.
    out : path-like, optional
        Page to write; beside the scan's files, under their prefix, if not given.
    model_folder : path-like, optional
        The classifier that scanned; without it calls have no logos.
    logos : int, optional
        Calls that get a logo, the highest scores first; `LOGOS` (100) if not given.
    report : callable
        Told about progress.

    Returns
    -------
    ViewResult

    Raises
    ------
    InputError
        If an argument or file cannot be used, files do not belong together, or the model is not
        the one that made the scan.
    """
    if logos is not None and model_folder is None:
        raise InputError(
            f"--logos: got {logos} without --model; logos need the classifier that scanned."
        )
    prefix = find_scan(scan)
    page = output_path(prefix, ".html") if out is None else Path(out)
    if page.suffix not in (".html", ".htm") or page.is_dir():
        raise InputError(f"--out: got {page}, but the page is a file whose name ends with .html.")
    require_writable(page.parent)
    require_another(page, genome)
    found = read_scan(prefix, genome)
    drawn = None
    if model_folder is not None:
        drawn = _logos(found, model_folder, logos or LOGOS, report)
    write_text(page, render_view(found, drawn))
    return ViewResult(page, len(found.calls), None if drawn is None else len(drawn.calls))


def _logos(scan: ScanFiles, model_folder: str | Path, count: int, report: Report) -> Logos | None:
    """Ask the classifier that made a scan what the bases of its highest calls contribute."""
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
    report("Drawing logos", 0, len(calls))
    return Logos(
        chosen,
        call_contributions(
            model,
            [(contigs[call.contig], call.anchor, call.strand) for call in calls],
            model.config.classes.index(told["class"]),
            window=scan.summary["settings"]["window"],
            anchor=scan.summary["settings"]["anchor"],
            precision=precision if precision == "fp32" else best_precision(),
            report=lambda done: report("Drawing logos", done, len(calls)),
        ),
    )
