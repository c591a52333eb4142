"""Sequences as padded batches of tokens, sequences of like length together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from genomic_ulmfit.data.readings import Readings
from genomic_ulmfit.dna.alphabet import AMBIGUOUS, Codes
from genomic_ulmfit.dna.tokenizer import KmerTokenizer

MOST_BASES = 1 << 20
"""Bases of a batch in order of length, padding included: one long sequence must not make hundreds
of short ones as long."""


READ_ONCE = Readings()


class Batch(NamedTuple):
    """Some sequences, padded at the end to the longest of them.

    Parameters
    ----------
    rows : Tensor of int64, shape (batch,)
        Which sequences these are.
    tokens : Tensor of int64, shape (time, readings * batch)
        Padded with the unknown token. The first reading of all sequences comes first.
    lengths : Tensor of int64, shape (batch,)
        Tokens of each sequence.
    codes : Tensor of uint8, shape (batch, bases)
        Padded with the ambiguous code.
    """

    rows: Tensor
    tokens: Tensor
    lengths: Tensor
    codes: Tensor


@dataclass(frozen=True, eq=False)
class TokenizedSequences:
    """Sequences and their tokens, ready to be batched.

    Parameters
    ----------
    codes : sequence of numpy.ndarray of uint8
    tokens : list of numpy.ndarray of uint16, each of shape (readings, n_tokens)
    unknown : int
        Token that pads.
    """

    codes: Sequence[Codes]
    tokens: list[npt.NDArray[np.uint16]]
    unknown: int

    @classmethod
    def of(
        cls, codes: Sequence[Codes], tokenizer: KmerTokenizer, readings: Readings = READ_ONCE
    ) -> TokenizedSequences:
        """Tokenize base codes; raises `InputError` for a sequence shorter than a k-mer."""
        tokens = [tokenizer.tokenize(np.stack(readings.of(c))) for c in codes]
        return cls(codes, tokens, tokenizer.unknown)

    def __len__(self) -> int:
        return len(self.tokens)

    def apart(self, phases: int) -> TokenizedSequences:
        """Return each phase of every sequence as a sequence of its own, first all in the first."""
        if phases == 1:
            return self
        tokens = [one[phase::phases] for phase in range(phases) for one in self.tokens]
        return TokenizedSequences([*self.codes] * phases, tokens, self.unknown)

    def batch(self, index: npt.NDArray[np.intp]) -> Batch:
        """Return the sequences at `index`, padded."""
        lengths = np.array([self.tokens[i].shape[1] for i in index])
        shape = (len(self.tokens[index[0]]), len(index), lengths.max())
        tokens = np.full(shape, self.unknown, dtype=np.int64)
        codes = np.full((len(index), max(len(self.codes[i]) for i in index)), AMBIGUOUS, np.uint8)
        for row, i in enumerate(index):
            tokens[:, row, : lengths[row]] = self.tokens[i]
            codes[row, : len(self.codes[i])] = self.codes[i]
        return Batch(
            torch.from_numpy(index.astype(np.int64)),
            torch.from_numpy(np.ascontiguousarray(tokens.reshape(-1, shape[2]).T)),
            torch.from_numpy(lengths),
            torch.from_numpy(codes),
        )

    def in_order_of_length(self, size: int, *, pad: bool = True) -> Iterator[Batch]:
        """Give every sequence once, shortest first.

        Parameters
        ----------
        size : int
            Sequences at a time.
        pad : bool
            Whether sequences of different lengths may be in one batch. Then a batch ends, too,
            where it would be padded to more than `MOST_BASES`.
        """
        lengths = np.array([len(codes) for codes in self.codes], dtype=np.intp)
        order = np.argsort(lengths, kind="stable")
        changes = np.flatnonzero(np.diff(lengths[order])) + 1
        for alike in [order] if pad else np.split(order, changes):
            start = 0
            while start < len(alike):
                end = min(start + size, len(alike))
                # The last one is the longest: all are padded to it.
                while end - start > 1 and lengths[alike[end - 1]] * (end - start) > MOST_BASES:
                    end -= 1
                yield self.batch(alike[start:end])
                start = end


class ShuffledBatches:
    """Sequences in random order, epoch after epoch.

    Not like lengths together, which would save padding: where lengths tell classes apart, each
    batch would be of one class, and batch norm would learn what no mixture of them looks like.

    Parameters
    ----------
    sequences : TokenizedSequences
    size : int
        Sequences per batch. A last batch of a single sequence is left out: batch norm cannot
        use it.
    seed : int
        Epoch `e` depends on ``(seed, e)`` alone.
    """

    def __init__(self, sequences: TokenizedSequences, size: int, seed: int) -> None:
        self.sequences = sequences
        self.size = min(size, len(sequences))
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        whole, rest = divmod(len(self.sequences), self.size)
        return whole + (rest > 1)

    def __iter__(self) -> Iterator[Batch]:
        rng = np.random.default_rng([self.seed, self.epoch])
        self.epoch += 1
        order = rng.permutation(len(self.sequences))
        batches = [order[i * self.size : (i + 1) * self.size] for i in range(len(self))]
        for position in rng.permutation(len(batches)):
            yield self.sequences.batch(batches[position])
