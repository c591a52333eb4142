"""A corpus as batches of tokens: endless streams to train on, regions to validate on.

Text is read when its turn comes: what is in memory does not grow with the corpus.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from genomic_ulmfit.data.corpus import Corpus
from genomic_ulmfit.dna.alphabet import reverse_complement
from genomic_ulmfit.dna.tokenizer import KmerTokenizer, Tokens
from genomic_ulmfit.errors import InputError

Numbers = npt.NDArray[np.int64]


class TokenStreams:
    """One epoch after another of training text, as parallel streams cut into windows.

    Every epoch passes over each training base once, but for what is left of the streams when the
    shortest of them ends, on a strand and in a phase drawn at random
    for its piece, with the pieces in random order. Iterating gives ``(window, fresh)``: an
    int64 tensor of shape (bptt + 1, streams) whose last row is the next window's first, and
    whether the streams start anew. The position in the epoch can be saved and restored.

    Parameters
    ----------
    corpus : Corpus
    tokenizer : KmerTokenizer
    streams : int
        Batch size, over all processes.
    bptt : int
        Tokens per window: how far back gradients flow.
    seed : int
        Epoch `e` depends on ``(seed, e)`` alone.
    rank, world_size : int
        Which of how many processes this is. It gets its share of the columns of the windows
        that a single process would get.
    """

    def __init__(
        self,
        corpus: Corpus,
        tokenizer: KmerTokenizer,
        streams: int,
        bptt: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if streams % world_size:
            raise InputError(
                f"streams: {streams} cannot be shared evenly by {world_size} processes; give a "
                "number of processes that divides it."
            )
        self.corpus = corpus
        self.tokenizer = tokenizer
        self.streams = streams
        self.bptt = bptt
        self.seed = seed
        self.epoch = 0
        self._columns = range(rank * streams // world_size, (rank + 1) * streams // world_size)
        self._next_window = 0
        # A piece loses at most stride - 1 bases to its phase: count the shortest reading.
        shortest = int(_n_tokens(corpus.train["length"], tokenizer, tokenizer.stride - 1).sum())
        self._stream_length = shortest // streams
        if self._stream_length < 2:
            raise InputError(
                f"corpus: {shortest} tokens are too few for {streams} parallel streams; give a "
                "larger genome or a smaller preset."
            )

    def __len__(self) -> int:
        return -(-(self._stream_length - 1) // self.bptt)

    def __iter__(self) -> Iterator[tuple[Tensor, bool]]:
        readers: list[_Reader] = []
        for index in range(self._next_window, len(self)):
            start = index * self.bptt
            size = min(self.bptt + 1, self._stream_length - start)
            if not readers:
                plan = _Plan(self.corpus, self.tokenizer, self.seed, self.epoch)
                readers = [_Reader(plan, c * self._stream_length + start) for c in self._columns]
            window = torch.empty((size, len(readers)), dtype=torch.int64)
            target = window.numpy()
            for column, reader in enumerate(readers):
                reader.read(target[:, column])
            # Counted before the window is handed out: a checkpoint taken while it is being
            # trained on must not repeat it, and nobody asks for more after the last one.
            self._next_window = index + 1
            if self._next_window == len(self):
                self.epoch += 1
                self._next_window = 0
            yield window, index == 0

    def state_dict(self) -> dict[str, Any]:
        """Return the position, for a checkpoint."""
        return {"epoch": self.epoch, "next_window": self._next_window}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved position."""
        self.epoch = state["epoch"]
        self._next_window = state["next_window"]


class _Plan:
    """In which order, and how, an epoch reads the pieces of a corpus: one long text of tokens."""

    def __init__(self, corpus: Corpus, tokenizer: KmerTokenizer, seed: int, epoch: int) -> None:
        self.corpus = corpus
        self.tokenizer = tokenizer
        rng = np.random.default_rng([seed, epoch])
        n = len(corpus.train)
        self.order = rng.permutation(n)
        self.reverse = np.empty(n, dtype=np.bool_)
        self.phase = np.empty(n, dtype=np.uint8)
        for index in range(n):
            self.reverse[index] = rng.random() < 0.5
            self.phase[index] = rng.integers(tokenizer.stride)
        counts = _n_tokens(corpus.train["length"][self.order], tokenizer, self.phase)
        self.ends = np.cumsum(counts)

    def tokens(self, index: int) -> Tokens:
        """Return the tokens of the piece that is read as number `index`."""
        codes = self.corpus.codes(self.corpus.train[self.order[index]])
        if self.reverse[index]:
            codes = reverse_complement(codes)
        return self.tokenizer.tokenize(codes, int(self.phase[index]))


