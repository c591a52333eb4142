"""Hidden states of a frozen encoder: computed once, kept on disk, used by every small fit."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from genomic_ulmfit.data.batches import READ_ONCE, Batch, TokenizedSequences
from genomic_ulmfit.data.readings import Readings
from genomic_ulmfit.dna.alphabet import Codes
from genomic_ulmfit.files import atomic_path
from genomic_ulmfit.models.awd_lstm import AWDLSTM
from genomic_ulmfit.models.classifier import side_by_side
from genomic_ulmfit.models.precision import autocast, settled_precision
from genomic_ulmfit.models.threads import in_threads, piece_size
from genomic_ulmfit.progress import tracked

States = npt.NDArray[np.float16]

BATCH = 256
"""Sequences that are read at a time."""

CACHE_LIMIT = 2 << 30
"""Bytes that what frozen layers put out may take in memory; beyond, it is computed again."""


def frozen_states(
    encoder: AWDLSTM,
    codes: Sequence[Codes],
    *,
    context: int = 0,
    readings: Readings = READ_ONCE,
    precision: str | None = None,
    progress: bool = False,
) -> States:
    """Return the last layer's hidden states for sequences of one length.

    Parameters
    ----------
    encoder : AWDLSTM
        Used in evaluation mode.
    codes : sequence of numpy.ndarray of uint8
    context : int
        Bases at either end of each that are read, but whose states are left out.
    readings : Readings
        In which ways to read the sequences.
    precision : {"bf16", "fp32"}, optional
        Probed if not given.
    progress : bool
        Whether to draw a bar on standard error.

    Returns
    -------
    numpy.ndarray of float16, shape (len(codes), n_tokens, width)
        Tokens between the contexts, readings as in
        `genomic_ulmfit.models.classifier.side_by_side`. Hidden states are below 1 in absolute
        value: float16 keeps three digits of them.
    """
    tokenizer, width = encoder.config.tokenizer, encoder.config.embedding
    sequences = TokenizedSequences.of(codes, tokenizer, readings)
    before = context // tokenizer.stride
    n_tokens = tokenizer.n_tokens(len(codes[0]) - 2 * context)
    states = np.empty((len(codes), n_tokens, width * readings.count), dtype=np.float16)
    device = next(encoder.parameters()).device
    encoder.eval()
    precision = settled_precision(precision, device)

    def of_batch(batch: Batch) -> States:
        with torch.no_grad(), autocast(precision, device):
            hidden, _, _ = encoder(batch.tokens.to(device))
            beside = side_by_side(hidden[before : before + n_tokens], readings)
            found: States = beside.transpose(0, 1).half().cpu().numpy()
            return found

    size = piece_size(len(codes), BATCH, device)
    for batch, found in tracked(
        in_threads(of_batch, sequences.in_order_of_length(size), device),
        "Hidden states",
        -(-len(codes) // size),
        progress,
    ):
        states[batch.rows.numpy()] = found
    return states


def cached_states(
    encoder: AWDLSTM,
    sha256: str,
    codes: Sequence[Codes],
    folder: str | Path,
    *,
    readings: Readings = READ_ONCE,
    precision: str | None = None,
) -> States:
    """Return `frozen_states`, from a file where there is one for these weights and sequences.

    Parameters
    ----------
    encoder : AWDLSTM
    sha256 : str
        Of its weights, as in the `config.json` of its folder.
    codes : sequence of numpy.ndarray of uint8
    folder : path-like
        Of the cache; a file is named by a digest of weights, precision and sequences.
    readings : Readings
    precision : {"bf16", "fp32"}, optional

    Returns
    -------
    numpy.ndarray of float16, shape (len(codes), n_tokens, width)
        Read from disk as it is needed.
    """
    precision = settled_precision(precision)
    digest = hashlib.sha256(f"{sha256} {precision} {len(codes)} {readings}".encode())
    for sequence in codes:
        digest.update(len(sequence).to_bytes(4, "little") + sequence.tobytes())
    path = Path(folder) / f"{digest.hexdigest()[:32]}.npy"
    if not path.exists():
        states = frozen_states(encoder, codes, readings=readings, precision=precision)
        with atomic_path(path) as temporary, open(temporary, "wb") as handle:
            np.save(handle, states, allow_pickle=False)
    loaded: States = np.load(path, mmap_mode="r", allow_pickle=False)
    return loaded
