"""Sequences and k-mers as vectors: what an encoder makes of them, in flat memory."""

from __future__ import annotations

import contextlib
import csv
import gzip
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from genomic_ulmfit.data.batches import Batch, TokenizedSequences
from genomic_ulmfit.dna.alphabet import AMBIGUOUS, Codes
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import GZIP, atomic_path, table_rows
from genomic_ulmfit.inference.sequences import Named, in_chunks, table_header
from genomic_ulmfit.models.awd_lstm import AWDLSTM, State
from genomic_ulmfit.models.precision import autocast, best_precision
from genomic_ulmfit.models.pretrained import encoder_folder
from genomic_ulmfit.models.store import load_classifier, load_language_model, read_config

Vectors = npt.NDArray[np.float32]
Write = Callable[[Sequence[str], Vectors], None]

POOLINGS = ("mean", "concat")
SUFFIXES = (".npy", ".parquet")

CHUNK = 2048
"""Sequences at a time: enough to sort by length."""

CHUNK_BASES = 2_000_000
"""Bases at a time, but for a single sequence."""

SEGMENT = 256
"""Tokens that are run at a time; what is kept of them is pooled, so that a genome fits too."""


class Embedded(NamedTuple):
    """Some sequences and their vectors.

    Parameters
    ----------
    ids : list of str, length n
    vectors : numpy.ndarray of float32, shape (n, width)
    gc : numpy.ndarray of float64, shape (n,)
        Share of G and C among the bases that are known, 0 to 1; NaN where none is.
    n_ambiguous : int
        Sequences with ambiguous bases.
    """

    ids: list[str]
    vectors: Vectors
    gc: npt.NDArray[np.float64]
    n_ambiguous: int


def load_encoder(model: str | Path) -> AWDLSTM:
    """Return the encoder of a shipped language model, or of any model folder.

    Parameters
    ----------
    model : path-like
        Name of a shipped encoder, or the folder of a language model or a classifier. A
        classifier's encoder is the fine-tuned one.

    Returns
    -------
    AWDLSTM
        In evaluation mode.

    Raises
    ------
    InputError
        If there is no such model, or it cannot be loaded.
    """
    folder = encoder_folder(model)
    if read_config(folder)["kind"] == "classifier":
        return load_classifier(folder).encoder.eval()
    return load_language_model(folder).encoder.eval()


def embed(
    encoder: AWDLSTM,
    sequences: Iterable[Named],
    pooling: str = "mean",
    precision: str | None = None,
    batch_size: int = 256,
) -> Iterator[Embedded]:
    """Embed sequences in their order, a chunk at a time.

    Parameters
    ----------
    encoder : AWDLSTM
        Used in evaluation mode.
    sequences : iterable of Named
        Of any lengths; read only as far as is needed.
    pooling : {"mean", "concat"}
        What a sequence's vector is: the mean of the last layer's hidden states, or ULMFiT's
        last, max and mean one after the other (Howard & Ruder 2018, section 3.3), which is
        three times as wide.
    precision : {"bf16", "fp32"}, optional
        Probed if not given.
    batch_size : int
        Sequences at a time; it changes the speed, not the result.

    Yields
    ------
    Embedded

    Raises
    ------
    InputError
        If there is no such pooling, or a sequence is shorter than a k-mer.
    """
    width = vector_width(encoder, pooling)
    tokenizer = encoder.config.tokenizer
    device = next(encoder.parameters()).device
    precision = precision or best_precision()
    encoder.eval()
    for chunk in in_chunks(sequences, CHUNK, CHUNK_BASES):
        for sequence in chunk:
            if len(sequence.codes) < tokenizer.k:
                raise InputError(
                    f"{sequence.place}: has {len(sequence.codes)} bases; at least {tokenizer.k} "
                    "are needed. Remove it or give a longer one."
                )
        codes = [sequence.codes for sequence in chunk]
        vectors = np.empty((len(chunk), width), dtype=np.float32)
        with torch.no_grad(), autocast(precision):
            for batch in TokenizedSequences.of(codes, tokenizer).in_order_of_length(batch_size):
                pooled = _pooled(encoder, batch, device)
                if pooling == "mean":
                    pooled = pooled[:, -width:]
                vectors[batch.rows.numpy()] = pooled.cpu().numpy()
        yield Embedded(
            [sequence.id for sequence in chunk],
            vectors,
            np.array([_gc(one) for one in codes]),
            sum(bool((one == AMBIGUOUS).any()) for one in codes),
        )


