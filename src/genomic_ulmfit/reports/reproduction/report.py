"""Everything a study leaves behind for its reader, written into one folder."""

from __future__ import annotations

import os
from pathlib import Path

from genomic_ulmfit.files import write_json, write_text
from genomic_ulmfit.reports.numbers import json_ready
from genomic_ulmfit.reports.reproduction.figures import draw_all
from genomic_ulmfit.reports.reproduction.html import render_html
from genomic_ulmfit.reports.reproduction.results import Predictions, StudyResults
from genomic_ulmfit.reports.reproduction.tables import markdown_table


def write_report(
    results: StudyResults, predictions: Predictions, out_dir: str | os.PathLike[str]
) -> Path:
    """Write a study's results as JSON, tables, figures and one HTML page.

    Parameters
    ----------
    results : StudyResults
        May hold NumPy scalars and NaN; what is written holds Python numbers and null.
    predictions : mapping of (model, protocol) to a sequence over seeds of (labels, probabilities)
        Labels are 1 for promoter and 0 otherwise, probabilities those of promoter; each an array
        of shape (n_test,). Models without predictions are left out of the curves.
    out_dir : path-like
        Is made if missing. Gets ``results.json``, ``table.md``, ``report.html`` and
        ``figures/*.png`` and ``*.svg``, each written atomically.

    Returns
    -------
    pathlib.Path
        The HTML page.
    """
    folder = Path(out_dir)
    clean: StudyResults = json_ready(results)
    write_json(folder / "results.json", clean)
    write_text(folder / "table.md", markdown_table(clean))
    pictures = draw_all(clean, predictions)
    for picture in pictures:
        picture.save(folder / "figures")
    page = folder / "report.html"
    write_text(page, render_html(clean, pictures))
    return page
