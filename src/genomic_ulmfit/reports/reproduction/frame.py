"""The frame of a study's pictures: title and legend above, caption below."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.figure import Figure

from genomic_ulmfit.reports.picture import (
    BLUE,
    GREEN,
    PURPLE,
    VERMILION,
    Picture,
    put_words,
    styled,
)
from genomic_ulmfit.reports.reproduction.labels import marked
from genomic_ulmfit.reports.reproduction.results import GenomeRead, StudyResults

_PROTOCOL_STYLES = ((BLUE, "o"), (VERMILION, "s"), (GREEN, "^"), (PURPLE, "v"))

# Inches; the widths of letters are averages of matplotlib's own font at the sizes used below.
_TITLE_LINE, _TITLE_LETTER = 0.22, 0.112
_LEGEND_LINE, _LEGEND_LETTER, _LEGEND_HANDLE = 0.175, 0.066, 0.62
_CAPTION_LINE, _CAPTION_LETTER = 0.14, 0.059
_MARGIN = 0.1


def finish(
    figure: Figure,
    results: StudyResults,
    *,
    name: str,
    title: str,
    caption: str,
    alt: str,
    handles: Sequence[Artist],
    genome: GenomeRead | None = None,
) -> Picture:
    """Put title and legend above a drawn figure and its caption below.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Grows by what is added.
    results : StudyResults
    name, title, caption, alt : str
        See `Picture`.
    handles : sequence of matplotlib.artist.Artist
        What the legend explains, by their labels.
    genome : GenomeRead, optional
        What the picture is about, if it is not the study's genome. If it is simulated, title,
        caption and alternative text are marked so.

    Returns
    -------
    Picture
    """
    about = genome or results["genome"]
    title, caption, alt = (marked(about, text) for text in (title, caption, alt))
    width, body = figure.get_size_inches()
    room = width - 2 * _MARGIN
    title_lines = textwrap.wrap(title, int(room / _TITLE_LETTER))
    foot_lines = textwrap.wrap(f"{caption} Genome: {about['name']}.", int(room / _CAPTION_LETTER))
    longest = max(len(str(handle.get_label())) for handle in handles)
    columns = max(1, int(room / (_LEGEND_HANDLE + longest * _LEGEND_LETTER)))
    columns = min(columns, len(handles))
    legend_top = _MARGIN + len(title_lines) * _TITLE_LINE
    head = legend_top + math.ceil(len(handles) / columns) * _LEGEND_LINE + _MARGIN
    foot = _MARGIN + len(foot_lines) * _CAPTION_LINE
    height = body + head + foot

    figure.set_size_inches(width, height)
    figure.set_layout_engine(
        "constrained",
        rect=(0, foot / height, 1, body / height),
        w_pad=0.08,
        h_pad=0.06,
        wspace=0.04,
        hspace=0.05,
    )
    put_words(
        figure,
        "\n".join(title_lines),
        "\n".join(foot_lines),
        left=_MARGIN / width,
        top=1 - _MARGIN / height,
        bottom=_MARGIN / 2 / height,
        title_size=12,
        simulated=about["simulated"],
        linespacing=1.25,
    )
    with styled():
        figure.legend(
            handles=handles,
            loc="upper left",
            bbox_to_anchor=(_MARGIN / width, 1 - legend_top / height),
            borderpad=0.2,
            borderaxespad=0,
            ncols=columns,
        )
        # Once here and not again for every file that is rendered.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    return Picture(name=name, title=title, caption=caption, alt=alt, figure=figure)


def protocol_styles(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return a colour and a mark for each protocol."""
    return {
        name: _PROTOCOL_STYLES[place % len(_PROTOCOL_STYLES)] for place, name in enumerate(names)
    }
