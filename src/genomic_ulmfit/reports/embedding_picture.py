"""The picture of what was embedded: whatever it is, from the result to the file."""

from __future__ import annotations

from pathlib import Path

from genomic_ulmfit.files import require_another, require_writable
from genomic_ulmfit.inference.embed_job import EmbedResult, KmersShown
from genomic_ulmfit.reports.embedding_figures import (
    draw_embeddings,
    draw_kmers,
    project,
    require_picture_file,
    write_picture,
)


def require_plot(plot: Path, *inputs: str | Path | None) -> None:
    """Check that a picture can be written to ``--plot``, before any work.

    Raises
    ------
    InputError
        If its name is not one of a picture, it cannot be written, or it is one of the inputs.
    """
    require_picture_file(plot)
    require_writable(plot.parent, "--plot")
    require_another(plot, *inputs, option="--plot")


def draw_embedded(result: EmbedResult, plot: str | Path, seed: int = 0) -> None:
    """Draw what was embedded, and write the picture.

    Parameters
    ----------
    result : EmbedResult
        With something to show.
    plot : path-like
        .png or .svg.
    seed : int
        Of the layout.

    Raises
    ------
    InputError
        If there are too few vectors, or all are the same.
    """
    shown = result.shown
    assert shown is not None
    layout = project(shown.vectors, seed)
    if isinstance(shown, KmersShown):
        picture = draw_kmers(layout, shown.kmers, result.title, shown.stride)
    else:
        picture = draw_embeddings(
            layout, result.title, gc=shown.gc, labels=shown.labels, n_sequences=result.n
        )
    write_picture(picture, plot)
