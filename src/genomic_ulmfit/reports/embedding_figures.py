"""Pictures of embeddings: sequences by label or GC content, k-mers by composition."""

from __future__ import annotations

import textwrap
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import atomic_path
from genomic_ulmfit.reports.picture import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    Picture,
    literal,
    new_figure,
    put_words,
    styled,
)

Points = npt.NDArray[np.float64]

MOST_POINTS = 10_000
"""More would lie on top of each other, and t-SNE takes minutes."""

LEAST_POINTS = 4

SUFFIXES = (".png", ".svg")

_COMPONENTS = 50
_PCA_FROM = 2_000
_NEIGHBOURS = 15
_PERPLEXITY = 30.0
_SHADES = "viridis"
_OTHER = "#999999"
_MARKED_STRIDE = 2
# Colour and mark both tell classes apart: one of them is enough to see which is which.
_STYLES = (
    (BLUE, "o"),
    (VERMILION, "^"),
    (GREEN, "s"),
    (ORANGE, "D"),
    (PURPLE, "v"),
    (SKY, "P"),
    ("#000000", "X"),
)


@dataclass(frozen=True, eq=False)
class Projection:
    """Vectors laid out in a plane.

    Parameters
    ----------
    points : numpy.ndarray of float64, shape (n, 2)
    method : str
        How, in words.
    """

    points: Points
    method: str


def project(vectors: npt.NDArray[np.floating], seed: int = 0) -> Projection:
    """Lay vectors out in a plane so that near ones stay near.

    UMAP (McInnes et al. 2018, arXiv:1802.03426) if umap-learn is installed, else t-SNE (van der
    Maaten & Hinton 2008). From 2,000 vectors on, they are reduced to 50 principal components
    first.

    Parameters
    ----------
    vectors : numpy.ndarray of float, shape (n, width)
    seed : int

    Returns
    -------
    Projection

    Raises
    ------
    InputError
        If there are fewer than 4 vectors, or all are the same.
    """
    if len(vectors) < LEAST_POINTS:
        raise InputError(
            f"--plot: {len(vectors)} sequences make no picture; at least {LEAST_POINTS} are needed."
        )
    if (vectors == vectors[0]).all():
        raise InputError("--plot: all vectors are the same, so there is nothing to see.")
    prefix = ""
    wanted = min(_COMPONENTS, *vectors.shape)
    if len(vectors) >= _PCA_FROM and wanted < vectors.shape[1]:
        vectors = PCA(wanted, random_state=seed).fit_transform(vectors)
        prefix = f"{wanted} principal components, then "
    try:
        from umap import UMAP
    except ImportError:
        perplexity = min(_PERPLEXITY, (len(vectors) - 1) / 3)
        points = TSNE(perplexity=perplexity, random_state=seed).fit_transform(vectors)
        method = f"t-SNE, perplexity {perplexity:.3g}"
    else:
        neighbours = min(_NEIGHBOURS, len(vectors) - 1)
        with warnings.catch_warnings():
            # That a seed leaves it one thread is what a seed is for.
            warnings.filterwarnings("ignore", "n_jobs value", UserWarning)
            points = UMAP(
                n_neighbors=neighbours, init="pca", random_state=seed, n_jobs=1
            ).fit_transform(vectors)
        method = f"UMAP, {neighbours} neighbours"
    return Projection(np.asarray(points, np.float64), f"{prefix}{method}, seed {seed}")


