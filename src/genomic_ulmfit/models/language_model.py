"""A language model of DNA: what are the next bases, given all before them?

Neighbouring k-mers overlap, so of the next token only `stride` bases are open. The softmax
runs over the ``4 ** stride`` k-mers that can follow, not over the whole vocabulary: this is the
same likelihood, without the epochs that a full softmax spends on learning what cannot follow.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models.awd_lstm import AWDLSTM, State

DECODERS = ("open", "tied")


class LanguageModel(nn.Module):
    """An encoder with a decoder over the k-mers that can follow.

    Parameters
    ----------
    encoder : AWDLSTM
    decoder : {"open", "tied"}
        "open" is a linear layer over the new bases alone. "tied" scores a k-mer by its
        embedding (Press & Wolf 2017, arXiv:1608.05859) plus a bias of its own, as the seed
        did. That bias is a Markov model of order ``k - stride`` which is learnt at once, and on
        genomes training then stalls there for millions of tokens; "open" does not.
    """

    def __init__(self, encoder: AWDLSTM, decoder: str = "open") -> None:
        super().__init__()
        if decoder not in DECODERS:
            raise InputError(f"decoder: got {decoder!r}, allowed are {', '.join(DECODERS)}.")
        self.encoder = encoder
        self.decoder = decoder
        tokenizer = encoder.config.tokenizer
        n_scores = tokenizer.n_new if decoder == "open" else 4**tokenizer.k
        self.bias = nn.Parameter(torch.zeros(n_scores))
        if decoder == "open":
            self.weight = nn.Parameter(torch.empty(n_scores, encoder.config.embedding))
            bound = encoder.config.embedding**-0.5
            nn.init.uniform_(self.weight, -bound, bound)

    def forward(
        self, tokens: Tensor, state: State | None = None
    ) -> tuple[Tensor, Tensor, Tensor, State]:
        """Score what can follow each token.

        Parameters
        ----------
        tokens : Tensor of int, shape (time, batch)
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
        raw, dropped, state = self.encoder(tokens, state)
        if self.decoder == "open":
            logits = F.linear(dropped, self.weight, self.bias)
        else:
            logits = self._tied_scores(tokens, dropped)
        return logits, raw, dropped, state

    def _tied_scores(self, tokens: Tensor, hidden: Tensor) -> Tensor:
        tokenizer = self.encoder.config.tokenizer
        scores = F.linear(hidden, self.encoder.embedding.weight[:-1], self.bias)
        # A token's last k - stride bases are the first of whatever follows it.
        shared = 4 ** (tokenizer.k - tokenizer.stride)
        scores = scores.unflatten(-1, (shared, tokenizer.n_new))
        index = (tokens.long() & (shared - 1))[..., None, None]
        return scores.gather(-2, index.expand(*index.shape[:-1], tokenizer.n_new)).squeeze(-2)


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
