"""The heat map of a cross-species benchmark."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np

from genomic_ulmfit.reports.numbers import number
from genomic_ulmfit.reports.picture import Picture, literal, new_figure, put_words, styled


def draw_heat_map(results: dict[str, Any]) -> Picture:
    """Draw AUROC by training species (rows) and test species (columns).

    Parameters
    ----------
    results : dict
        As from `genomic_ulmfit.studies.cross_species.cross_species`.

    Returns
    -------
    Picture
        Named ``cross_species_MODEL``.
    """
    names = [name.replace("_", " ") for name in results["names"]]
    values = np.array(results["auroc"], dtype=float)
    side = 0.85 * len(names)
    title = "Trained on one species, tested on the others"
    caption = (
        f"AUROC on each species' test sequences ({', '.join(map(str, results['n_test']))}); model "
        f"{results['model']}, encoder {results['encoder']['name']}, seed {results['seed']}."
    )
    figure = new_figure(side + 3.6, side + 2.9)
    with styled():
        panel = figure.add_axes(
            (2.9 / (side + 3.6), 0.45 / (side + 2.9), side / (side + 3.6), side / (side + 2.9))
        )
        panel.imshow(values, cmap="viridis", vmin=0.5, vmax=1)
        panel.grid(visible=False)
        lines = [literal(textwrap.fill(name, 26)) for name in names]
        panel.set_xticks(range(len(names)), lines, rotation=90)
        panel.set_yticks(range(len(names)), lines)
        panel.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
        panel.set_ylabel("trained on")
        for (row, column), value in np.ndenumerate(values):
            # Viridis is dark below and light above.
            colour = "black" if value > 0.8 else "white"
            panel.text(column, row, number(value), ha="center", va="center", color=colour)
        put_words(
            figure,
            title,
            caption,
            left=0.01,
            top=0.985,
            bottom=0.01,
            title_size=12,
            fontsize=7,
            wrap=True,
        )
    rows = "; ".join(
        f"trained on {name}: {', '.join(number(value) for value in row)}"
        for name, row in zip(names, values, strict=True)
    )
    return Picture(
        name=f"cross_species_{results['model']}",
        title=title,
        caption=caption,
        alt=f"AUROC, tested on {', '.join(names)} in this order. {rows}.",
        figure=figure,
    )