def vector_width(encoder: AWDLSTM, pooling: str) -> int:
    """Return how many numbers `embed` makes of a sequence; `InputError` for unknown pooling."""
    if pooling not in POOLINGS:
        raise InputError(f"--pooling: got {pooling!r}, allowed are {' and '.join(POOLINGS)}.")
    return encoder.config.embedding * (3 if pooling == "concat" else 1)


def kmer_embeddings(encoder: AWDLSTM) -> tuple[list[str], Vectors]:
    """Return the encoder's table of token embeddings.

    Parameters
    ----------
    encoder : AWDLSTM

    Returns
    -------
    kmers : list of str, length 4**k
        In alphabetical order.
    vectors : numpy.ndarray of float32, shape (4**k, width)
    """
    tokenizer = encoder.config.tokenizer
    weight = encoder.embedding.weight.detach()[: tokenizer.unknown]
    kmers = [tokenizer.to_kmer(token) for token in range(tokenizer.unknown)]
    return kmers, weight.float().cpu().numpy()


def _pooled(encoder: AWDLSTM, batch: Batch, device: torch.device) -> Tensor:
    """Return last, max and mean hidden state, shape (batch, 3 * width).

    A segment of tokens at a time, each starting from the state that the one before left: as
    exact as all at once. The batch must be in order of length; sequences leave it as they end.
    """
    tokens, lengths = batch.tokens.to(device), batch.lengths.to(device)
    shape = (len(lengths), encoder.config.embedding)
    last = torch.zeros(shape, device=device)
    highest = torch.full(shape, -torch.inf, device=device)
    total = torch.zeros(shape, device=device)
    state: State | None = None
    first = 0
    for start in range(0, len(tokens), SEGMENT):
        ended = int((lengths <= start).sum())
        if state is not None:
            state = [(h[:, ended - first :], c[:, ended - first :]) for h, c in state]
        first = ended
        hidden, _, state = encoder(tokens[start : start + SEGMENT, first:], state)
        hidden = hidden.float()
        left = lengths[first:] - start
        inside = torch.arange(len(hidden), device=device)[:, None, None] < left[None, :, None]
        seen = hidden.masked_fill(~inside, -torch.inf).amax(0)
        highest[first:] = torch.maximum(highest[first:], seen)
        total[first:] += hidden.masked_fill(~inside, 0.0).sum(0)
        rows = torch.arange(hidden.shape[1], device=device)
        last[first:] = hidden[left.clamp(max=len(hidden)) - 1, rows]
    return torch.cat([last, highest, total / lengths[:, None]], dim=1)


def _gc(codes: Codes) -> float:
    counts = np.bincount(codes, minlength=AMBIGUOUS + 1)
    known = int(counts[:AMBIGUOUS].sum())
    return float(counts[1:3].sum() / known) if known else float("nan")


def require_vector_file(path: Path) -> None:
    """Check that `vector_file` can write a file of this name, before any work.

    Raises
    ------
    InputError
        If the suffix is neither .npy nor .parquet, or pyarrow is missing for the latter.
    """
    if path.suffix not in SUFFIXES:
        raise InputError(
            f"--out: {path.name} ends in {path.suffix or 'no suffix'}; allowed are "
            f"{' and '.join(SUFFIXES)}."
        )
    if path.suffix == ".parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError:
            raise InputError(
                "--out: Parquet needs pyarrow, which is not installed. Install it (pip install "
                "pyarrow), or name a file that ends in .npy."
            ) from None


def ids_file(path: Path) -> Path:
    """Return the name of the table of ids that stands beside an .npy file."""
    return path.with_suffix(".ids.csv")


@contextlib.contextmanager
def vector_file(path: str | Path, width: int) -> Iterator[Write]:
    """Open a file of vectors that grows by a chunk at a time and appears when it is complete.

    Parameters
    ----------
    path : path-like
        An .npy file is an array of float32, shape (n, width); the ids of its rows go into
        `ids_file`, a CSV with one column, `id`. A .parquet file has the columns `id` and
        `embedding`, a list of `width` float32.
    width : int

    Yields
    ------
    callable
        Takes ids and vectors of some more rows.

    Raises
    ------
    InputError
        As `require_vector_file`.
    """
    path = Path(path)
    require_vector_file(path)
    if path.suffix == ".parquet":
        with atomic_path(path) as temporary, _parquet(temporary, width) as write:
            yield write
        return
    with (
        atomic_path(path) as temporary,
        # The ids take their name first: vectors are never without them.
        atomic_path(ids_file(path)) as temporary_ids,
        open(temporary_ids, "w", encoding="utf-8", newline="") as ids,
        _npy(temporary, width, ids) as write,
    ):
        yield write


