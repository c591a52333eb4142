"""What matters to a model, as logo and heat map: of a set of sequences, and of single ones."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import logomaker
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from genomic_ulmfit.dna.alphabet import BASES, one_hot
from genomic_ulmfit.inference.explaining.explanation import Explanation
from genomic_ulmfit.inference.explaining.profiles import (
    Stretch,
    average,
    from_site,
    known_bases,
    preferences,
    stretches_of_sequence,
)
from genomic_ulmfit.inference.log_odds import probability
from genomic_ulmfit.reports.picture import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    Picture,
    new_figure,
    put_words,
    styled,
)

Matrix = npt.NDArray[np.floating]

_LETTERS = {"A": GREEN, "C": BLUE, "G": ORANGE, "T": VERMILION}
_WORDS = {
    "mutagenesis": "saturation mutagenesis",
    "gradient": "integrated gradients",
    "perturbation": "sliding-window perturbation",
}
_BY_BASE = 0.085
_NARROWEST, _WIDEST = 6.5, 18.0
_HEAD, _FOOT = 0.45, 0.55


def draw_average(explanation: Explanation) -> Picture | None:
    """Draw what bases contribute on average.

    Parameters
    ----------
    explanation : Explanation

    Returns
    -------
    Picture or None
        None if the sequences differ in length.
    """
    found = explanation.average
    if found is None:
        return None
    lines = {
        _WORDS[method]: average(values, explanation.windows).mean
        for method, values in explanation.contributions.items()
        if method not in (explanation.main, "perturbation")
    }
    for one in explanation.perturbations:
        values = known_bases(one.importance(len(found.mean)), explanation.windows)
        lines[f"{one.width} bases replaced"] = average(values, explanation.windows).mean
    heat = None
    if explanation.mutagenesis is not None:
        heat = preferences(explanation.mutagenesis.effects)
    stretches = explanation.stretches()
    return _draw(
        explanation,
        found.letters,
        heat,
        "preferred base",
        lines,
        name="average",
        title=f"What speaks for class {explanation.class_name}: mean of {found.n:,} sequences",
        caption=(
            f"Letters: log-odds that the base contributes by {_WORDS[explanation.main]}, summed "
            f"over the sequences that have it there, divided by those with a known base there, of "
            f"n = {found.n:,}."
            + (
                ""
                if heat is None
                else " Colours: mean log-odds with that base against the mean of all four."
            )
        ),
        stretches=stretches,
    )


def draw_sequence(explanation: Explanation, row: int) -> Picture:
    """Draw what the bases of one sequence contribute.

    Parameters
    ----------
    explanation : Explanation
    row : int
        Number of the sequence, from 0.

    Returns
    -------
    Picture
        Named by number and, as far as file names allow, id.
    """
    window = explanation.windows[row]
    values = explanation.contributions[explanation.main][row, : len(window)]
    heat = None
    if explanation.mutagenesis is not None:
        heat = explanation.mutagenesis.effects[row, : len(window)]
    lines = {
        _WORDS[method]: of_all[row, : len(window)]
        for method, of_all in explanation.contributions.items()
        if method not in (explanation.main, "perturbation")
    }
    for one in explanation.perturbations:
        longest = max(map(len, explanation.windows))
        importance = known_bases(one.importance(longest), explanation.windows)
        lines[f"{one.width} bases replaced"] = importance[row, : len(window)]
    chance = float(probability(explanation.log_odds[row : row + 1])[0])
    name = explanation.ids[row]
    safe = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)
    return _draw(
        explanation,
        one_hot(window) * np.nan_to_num(values)[:, None],
        heat,
        "replaced by",
        lines,
        name=f"{row + 1:04d}_{safe[:60]}",
        title=f"{name}: probability of class {explanation.class_name} {chance:.4g}",
        caption=(
            f"Letters: log-odds that the base contributes by {_WORDS[explanation.main]}."
            + ("" if heat is None else " Colours: change of the log-odds by each substitution.")
        ),
        stretches=stretches_of_sequence(values, window),
    )


def _draw(
    explanation: Explanation,
    letters: Matrix,
    heat: Matrix | None,
    heat_label: str,
    lines: Mapping[str, Matrix],
    *,
    name: str,
    title: str,
    caption: str,
    stretches: Sequence[Stretch],
) -> Picture:
    """Draw a logo, a heat map below it if there is one, and further methods below that."""
    length, anchor = len(letters), explanation.anchor
    if anchor is not None:
        caption += " The dashed line is before the site, base +1."
    width = min(_WIDEST, max(_NARROWEST, 1.2 + _BY_BASE * length))
    heights = [1.9, *([0.95] if heat is not None else []), *([1.3] if lines else [])]
    with styled():
        foot_lines = textwrap.wrap(caption, int(width / 0.059))
        height = sum(heights) + _HEAD + _FOOT + 0.14 * len(foot_lines)
        figure = new_figure(width, height)
        foot = (0.1 + 0.14 * len(foot_lines)) / height
        figure.set_layout_engine("constrained", rect=(0, foot, 1, 1 - foot - _HEAD / height))
        panels = figure.subplots(
            len(heights), 1, sharex=True, height_ratios=heights, squeeze=False
        )[:, 0]
        _draw_logo(panels[0], letters)
        if heat is not None:
            _draw_heat(figure, panels[1], heat, heat_label)
        if lines:
            _draw_lines(panels[-1], lines)
        for panel in panels:
            if anchor is not None:
                panel.axvline(anchor - 0.5, color="black", lw=0.9, ls=(0, (4, 2)))
        panels[-1].set_xlim(-0.7, length - 0.3)
        _number(panels[-1], length, anchor)
        put_words(
            figure,
            title,
            "\n".join(foot_lines),
            left=0.1 / width,
            top=1 - 0.1 / height,
            bottom=0.05 / height,
            linespacing=1.25,
        )
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    return Picture(name, title, caption, _in_words(title, stretches, anchor), figure)


def _draw_logo(panel: Axes, letters: Matrix) -> None:
    table = pd.DataFrame(letters, columns=list(BASES), dtype=float)
    if not letters.any():
        # Of nothing but unknown bases there is no logo.
        panel.set(xlim=(-0.5, len(letters) - 0.5), ylim=(-1, 1))
    else:
        logomaker.Logo(table, ax=panel, color_scheme=_LETTERS, flip_below=False, show_spines=None)
    panel.grid(visible=False)
    panel.set_ylabel("contribution\n(log-odds)")


def _draw_heat(figure: Figure, panel: Axes, heat: Matrix, label: str) -> None:
    most = float(np.abs(heat).max()) or 1.0
    image = panel.imshow(heat.T, aspect="auto", cmap="RdBu", vmin=-most, vmax=most)
    panel.set_yticks(range(len(BASES)), list(BASES))
    panel.set_ylabel(label)
    panel.grid(visible=False)
    figure.colorbar(image, ax=panel, pad=0.005, aspect=8, label="log-odds")


def _draw_lines(panel: Axes, lines: Mapping[str, Matrix]) -> None:
    """Draw profiles, each over its highest point: methods differ in scale."""
    for (label, values), colour in zip(lines.items(), (PURPLE, "black", SKY, GREY), strict=False):
        most = float(np.nan_to_num(np.abs(values)).max()) or 1.0
        panel.plot(values / most, color=colour, lw=1.1, label=f"{label} (1 = {most:.2g})")
    panel.axhline(0, color=GREY, lw=0.6)
    panel.set_ylabel("relative")
    panel.legend(loc="lower left", ncols=len(lines), bbox_to_anchor=(0, 0.97))


def _number(panel: Axes, length: int, anchor: int | None) -> None:
    """Number bases by tens from the site, which is +1 and itself has a number."""
    step = 10 if length <= 400 else 50
    places = [
        place
        for place in range(length)
        if from_site(place, anchor) % step == 0 or (anchor is not None and place == anchor)
    ]
    numbers = [from_site(place, anchor) for place in places]
    signed = "{:+d}" if anchor is not None else "{:d}"
    labels = [signed.format(number).replace("-", "−") for number in numbers]
    panel.set_xticks(places, labels)
    panel.set_xlabel("position from the site" if anchor is not None else "position")


def _in_words(title: str, stretches: Sequence[Stretch], anchor: int | None) -> str:
    """Say what a reader who cannot see the picture needs."""
    listed = ", ".join(
        f"{stretch.bases} from {from_site(stretch.start, anchor)} to "
        f"{from_site(stretch.end - 1, anchor)} ({stretch.contribution:+.2f})"
        for stretch in stretches[:4]
    )
    return f"{title}. Stretches that contribute most: {listed or 'none'}."
