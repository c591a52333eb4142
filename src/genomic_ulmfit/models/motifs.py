"""A small network over bases alone, without a language model: two convolutions."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genomic_ulmfit.dna.alphabet import BASES
from genomic_ulmfit.models.bases import one_hot
from genomic_ulmfit.models.frames import ReadingFrames


class MotifNetwork(nn.Module):
    """Two convolutions with maxima over neighbouring places, and a linear layer.

    It finds what stands about where, to the base; hidden states of 5-mers know more of what goes
    with what.

    Parameters
    ----------
    n_classes : int
    length : int or None
        Bases of every sequence: each position then has weights of its own. None for sequences of
        any length, in which each filter's maximum counts.
    frames : bool
        Whether open reading frames are scored, too; for sequences of one length.
    """

    CHANNELS = 48
    REACH = (11, 7)

    AT_ONCE = 4096
    """Windows of a scan that are scored together: more take memory, fewer take time."""

    def __init__(self, n_classes: int, length: int | None, frames: bool = False) -> None:
        super().__init__()
        first, second = self.REACH
        self.first = nn.Conv1d(len(BASES), self.CHANNELS, first, padding="same")
        self.second = nn.Conv1d(self.CHANNELS, self.CHANNELS, second, padding="same")
        self.flatten = length is not None
        positions = math.ceil(math.ceil(length / 2) / 2) if length is not None else 1
        self.dropout = nn.Dropout(0.3)
        self.output = nn.Linear(self.CHANNELS * positions, n_classes)
        self.frames: ReadingFrames | None = None
        if frames and length is not None:
            self.frames = ReadingFrames(length, n_classes)

    def forward(self, codes: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Score sequences.

        Parameters
        ----------
        codes : Tensor of uint8, shape (batch, bases)
            Padded at the end.
        lengths : Tensor of int, shape (batch,), optional
            Bases of each; all of them if not given.

        Returns
        -------
        Tensor, shape (batch, n_classes)
            Logits.
        """
        return self.of_shares(one_hot(codes), lengths)

    def of_shares(self, bases: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Score mixtures of bases, shape (batch, bases, 4), as `forward` scores certain ones."""
        hidden = bases.transpose(1, 2).to(self.first.weight.dtype)
        inside = None
        if lengths is not None:
            inside = torch.arange(bases.shape[1], device=bases.device) < lengths[:, None]
            inside = inside[:, None].to(hidden.dtype)
        for layer in (self.first, self.second):
            hidden = layer(hidden).relu()
            if inside is not None:
                # After ReLU nothing is below 0, so padding set to 0 never wins a maximum.
                hidden = hidden * inside
                inside = F.max_pool1d(inside, 2, ceil_mode=True)
            hidden = F.max_pool1d(self.dropout(hidden), 2, ceil_mode=True)
        features = hidden.flatten(1) if self.flatten else hidden.amax(2)
        logits: Tensor = self.output(features)
        return logits if self.frames is None else logits + self.frames(bases)

    def sliding(self, codes: Tensor, window: int, stride: int) -> Tensor:
        """Score every window of longer sequences, one every `stride` bases, each by itself.

        Parameters
        ----------
        codes : Tensor of uint8, shape (batch, bases)
        window, stride : int
            In bases.

        Returns
        -------
        Tensor, shape (windows, batch, n_classes)
        """
        windows = codes.unfold(1, window, stride).transpose(0, 1)
        scored = [self(part) for part in windows.flatten(0, 1).split(self.AT_ONCE)]
        return torch.cat(scored).unflatten(0, windows.shape[:2])
