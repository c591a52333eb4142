"""A stretch of a scanned genome: probabilities of both strands, calls and genes."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from matplotlib.ticker import FuncFormatter

from genomic_ulmfit.dna.genome import Gene
from genomic_ulmfit.files import atomic_path
from genomic_ulmfit.inference.log_odds import probability
from genomic_ulmfit.inference.scanning.regions import Region
from genomic_ulmfit.inference.scanning.scan_job import ScanResult
from genomic_ulmfit.inference.scanning.tracks import Spans
from genomic_ulmfit.reports.picture import (
    BLUE,
    GREY,
    VERMILION,
    literal,
    new_figure,
    put_words,
    styled,
)

_COLOURS = {1: BLUE, -1: VERMILION}
_WORDS = {1: "forward strand", -1: "reverse strand"}
_BINS = 900


@dataclass(frozen=True, eq=False)
class RegionPicture:
    """A drawn region.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    title, caption : str
        Also drawn.
    """

    figure: Figure
    title: str
    caption: str

    def save_png(self, path: str | Path) -> None:
        """Write the picture as PNG, atomically."""
        with styled(), atomic_path(path) as temporary:
            self.figure.savefig(temporary, format="png", dpi=150)


def draw_region(result: ScanResult) -> RegionPicture:
    """Draw the region of a scan in which calls are densest.

    Forward-strand probabilities rise from the middle, reverse-strand ones hang from it; calls
    are triangles at their anchors, genes are arrows.

    Parameters
    ----------
    result : ScanResult

    Returns
    -------
    RegionPicture
    """
    region = result.densest
    least = float(probability(result.threshold))
    title = (
        f"{region.contig.name}: bases {region.start + 1:,} to {region.end:,}, "
        f"{len(region.calls)} calls"
    )
    caption = (
        "Probability of each window at its anchor, forward strand upwards and reverse strand "
        f"downwards; dashed: the threshold, {least:.6g}; triangles: calls"
        + ("; arrows: annotated genes." if region.contig.genes else ".")
        + f" Genome: {result.genome.name}."
    )
    if result.genome.simulated:
        title = f"SIMULATED GENOME. {title}"
        caption = f"Simulated: this genome was made up and says nothing about real DNA. {caption}"
    with styled():
        figure = new_figure(9, 3.9)
        figure.set_layout_engine("constrained", rect=(0, 0.1, 1, 0.82))
        scores, genes = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1), squeeze=True)
        _draw_scores(scores, region, least, result.settings.step)
        _draw_genes(genes, region)
        genes.set_xlabel(literal(f"position on {region.contig.name}"))
        genes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
        genes.set_xlim(region.start, region.end)
        put_words(
            figure,
            title,
            "\n".join(textwrap.wrap(caption, 150)),
            left=0.01,
            top=0.985,
            bottom=0.01,
            simulated=result.genome.simulated,
        )
    return RegionPicture(figure, title, caption)


def _draw_scores(panel: Axes, region: Region, least: float, step: int) -> None:
    for strand, spans in region.strands.items():
        edges, highest = _binned(spans, strand, region, step)
        panel.stairs(
            strand * highest,
            edges,
            fill=True,
            color=_COLOURS[strand],
            lw=0,
            alpha=0.8,
            label=_WORDS[strand],
        )
        panel.axhline(strand * least, color=GREY, lw=0.7, ls=(0, (5, 2)))
        anchors = [call.anchor for call in region.calls if call.strand == strand]
        panel.plot(
            anchors,
            [strand * 1.1] * len(anchors),
            marker="v" if strand > 0 else "^",
            ms=4,
            ls="",
            color=_COLOURS[strand],
            clip_on=False,
            # Without any point, the layout would take it for one in the figure's corner.
            in_layout=False,
        )
    panel.axhline(0, color="black", lw=0.6)
    panel.set_ylim(-1.2, 1.2)
    panel.set_yticks([-1, -0.5, 0, 0.5, 1], ["1", ".5", "0", ".5", "1"])
    panel.set_ylabel("probability")
    panel.legend(loc="upper right", bbox_to_anchor=(1, 1.16), ncols=2)


def _binned(
    spans: Spans, strand: int, region: Region, step: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the edges of at most `_BINS` bins and the highest probability in each.

    A peak is narrower than a dot of the picture, and would fade among its neighbours. A bin
    without a score is NaN, which leaves a gap; none is narrower than the `step` between scores.
    """
    span = region.end - region.start
    n_bins = min(_BINS, max(1, span // step))
    anchors = spans.starts if strand > 0 else spans.ends - 1
    inside = (anchors >= region.start) & (anchors < region.end)
    bins = (anchors[inside] - region.start) * n_bins // span
    highest = np.full(n_bins, np.nan)
    np.fmax.at(highest, bins, spans.values[inside])
    return region.start + np.arange(n_bins + 1) * span / n_bins, highest


def _draw_genes(panel: Axes, region: Region) -> None:
    panel.set_ylim(-1.7, 1.7)
    panel.set_yticks([0.5, -0.5], ["+", "−"])
    panel.grid(visible=False)
    panel.spines["left"].set_visible(False)
    panel.tick_params(left=False)
    span = region.end - region.start
    length = len(region.contig)
    for gene in region.contig.genes:
        # A gene over the origin is seen from both of its ends.
        for start, end in ((gene.start, gene.end), (gene.start - length, gene.end - length)):
            if start < region.end and end > region.start:
                _draw_gene(panel, region, gene, start, end, head=span / 120)
    if not region.contig.genes:
        panel.text(
            0.5,
            0.5,
            "no genes annotated",
            transform=panel.transAxes,
            ha="center",
            va="center",
            color=GREY,
            fontsize=8,
        )


def _draw_gene(panel: Axes, region: Region, gene: Gene, start: int, end: int, head: float) -> None:
    middle, half = (0.5, 0.32) if gene.strand > 0 else (-0.5, 0.32)
    head = min(head, end - start)
    back, tip = (start, end) if gene.strand > 0 else (end, start)
    neck = tip - head if gene.strand > 0 else tip + head
    low, high = middle - half, middle + half
    corners = [(back, low), (neck, low), (tip, middle), (neck, high), (back, high)]
    panel.add_patch(Polygon(corners, color=_COLOURS[gene.strand], alpha=0.35, lw=0))
    left, right = max(start, region.start), min(end, region.end)
    # A name only where it fits: about 150 letters of this size go into the width.
    if (right - left) / (region.end - region.start) * 150 > len(gene.name):
        panel.text(
            (left + right) / 2,
            middle,
            literal(gene.name),
            ha="center",
            va="center",
            fontsize=6,
            clip_on=True,
            in_layout=False,
        )
