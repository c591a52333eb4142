"""What a classifier says of many edits of the same sequences, each prefix read only once.

The encoder reads a strand from its 5' end. Whatever is done to a sequence at some place, its
hidden states up to there stay what they were, so a sequence is read once, token by token, and
each edit goes on from the state before the first token that it touches. Edits of the same place
run side by side, those of different sequences together. Half of the work is saved on average,
and the result is that of predicting every edited sequence by itself. A model that reads the
reverse complement, too, gets the same from that strand's 5' end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from genomic_ulmfit.data.batches import Batch
from genomic_ulmfit.data.readings import shifted
from genomic_ulmfit.dna.alphabet import AMBIGUOUS, Codes, reverse_complement
from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.inference.explaining.summaries import Again, Summaries
from genomic_ulmfit.inference.log_odds import log_odds
from genomic_ulmfit.inference.targets import Floats, batches
from genomic_ulmfit.models.awd_lstm import State
from genomic_ulmfit.models.classifier import Classifier
from genomic_ulmfit.models.precision import autocast
from genomic_ulmfit.models.threads import in_threads

SEQUENCES = 128
"""Sequences that are read side by side, at most."""

KEPT = 16_384
"""Tokens of them, after each of which the encoder's state is kept, but for a single sequence."""

TOKENS = 16_384
"""Tokens of edited sequences that a thread has in memory at a time, but for a single sequence.
Blocks of four times the size would be mapped anew each time."""

Indices = npt.NDArray[np.int64]
Counted = Callable[[int], None]
"""Told how many sequences are done."""


class Edits(NamedTuple):
    """Stretches of bases that are replaced by others, one stretch in one sequence each.

    Parameters
    ----------
    rows : numpy.ndarray of int, shape (n_edits,)
        Number of the sequence.
    starts : numpy.ndarray of int, shape (n_edits,)
        First base that is replaced; the whole stretch lies within the sequence.
    bases : numpy.ndarray of uint8, shape (n_edits, width)
        What stands there afterwards.
    """

    rows: Indices
    starts: Indices
    bases: npt.NDArray[np.uint8]


