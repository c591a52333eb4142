"""What stands at each place of some sequences, and how much a place tells about their labels.

Each place has a kernel of its own: the 3-mers in each of many overlapping segments, from single
positions to twenty, the mean hidden state in others, and the open reading frames of segments,
since no sum over places can tell whether a frame is closed anywhere. A place's weight is how well
its kernel agrees with the labels (kernel-target alignment, Cristianini et al. 2001; without the
diagonal, as in Song et al. 2012, so that chance alone gives 0), in standard deviations of what
labels drawn at random would give.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch

from genomic_ulmfit.dna.alphabet import Codes
from genomic_ulmfit.models.bases import one_hot
from genomic_ulmfit.models.frames import CHANNELS, open_frames, segments
from genomic_ulmfit.models.probe import WORD
from genomic_ulmfit.training.features import States

Floats = npt.NDArray[np.float32]

WORD_SEGMENTS = ((1, 1), (5, 2), (20, 8))

STATE_SEGMENTS = ((4, 2), (8, 4), (24, 8))
"""Length and distance of segments, in positions or tokens. A start codon stands at one place, a
-10 box near one, and codon usage everywhere."""


class Places:
    """Features of each place of some sequences, one kernel a place.

    Parameters
    ----------
    centre : numpy.ndarray of float32, shape (width,)
        Taken off all features: far from zero, inner products lose their digits.
    """

    centre: Floats

    def means(self, rows: npt.NDArray[np.intp] | slice) -> Iterator[Floats]:
        """Give each place's features, shape (len(rows), width), less the centre."""
        raise NotImplementedError

    def weights(self, evidence: Floats, coefficients: Floats) -> Floats:
        """Return the head's weights, shape (n, width, n_classes)."""
        raise NotImplementedError


def _starts(n_places: int, length: int, distance: int) -> set[int]:
    """Return where segments of one length start; the last ends where the places do."""
    last = max(0, n_places - length)
    return {*range(0, last, distance), last}


class Segments(Places):
    """Means of overlapping segments of what stands at each position or token.

    Parameters
    ----------
    segments : sequence of (int, int)
        Length and distance of the segments of each size. Longer ones than the sequence are as
        long as that.
    n_places : int
        Positions or tokens, each of which has weights.
    centre : numpy.ndarray of float32, shape (width,)
    """

    def __init__(self, segments: Sequence[tuple[int, int]], n_places: int, centre: Floats) -> None:
        self.n_places = n_places
        self.centre = centre
        self.spans = sorted(
            {
                (start, start + min(length, n_places))
                for length, distance in segments
                for start in _starts(n_places, length, distance)
                if n_places > 0
            }
        )

    def weights(self, evidence: Floats, coefficients: Floats) -> Floats:
        """Return weights of what stands at single places, shape (n_places, width, n_classes)."""
        shape = (self.n_places, len(self.centre), coefficients.shape[1])
        weights = np.zeros(shape, dtype=np.float32)
        for weight, (start, end), means in zip(
            evidence, self.spans, self.means(slice(None)), strict=True
        ):
            weights[start:end] += weight / (end - start) * (means.T @ coefficients)
        return weights


class StatePlaces(Segments):
    """Hidden states, shape (n, n_tokens, width)."""

    def __init__(self, states: States) -> None:
        self.states = np.asarray(states, dtype=np.float32)
        n, n_tokens, _ = states.shape
        centre = self.states.sum(axis=(0, 1)) / max(1, n * n_tokens)
        super().__init__(STATE_SEGMENTS, n_tokens, centre)

    def means(self, rows: npt.NDArray[np.intp] | slice) -> Iterator[Floats]:
        """Give the mean states of each segment, less the centre."""
        states = self.states[rows]
        for start, end in self.spans:
            yield states[:, start:end].mean(axis=1) - self.centre


class WordPlaces(Segments):
    """3-mers, shape (n, n_positions); an unknown one counts for nothing."""

    def __init__(self, words: npt.NDArray[np.int64]) -> None:
        self.words = words
        centre = np.zeros(WORD.unknown, dtype=np.float32)
        super().__init__(WORD_SEGMENTS, words.shape[1], centre)

    def means(self, rows: npt.NDArray[np.intp] | slice) -> Iterator[Floats]:
        """Give the share of each 3-mer in each segment."""
        words = self.words[rows]
        n = len(words)
        for start, end in self.spans:
            cells = words[:, start:end] + np.arange(n)[:, None] * WORD.vocab_size
            counts = np.bincount(cells.reshape(-1), minlength=n * WORD.vocab_size)
            known = counts.reshape(n, WORD.vocab_size)[:, : WORD.unknown]
            yield known.astype(np.float32) / np.float32(end - start)


class FramePlaces(Places):
    """Open reading frames of overlapping segments, each with weights of its own."""

    def __init__(self, codes: Sequence[Codes]) -> None:
        bases = one_hot(torch.from_numpy(np.stack(codes)))
        self.open = [part[0].numpy() for part in open_frames(bases, segments(len(codes[0])))]
        self.centre = np.zeros(CHANNELS, dtype=np.float32)

    def means(self, rows: npt.NDArray[np.intp] | slice) -> Iterator[Floats]:
        """Give which frames of each segment are open."""
        for of_segment in self.open:
            yield of_segment[rows]

    def weights(self, evidence: Floats, coefficients: Floats) -> Floats:
        """Return weights of the frames of each segment, shape (n, CHANNELS, n_classes)."""
        return np.stack(
            [
                weight * (of_segment.T @ coefficients)
                for weight, of_segment in zip(evidence, self.open, strict=True)
            ]
        )


def evidence_of_places(features: Iterator[Floats], wanted: Floats) -> Floats:
    """Return the weight of each place's kernel: its agreement with the labels over its size.

    Agreement is the sum over pairs of different sequences of the centred kernel times that of
    the labels, divided by its standard deviation (up to a factor that all kernels share) when
    labels are permuted; agreement below 0 counts as 0. Size is the mean diagonal.
    """
    labels = wanted - wanted.mean(axis=0)
    agreement = labels @ labels.T
    weights = []
    for means in features:
        centred = means - means.mean(axis=0)
        kernel = centred @ centred.T
        size = float(kernel.trace()) / len(kernel)
        np.fill_diagonal(kernel, 0)
        spread = float(np.linalg.norm(kernel))
        if size <= 1e-6 or spread <= 1e-6:
            weights.append(0.0)  # The same in all sequences.
        else:
            weights.append(max(0.0, float((kernel * agreement).sum()) / spread) / size)
    return np.array(weights, dtype=np.float32)