def draw_embeddings(
    projection: Projection,
    title: str,
    *,
    gc: npt.NDArray[np.float64],
    labels: Sequence[str] | None = None,
    n_sequences: int | None = None,
) -> Picture:
    """Draw sequences, coloured by label or, without labels, by GC content.

    Labels that are numbers, more of them than there are colours, get a colour scale; of other
    labels the seven most frequent get a colour and a mark each.

    Parameters
    ----------
    projection : Projection
        Of n sequences.
    title : str
        Of which sequences, by which model.
    gc : numpy.ndarray of float64, shape (n,)
        Shares of G and C, 0 to 1; NaN is drawn grey.
    labels : sequence of str, length n, optional
    n_sequences : int, optional
        How many there are, if those drawn are a sample.

    Returns
    -------
    Picture
    """
    points = projection.points
    drawn = f"{len(points):,} sequences"
    if n_sequences is not None and n_sequences > len(points):
        drawn = f"{len(points):,} of {n_sequences:,} sequences, drawn at random"
    with styled():
        figure, (panel,) = _figure(1)
        numbers = None if labels is None else _numbers(labels)
        if numbers is not None:
            _scaled(figure, panel, points, numbers, "label")
            meaning = "colour: label"
        elif labels is not None:
            _classes(panel, points, labels)
            counts = Counter(labels).most_common(len(_STYLES))
            meaning = "labels: " + ", ".join(f"{label} ({n:,})" for label, n in counts)
        else:
            _scaled(figure, panel, points, 100 * gc, "GC content (%)")
            meaning = "colour: GC content"
        caption = f"{drawn}; {meaning}. Layout: {projection.method}; only nearness has a meaning."
        _put_words(figure, title, caption)
    return Picture(
        "embeddings", title, caption, f"Scatter plot of sequence embeddings. {caption}", figure
    )


def draw_kmers(projection: Projection, kmers: Sequence[str], title: str, stride: int) -> Picture:
    """Draw k-mers twice, coloured by GC content and by purine content.

    Parameters
    ----------
    projection : Projection
        Of n k-mers.
    kmers : sequence of str, length n
    title : str
        Of which model.
    stride : int
        Of its tokens: how many bases of a k-mer the one before it has not. If there are one or
        two, the middle of all k-mers that end in the same is marked.

    Returns
    -------
    Picture
    """
    contents = {
        "bases G or C": [sum(kmer.count(base) for base in "GC") for kmer in kmers],
        "purines (A or G)": [sum(kmer.count(base) for base in "AG") for kmer in kmers],
    }
    with styled():
        figure, panels = _figure(2)
        for panel, (name, counts) in zip(panels, contents.items(), strict=True):
            _scaled(
                figure, panel, projection.points, np.array(counts, float), name, steps=len(kmers[0])
            )
            if stride <= _MARKED_STRIDE:
                _mark_endings(panel, projection.points, [kmer[-stride:] for kmer in kmers])
        caption = (
            f"The model's input embeddings of {len(kmers):,} {len(kmers[0])}-mers, twice the same "
            f"layout: {projection.method}; only nearness has a meaning."
        )
        if stride <= _MARKED_STRIDE:
            caption += " Letters: median of the k-mers that end so."
        _put_words(figure, title, caption)
    return Picture(
        "kmers",
        title,
        caption,
        f"Two scatter plots of k-mers, by GC and by purine content. {caption}",
        figure,
    )


def require_picture_file(path: Path) -> None:
    """Check that `write_picture` can write a file of this name, before any work.

    Raises
    ------
    InputError
        If it ends neither in .png nor in .svg.
    """
    if path.suffix not in SUFFIXES:
        raise InputError(
            f"--plot: {path.name} ends in {path.suffix or 'no suffix'}; allowed are "
            f"{' and '.join(SUFFIXES)}."
        )


def write_picture(picture: Picture, path: str | Path) -> None:
    """Write a picture as PNG or SVG, as the name says, atomically."""
    path = Path(path)
    require_picture_file(path)
    content = picture.png if path.suffix == ".png" else picture.svg
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def _figure(n_panels: int) -> tuple[Figure, list[Axes]]:
    figure = new_figure(6.2 if n_panels == 1 else 9.5, 5.2)
    figure.set_layout_engine("constrained", rect=(0, 0.1, 1, 0.82), wspace=0.06)
    panels = list(figure.subplots(1, n_panels, squeeze=False)[0])
    for panel in panels:
        panel.grid(visible=False)
        panel.set_xticks([])
        panel.set_yticks([])
        panel.spines[:].set_visible(False)
    return figure, panels


