"""Sequences and k-mers as vectors: what an encoder makes of them, in flat memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from genomic_ulmfit.data.batches import Batch, TokenizedSequences
from genomic_ulmfit.dna.alphabet import AMBIGUOUS, Codes
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.inference.sequences import Named, in_chunks
from genomic_ulmfit.models.awd_lstm import AWDLSTM, State
from genomic_ulmfit.models.folder import read_config
from genomic_ulmfit.models.precision import autocast, settled_precision
from genomic_ulmfit.models.prediction import require_length
from genomic_ulmfit.models.pretrained import encoder_folder
from genomic_ulmfit.models.store import load_classifier, load_language_model
from genomic_ulmfit.models.threads import in_threads, piece_size

Vectors = npt.NDArray[np.float32]

POOLINGS = ("mean", "concat")

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
    precision = settled_precision(precision)
    encoder.eval()

    def of_batch(batch: Batch) -> Vectors:
        with torch.no_grad(), autocast(precision, device):
            pooled = _pooled(encoder, batch, device)
            found: Vectors = pooled[:, -width:].cpu().numpy()
            return found

    for chunk in in_chunks(sequences, CHUNK, CHUNK_BASES):
        for sequence in chunk:
            require_length(encoder, sequence.codes, sequence.place)
        codes = [sequence.codes for sequence in chunk]
        vectors = np.empty((len(chunk), width), dtype=np.float32)
        size = piece_size(len(codes), batch_size, device)
        batches = TokenizedSequences.of(codes, tokenizer).in_order_of_length(size)
        for batch, found in in_threads(of_batch, batches, device):
            vectors[batch.rows.numpy()] = found
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
