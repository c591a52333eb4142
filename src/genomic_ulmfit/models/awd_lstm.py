"""The AWD-LSTM encoder (Merity, Keskar & Socher 2017, arXiv:1708.02182).

Tensors run time first: (time, batch, channels).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from genomic_ulmfit.models.config import Dropouts, EncoderConfig
from genomic_ulmfit.models.threads import still_wanted

State = list[tuple[Tensor, Tensor]]


def kept(shape: Sequence[int], rate: float, like: Tensor) -> Tensor:
    """Draw a mask of dropout: 0 for what is dropped, ``1 / (1 - rate)`` for all else.

    Four places for each random number of 64 bits, so that `rate` is met to 1/65,536: PyTorch's
    Bernoulli numbers for hidden-to-hidden matrices took a fifteenth of the time of a training step
    on a CPU (docs/performance.md).

    Parameters
    ----------
    shape : sequence of int
    rate : float
        From 0 to less than 1.
    like : Tensor
        Whose device and type the mask has.

    Returns
    -------
    Tensor of `shape`
    """
    n = math.prod(shape)
    numbers = torch.empty(-(-n // 4), dtype=torch.int64, device=like.device)
    numbers.random_(torch.iinfo(torch.int64).min, None)
    lowest_kept = min(round(rate * 2**16), 2**16 - 1) - 2**15
    keep = numbers.view(torch.int16)[:n].view(*shape) >= lowest_kept
    return keep.to(like.dtype).div_(1 - rate)


def locked_dropout(x: Tensor, rate: float, training: bool) -> Tensor:
    """Drop the same channels at every time step of a sequence (Gal & Ghahramani 2016).

    A mask that changed from step to step would push up every max over time while training
    and not afterwards; one mask per sequence scales that max by a factor of mean 1.

    Parameters
    ----------
    x : Tensor, shape (time, batch, channels)
    rate : float
        Share of channels set to zero; the rest is scaled by ``1 / (1 - rate)``.
    training : bool
        Without it, `x` is returned as it is.

    Returns
    -------
    Tensor, shape (time, batch, channels)
    """
    if not training or rate == 0:
        return x
    return x * kept((1, *x.shape[1:]), rate, x)


class AWDLSTM(nn.Module):
    """Token embedding and a stack of LSTM layers with the five dropouts of AWD-LSTM.

    Parameters
    ----------
    config : EncoderConfig
        Widths, depth and tokenizer.
    dropouts : Dropouts
        Rates, used in training mode only. With all of them 0 this is a plain LSTM stack.
    """

    def __init__(self, config: EncoderConfig, dropouts: Dropouts | None = None) -> None:
        super().__init__()
        self.config = config
        self.dropouts = dropouts or Dropouts()
        tokenizer = config.tokenizer
        # The unknown token embeds as zeros and stays there: it says nothing.
        self.embedding = nn.Embedding(
            tokenizer.vocab_size, config.embedding, padding_idx=tokenizer.unknown
        )
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        with torch.no_grad():
            self.embedding.weight[tokenizer.unknown].zero_()
        self.layers = nn.ModuleList(nn.LSTM(*sizes) for sizes in config.layer_sizes())

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, Tensor, State]:
        """Encode tokens.

        Parameters
        ----------
        tokens : Tensor of int, shape (time, batch)
        state : list of (Tensor, Tensor), optional
            What an earlier call returned, to continue its sequences.

        Returns
        -------
        raw : Tensor, shape (time, batch, embedding)
            Output of the last layer.
        dropped : Tensor, shape (time, batch, embedding)
            The same after output dropout (identical in evaluation mode).
        state : list of (Tensor, Tensor)
            One (h, c) per layer, each of shape (1, batch, width), cut off from the graph.
        """
        return self.forward_from(0, self.embed(tokens), state)

    def forward_from(
        self, first: int, x: Tensor, state: State | None = None
    ) -> tuple[Tensor, Tensor, State]:
        """Run the layers from `first` on, for training above frozen layers.

        Parameters
        ----------
        first : int
            Layers that are done; with all of them done only output dropout is left.
        x : Tensor, shape (time, batch, width)
            Embedded tokens (``first=0``) or the output of layer ``first - 1``.
        state : list of (Tensor, Tensor), optional
            One (h, c) for each layer that is run.

        Returns
        -------
        raw, dropped, state
            As in `forward`; `state` has one entry for each layer that was run.
        """
        rates = [self.dropouts.input, *[self.dropouts.hidden] * (len(self.layers) - 1)]
        new_state: State = []
        for index in range(first, len(self.layers)):
            x = locked_dropout(x, rates[index], self.training)
            layer_state = None if state is None else state[index - first]
            x, layer_state = self.run_layer(index, x, layer_state)
            new_state.append(layer_state)
        return x, locked_dropout(x, self.dropouts.output, self.training), new_state

    def embed(self, tokens: Tensor) -> Tensor:
        """Look tokens up, with embedding dropout: a dropped k-mer is zero wherever it occurs."""
        weight = self.embedding.weight
        if self.training and self.dropouts.embedding > 0:
            weight = weight * kept((len(weight), 1), self.dropouts.embedding, weight)
        return F.embedding(tokens.long(), weight, self.embedding.padding_idx)

    def run_layer(
        self, index: int, x: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Run one LSTM layer, its hidden-to-hidden matrix under DropConnect (section 2).

        Parameters
        ----------
        index : int
            Which layer, from 0.
        x : Tensor, shape (time, batch, input width)
        state : (Tensor, Tensor), optional
            Initial (h, c), each of shape (1, batch, width).

        Returns
        -------
        output : Tensor, shape (time, batch, width)
        state : (Tensor, Tensor)
            Final (h, c), cut off from the graph.
        """
        still_wanted()
        layer = self.layers[index]
        arguments = (x,) if state is None else (x, state)
        if self.training and self.dropouts.weight > 0:
            weight = layer.get_parameter("weight_hh_l0")
            dropped = weight * kept(weight.shape, self.dropouts.weight, weight)
            output, (h, c) = functional_call(layer, {"weight_hh_l0": dropped}, arguments)
        else:
            output, (h, c) = layer(*arguments)
        return output, (h.detach(), c.detach())
