"""Open reading frames: what a gene is, whatever its bases.

Inside a gene one of the three frames of its strand runs on without a stop codon; elsewhere a
frame meets one every 21 codons on average. That is a property of whole stretches, which neither
counts of k-mers nor weights of single positions can express, and the oldest evidence there is for
coding DNA (Fickett 1982, Nucleic Acids Res. 10:5303; ORF finders have gone by it since).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

CODON = 3
STRANDS = 2
CHANNELS = STRANDS * (CODON + 1)
"""Of each segment: along the strand that is given, whether each frame is open and whether any is;
then the same along the other strand."""

SEGMENT_LENGTHS = (30, 60, 90)
"""Bases, beside the whole sequence. An open stretch of 30 bases says little, one of 90 much."""

A, C, G, T = range(4)


class ReadingFrames(nn.Module):
    """Weights for which reading frames are open, in each segment of a window.

    Stop codons are TAA, TAG and TGA (genetic codes 1 and 11). An ambiguous base makes no stop
    codon.

    Parameters
    ----------
    n_bases : int
        Bases per sequence.
    n_classes : int

    Attributes
    ----------
    weight : Tensor, shape (n_segments, CHANNELS, n_classes)
        0 at first.
    """

    def __init__(self, n_bases: int, n_classes: int) -> None:
        super().__init__()
        self.segments = segments(n_bases)
        self.weight = nn.Parameter(torch.zeros(len(self.segments), CHANNELS, n_classes))

    def forward(self, bases: Tensor) -> Tensor:
        """Score sequences.

        Parameters
        ----------
        bases : Tensor of float, shape (batch, n_bases, 4)
            One-hot, all 0 for ambiguous ones; or the shares of a mixture.

        Returns
        -------
        Tensor, shape (batch, n_classes)
        """
        return self.sliding(bases, 1, 1)[0]

    def sliding(self, bases: Tensor, stride: int, count: int) -> Tensor:
        """Score windows of longer sequences, one every `stride` bases.

        Parameters
        ----------
        bases : Tensor of float, shape (batch, n, 4)
        stride, count : int
            Windows begin at ``0, stride, ..., (count - 1) * stride``.

        Returns
        -------
        Tensor, shape (count, batch, n_classes)
        """
        # Channels first, as they are made: one product with all of their weights.
        parts = open_frames(bases, self.segments, stride, count)
        channels = torch.cat([part.permute(2, 1, 0) for part in parts])
        weights = self.weight.float().flatten(0, 1)
        logits = weights.T @ channels.flatten(1)
        return logits.unflatten(1, channels.shape[1:]).permute(2, 1, 0)


def segments(n_bases: int) -> list[tuple[int, int]]:
    """Return the segments of a sequence as (start, end): overlapping by half or more, and all.

    Parameters
    ----------
    n_bases : int
    """
    found = {(0, n_bases)}
    for length in SEGMENT_LENGTHS:
        if length < n_bases:
            gaps = -(-(n_bases - length) // (length // 2))
            starts = [round(i * (n_bases - length) / gaps) for i in range(gaps + 1)]
            found |= {(start, start + length) for start in starts}
    return sorted(found)


def open_frames(
    bases: Tensor, segments: list[tuple[int, int]], stride: int = 1, count: int = 1
) -> Iterator[Tensor]:
    """Tell of each segment of each window which reading frames no stop codon closes.

    Linear in the length of the sequences, however long the segments: whether a run of codons is
    open follows from whether its halves are. With mixtures of bases, what comes out is the
    probability that a frame is open if every base were drawn by itself.

    Parameters
    ----------
    bases : Tensor of float, shape (batch, n, 4)
    segments : list of (int, int)
        Within a window.
    stride, count : int
        As in `ReadingFrames.sliding`.

    Yields
    ------
    Tensor, shape (count, batch, CHANNELS)
        Frames are counted from the segment's first base, on both strands.
    """
    runs = [_OpenRuns(1 - stops) for stops in _stop_codons(bases)]
    for start, end in segments:
        channels = []
        for of_strand in runs:
            closed = torch.ones((), device=bases.device)
            for frame in range(CODON):
                n_codons = max(0, end - start - frame) // CODON
                if n_codons:
                    is_open = of_strand.every(stride, n_codons, start + frame)[:, :count]
                else:
                    is_open = bases.new_ones(len(bases), count)
                channels.append(is_open)
                closed = closed * (1 - is_open)
            channels.append(1 - closed)
        yield torch.stack(channels).permute(2, 1, 0)


def _stop_codons(bases: Tensor) -> tuple[Tensor, Tensor]:
    """Return where codons begin that are stops, on this strand and on the other."""
    last = max(0, bases.shape[1] - CODON + 1)
    one, two, three = (bases[:, offset : offset + last] for offset in range(CODON))
    along = one[..., T] * (
        two[..., A] * three[..., A] + two[..., A] * three[..., G] + two[..., G] * three[..., A]
    )
    against = three[..., A] * (
        two[..., T] * one[..., T] + two[..., T] * one[..., C] + two[..., C] * one[..., T]
    )
    return along, against


class _OpenRuns:
    """Whether the codons from each base on are open, as many as are asked for.

    Parameters
    ----------
    single : Tensor, shape (batch, places)
        Of single codons.
    """

    def __init__(self, single: Tensor) -> None:
        self.known = {1: single}
        self.spaced: dict[tuple[int, int, int], Tensor] = {}

    def of(self, n_codons: int) -> Tensor:
        """Return shape (batch, places), shorter the more codons there are."""
        if n_codons not in self.known:
            head = self.of(n_codons // 2)
            tail = self.of(n_codons - n_codons // 2)
            behind = tail[:, CODON * (n_codons // 2) :]
            self.known[n_codons] = head[:, : behind.shape[1]] * behind
        return self.known[n_codons]

    def every(self, stride: int, n_codons: int, first: int) -> Tensor:
        """Return every `stride`-th place from `first` on, close together in memory."""
        skipped, phase = divmod(first, stride)
        if (stride, n_codons, phase) not in self.spaced:
            self.spaced[stride, n_codons, phase] = self.of(n_codons)[:, phase::stride].contiguous()
        return self.spaced[stride, n_codons, phase][:, skipped:]
