"""`genomic-ulmfit embed`: sequences and k-mers as vectors, and pictures of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genomic_ulmfit.cli.limits import LARGEST_SEED


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
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of the picture.")] = 0,
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
    import contextlib

    from genomic_ulmfit.cli.progress import Progress
    from genomic_ulmfit.console import plain_console
    from genomic_ulmfit.errors import InputError
    from genomic_ulmfit.files import require_another, require_writable
    from genomic_ulmfit.inference.embed import (
        Sample,
        ids_file,
        kmer_embeddings,
        labels_of,
        load_encoder,
        require_vector_file,
        vector_file,
        vector_width,
    )
    from genomic_ulmfit.inference.embed import embed as embed_all
    from genomic_ulmfit.inference.sequences import read_sequences

    if out is None and plot is None:
        raise InputError("--out, --plot: give at least one of them, for vectors or a picture.")
    if (sequences is None) != kmers:
        raise InputError("SEQS, --kmers: give one of them, a file of sequences or the option.")
    if out is not None:
        require_vector_file(out)
        require_writable(out.parent)
        for file in (out, ids_file(out)):
            require_another(file, sequences, model)
    if plot is not None:
        from genomic_ulmfit.reports.embedding_figures import (
            MOST_POINTS,
            draw_embeddings,
            draw_kmers,
            project,
            require_picture_file,
            write_picture,
        )

        require_picture_file(plot)
        require_writable(plot.parent, "--plot")
        require_another(plot, sequences, model, option="--plot")
    encoder = load_encoder(model)
    notes = plain_console(stderr=True)

    if kmers:
        names, vectors = kmer_embeddings(encoder)
        if out is not None:
            with vector_file(out, vectors.shape[1]) as write:
                write(names, vectors)
            notes.print(f"{len(names):,} vectors of {vectors.shape[1]:,} written to {out}")
        if plot is not None:
            picture = draw_kmers(
                project(vectors, seed),
                names,
                f"k-mers as {model.name} sees them",
                encoder.config.tokenizer.stride,
            )
            write_picture(picture, plot)
            notes.print(f"picture written to {plot}")
        return

    assert sequences is not None
    width = vector_width(encoder, pooling)
    sample = Sample(MOST_POINTS if plot is not None else 0, seed)
    n_ambiguous = 0
    with contextlib.ExitStack() as stack:
        write_rows = None if out is None else stack.enter_context(vector_file(out, width))
        progress = stack.enter_context(Progress("sequences"))
        for embedded in embed_all(encoder, read_sequences(sequences), pooling):
            if write_rows is not None:
                write_rows(embedded.ids, embedded.vectors)
            sample.add(embedded)
            n_ambiguous += embedded.n_ambiguous
            progress("Embedding", sample.seen)
    if n_ambiguous:
        notes.print(f"Note: {n_ambiguous:,} of {sample.seen:,} sequences have ambiguous bases.")
    if out is not None:
        notes.print(f"{sample.seen:,} vectors of {width:,} written to {out}")
    if plot is not None:
        notes.print(f"drawing {len(sample.rows()):,} sequences")
        picture = draw_embeddings(
            project(sample.vectors(), seed),
            f"{_file_name(sequences)} as {model.name} sees it",
            labels=labels_of(sequences, sample.rows()),
            gc=sample.gc(),
            n_sequences=sample.seen,
        )
        write_picture(picture, plot)
        notes.print(f"picture written to {plot}")


def _file_name(path: Path) -> str:
    return "standard input" if str(path) == "-" else path.name
