"""From a model and sequences, or variants, to an explanation's files, pictures and page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from genomic_ulmfit.files import write_text
from genomic_ulmfit.inference.explaining.explain_files import LOGOS, PAGE
from genomic_ulmfit.inference.explaining.explain_job import explain
from genomic_ulmfit.inference.explaining.explanation import ExplainResult
from genomic_ulmfit.progress import Report
from genomic_ulmfit.reports.explain_figures import draw_average, draw_sequence
from genomic_ulmfit.reports.explain_page import render_explanation


def explain_and_draw(
    model_folder: str | Path,
    sequences: str | Path | None,
    out: str | Path,
    *,
    methods: Sequence[str] | None = None,
    target: str | None = None,
    anchor: int | None = None,
    logos: int = 5,
    variants: str | Path | None = None,
    genome: str | Path | None = None,
    report: Report = lambda *_: None,
) -> ExplainResult:
    """Explain sequences, or score variants, and write what was found with pictures of it.

    Parameters
    ----------
    model_folder, sequences, out, methods, target, anchor, variants, genome, report
        As in `genomic_ulmfit.inference.explaining.explain_job.explain`. Last of all `out` gets
        ``report.html``.
    logos : int
        Sequences, from the first on, that get a picture of their own.

    Returns
    -------
    ExplainResult

    Raises
    ------
    InputError
        If an argument or file cannot be used.
    """
    out = Path(out)
    result = explain(
        model_folder,
        sequences,
        out,
        methods=methods,
        target=target,
        anchor=anchor,
        variants=variants,
        genome=genome,
        report=report,
    )
    average, of_each = None, []
    if (explanation := result.explanation) is not None:
        average = draw_average(explanation)
        if average is not None:
            average.save(out)
        shown = min(logos, len(explanation.ids))
        for row in range(shown):
            report("Drawing", row, shown)
            of_each.append(draw_sequence(explanation, row))
            of_each[-1].save(out / LOGOS)
    write_text(out / PAGE, render_explanation(result, average, of_each))
    return result
