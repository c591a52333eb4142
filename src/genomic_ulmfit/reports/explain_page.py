"""An explanation as one HTML page that needs nothing else: no network, no scripts."""

from __future__ import annotations

from collections.abc import Sequence

from genomic_ulmfit.inference.explaining.explanation import ExplainResult, Explanation
from genomic_ulmfit.inference.explaining.profiles import from_site
from genomic_ulmfit.inference.explaining.variants import EFFECT_COLUMNS, effect_row
from genomic_ulmfit.reports.numbers import interval
from genomic_ulmfit.reports.page import data_uri, environment
from genomic_ulmfit.reports.picture import Picture

MOST_VARIANTS = 200
"""Variants that the page lists; the file has all."""


def render_explanation(
    result: ExplainResult, average: Picture | None, logos: Sequence[Picture]
) -> str:
    """Write an explanation as a page.

    Parameters
    ----------
    result : ExplainResult
    average : Picture or None
    logos : sequence of Picture
        Of single sequences.

    Returns
    -------
    str
        HTML; everything that comes from files is escaped.
    """
    template = environment().get_template("explain.html.j2")
    return template.render(
        summary=result.summary,
        pictures=[_embedded(one) for one in ([] if average is None else [average])],
        logos=[_embedded(one) for one in logos],
        stretches=[] if result.explanation is None else _stretch_rows(result.explanation),
        variant_columns=[name.replace("_", " ") for name in EFFECT_COLUMNS],
        variants=[effect_row(effect) for effect in result.effects[:MOST_VARIANTS]],
    )


def _stretch_rows(explanation: Explanation) -> list[tuple[str, ...]]:
    return [
        (
            f"{from_site(stretch.start, explanation.anchor)} to "
            f"{from_site(stretch.end - 1, explanation.anchor)}",
            stretch.bases,
            f"{stretch.contribution:.3f}",
            interval(*stretch.interval, sign=True),
        )
        for stretch in explanation.stretches()
    ]


def _embedded(picture: Picture) -> dict[str, str]:
    return {
        "title": picture.title,
        "caption": picture.caption,
        "alt": picture.alt,
        "uri": data_uri(picture.png, "image/png"),
    }