def edited_log_odds(
    model: Classifier,
    codes: Sequence[Codes],
    edits: Edits,
    target: int,
    precision: str,
    report: Counted = lambda _: None,
) -> tuple[Floats, Floats]:
    """Return the log-odds of a class for sequences and for every edit of them.

    Parameters
    ----------
    model : Classifier
        In evaluation mode.
    codes : sequence of numpy.ndarray of uint8
        With as much context around them as the model wants, or none.
    edits : Edits
    target : int
        The class.
    precision : {"bf16", "fp32"}
        Of the encoder; heads compute in fp32.
    report : callable
        Told about progress.

    Returns
    -------
    of_sequences : numpy.ndarray of float32, shape (len(codes),)
    of_edits : numpy.ndarray of float32, shape (n_edits,)
    """
    longest = max(model.config.encoder.tokenizer.n_tokens(len(sequence)) for sequence in codes)
    of_sequences = np.zeros(len(codes), dtype=np.float32)
    of_edits = np.zeros(len(edits.rows), dtype=np.float32)
    by_row = np.argsort(edits.rows, kind="stable")
    bounds = np.searchsorted(edits.rows[by_row], np.arange(len(codes) + 1))
    done = 0
    with torch.no_grad():
        for batch in batches(model, codes, min(SEQUENCES, max(1, KEPT // longest))):
            rows = batch.rows.numpy()
            sizes = np.array([len(codes[row]) for row in rows])
            # Edits of this batch, with the column of their sequence in it.
            which = np.concatenate([by_row[bounds[row] : bounds[row + 1]] for row in rows])
            columns = np.repeat(np.arange(len(rows)), bounds[rows + 1] - bounds[rows])
            chosen = Edits(columns, edits.starts[which], edits.bases[which])
            original, edited = _read(
                model,
                batch,
                sizes,
                chosen,
                precision,
                _sharing(report, done, len(rows)),
            )
            of_sequences[rows] = log_odds(original, target).numpy()
            of_edits[which] = log_odds(edited, target).numpy()
            done += len(rows)
            report(done)
    return of_sequences, of_edits


def _sharing(report: Counted, before: int, n: int) -> Callable[[float], None]:
    """Return what reports a share of `n` sequences as done, beside those before them."""
    return lambda share: report(before + int(share * n))


class _Reading(NamedTuple):
    """A strand of a batch's sequences, 5' to 3', with the same edits, read in one phase.

    Parameters
    ----------
    codes : numpy.ndarray of uint8, shape (batch, bases)
        Padded at the end.
    edits : Edits
    phase : int
    first : numpy.ndarray of int, shape (n_edits,)
        First token that each edit touches; the number of tokens if it touches none.
    """

    codes: npt.NDArray[np.uint8]
    edits: Edits
    phase: int
    first: Indices


def _read(
    model: Classifier,
    batch: Batch,
    sizes: Indices,
    edits: Edits,
    precision: str,
    report: Callable[[float], None],
) -> tuple[Tensor, Tensor]:
    """Return logits of a batch's sequences, `sizes` bases long, and of edits of its columns.

    `report` is told which share of the edits is done.
    """
    tokenizer, n_tokens = model.encoder.config.tokenizer, len(batch.tokens)
    readings = _readings(model, batch, sizes, edits)
    hidden, states = _read_originals(model, batch, precision)
    # What stands around the sequences themselves is read, but no head sees it.
    seen = model.only_the_sequence(hidden)
    before = (n_tokens - len(seen)) // 2
    lengths = batch.lengths.clamp(max=len(seen))
    summaries = Summaries(model, seen, lengths)
    edited = torch.zeros(len(edits.rows), len(model.config.classes))
    done = 0

    @torch.no_grad()
    def read_again(which: Indices) -> Tensor:
        """Return the logits of edits that touch the same tokens first."""
        columns = torch.from_numpy(edits.rows[which])
        read = []
        for number, reading in enumerate(readings):
            token = int(reading.first[which[0]])
            start = min(max(token - before, 0), len(seen))
            after = seen.new_zeros((0, len(which), seen.shape[2]))
            if start < len(seen):
                own = columns + number * len(sizes)
                changed = shifted(_apply(reading, which), reading.phase)
                changed = changed[:, token * tokenizer.stride :]
                tokens = tokenizer.tokenize(changed).astype(np.int64)
                with autocast(precision):
                    # Up to the last token that a head sees.
                    after, _, _ = model.encoder(
                        torch.from_numpy(tokens.T[: before + len(seen) - token]),
                        [(h[:, own], c[:, own]) for h, c in states[token]],
                    )
                # `after` runs from `token` on, which may lie in the context before the sequence.
                after = after[start + before - token :].float()
            read.append(Again(start, after))
        codes = torch.from_numpy(_apply(readings[0], which))
        around = (codes.shape[1] - model.config.length) // 2 if model.config.length else 0
        summary = summaries.edited(columns, read)
        return model.logits(summary, codes[:, around : codes.shape[1] - around])

    groups = _groups([reading.first for reading in readings], max(1, TOKENS // n_tokens))
    for which, logits in in_threads(read_again, groups, seen.device):
        edited[which] = logits
        done += len(which)
        report(done / len(edits.rows))
    layers = len(model.encoder.layers)
    return model.forward_from(layers, seen.float(), batch.lengths, batch.codes), edited


def _readings(model: Classifier, batch: Batch, sizes: Indices, edits: Edits) -> list[_Reading]:
    """Return what the network reads, in the order of `genomic_ulmfit.data.readings.Readings`."""
    codes = batch.codes.numpy()
    strands = [(codes, edits)]
    if model.config.both_strands:
        strands.append(_mirrored(codes, sizes, edits))
    tokenizer, n_tokens = model.encoder.config.tokenizer, len(batch.tokens)
    return [
        _Reading(*strand, phase, _first_tokens(tokenizer, strand[1].starts - phase, n_tokens))
        for strand in strands
        for phase in range(model.config.phases)
    ]


def _mirrored(
    codes: npt.NDArray[np.uint8], sizes: Indices, edits: Edits
) -> tuple[npt.NDArray[np.uint8], Edits]:
    """Return the reverse complements of a batch's sequences, and the same edits of them."""
    turned = np.full_like(codes, AMBIGUOUS)
    for row, size in enumerate(sizes):
        turned[row, :size] = reverse_complement(codes[row, :size])
    starts = sizes[edits.rows] - edits.starts - edits.bases.shape[1]
    # Base by base, then along each stretch.
    bases = reverse_complement(edits.bases.ravel()).reshape(edits.bases.shape)[::-1]
    return turned, Edits(edits.rows, starts, bases)


def _first_tokens(tokenizer: KmerTokenizer, starts: Indices, n_tokens: int) -> Indices:
    """Return the first token that reads each base; behind the last there may be bases."""
    # A token reads `k` bases from `stride` times its number on.
    first: Indices = -(-(starts - tokenizer.k + 1) // tokenizer.stride)
    return first.clip(0, n_tokens)


def _read_originals(model: Classifier, batch: Batch, precision: str) -> tuple[Tensor, list[State]]:
    """Return the hidden states of a batch, and the encoder's state before each token."""
    encoder = model.encoder
    n_columns = batch.tokens.shape[1]
    state: State = [
        (torch.zeros(1, n_columns, width), torch.zeros(1, n_columns, width))
        for _, width in encoder.config.layer_sizes()
    ]
    hidden = torch.zeros(len(batch.tokens), n_columns, encoder.config.embedding)
    states = []
    for token in range(len(batch.tokens)):
        states.append(state)
        with autocast(precision):
            read, _, state = encoder(batch.tokens[token : token + 1], state)
        hidden[token] = read[0]
    return hidden, states


def _groups(keys: Sequence[Indices], size: int) -> Iterator[Indices]:
    """Yield which edits agree in all keys, at most `size` at a time."""
    order = np.lexsort(keys)
    changes = np.any([np.diff(key[order]) != 0 for key in keys], axis=0)
    for group in np.split(order, np.flatnonzero(changes) + 1):
        for begin in range(0, len(group), size):
            yield group[begin : begin + size]


def _apply(reading: _Reading, which: Indices) -> npt.NDArray[np.uint8]:
    """Return one edited copy of its sequence for each of some edits."""
    rows, starts, bases = (part[which] for part in reading.edits)
    changed = reading.codes[rows]
    np.put_along_axis(changed, starts[:, None] + np.arange(bases.shape[1]), bases, axis=1)
    return changed
