"""What a language model achieves on held-out text, genome by genome."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

from genomic_ulmfit.models.awd_lstm import State
from genomic_ulmfit.models.language_model import LanguageModel
from genomic_ulmfit.models.precision import autocast

INFORMED_RANDOM = 2.0
"""Bits per base when all four bases are equally likely."""


def held_out_sums(
    model: LanguageModel,
    windows: Iterable[tuple[Tensor, bool, Tensor]],
    n_genomes: int,
    precision: str,
) -> Tensor:
    """Read held-out windows and add up what was predicted how well.

    Parameters
    ----------
    model : LanguageModel
        Read in evaluation mode, and left in the mode it was in.
    windows : iterable of (Tensor, bool, Tensor)
        As `HeldOutWindows` gives them.
    n_genomes : int
        Of the corpus.
    precision : {"bf16", "fp32"}

    Returns
    -------
    Tensor of float64, shape (n_genomes, 3)
        Per genome: loss in nats, tokens whose new bases were all predicted, tokens. They are
        sums, so those of several processes may be added.
    """
    tokenizer = model.encoder.config.tokenizer
    device = model.bias.device
    sums = torch.zeros(n_genomes, 3, dtype=torch.float64)
    was_training = model.training
    model.eval()
    state: State | None = None
    try:
        with torch.no_grad(), autocast(precision, device):
            for window, fresh, genomes in windows:
                window = window.to(device)
                logits, _, _, state = model(window[:-1], None if fresh else state)
                scored = window[1:] != tokenizer.unknown
                targets = tokenizer.new_bases(window[1:])
                losses = F.cross_entropy(
                    logits.float().flatten(0, 1), targets.flatten(), reduction="none"
                ).view_as(targets)
                hits = (logits.argmax(-1) == targets) & scored
                columns = [(losses * scored).sum(0), hits.sum(0), scored.sum(0)]
                of_window = torch.stack([column.cpu().double() for column in columns], dim=1)
                sums.index_add_(0, genomes, of_window)
    finally:
        model.train(was_training)
    return sums


def figures(sums: Tensor, stride: int) -> dict[str, float]:
    """Turn sums into what is reported.

    Parameters
    ----------
    sums : Tensor, shape (3,)
        Loss in nats, hits, tokens.
    stride : int
        New bases per token.

    Returns
    -------
    dict
        ``loss`` (nats per token), ``accuracy``, ``perplexity``, ``bits_per_base``, ``tokens``.
    """
    loss, hits, tokens = sums.tolist()
    return {
        "loss": loss / tokens,
        "accuracy": hits / tokens,
        "perplexity": math.exp(loss / tokens),
        "bits_per_base": loss / tokens / math.log(2) / stride,
        "tokens": int(tokens),
    }
