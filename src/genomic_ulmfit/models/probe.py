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
            Hidden states are weighed in their own precision, and words in the same.
        """
        words = words_of(codes)
        n_tokens, n_words = len(self.states), len(self.words)
        count = min(len(hidden) - n_tokens, (words.shape[1] - n_words) // stride) + 1
        logits = self.bias + _along_windows(self.states, hidden, count)
        for first in range(min(stride, n_words)):
            # Every window has the word at place `first`, and at every stride-th after it, where
            # words of the sequences stand that are as far apart.
            weights = self.words[first::stride]
            seen = words[:, first::stride][:, : count + len(weights) - 1]
            logits = logits + _along_windows(weights, _word_channels(seen, hidden.dtype), count)
        if self.frames is not None:
            logits = logits + self.frames.sliding(one_hot(codes), stride, count)
        return logits

    def _padded_words(self) -> Tensor:
        """Return the 3-mers' weights with zeros for the unknown one behind them."""
        return F.pad(self.words.float(), (0, 0, 0, 1))


def _along_windows(weights: Tensor, channels: Tensor, count: int) -> Tensor:
    """Return what the channels of every window add up to, each place with its own weights.

    A convolution with two output channels leaves most of the processor idle. So the channels of
    every place of the sequences meet the weights of all places of a window in one matrix product,
    a window's places down and the sequences' across, and each window's are summed from contiguous
    rows.

    Parameters
    ----------
    weights : Tensor, shape (places, width, n_classes)
    channels : Tensor, shape (count + places - 1 or more, batch, width)
        Weighed in their own precision.
    count : int
        Windows; each begins one place after the one before.

    Returns
    -------
    Tensor of float32, shape (count, batch, n_classes)
    """
    places, width, n_classes = weights.shape
    batch = channels.shape[1]
    rows = weights.permute(0, 2, 1).flatten(0, 1).to(channels.dtype)
    products = (rows @ channels.reshape(-1, width).T).unflatten(0, (places, n_classes))
    sums = products.new_zeros((n_classes, count * batch), dtype=torch.float32)
    for place, of_place in enumerate(products):
        sums += of_place[:, place * batch : (place + count) * batch]
    return sums.unflatten(1, (count, batch)).permute(1, 2, 0)


def _word_channels(words: Tensor, dtype: torch.dtype) -> Tensor:
    """Return one channel per word, all 0 for the unknown one, shape (places, batch, 64)."""
    channels = torch.zeros(*words.T.shape, WORD.vocab_size, dtype=dtype, device=words.device)
    channels.scatter_(2, words.T.unsqueeze(2), 1)
    return channels[..., : WORD.unknown]


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
