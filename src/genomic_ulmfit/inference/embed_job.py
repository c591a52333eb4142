"""From an encoder and sequences, or its k-mers, to a file of vectors and what a picture shows."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import require_another, require_writable
from genomic_ulmfit.inference.embed import (
    Vectors,
    embed,
    kmer_embeddings,
    load_encoder,
    vector_width,
)
from genomic_ulmfit.inference.sample import Sample, labels_of
from genomic_ulmfit.inference.sequences import read_sequences
from genomic_ulmfit.inference.vector_files import ids_file, require_vector_file, vector_file
from genomic_ulmfit.models.awd_lstm import AWDLSTM
from genomic_ulmfit.progress import Report


@dataclass(frozen=True, eq=False)
class KmersShown:
    """The k-mers of an encoder, for a picture.

    Parameters
    ----------
    vectors : numpy.ndarray of float32, shape (n, width)
    kmers : sequence of str, length n
    stride : int
        Bases between tokens.
    """

    vectors: Vectors
    kmers: Sequence[str]
    stride: int


@dataclass(frozen=True, eq=False)
class SequencesShown:
    """A random sample of the sequences, in their order, for a picture.

    Parameters
    ----------
    vectors : numpy.ndarray of float32, shape (n, width)
    gc : numpy.ndarray of float64, shape (n,)
        Share of G and C, 0 to 1; NaN where no base is known.
    labels : sequence of str or None
        None where the file has none, or can be read only once.
    """

    vectors: Vectors
    gc: npt.NDArray[np.float64]
    labels: Sequence[str] | None


@dataclass(frozen=True, eq=False)
class EmbedResult:
    """What was embedded.

    Parameters
    ----------
    title : str
        What it is, in words.
    n, width : int
        Vectors, and numbers in each.
    shown : KmersShown, SequencesShown or None
        For a picture; None if none was asked for.
    notes : tuple of str
        What is worth knowing about the sequences, one sentence each.
    """

    title: str
    n: int
    width: int
    shown: KmersShown | SequencesShown | None
    notes: tuple[str, ...] = ()


def embed_file(
    model: str | Path,
    sequences: str | Path | None,
    out: str | Path | None = None,
    *,
    kmers: bool = False,
    pooling: str = "mean",
    most_shown: int = 0,
    seed: int = 0,
    report: Report = lambda *_: None,
) -> EmbedResult:
    """Embed the sequences of a file, or an encoder's k-mers, and write the vectors.

    Parameters
    ----------
    model : path-like
        As for `load_encoder`.
    sequences : path-like or None
        As for `read_sequences`; None for k-mers.
    out : path-like, optional
        .npy or .parquet file to write, see `vector_file`.
    kmers : bool
        Whether to embed the encoder's k-mers.
    pooling : {"mean", "concat"}
        See `embed`; k-mers have their input embeddings.
    most_shown : int
        Sequences to keep for a picture, chosen at random; 0 if there is to be none.
    seed : int
        Of the choice.
    report : callable
        Told about progress.

    Returns
    -------
    EmbedResult

    Raises
    ------
    InputError
        If an argument, the model or a sequence cannot be used.
    """
    if (sequences is None) != kmers:
        raise InputError("SEQS, --kmers: give one of them, a file of sequences or the option.")
    out = None if out is None else Path(out)
    if out is not None:
        require_vector_file(out)
        require_writable(out.parent)
        for file in (out, ids_file(out)):
            require_another(file, sequences, model)
    encoder = load_encoder(model)
    seen_by = f"as {Path(model).name} sees"
    if sequences is None:
        return _embed_kmers(encoder, f"k-mers {seen_by} them", out, most_shown)

    width = vector_width(encoder, pooling)
    sample = Sample(most_shown, seed)
    n_ambiguous = 0
    with contextlib.ExitStack() as stack:
        write = None if out is None else stack.enter_context(vector_file(out, width))
        report("Embedding", 0)
        for embedded in embed(encoder, read_sequences(sequences), pooling):
            if write is not None:
                write(embedded.ids, embedded.vectors)
            sample.add(embedded)
            n_ambiguous += embedded.n_ambiguous
            report("Embedding", sample.seen)
    shown = None
    if most_shown:
        labels = labels_of(sequences, sample.rows())
        shown = SequencesShown(sample.vectors(), sample.gc(), labels)
    notes: tuple[str, ...] = ()
    if n_ambiguous:
        notes = (f"{n_ambiguous:,} of {sample.seen:,} sequences have ambiguous bases.",)
    name = "standard input" if str(sequences) == "-" else Path(sequences).name
    return EmbedResult(f"{name} {seen_by} it", sample.seen, width, shown, notes)


def _embed_kmers(encoder: AWDLSTM, title: str, out: Path | None, most_shown: int) -> EmbedResult:
    kmers, vectors = kmer_embeddings(encoder)
    width = vectors.shape[1]
    if out is not None:
        with vector_file(out, width) as write:
            write(kmers, vectors)
    shown = KmersShown(vectors, kmers, encoder.config.tokenizer.stride) if most_shown else None
    return EmbedResult(title, len(kmers), width, shown)
