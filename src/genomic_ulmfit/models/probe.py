"""A linear head over hidden states and k-mers by position: what few labels can pay for."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genomic_ulmfit.dna.alphabet import AMBIGUOUS
from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.models.bases import one_hot
from genomic_ulmfit.models.frames import ReadingFrames

WORD = KmerTokenizer(k=3, stride=1)
"""The k-mers that are read beside hidden states: long enough for a start codon."""


class ProbeHead(nn.Module):
    """Scores every hidden state and every 3-mer with weights of its position's own.

    Parameters
    ----------
    width : int
        Channels of the hidden states.
    n_tokens : int
        Hidden states per sequence.
    n_bases : int
        Bases per sequence.
    n_classes : int
    frames : bool
        Whether open reading frames are scored, too.

    Attributes
    ----------
    states : Tensor, shape (n_tokens, width, n_classes)
        Weights of hidden states.
    words : Tensor, shape (n_bases - 2, 64, n_classes)
        Weights of 3-mers.
    bias : Tensor, shape (n_classes,)
    frames : ReadingFrames or None
    """

    def __init__(
        self, width: int, n_tokens: int, n_bases: int, n_classes: int, frames: bool = False
    ) -> None:
        super().__init__()
        self.states = nn.Parameter(torch.zeros(n_tokens, width, n_classes))
        self.words = nn.Parameter(
            torch.zeros(WORD.n_tokens(n_bases), WORD.vocab_size - 1, n_classes)
        )
        self.bias = nn.Parameter(torch.zeros(n_classes))
        self.frames = ReadingFrames(n_bases, n_classes) if frames else None

    def forward(self, hidden: Tensor, codes: Tensor) -> Tensor:
        """Score sequences.

        Parameters
        ----------
        hidden : Tensor, shape (n_tokens, batch, width)
        codes : Tensor of uint8, shape (batch, n_bases)
            A 3-mer with an ambiguous base counts for nothing.

        Returns
        -------
        Tensor, shape (batch, n_classes)
        """
        return self.score(self.of_states(hidden), codes)

    def of_states(self, hidden: Tensor) -> Tensor:
        """Return what hidden states add to the logits, shape (batch, n_classes)."""
        return torch.einsum("tbw,twc->bc", hidden.float(), self.states.float())

    def score(self, of_states: Tensor, codes: Tensor) -> Tensor:
        """Return logits from what hidden states add to them, and bases."""
        places = torch.arange(len(self.words), device=codes.device)
        of_words = self._padded_words()[places, words_of(codes)].sum(1)
        logits: Tensor = of_states + of_words + self.bias
        return logits if self.frames is None else logits + self.frames(one_hot(codes))

    def sliding(self, hidden: Tensor, codes: Tensor, stride: int) -> Tensor:
        """Score every window of longer sequences, one window per token.

        Parameters
        ----------
        hidden : Tensor, shape (time, batch, width)
        codes : Tensor of uint8, shape (batch, bases)
            Window `i` is of the hidden states from `i` on and of the bases from ``i * stride``
            on; there are as many windows as fit into both.
        stride : int
            Bases per token.

        Returns
        -------
        Tensor of float32, shape (windows, batch, n_classes)
            Hidden states are weighed in their own precision.
        """
        of_states = self._states_of_windows(hidden)
        words, table = words_of(codes), self._padded_words()
        count = min(len(of_states), (words.shape[1] - len(table)) // stride + 1)
        of_words = sum(
            (
                table[place][words[:, place : place + (count - 1) * stride + 1 : stride]]
                for place in range(len(table))
            ),
            start=torch.zeros((), device=codes.device),
        )
        logits: Tensor = of_states[:count] + of_words.transpose(0, 1) + self.bias
        if self.frames is not None:
            logits = logits + self.frames.sliding(one_hot(codes), stride, count)
        return logits

    def _states_of_windows(self, hidden: Tensor) -> Tensor:
        """Return what the hidden states of every window add up to.

        A convolution with two output channels leaves most of the processor idle. So every hidden
        state meets the weights of all places in one matrix product, places down and states
        across, and each window's are summed from contiguous rows.
        """
        n_tokens, width, n_classes = self.states.shape
        time, batch, _ = hidden.shape
        weights = self.states.permute(0, 2, 1).flatten(0, 1).to(hidden.dtype)
        of_places = weights @ hidden.reshape(time * batch, width).T
        of_places = of_places.unflatten(0, (n_tokens, n_classes))
        count = time - n_tokens + 1
        sums = of_places.new_zeros((n_classes, count * batch), dtype=torch.float32)
        for place, scores in enumerate(of_places):
            sums += scores[:, place * batch : (place + count) * batch]
        return sums.unflatten(1, (count, batch)).permute(1, 2, 0)

    def _padded_words(self) -> Tensor:
        """Return the 3-mers' weights with zeros for the unknown one behind them."""
        return F.pad(self.words.float(), (0, 0, 0, 1))


def words_of(codes: Tensor) -> Tensor:
    """Return the 3-mer at each position of base codes, as in `WORD`.

    Parameters
    ----------
    codes : Tensor of uint8, shape (batch, n_bases)

    Returns
    -------
    Tensor of int64, shape (batch, n_bases - 2)
    """
    parts = codes.long().unfold(1, WORD.k, 1)
    powers = torch.tensor([4**place for place in reversed(range(WORD.k))], device=codes.device)
    ambiguous = (parts == AMBIGUOUS).any(-1)
    return (parts * powers).sum(-1).masked_fill(ambiguous, WORD.unknown)
