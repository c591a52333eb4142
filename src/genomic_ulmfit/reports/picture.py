"""What all pictures share: style, title and caption, and how they become files.

Figures are made without pyplot and its global state. Colours are Okabe and Ito's set for
colour-blind readers (jfly.uni-koeln.de/color, 2008); line styles and marks carry the same
distinctions into black-and-white print.
"""

from __future__ import annotations

import functools
import io
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from genomic_ulmfit.files import atomic_path
from genomic_ulmfit.reports.names import WITHOUT_ENCODER

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
    "e_coli": (BLUE, SOLID),
    "e_coli_seed_head": (SKY, DASHED),
    "ensemble": (GREEN, SOLID),
    "ensemble_seed_head": (LIGHT_GREEN, DASHED),
    WITHOUT_ENCODER: (GREY, DASHED),
    "onehot_lr": ("#000000", DOTTED),
    "kmer_lr": ("#808080", DOTTED),
    "cnn": (PURPLE, DASH_DOT),
}
_UNKNOWN_STYLE = ("#8B6914", DASH_DOT)
_SIMULATED_COLOUR = "#B00020"


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
    """Return an empty figure; `width` and `height` are in inches."""
    return Figure(figsize=(width, height), facecolor="white")


def model_style(model: str) -> tuple[str, Any]:
    """Return the colour and line style of a model, the same in every picture."""
    return _MODEL_STYLES.get(model, _UNKNOWN_STYLE)


def put_words(
    figure: Figure,
    title: str,
    caption: str,
    *,
    left: float,
    top: float,
    bottom: float,
    title_size: float = 11,
    simulated: bool = False,
    **of_caption: Any,
) -> None:
    """Draw the title at a figure's head and the caption at its foot, every sign as it is.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Must have room for them.
    title, caption : str
        With their line breaks.
    left, top, bottom : float
        Where both begin, where the title has its upper and the caption its lower edge; as shares
        of the figure's width and height.
    title_size : float
        In points.
    simulated : bool
        Whether it is about a made-up genome; the title then has a colour that warns. That its
        words say so as well is for the caller to see to.
    **of_caption
        Properties of `matplotlib.text.Text` in which the caption differs from others.
    """
    figure.text(
        left,
        top,
        literal(title),
        va="top",
        fontsize=title_size,
        fontweight="bold",
        color=_SIMULATED_COLOUR if simulated else "black",
    )
    foot = {"va": "bottom", "fontsize": 7.5, "color": "#444444", **of_caption}
    figure.text(left, bottom, literal(caption), **foot)


def literal(text: str) -> str:
    """Return text that is drawn as it is.

    matplotlib reads $...$ as mathematics, and a name from a file may hold anything.
    """
    return text.replace("$", r"\$")