def _put_words(figure: Figure, title: str, caption: str) -> None:
    title_width, caption_width = (58, 105) if figure.get_figwidth() < 8 else (95, 160)
    put_words(
        figure,
        "\n".join(textwrap.wrap(title, title_width)),
        "\n".join(textwrap.wrap(caption, caption_width)),
        left=0.015,
        top=0.985,
        bottom=0.015,
    )


def _classes(panel: Axes, points: Points, labels: Sequence[str]) -> None:
    counts = Counter(labels)
    shown = sorted(label for label, _ in counts.most_common(len(_STYLES)))
    styles = dict(zip(shown, _STYLES, strict=False))
    drawn = np.array([styles.get(label, (_OTHER, ".")) for label in labels], dtype=object)
    size = _mark_size(len(points))
    # In random order, or the last class would hide the others.
    order = np.random.default_rng(0).permutation(len(points))
    # One call per mark and stretch of points keeps that order up to a thousand points apart.
    for part in np.array_split(order, max(1, len(order) // 1000)):
        for mark in sorted({mark for _, mark in drawn[part]}):
            rows = part[drawn[part, 1] == mark]
            panel.scatter(
                points[rows, 0],
                points[rows, 1],
                s=size,
                c=list(drawn[rows, 0]),
                marker=mark,
                linewidths=0,
                alpha=0.7,
                rasterized=True,
            )
    handles = [
        Line2D([], [], color=colour, marker=mark, ls="", ms=6, label=literal(_short(label)))
        for label, (colour, mark) in styles.items()
    ]
    if len(counts) > len(shown):
        n_others = len(counts) - len(shown)
        handles.append(
            Line2D([], [], color=_OTHER, marker=".", ls="", label=f"{n_others} other labels")
        )
    panel.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _scaled(
    figure: Figure,
    panel: Axes,
    points: Points,
    values: npt.NDArray[np.float64],
    name: str,
    steps: int | None = None,
) -> None:
    """Colour points by a number; by a count from 0 to `steps` where that is given."""
    known = ~np.isnan(values)
    size = _mark_size(len(points))
    unknown = points[~known]
    panel.scatter(unknown[:, 0], unknown[:, 1], s=size, c=_OTHER, linewidths=0, rasterized=True)
    order = np.random.default_rng(0).permutation(np.flatnonzero(known))
    low, high = 0.0, float(steps or 1)
    if not steps and known.any():
        # A single far value must not leave one shade for all others.
        low, high = np.quantile(values[known], [0.01, 0.99])
    coloured = panel.scatter(
        points[order, 0],
        points[order, 1],
        s=size,
        c=values[order],
        cmap=_SHADES,
        vmin=low,
        vmax=high if high > low else low + 1,
        linewidths=0,
        alpha=0.85,
        rasterized=True,
    )
    bar = figure.colorbar(
        coloured,
        ax=panel,
        location="bottom",
        shrink=0.6,
        aspect=30,
        pad=0.02,
        label=name,
        extend="neither" if steps else "both",
    )
    bar.outline.set_visible(False)


def _mark_endings(panel: Axes, points: Points, endings: Sequence[str]) -> None:
    of_point = np.array(endings)
    for ending in sorted(set(endings)):
        x, y = np.median(points[of_point == ending], axis=0)
        text = panel.text(
            x,
            y,
            ending,
            ha="center",
            va="center",
            fontsize=9,
            fontweight="bold",
        )
        text.set_path_effects([withStroke(linewidth=2.5, foreground="white")])


def _numbers(labels: Sequence[str]) -> npt.NDArray[np.float64] | None:
    """Return labels as numbers where they are a measure: numbers, more than there are colours."""
    if len(set(labels)) <= len(_STYLES):
        return None
    try:
        values = np.array([float(label) for label in labels])
    except ValueError:
        return None
    return values if np.isfinite(values).all() else None


def _mark_size(n: int) -> float:
    return float(np.clip(12_000 / n, 4, 36))


def _short(label: str) -> str:
    return label if len(label) <= 24 else f"{label[:21]}..."
