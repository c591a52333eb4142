"""Scoring all windows of both strands in one pass: hidden states once, heads in linear time.

Neighbouring windows share all but one of their tokens. The encoder therefore reads each strand of
a stretch once, and every window's logits are read off its part of the hidden states: pooled by a
sliding last, maximum and mean, or by position with convolutions. A head that wants to know both
what stands before and what stands behind needs nothing more: what is read along one strand is
behind for the other. What the position head pads with zeros at the edges of a window is computed
for every window, so that heads are exact: given the same hidden states, they say what they would
say to a window by itself. Only the hidden states differ: here they know what stands around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genomic_ulmfit.data.readings import shifted
from genomic_ulmfit.dna.alphabet import AMBIGUOUS, Codes
from genomic_ulmfit.inference.windows.runs import Run
from genomic_ulmfit.models.bases import one_hot
from genomic_ulmfit.models.classifier import Classifier, PoolingHead, PositionHead, mean_opinion
from genomic_ulmfit.models.precision import autocast
from genomic_ulmfit.models.threads import still_wanted

CONTEXT = 256
"""Bases read before the first window of a run, at least. After them the encoder knows where it is
but for details: log-odds differ by .03 to .1, in the median, from those after many more."""

STREAMS = 64
"""Runs that are read side by side, each along both strands; fewer where each is read in several
phases, and where several threads read."""

PIECE = 512
"""Tokens of each run whose windows are scored at a time."""

READ_AT_ONCE = 64
"""Tokens of each run that the encoder reads at a time: few enough for what is inside its layers,
many times wider than hidden states, to stay in the processor's cache."""

ByStrand = dict[int, Tensor]
"""Strand (+1, -1) -> something of each of its windows, in the order of the forward strand."""


