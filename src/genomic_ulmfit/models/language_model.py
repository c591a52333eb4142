"""A language model of DNA: what are the next bases, given all before them?

Neighbouring k-mers overlap, so of the next token only `stride` bases are open. The softmax
runs over the ``4 ** stride`` k-mers that can follow, not over the whole vocabulary: this is the
same likelihood, without the epochs that a full softmax spends on learning what cannot follow.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genomic_ulmfit.models.awd_lstm import AWDLSTM, State


class LanguageModel(nn.Module):
    """An encoder with a decoder tied to its embedding (Press & Wolf 2017, arXiv:1608.05859).

    The score of a k-mer that can follow is its embedding times the hidden state, plus a bias
    of its own. The bias alone is a Markov model of order ``k - stride``.

    Parameters
    ----------
    encoder : AWDLSTM
    """

    def __init__(self, encoder: AWDLSTM) -> None:
        super().__init__()
        self.encoder = encoder
        self.bias = nn.Parameter(torch.zeros(4**encoder.config.tokenizer.k))

    def forward(
        self, tokens: Tensor, state: State | None = None
    ) -> tuple[Tensor, Tensor, Tensor, State]:
        """Score what can follow each token.

        Parameters
        ----------
        tokens : Tensor of int, shape (time, batch)
            Without unknown tokens.
        state : list of (Tensor, Tensor), optional
            To continue earlier sequences.

        Returns
        -------
        logits : Tensor, shape (time, batch, 4 ** stride)
            Scores of the next `stride` bases, read as a base-4 number.
        raw, dropped : Tensor, shape (time, batch, embedding)
            As `AWDLSTM.forward` returns them, for activation regularisation.
        state : list of (Tensor, Tensor)
        """
        tokenizer = self.encoder.config.tokenizer
        raw, dropped, state = self.encoder(tokens, state)
        scores = F.linear(dropped, self.encoder.embedding.weight[:-1], self.bias)
        # A token's last k - stride bases are the first of whatever follows it.
        shared = 4 ** (tokenizer.k - tokenizer.stride)
        scores = scores.unflatten(-1, (shared, tokenizer.n_new))
        index = (tokens.long() & (shared - 1))[..., None, None]
        logits = scores.gather(-2, index.expand(*index.shape[:-1], tokenizer.n_new)).squeeze(-2)
        return logits, raw, dropped, state


def activation_regularisation(
    raw: Tensor, dropped: Tensor, alpha: float, beta: float
) -> Tensor | float:
    """Penalise large and fast-changing activations (AR and TAR, Merity et al. 2017, section 4.6).

    Parameters
    ----------
    raw, dropped : Tensor, shape (time, batch, channels)
        Last layer's output before and after output dropout.
    alpha : float
        Weight of the mean square of `dropped`.
    beta : float
        Weight of the mean square of the change of `raw` from step to step.

    Returns
    -------
    Tensor (scalar) or 0.0
    """
    penalty: Tensor | float = 0.0
    if alpha:
        penalty = penalty + alpha * dropped.float().square().mean()
    if beta and len(raw) > 1:
        penalty = penalty + beta * (raw[1:] - raw[:-1]).float().square().mean()
    return penalty
