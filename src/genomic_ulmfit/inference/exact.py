"""Scoring windows one by one, each as if it were a sequence of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from genomic_ulmfit.inference.runs import Run
from genomic_ulmfit.models.classifier import Classifier
from genomic_ulmfit.models.precision import autocast

BATCH = 512


def exact_logits(
    model: Classifier, runs: Sequence[Run], window: int, precision: str
) -> list[Tensor]:
    """Return the logits of every window, encoded by itself from the zero state.

    Parameters
    ----------
    model : Classifier
        In evaluation mode.
    runs : sequence of Run
    window : int
        Bases per window.
    precision : {"bf16", "fp32"}

    Returns
    -------
    list of Tensor of float32, each of shape (count, n_classes)
    """
    tokenizer = model.config.encoder.tokenizer
    device = next(model.parameters()).device
    results = []
    with torch.no_grad(), autocast(precision):
        for run in runs:
            windows = np.lib.stride_tricks.sliding_window_view(run.codes[run.context :], window)
            parts = []
            for first in range(0, run.count * run.spacing, BATCH * run.spacing):
                codes = windows[first : first + BATCH * run.spacing : run.spacing].copy()
                tokens = torch.from_numpy(tokenizer.tokenize(codes).astype(np.int64)).T
                lengths = torch.full((len(codes),), len(tokens))
                batch = (tokens, lengths, torch.from_numpy(codes))
                parts.append(model(*(part.to(device) for part in batch)).float().cpu())
            results.append(torch.cat(parts))
    return results