def dense_logits(
    model: Classifier, runs: Sequence[Run], window: int, precision: str
) -> list[ByStrand]:
    """Return the logits of every window on both strands, the encoder reading each only once.

    Parameters
    ----------
    model : Classifier
        In evaluation mode.
    runs : sequence of Run
    window : int
        Bases per window.
    precision : {"bf16", "fp32"}
        Of the encoder, and of a probe's products with its hidden states; all else is fp32.

    Returns
    -------
    list of dict of int to Tensor of float32, each of shape (count, n_classes)
    """
    results: list[ByStrand] = [{} for _ in runs]
    # Like lengths together: a run that ends early is padded.
    order = sorted(range(len(runs)), key=lambda i: len(runs[i].codes))
    together = max(1, STREAMS // model.config.phases)
    with torch.no_grad():
        for first in range(0, len(order), together):
            chosen = order[first : first + together]
            logits = _together([runs[i] for i in chosen], model, window, precision)
            for i, of_run in zip(chosen, logits, strict=True):
                results[i] = of_run
    return results


def _together(
    runs: Sequence[Run], model: Classifier, window: int, precision: str
) -> list[ByStrand]:
    """Read runs side by side along both strands and score their windows."""
    tokenizer = model.config.encoder.tokenizer
    stride = tokenizer.stride
    device = next(model.parameters()).device
    codes = {strand: _padded([run.along(strand).codes for run in runs]) for strand in (1, -1)}
    phases = model.config.phases
    wanted = [shifted(codes[strand], phase) for strand in (1, -1) for phase in range(phases)]
    tokens = torch.from_numpy(tokenizer.tokenize(np.concatenate(wanted)).astype(np.int64)).T
    # What stands behind a strand's last window is context for the other strand alone.
    needed = max(len(run.codes) - min(run.before, run.after) for run in runs)
    states = _read(model, tokens.to(device), tokenizer.n_tokens(needed), precision)
    hidden = states.chunk(2 * phases, dim=1)
    read = {1: hidden[:phases], -1: hidden[phases:]}
    lengths = [tokenizer.n_tokens(len(run.codes)) for run in runs]

    logits = {}
    for strand in (1, -1):
        seen = _Seen(read[strand], read[-strand] if model.config.both_strands else (), lengths)
        logits[strand] = _by_pieces(model, seen, torch.from_numpy(codes[strand]), window)

    results: list[ByStrand] = []
    for column, run in enumerate(runs):
        every = run.spacing // stride
        of_run = {}
        for strand in (1, -1):
            begin = run.along(strand).before // stride
            found = logits[strand][begin : begin + (run.count - 1) * every + 1 : every, column]
            of_run[strand] = found if strand > 0 else found.flip(0)
        results.append(of_run)
    return results


def _read(model: Classifier, tokens: Tensor, needed: int, precision: str) -> Tensor:
    """Return hidden states, shape (time, runs, channels), zeros behind the needed ones."""
    states = torch.empty(0)
    state = None
    for start in range(0, needed, READ_AT_ONCE):
        with autocast(precision, tokens.device):
            new, _, state = model.encoder(tokens[start : min(start + READ_AT_ONCE, needed)], state)
        if not start:
            states = new.new_zeros((len(tokens), *new.shape[1:]))
        states[start : start + len(new)] = new
    return states


def _padded(codes: Sequence[Codes]) -> Codes:
    """Return base codes one below the other, padded with ambiguous bases."""
    padded = np.full((len(codes), max(map(len, codes))), AMBIGUOUS, dtype=np.uint8)
    for row, of_one in zip(padded, codes, strict=True):
        row[: len(of_one)] = of_one
    return padded


@dataclass(frozen=True, eq=False)
class _Seen:
    """Hidden states of runs as heads want them: readings side by side, in the order of one strand.

    Parameters
    ----------
    along, against : sequence of Tensor, each of shape (time, runs, channels)
        What was read along the strand, and along the other one.
    lengths : sequence of int
        Tokens of each run.
    """

    along: Sequence[Tensor]
    against: Sequence[Tensor]
    lengths: Sequence[int]

    def __len__(self) -> int:
        return len(self.along[0])

    def piece(self, start: int, end: int) -> Tensor:
        """Put some tokens beside each other: of all at once there would be two copies more."""
        parts = [of_one[start:end] for of_one in self.along]
        parts += [self._turned(of_one, start, end) for of_one in self.against]
        return torch.cat(parts, dim=2)

    def _turned(self, hidden: Tensor, start: int, end: int) -> Tensor:
        """Return what was read along the other strand in the order of this one."""
        turned = hidden.new_zeros((end - start, *hidden.shape[1:]))
        for column, length in enumerate(self.lengths):
            last = min(end, length)
            if start < last:
                turned[: last - start, column] = hidden[
                    length - last : length - start, column
                ].flip(0)
        return turned


def _by_pieces(model: Classifier, seen: _Seen, codes: Tensor, window: int) -> Tensor:
    """Score all windows, a piece at a time: heads need many times the memory of their input."""
    tokenizer = model.config.encoder.tokenizer
    width, stride = tokenizer.n_tokens(window), tokenizer.stride
    count = len(seen) - width + 1
    parts = []
    for start in range(0, count, PIECE):
        still_wanted()
        end = min(start + PIECE, count)
        hidden = seen.piece(start, end - 1 + width)
        bases = codes[:, start * stride : (end - 1) * stride + window].to(hidden.device)
        parts.append(window_logits(model, hidden, bases, window).cpu())
    return torch.cat(parts)


def window_logits(model: Classifier, hidden: Tensor, codes: Tensor, window: int) -> Tensor:
    """Apply a model's head to every stretch of hidden states as long as a window.

    Parameters
    ----------
    model : Classifier
    hidden : Tensor, shape (time, batch, readings * channels)
        Readings side by side.
    codes : Tensor of uint8, shape (batch, bases)
        From the first base of the first token to the last base of the last window.
    window : int
        Bases per window.

    Returns
    -------
    Tensor of float32, shape (time - n_tokens(window) + 1, batch, n_classes)
    """
    tokenizer = model.config.encoder.tokenizer
    width, phases = tokenizer.n_tokens(window), model.config.phases
    pooling = by_position = probe = motifs = None
    if model.pooling_head is not None:
        pooling = pooling_logits(model.pooling_head, hidden, width, phases)
    if model.position_head is not None:
        by_position = position_logits(model.position_head, hidden, codes, window)
    if model.probe_head is not None:
        probe = model.probe_head.sliding(hidden, codes, tokenizer.stride)
    if model.motifs is not None:
        motifs = model.motifs.sliding(codes, window, tokenizer.stride)[: len(hidden) - width + 1]
    return mean_opinion(pooling, by_position, probe, motifs)


def pooling_logits(head: PoolingHead, hidden: Tensor, width: int, along: int = 1) -> Tensor:
    """Apply the pooling head to every stretch of `width` hidden states.

    Parameters
    ----------
    head : PoolingHead
    hidden : Tensor, shape (time, batch, readings * channels)
        Readings side by side.
    width : int
        Tokens per window.
    along : int
        Readings along this strand; those behind them are along the other.

    Returns
    -------
    Tensor of float32, shape (time - width + 1, batch, n_classes)
    """
    # Batch norm is a scale and a shift here; folded into the layer behind it, that layer can be
    # applied to hidden states before they are averaged, when they are fewer channels.
    norm = cast(nn.BatchNorm1d, head.layers[0])
    layer = cast(nn.Linear, head.layers[2])
    assert norm.running_var is not None
    assert norm.running_mean is not None
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    bias = layer.bias + layer.weight @ (norm.bias - norm.running_mean * scale)
    weights = (layer.weight * scale).chunk(3 * head.readings // head.opinions, dim=1)
    opinions = [bias] * head.opinions
    for reading, of_one in enumerate(hidden.chunk(head.readings, dim=2)):
        own, opinion = 3 * (reading // head.opinions), reading % head.opinions
        of_last, of_highest, of_mean = weights[own : own + 3]
        highest = sliding_max(of_one, width).float()
        of_one = of_one.float()
        sums = F.pad(F.linear(of_one, of_mean).cumsum(0), (0, 0, 0, 0, 1, 0))
        # What is read along the other strand ends where the window begins.
        last = of_one[width - 1 :] if reading < along else of_one[: len(of_one) - width + 1]
        opinions[opinion] = (
            opinions[opinion]
            + F.linear(last, of_last)
            + F.linear(highest, of_highest)
            + (sums[width:] - sums[:-width]) / width
        )
    pooled = torch.stack(opinions)
    logits: Tensor = head.layers[3:](pooled.flatten(0, 2))
    return logits.unflatten(0, pooled.shape[:3]).mean(0)


def sliding_max(x: Tensor, width: int) -> Tensor:
    """Return the maximum over every `width` neighbours along the first axis.

    Maxima over 1, 2, 4, ... neighbours, each from the one before: log2(width) steps.

    Parameters
    ----------
    x : Tensor, shape (time, ...)
    width : int

    Returns
    -------
    Tensor, shape (time - width + 1, ...)
    """
    size = 1
    while 2 * size <= width:
        x = torch.maximum(x[:-size], x[size:])
        size *= 2
    rest = width - size
    return torch.maximum(x[:-rest], x[rest:]) if rest else x


def position_logits(head: PositionHead, hidden: Tensor, codes: Tensor, window: int) -> Tensor:
    """Apply the position head to every stretch of hidden states and its bases.

    Parameters
    ----------
    head : PositionHead
    hidden : Tensor, shape (time, batch, channels)
    codes : Tensor of uint8, shape (batch, bases)
        From the first base of the first token to the last base of the last window.
    window : int
        Bases per window.

    Returns
    -------
    Tensor of float32, shape (time - n_tokens(window) + 1, batch, n_classes)
    """
    k, stride = head.tokenizer.k, head.tokenizer.stride
    width = head.tokenizer.n_tokens(window)
    count = len(hidden) - width + 1
    bases = one_hot(codes)
    news = bases[:, k - stride : k - stride + len(hidden) * stride].unflatten(1, (-1, stride))
    states = torch.tanh(head.project(hidden.float())).transpose(0, 1)
    seen = torch.cat([states, news.flatten(2)], dim=2).transpose(1, 2)
    logits = _motif_logits(head, seen, width) + _base_logits(head, bases, count, window)
    logits = logits.permute(2, 0, 1)
    return logits if head.frames is None else logits + head.frames.sliding(bases, stride, count)


def _motif_logits(head: PositionHead, seen: Tensor, width: int) -> Tensor:
    """Return shape (batch, n_classes, windows) from `seen`, shape (batch, channels, time)."""
    inner, outer = cast(nn.Conv1d, head.find[0]), cast(nn.Conv1d, head.find[3])
    count = seen.shape[2] - width + 1
    reach, half = head.REACH, head.REACH // 2
    places = range(0, width, 2)
    weight = head.motifs.weight.unflatten(1, (-1, len(places)))

    def inside(centre: int) -> slice:
        """Which taps of a filter at `centre` lie within the window."""
        return slice(max(0, half - centre), min(reach, width - centre + half))

    # A lone window may be narrower than a filter, which then nowhere lies within it.
    everywhere = seen[..., :0]
    if seen.shape[2] >= reach:
        everywhere = F.conv1d(seen, inner.weight, inner.bias).relu()

    def first(centre: int) -> Tensor:
        """First layer at one place of every window, shape (batch, channels, windows)."""
        taps = inside(centre)
        begin = centre - half + taps.start
        if taps == slice(0, reach):
            return everywhere[..., begin : begin + count]
        end = begin + count - 1 + taps.stop - taps.start
        return F.conv1d(seen[..., begin:end], inner.weight[..., taps], inner.bias).relu()

    # Places whose whole view is the same in every window that holds them: computed once.
    shared = [c for c in places if half <= c - half and c + half <= width - 1 - half]
    logits = head.motifs.bias[:, None].expand(len(seen), -1, count)
    if shared:
        found = F.conv1d(everywhere, outer.weight, outer.bias).relu()
        # A filter's first output is centred on the base `2 * half` of what `seen` began with.
        begin = shared[0] - 2 * half
        end = begin + count + shared[-1] - shared[0]
        kernel = weight[..., shared[0] // 2 : shared[-1] // 2 + 1]
        logits = logits + F.conv1d(found[..., begin:end], kernel, dilation=2)
    for centre in places:
        if centre in shared:
            continue
        taps = inside(centre)
        views = [first(centre - half + tap) for tap in range(taps.start, taps.stop)]
        kernel = outer.weight[..., taps].transpose(1, 2).flatten(1)[..., None]
        found = F.conv1d(torch.cat(views, dim=1), kernel, outer.bias).relu()
        logits = logits + F.conv1d(found, weight[..., centre // 2, None])
    return logits


def _base_logits(head: PositionHead, bases: Tensor, count: int, window: int) -> Tensor:
    """Return shape (batch, n_classes, windows) from one-hot bases, shape (batch, bases, 4)."""
    stride = head.tokenizer.stride
    # As many bases as tokens move on by are one step of the convolution; what is missing to
    # whole steps is weighted with 0.
    steps = -(-window // stride)
    kernel = head.bases.weight.unflatten(1, (window, -1))
    kernel = F.pad(kernel, (0, 0, 0, steps * stride - window))
    kernel = kernel.unflatten(1, (steps, stride)).flatten(2).transpose(1, 2)
    wanted = (count - 1 + steps) * stride
    bases = F.pad(bases, (0, 0, 0, max(0, wanted - bases.shape[1])))[:, :wanted]
    return F.conv1d(bases.unflatten(1, (-1, stride)).flatten(2).transpose(1, 2), kernel)
