"""Gradient attribution: integrated gradients over one-hot bases (Sundararajan et al. 2017).

A classifier reads bases by way of k-mers, which have no gradient. Here each k-mer's one-hot
vector is the outer product of those of its bases, so that the classifier becomes a function of
one-hot bases that is the classifier itself wherever every base is certain, and smooth between.
The path to integrate along begins at equal parts of all four bases: it stays among mixtures of
bases, where gradients mean something (Majdandzic et al. 2023, Genome Biology 24:109).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from captum.attr import IntegratedGradients
from torch import Tensor
from torch.nn import functional as F

from genomic_ulmfit.data.batches import Batch
from genomic_ulmfit.dna.alphabet import AMBIGUOUS, BASES, Codes
from genomic_ulmfit.inference.explaining.edits import Counted
from genomic_ulmfit.inference.log_odds import log_odds
from genomic_ulmfit.inference.targets import Floats, batches, window_of
from genomic_ulmfit.models.bases import one_hot
from genomic_ulmfit.models.classifier import Classifier, mean_opinion
from genomic_ulmfit.models.precision import autocast
from genomic_ulmfit.models.probe import WORD, ProbeHead

STEPS = 16
"""Points of the Gauss-Legendre quadrature."""

TOKENS = 16_384
"""Tokens, over all points of the quadrature, whose activations are in memory at a time."""


@dataclass(frozen=True, eq=False)
class Attribution:
    """How the log-odds of a class divide up among the bases of each sequence.

    Parameters
    ----------
    contributions : numpy.ndarray of float32, shape (n, longest)
        Above 0 where the base speaks for the class. 0 at ambiguous bases, NaN behind the end.
    log_odds : numpy.ndarray of float32, shape (n,)
        Of the sequences.
    baseline : numpy.ndarray of float32, shape (n,)
        Of equal parts of all bases in place of each sequence.
    """

    contributions: Floats
    log_odds: Floats
    baseline: Floats

    @property
    def residual(self) -> Floats:
        """What the sum of a sequence's contributions misses of its log-odds over the baseline's.

        0 if the integral were exact: shape (n,).
        """
        return self.log_odds - self.baseline - np.nansum(self.contributions, axis=1)


def integrated_gradients(
    model: Classifier,
    codes: Sequence[Codes],
    target: int,
    precision: str,
    report: Counted = lambda _: None,
) -> Attribution:
    """Attribute the log-odds of a class to the bases of sequences.

    Parameters
    ----------
    model : Classifier
        In evaluation mode.
    codes : sequence of numpy.ndarray of uint8
        Context gets no attribution.
    target : int
        The class that is asked about.
    precision : {"bf16", "fp32"}
        Of the encoder; all else computes in fp32.
    report : callable
        Told how many sequences are done.

    Returns
    -------
    Attribution
    """
    longest = max(len(window_of(model, sequence)) for sequence in codes)
    contributions = np.full((len(codes), longest), np.nan, dtype=np.float32)
    of_sequences = np.zeros(len(codes), dtype=np.float32)
    of_baselines = np.zeros(len(codes), dtype=np.float32)
    n_tokens = model.config.encoder.tokenizer.n_tokens(max(map(len, codes)))
    rows_at_a_time = max(1, TOKENS // n_tokens)
    done = 0
    for batch in batches(model, codes, max(1, rows_at_a_time // STEPS)):
        rows = batch.rows.numpy()
        sizes = torch.tensor([len(codes[row]) for row in rows])
        # Context is the same along the whole path, and so gets no share.
        n_window = min(longest, batch.codes.shape[1])
        around = (batch.codes.shape[1] - n_window) // 2
        inside = slice(around, around + n_window)
        whole = one_hot(batch.codes)
        bases = whole[:, inside]
        known = (batch.codes[:, inside] != AMBIGUOUS)[..., None]
        even = known * torch.full_like(bases, 1 / len(BASES))

        def score(
            bases: Tensor,
            which: Tensor,
            batch: Batch = batch,
            sizes: Tensor = sizes,
            whole: Tensor = whole,
            inside: slice = inside,
        ) -> Tensor:
            mixed = torch.cat(
                [whole[which, : inside.start], bases, whole[which, inside.stop :]], dim=1
            )
            logits = mixed_logits(model, mixed, sizes[which], batch.lengths[which], precision)
            return log_odds(logits, target)

        which = torch.arange(len(rows))
        attributed = IntegratedGradients(score, multiply_by_inputs=True).attribute(
            bases,
            even,
            additional_forward_args=(which,),
            n_steps=STEPS,
            internal_batch_size=max(rows_at_a_time, len(rows)),
        )
        with torch.no_grad():
            of_sequences[rows] = score(bases, which).numpy()
            of_baselines[rows] = score(even, which).numpy()
        for row, values in zip(rows, attributed.sum(2).numpy(), strict=True):
            length = len(window_of(model, codes[row]))
            contributions[row, :length] = values[:length]
        done += len(rows)
        report(done)
    return Attribution(contributions, of_sequences, of_baselines)


def mixed_logits(
    model: Classifier, bases: Tensor, sizes: Tensor, lengths: Tensor, precision: str
) -> Tensor:
    """Score mixtures of bases; where all bases are certain this is the classifier.

    Parameters
    ----------
    model : Classifier
        In evaluation mode.
    bases : Tensor of float32, shape (batch, n_bases, 4)
        Shares of A, C, G and T; all 0 for an ambiguous base, and for padding at the end.
    sizes : Tensor of int, shape (batch,)
        Bases of each sequence.
    lengths : Tensor of int, shape (batch,)
        Tokens of each sequence.
    precision : {"bf16", "fp32"}

    Returns
    -------
    Tensor of float32, shape (batch, n_classes)
    """
    tokenizer = model.encoder.config.tokenizer
    strands = [bases, _turned(bases, sizes)] if model.config.both_strands else [bases]
    readings = [
        F.pad(strand[:, phase:], (0, 0, 0, phase))
        for strand in strands
        for phase in range(model.config.phases)
    ]
    shares = words(torch.cat(readings), tokenizer.k, tokenizer.stride).transpose(0, 1)
    embedded = shares @ model.encoder.embedding.weight[: tokenizer.unknown]
    # cuDNN has no gradient for an LSTM in evaluation mode.
    with autocast(precision), torch.backends.cudnn.flags(enabled=False):
        hidden, _, _ = model.encoder.forward_from(0, embedded)
    hidden = model.only_the_sequence(hidden).float()
    if model.config.length is not None:
        around = (bases.shape[1] - model.config.length) // 2
        bases = bases[:, around : around + model.config.length]
    pooling = by_position = probe = None
    if model.pooling_head is not None:
        pooling = model.pooling_head(hidden, lengths.clamp(max=len(hidden)))
    if (head := model.position_head) is not None:
        by_position = head.of_shares(head.project(model.side_by_side(hidden)), bases)
    if model.probe_head is not None:
        probe = _probe_logits(model.probe_head, model.side_by_side(hidden), bases)
    motifs = None if model.motifs is None else model.motifs.of_shares(bases)
    return mean_opinion(pooling, by_position, probe, motifs)


def _turned(bases: Tensor, sizes: Tensor) -> Tensor:
    """Return the reverse complements of mixtures of bases, padded at the end as they are."""
    places = sizes[:, None] - 1 - torch.arange(bases.shape[1])
    # A, C, G and T are in such an order that turning it round pairs the bases.
    turned = bases.flip(2).gather(1, places.clamp(min=0)[..., None].expand_as(bases))
    return turned * (places >= 0)[..., None]


def words(bases: Tensor, k: int, stride: int) -> Tensor:
    """Return the shares of all k-mers at each place, in the order of the tokenizer.

    Parameters
    ----------
    bases : Tensor, shape (batch, n_bases, 4)
    k, stride : int

    Returns
    -------
    Tensor, shape (batch, n_words, 4 ** k)
        All 0 for a word with an ambiguous base: that is how the unknown token embeds.
    """
    count = (bases.shape[1] - k) // stride + 1
    last = (count - 1) * stride + 1
    shares = bases[:, :last:stride]
    for offset in range(1, k):
        after = bases[:, offset : offset + last : stride]
        shares = (shares[..., :, None] * after[..., None, :]).flatten(2)
    return shares


def _probe_logits(head: ProbeHead, hidden: Tensor, bases: Tensor) -> Tensor:
    """Return what `ProbeHead.forward` does, of mixtures of bases."""
    of_words = torch.einsum("bnw,nwc->bc", words(bases, WORD.k, WORD.stride), head.words.float())
    of_states = torch.einsum("tbw,twc->bc", hidden, head.states.float())
    logits: Tensor = of_states + of_words + head.bias
    return logits if head.frames is None else logits + head.frames(bases)
