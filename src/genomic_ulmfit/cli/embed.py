"""`genomic-ulmfit embed`: sequences and k-mers as vectors, and pictures of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genomic_ulmfit.limits import LARGEST_SEED


def embed(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL",
            help="Encoder by name (see genomic-ulmfit models), or folder written by pretrain or "
            "train.",
        ),
    ],
    sequences: Annotated[
        Path | None,
        typer.Argument(
            metavar="[SEQS]",
            help="FASTA, or CSV or TSV with a column sequence (optional: id, label); plain, gzip, "
            "or - for standard input.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File of vectors to write: .npy or .parquet.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Picture to write: .png or .svg.")] = None,
    kmers: Annotated[
        bool, typer.Option("--kmers", help="Embed the model's k-mers instead of SEQS.")
    ] = False,
    pooling: Annotated[
        str,
        typer.Option(
            help="mean of the hidden states, or concat: last, max and mean, three times as wide."
        ),
    ] = "mean",
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            max=LARGEST_SEED,
            help="Seed of the random numbers of the picture; the same seed gives the same picture.",
        ),
    ] = 0,
) -> None:
    """Write a vector for each sequence, or draw them.

    Examples:

      genomic-ulmfit embed e-coli genes.fasta --out genes.npy

      genomic-ulmfit embed model promoters.csv --plot promoters.png

      genomic-ulmfit embed e-coli --kmers --plot kmers.png

    An .npy file is an array with one row per sequence, in the order of the
    input; the ids stand beside it in .ids.csv. Parquet (needs pyarrow) holds
    both. Any number of sequences of any lengths will do: memory does not grow.

    The picture shows up to 10,000 sequences, chosen at random, by UMAP if
    umap-learn is installed and else by t-SNE; coloured by the column label of
    a table (not on standard input), or by GC content. k-mers are the input
    embeddings, coloured by GC and by purine content.
    """
    from genomic_ulmfit.console import counted, note, plain_console
    from genomic_ulmfit.errors import InputError
    from genomic_ulmfit.inference.embed_job import embed_file
    from genomic_ulmfit.progress import Progress

    if out is None and plot is None:
        raise InputError("--out, --plot: give at least one of them, for vectors or a picture.")
    most_shown = 0
    if plot is not None:
        # matplotlib and scikit-learn take seconds, which vectors alone need not wait for.
        from genomic_ulmfit.reports.embedding_figures import MOST_POINTS
        from genomic_ulmfit.reports.embedding_picture import draw_embedded, require_plot

        require_plot(plot, sequences, model)
        most_shown = MOST_POINTS
    with Progress("sequences") as progress:
        result = embed_file(
            model,
            sequences,
            out,
            kmers=kmers,
            pooling=pooling,
            most_shown=most_shown,
            seed=seed,
            report=progress,
        )

    notes = plain_console(stderr=True)
    for text in result.notes:
        note(text)
    if out is not None:
        notes.print(f"{counted(result.n, 'vector')} of {result.width:,} written to {out}")
    if plot is not None:
        if not kmers:
            notes.print(f"drawing {counted(min(result.n, most_shown), 'sequence')}")
        draw_embedded(result, plot, seed)
        notes.print(f"picture written to {plot}")
