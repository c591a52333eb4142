"""Genomes as training text: held-out regions, and endless streams of tokens.

Text is cut wherever a base is ambiguous. Held-out regions are contiguous stretches, so that no
read-through from training text predicts them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from genomic_ulmfit.dna.alphabet import AMBIGUOUS, Codes, reverse_complement
from genomic_ulmfit.dna.genome import Genome
from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.errors import InputError

HELD_OUT_SHARE = 0.05
HELD_OUT_REGION = 12_000
"""Bases per held-out region: long against a gene, short enough to sample a genome widely."""

PIECE = 50_000
"""Bases per training piece: strand and phase are drawn anew for each."""

SHORTEST_PIECE = 50


@dataclass(frozen=True)
class Corpus:
    """Training and held-out text of a set of genomes, as base codes without ambiguous bases.

    Parameters
    ----------
    train : list of numpy.ndarray of uint8
        Pieces of at most `PIECE` bases, forward strand, in genome order.
    held_out : list of numpy.ndarray of uint8
        Contiguous regions, forward strand.
    """

    train: list[Codes]
    held_out: list[Codes]

    @property
    def n_train(self) -> int:
        """Bases of training text (one strand)."""
        return sum(map(len, self.train))

    @property
    def n_held_out(self) -> int:
        """Bases of held-out text (one strand)."""
        return sum(map(len, self.held_out))


def build_corpus(genomes: Sequence[Genome], share: float = HELD_OUT_SHARE) -> Corpus:
    """Split genomes into training text and held-out regions.

    Each genome's contigs, laid end to end, are divided into as many equal stretches as
    `share` of it holds regions of `HELD_OUT_REGION` bases (at least two); the first bases of
    each stretch are held out. The same genome always gives the same regions.

    Parameters
    ----------
    genomes : sequence of Genome
    share : float
        Share of each genome to hold out, above 0 and below 0.5.

    Returns
    -------
    Corpus

    Raises
    ------
    InputError
        If nothing is left to train on or to hold out.
    """
    train: list[Codes] = []
    held_out: list[Codes] = []
    for genome in genomes:
        n_regions = max(2, round(genome.n_bases * share / HELD_OUT_REGION))
        offset = 0
        edges = np.linspace(0, genome.n_bases, n_regions + 1)
        starts = edges[:-1].astype(int)
        ends = (edges[:-1] + share * np.diff(edges)).astype(int)
        for contig in genome.contigs:
            cursor = 0
            for start, end in zip(starts - offset, ends - offset, strict=True):
                start, end = max(start, 0), min(end, len(contig))
                if start < end:
                    train += _clean_pieces(contig.codes[cursor:start], PIECE)
                    held_out += _clean_pieces(contig.codes[start:end], None)
                    cursor = end
            train += _clean_pieces(contig.codes[cursor:], PIECE)
            offset += len(contig)
    names = ", ".join(genome.name for genome in genomes)
    if not train or not held_out:
        raise InputError(
            f"{names}: too little unambiguous sequence for a language model; at least a few "
            "thousand bases are needed."
        )
    return Corpus(train, held_out)


def _clean_pieces(codes: Codes, longest: int | None) -> list[Codes]:
    """Cut around ambiguous bases, then into pieces of at most `longest` bases."""
    breaks = np.flatnonzero(codes == AMBIGUOUS)
    runs = zip(np.r_[0, breaks + 1], np.r_[breaks, len(codes)], strict=True)
    pieces = []
    for start, end in runs:
        n_pieces = 1 if longest is None else max(1, -(-(end - start) // longest))
        edges = np.linspace(start, end, n_pieces + 1).astype(int)
        pieces += [codes[a:b] for a, b in itertools.pairwise(edges)]
    return [piece for piece in pieces if len(piece) >= SHORTEST_PIECE]


class TokenStreams:
    """One epoch after another of training text, as parallel streams cut into windows.

    Every epoch passes over each training base once, on a strand and in a phase drawn at random
    for its piece, with the pieces in random order. Iterating gives ``(window, fresh)``: an
    int64 tensor of shape (bptt + 1, streams) whose last row is the next window's first, and
    whether the streams start anew. The position in the epoch can be saved and restored.

    Parameters
    ----------
    pieces : list of numpy.ndarray of uint8
        Training text.
    tokenizer : KmerTokenizer
    streams : int
        Batch size.
    bptt : int
        Tokens per window: how far back gradients flow.
    seed : int
        Epoch `e` depends on ``(seed, e)`` alone.
    """

    def __init__(
        self, pieces: list[Codes], tokenizer: KmerTokenizer, streams: int, bptt: int, seed: int
    ) -> None:
        self.pieces = pieces
        self.tokenizer = tokenizer
        self.streams = streams
        self.bptt = bptt
        self.seed = seed
        self.epoch = 0
        self._next_window = 0
        # A piece loses at most stride - 1 bases to its phase: count the shortest reading.
        shortest = sum(tokenizer.n_tokens(len(p), tokenizer.stride - 1) for p in pieces)
        self._stream_length = shortest // streams
        if self._stream_length < 2:
            raise InputError(
                f"corpus: {shortest} tokens are too few for {streams} parallel streams; give a "
                "larger genome or a smaller preset."
            )

    def __len__(self) -> int:
        return -(-(self._stream_length - 1) // self.bptt)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, bool]]:
        text = self._text(self.epoch)
        for index in range(self._next_window, len(self)):
            start = index * self.bptt
            # Counted before the window is handed out: a checkpoint taken while it is being
            # trained on must not repeat it, and nobody asks for more after the last one.
            self._next_window = index + 1
            if self._next_window == len(self):
                self.epoch += 1
                self._next_window = 0
            yield text[start : start + self.bptt + 1], index == 0

    def _text(self, epoch: int) -> torch.Tensor:
        rng = np.random.default_rng([self.seed, epoch])
        parts = []
        for index in rng.permutation(len(self.pieces)):
            piece = self.pieces[index]
            if rng.random() < 0.5:
                piece = reverse_complement(piece)
            phase = int(rng.integers(self.tokenizer.stride))
            parts.append(self.tokenizer.tokenize(piece, phase))
        flat = np.concatenate(parts)[: self.streams * self._stream_length]
        return torch.from_numpy(flat.reshape(self.streams, -1).T.astype(np.int64))

    def state_dict(self) -> dict[str, Any]:
        """Return the position, for a checkpoint."""
        return {"epoch": self.epoch, "next_window": self._next_window}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved position."""
        self.epoch = state["epoch"]
        self._next_window = state["next_window"]


class HeldOutWindows:
    """Held-out regions on both strands, cut into windows like those of `TokenStreams`.

    Every region and its reverse complement is one stream. Shorter ones are padded with the
    unknown token, which is not to be scored.

    Parameters
    ----------
    regions : list of numpy.ndarray of uint8
    tokenizer : KmerTokenizer
    bptt : int
        Tokens per window.
    """

    def __init__(self, regions: list[Codes], tokenizer: KmerTokenizer, bptt: int = 500) -> None:
        texts = [tokenizer.tokenize(c) for r in regions for c in (r, reverse_complement(r))]
        tokens = np.full((max(map(len, texts)), len(texts)), tokenizer.unknown, dtype=np.int64)
        for column, text in enumerate(texts):
            tokens[: len(text), column] = text
        self.tokens = torch.from_numpy(tokens)
        self.bptt = bptt

    def __len__(self) -> int:
        return -(-(len(self.tokens) - 1) // self.bptt)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, bool]]:
        for start in range(0, len(self.tokens) - 1, self.bptt):
            yield self.tokens[start : start + self.bptt + 1], start == 0
