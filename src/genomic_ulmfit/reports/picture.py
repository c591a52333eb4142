"""What all of a study's pictures share: style, head, foot, and how they become files.

Figures are made without pyplot and its global state. Colours are Okabe and Ito's set for
colour-blind readers (jfly.uni-koeln.de/color, 2008); line styles and marks carry the same
distinctions into black-and-white print.
"""

from __future__ import annotations

import functools
import io
import math
import textwrap
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from genomic_ulmfit.files import atomic_path
from genomic_ulmfit.reports.labels import marked
from genomic_ulmfit.reports.results import GenomeRead, StudyResults

_STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.7,
    "lines.linewidth": 1.6,
    # Same results, same bytes: matplotlib otherwise draws random ids into every SVG.
    "svg.hashsalt": "genomic-ulmfit",
}
_DPI = 200

SOLID, DASHED, DOTTED, DASH_DOT = "-", (0, (5, 2)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5))
BLUE, SKY, VERMILION, ORANGE = "#0072B2", "#56B4E9", "#D55E00", "#E69F00"
GREEN, PURPLE, GREY = "#009E73", "#CC79A7", "#555555"
LIGHT_GREEN = "#66C5AB"

_MODEL_STYLES: dict[str, tuple[str, Any]] = {
    "naive": (VERMILION, SOLID),
    "naive_seed_head": (ORANGE, DASHED),
    "e_coli": (BLUE, SOLID),
    "e_coli_seed_head": (SKY, DASHED),
    "ensemble": (GREEN, SOLID),
    "ensemble_seed_head": (LIGHT_GREEN, DASHED),
    "words": (GREY, DASHED),
    "onehot_lr": ("#000000", DOTTED),
    "kmer_lr": ("#808080", DOTTED),
    "cnn": (PURPLE, DASH_DOT),
}
_UNKNOWN_STYLE = ("#8B6914", DASH_DOT)
_PROTOCOL_STYLES = ((BLUE, "o"), (VERMILION, "s"), (GREEN, "^"), (PURPLE, "v"))
_SIMULATED_COLOUR = "#B00020"

# Inches; the widths of letters are averages of matplotlib's own font at the sizes used below.
_TITLE_LINE, _TITLE_LETTER = 0.22, 0.112
_LEGEND_LINE, _LEGEND_LETTER, _LEGEND_HANDLE = 0.175, 0.066, 0.62
_CAPTION_LINE, _CAPTION_LETTER = 0.14, 0.059
_MARGIN = 0.1


@dataclass(frozen=True, eq=False)
class Picture:
    """A drawn figure and the words that go with it.

    Parameters
    ----------
    name : str
        File stem.
    title : str
        What it shows; also drawn at its head.
    caption : str
        n, seeds and how to read it; also drawn at its foot.
    alt : str
        What a reader who cannot see it needs, with its main numbers.
    figure : matplotlib.figure.Figure
    """

    name: str
    title: str
    caption: str
    alt: str
    figure: Figure

    @functools.cached_property
    def png(self) -> bytes:
        """The picture as a PNG file."""
        return self._rendered("png", {})

    @functools.cached_property
    def svg(self) -> bytes:
        """The picture as an SVG file, with letters as outlines."""
        # A date in the file would make equal pictures differ.
        return self._rendered("svg", {"Date": None})

    def _rendered(self, suffix: str, metadata: dict[str, Any]) -> bytes:
        buffer = io.BytesIO()
        with styled():
            self.figure.savefig(buffer, format=suffix, dpi=_DPI, metadata=metadata)
        return buffer.getvalue()

    def save(self, folder: Path) -> None:
        """Write `name`.png and `name`.svg into `folder`, atomically."""
        for suffix, content in (("png", self.png), ("svg", self.svg)):
            with atomic_path(folder / f"{self.name}.{suffix}") as temporary:
                temporary.write_bytes(content)


def styled() -> AbstractContextManager[None]:
    """Return a context in which figures are drawn in this package's style."""
    return matplotlib.rc_context(_STYLE)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure; `finish` adds head and foot to its height, in inches."""
    return Figure(figsize=(width, height), facecolor="white")


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
    figure.text(
        _MARGIN / width,
        1 - _MARGIN / height,
        _literal("\n".join(title_lines)),
        va="top",
        fontsize=12,
        fontweight="bold",
        color=_SIMULATED_COLOUR if about["simulated"] else "black",
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
    figure.text(
        _MARGIN / width,
        _MARGIN / 2 / height,
        _literal("\n".join(foot_lines)),
        va="bottom",
        fontsize=7.5,
        linespacing=1.25,
        color="#444444",
    )
    with styled():
        # Once here and not again for every file that is rendered.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    return Picture(name=name, title=title, caption=caption, alt=alt, figure=figure)


def model_style(model: str) -> tuple[str, Any]:
    """Return the colour and line style of a model, the same in every picture."""
    return _MODEL_STYLES.get(model, _UNKNOWN_STYLE)


def protocol_styles(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return a colour and a mark for each protocol."""
    return {
        name: _PROTOCOL_STYLES[place % len(_PROTOCOL_STYLES)] for place, name in enumerate(names)
    }


def _literal(text: str) -> str:
    # matplotlib reads $...$ as mathematics, and a genome's name may hold anything.
    return text.replace("$", r"\$")
