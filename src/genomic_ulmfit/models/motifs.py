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
        """Score every window of longer sequences, one every `stride` bases, as if by itself.

        A window's two ends are padded and so its own. What lies between is the same in every
        window that holds it, and computed once.

        Parameters
        ----------
        codes : Tensor of uint8, shape (batch, bases)
        window, stride : int
            In bases.

        Returns
        -------
        Tensor, shape (windows, batch, n_classes)
        """
        reach = self.first.kernel_size[0] // 2 + 2 * (self.second.kernel_size[0] // 2)
        # Output k comes of four bases from 4 k on, and of `reach` more on either side.
        begin, end = -(-reach // 4), (window - reach) // 4
        windows = codes.unfold(1, window, stride).transpose(0, 1)
        if not self.flatten or end <= begin:
            scored = [self(part) for part in windows.flatten(0, 1).split(self.AT_ONCE)]
            return torch.cat(scored).unflatten(0, windows.shape[:2])
        weight = self.output.weight.unflatten(1, (self.CHANNELS, -1))
        logits = (
            self._between(
                codes[:, 4 * begin - reach :], weight[..., begin:end], stride, len(windows)
            )
            + self._of_ends(windows[..., : 4 * begin + reach], weight[..., :begin], (True, False))
            + self._of_ends(windows[..., 4 * end - reach :], weight[..., end:], (False, True))
            + self.output.bias
        )
        if self.frames is None:
            return logits
        return logits + self.frames.sliding(one_hot(codes), stride, len(windows))

    def _of_ends(self, codes: Tensor, weight: Tensor, ends: tuple[bool, bool]) -> Tensor:
        """Return what one end of every window adds to its logits.

        Parameters
        ----------
        codes : Tensor of uint8, shape (windows, batch, bases)
        weight : Tensor, shape (n_classes, CHANNELS, outputs)
        ends : (bool, bool)
            Whether the window begins and ends where the piece does. There it is padded; elsewhere
            there is less output than input.

        Returns
        -------
        Tensor, shape (windows, batch, n_classes)
        """
        scored = []
        for part in codes.flatten(0, 1).split(self.AT_ONCE):
            hidden = one_hot(part).transpose(1, 2)
            for layer in (self.first, self.second):
                half = layer.kernel_size[0] // 2
                padded = F.pad(hidden, (half * ends[0], half * ends[1]))
                hidden = F.conv1d(padded, layer.weight, layer.bias).relu()
                hidden = F.max_pool1d(hidden, 2, ceil_mode=True)
            scored.append(F.linear(hidden.flatten(1), weight.flatten(1)))
        return torch.cat(scored).unflatten(0, codes.shape[:2])

    def _between(self, codes: Tensor, weight: Tensor, stride: int, count: int) -> Tensor:
        """Return what the inside of every window adds to its logits.

        Neighbours are pooled in pairs counted from a window's first base. So that windows that
        begin elsewhere find theirs, too, there is a pair from every `step` bases on, and those of
        one window are `apart` of them from each other.

        Parameters
        ----------
        codes : Tensor of uint8, shape (batch, bases)
            From the first base that the first window's first output comes of.
        weight : Tensor, shape (n_classes, CHANNELS, outputs)
        stride, count : int

        Returns
        -------
        Tensor, shape (count, batch, n_classes)
        """
        step = math.gcd(stride, 2)
        apart = 2 // step
        hidden = one_hot(codes).transpose(1, 2)
        hidden = F.conv1d(hidden, self.first.weight, self.first.bias).relu()
        hidden = F.max_pool1d(hidden, 2, stride=step)
        hidden = F.conv1d(hidden, self.second.weight, self.second.bias, dilation=apart).relu()
        hidden = torch.maximum(hidden[..., :-apart], hidden[..., apart:])
        logits = F.conv1d(hidden, weight, stride=stride // step, dilation=2 * apart)
        return logits[..., :count].permute(2, 0, 1)