class _Reader:
    """Reads on through an epoch's text; holds the tokens of one piece."""

    def __init__(self, plan: _Plan, start: int) -> None:
        self.plan = plan
        self.index = int(np.searchsorted(plan.ends, start, side="right"))
        self.tokens = plan.tokens(self.index)
        self.at = start - (int(plan.ends[self.index]) - len(self.tokens))

    def read(self, target: Numbers) -> None:
        """Fill `target`; its last token is the first that is read the next time."""
        done = 0
        while True:
            part = self.tokens[self.at : self.at + len(target) - done]
            target[done : done + len(part)] = part
            done += len(part)
            self.at += len(part)
            if done == len(target):
                self.at -= 1
                return
            self.index += 1
            self.tokens = self.plan.tokens(self.index)
            self.at = 0


class HeldOutWindows:
    """Held-out regions on both strands, cut into windows like those of `TokenStreams`.

    Every region and its reverse complement is one stream. Streams are read in groups of similar
    length; within one, those that end early are padded with the unknown token, which is not to
    be scored. Iterating gives ``(window, fresh, genome)``: an int64 tensor of shape
    (at most bptt + 1, at most columns), whether its streams start anew, and the index of the
    genome of each column.

    Parameters
    ----------
    corpus : Corpus
    tokenizer : KmerTokenizer
    bptt : int
        Tokens per window.
    max_bases : int, optional
        Take only so many regions that they have about this many bases (one strand), from as many
        genomes as possible and from all over each: the same ones every time.
    columns : int
        Streams per group.
    rank, world_size : int
        Which of how many processes this is: it gets every `world_size`-th group.
    """

    def __init__(
        self,
        corpus: Corpus,
        tokenizer: KmerTokenizer,
        bptt: int = 500,
        *,
        max_bases: int | None = None,
        columns: int = 128,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.corpus = corpus
        self.tokenizer = tokenizer
        self.bptt = bptt
        lengths = corpus.held_out["length"].astype(np.int64)
        regions = np.arange(len(lengths))
        if max_bases is not None and len(regions):
            regions = _spread(corpus.held_out["genome"])
            fitting = int(np.searchsorted(np.cumsum(lengths[regions]), max_bases, side="right"))
            regions = np.sort(regions[: max(1, fitting)])
        # Each twice, once per strand.
        streams = np.repeat(regions[np.argsort(-lengths[regions], kind="stable")], 2)
        self._first = range(rank * columns, len(streams), world_size * columns)
        self._streams = streams
        self._columns = columns

    def __len__(self) -> int:
        longest = self.corpus.held_out["length"][self._streams[list(self._first)]]
        n_tokens = _n_tokens(longest, self.tokenizer, 0)
        return int((-(-(n_tokens - 1) // self.bptt)).sum())

    def __iter__(self) -> Iterator[tuple[Tensor, bool, Tensor]]:
        for first in self._first:
            group = self._streams[first : first + self._columns]
            text = self._text(first, group)
            genomes = torch.from_numpy(self.corpus.held_out["genome"][group].astype(np.int64))
            for start in range(0, len(text) - 1, self.bptt):
                yield text[start : start + self.bptt + 1], start == 0, genomes

    def _text(self, first: int, group: Numbers) -> Tensor:
        regions = self.corpus.held_out[group]
        longest = self.tokenizer.n_tokens(int(regions["length"].max()))
        text = np.full((longest, len(group)), self.tokenizer.unknown, dtype=np.int64)
        for column, region in enumerate(regions):
            codes = self.corpus.codes(region)
            if (first + column) % 2:
                codes = reverse_complement(codes)
            tokens = self.tokenizer.tokenize(codes)
            text[: len(tokens), column] = tokens
        return torch.from_numpy(text)


def _n_tokens(
    lengths: npt.NDArray[Any], tokenizer: KmerTokenizer, phases: int | npt.NDArray[Any]
) -> Numbers:
    """Return `KmerTokenizer.n_tokens` of many lengths at once."""
    readable = lengths.astype(np.int64) - phases - tokenizer.k
    return np.maximum(0, readable // tokenizer.stride + 1)


def _spread(genomes: npt.NDArray[Any]) -> Numbers:
    """Order regions so that any first few are of many genomes and from all over each.

    Parameters
    ----------
    genomes : numpy.ndarray
        Genome of each region, ascending.
    """
    _, first, counts = np.unique(genomes, return_index=True, return_counts=True)
    # Round r takes one region of every genome that has so many; genomes and regions both in the
    # order of their reversed bits, which halves the largest gap again and again.
    turn = np.concatenate([_bit_reversal_rank(count) for count in counts.tolist()])
    genome_turn = np.repeat(_bit_reversal_rank(len(first)), counts)
    return np.lexsort((genome_turn, turn))


def _bit_reversal_rank(n: int) -> Numbers:
    """Return the place of 0 to n - 1 in the van der Corput order."""
    bits = max(1, (n - 1).bit_length())
    numbers = np.arange(n)
    reversed_ = np.zeros(n, dtype=np.int64)
    for _ in range(bits):
        reversed_ = reversed_ * 2 + (numbers & 1)
        numbers = numbers >> 1
    return np.argsort(np.argsort(reversed_))