@contextlib.contextmanager
def _npy(path: Path, width: int, ids: TextIO) -> Iterator[Write]:
    table = csv.writer(ids, lineterminator="\n")
    table.writerow(["id"])
    rows = 0

    def header(handle: Any) -> None:
        handle.seek(0)
        shown = {"descr": "<f4", "fortran_order": False, "shape": (rows, width)}
        # NumPy leaves room in it for any number of rows, so that it can be written again.
        np.lib.format.write_array_header_1_0(handle, shown)

    with open(path, "wb") as handle:
        header(handle)

        def write(names: Sequence[str], vectors: Vectors) -> None:
            nonlocal rows
            handle.write(np.ascontiguousarray(vectors, dtype="<f4").tobytes())
            table.writerows([name] for name in names)
            rows += len(names)

        yield write
        header(handle)


@contextlib.contextmanager
def _parquet(path: Path, width: int) -> Iterator[Write]:
    import pyarrow
    import pyarrow.parquet

    vector = pyarrow.list_(pyarrow.float32(), width)
    schema = pyarrow.schema([("id", pyarrow.string()), ("embedding", vector)])
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:

        def write(names: Sequence[str], vectors: Vectors) -> None:
            flat = pyarrow.array(np.ascontiguousarray(vectors).ravel())
            columns = [
                pyarrow.array(names, pyarrow.string()),
                pyarrow.FixedSizeListArray.from_arrays(flat, width),
            ]
            writer.write_table(pyarrow.table(columns, schema=schema))

        yield write


class Sample:
    """A random sample of vectors from a stream, for a picture (Vitter 1985, algorithm R).

    Parameters
    ----------
    size : int
        All vectors are kept if there are no more.
    seed : int
    """

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self.seen = 0
        self._rng = np.random.default_rng(seed)
        self._kept: list[tuple[int, Vectors, float]] = []

    def add(self, embedded: Embedded) -> None:
        """Let some more vectors try their luck."""
        for vector, gc in zip(embedded.vectors, embedded.gc, strict=True):
            entry = (self.seen, vector, float(gc))
            self.seen += 1
            if len(self._kept) < self.size:
                self._kept.append(entry)
            elif (place := int(self._rng.integers(self.seen))) < self.size:
                # A copy: a view would keep all of its chunk in memory.
                self._kept[place] = (entry[0], vector.copy(), entry[2])

    def rows(self) -> npt.NDArray[np.intp]:
        """Return which of the stream's sequences are in the sample, ascending."""
        return np.array(sorted(row for row, _, _ in self._kept), dtype=np.intp)

    def vectors(self) -> Vectors:
        """Return their vectors, shape (n, width)."""
        return np.stack([vector for _, vector, _ in sorted(self._kept, key=lambda one: one[0])])

    def gc(self) -> npt.NDArray[np.float64]:
        """Return their share of G and C, shape (n,)."""
        return np.array([gc for _, _, gc in sorted(self._kept, key=lambda one: one[0])])


def labels_of(path: str | Path, rows: npt.NDArray[np.intp]) -> list[str] | None:
    """Return the labels of some of a file's sequences.

    Parameters
    ----------
    path : path-like
        What `genomic_ulmfit.inference.sequences.read_sequences` has read without complaint.
    rows : numpy.ndarray of int
        Numbers of the sequences, from 0, ascending.

    Returns
    -------
    list of str or None
        None if there is no column `label`, and for FASTA and whatever can be read only once.
    """
    path = Path(path)
    if not path.is_file():
        return None  # Standard input or a named pipe.
    with open(path, "rb") as binary:
        zipped = binary.read(2) == GZIP
    opened: Any = gzip.open if zipped else open
    with opened(path, "rt", encoding="utf-8-sig", newline=None) as handle:
        header = next(line for line in handle if line.strip())
        if header.startswith(">"):
            return None
        delimiter, columns = table_header(header)
        if "label" not in columns:
            return None
        wanted, at = set(rows.tolist()), columns.index("label")
        records = (row for row in table_rows(handle, delimiter) if row)
        return [
            sys.intern(row[at].strip()) for number, row in enumerate(records) if number in wanted
        ]
