"""The report as one HTML file that needs nothing else: no network, no scripts, no fonts."""

from __future__ import annotations

from collections.abc import Sequence

from genomic_ulmfit.reports.page import data_uri, environment
from genomic_ulmfit.reports.picture import Picture
from genomic_ulmfit.reports.reproduction.labels import capitalised, marked, protocols
from genomic_ulmfit.reports.reproduction.prose import (
    QUESTION,
    answer,
    genome_sentence,
    language_model_sentences,
    leakage_sentences,
    limits,
    machine_sentence,
    simulated_sentence,
)
from genomic_ulmfit.reports.reproduction.results import StudyResults
from genomic_ulmfit.reports.reproduction.tables import (
    comparison_table,
    language_model_table,
    result_table,
)

_PIXELS_PER_INCH = 96


def render_html(results: StudyResults, figures: Sequence[Picture]) -> str:
    """Write a study as a self-contained HTML page.

    Parameters
    ----------
    results : StudyResults
    figures : sequence of Picture
        As from `genomic_ulmfit.reports.reproduction.figures.draw_all`; they are written into
        the page.

    Returns
    -------
    str
        The page. Everything that comes from the results is escaped.
    """
    templating = environment()
    templating.filters["capitalised"] = capitalised
    by_name = {picture.name: _embedded(picture) for picture in figures}
    comparisons = [comparison_table(results, protocol) for protocol in protocols(results)]
    return templating.get_template("report.html.j2").render(
        title=marked(results["genome"], results["title"]),
        simulated=simulated_sentence(results),
        question=QUESTION,
        genome=genome_sentence(results),
        answer=answer(results),
        summary_figure=by_name.pop("summary", None),
        language_model_figures=[
            by_name.pop(name) for name in list(by_name) if name.startswith("language_model_")
        ],
        figures=list(by_name.values()),
        tables=[
            *(result_table(results, protocol) for protocol in protocols(results)),
            *(table for table in comparisons if table is not None),
        ],
        language_model_table=language_model_table(results),
        language_models=language_model_sentences(results),
        leakage=leakage_sentences(results),
        results=results,
        machine=machine_sentence(results),
        limits=limits(results),
    )


def _embedded(picture: Picture) -> dict[str, object]:
    # As an image and not as inline markup: matplotlib's ids repeat from figure to figure.
    width, height = picture.figure.get_size_inches() * _PIXELS_PER_INCH
    return {
        "title": picture.title,
        "caption": picture.caption,
        "alt": picture.alt,
        "width": round(width),
        "height": round(height),
        "uri": data_uri(picture.svg, "image/svg+xml"),
    }
