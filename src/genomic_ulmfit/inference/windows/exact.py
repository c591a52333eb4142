"""Scoring windows one by one, each as if it were a sequence of its own.

A model that was trained with context around its sequences gets as much of it here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from genomic_ulmfit.data.batches import TokenizedSequences
from genomic_ulmfit.inference.windows.dense import ByStrand
from genomic_ulmfit.inference.windows.runs import Run
from genomic_ulmfit.models.classifier import Classifier
from genomic_ulmfit.models.precision import autocast

BATCH = 512

CONTEXT_STEP = 16
"""Tokens by which context grows near the ends of a linear contig."""


def exact_logits(
    model: Classifier, runs: Sequence[Run], window: int, precision: str
) -> Iterator[ByStrand]:
    """Yield the logits of every window on both strands, each encoded by itself.

    Parameters
    ----------
    model : Classifier
        In evaluation mode.
    runs : sequence of Run
    window : int
        Bases per window.
    precision : {"bf16", "fp32"}

    Yields
    ------
    dict of int to Tensor of float32, each of shape (count, n_classes)
        Of one run after the other.
    """
    for run in runs:
        # Whoever reads the results between two runs keeps their own modes.
        with torch.no_grad(), autocast(precision, next(model.parameters()).device):
            forward, reverse = (_along(model, run.along(strand), window) for strand in (1, -1))
        yield {1: forward, -1: reverse.flip(0)}


def _along(model: Classifier, run: Run, window: int) -> Tensor:
    """Score the windows of one strand in its order."""
    config = model.config
    tokenizer = config.encoder.tokenizer
    device = next(model.parameters()).device
    contexts = context_of(run, config.context, CONTEXT_STEP * tokenizer.stride)
    logits = torch.zeros(run.count, len(config.classes))
    for context in np.unique(contexts):
        chosen = np.flatnonzero(contexts == context)
        views = np.lib.stride_tricks.sliding_window_view(run.codes, window + 2 * context)
        for first in range(0, len(chosen), BATCH):
            rows = chosen[first : first + BATCH]
            codes = views[run.before - context + rows * run.spacing].copy()
            batch = TokenizedSequences.of(codes, tokenizer, config.readings).batch(
                np.arange(len(codes))
            )
            logits[rows] = model(*(part.to(device) for part in batch[1:])).float().cpu()
    return logits


def context_of(run: Run, context: int, step: int) -> npt.NDArray[np.int64]:
    """Return how many bases of context each window gets, shape (count,).

    As many on either side: `context`, or, near the ends of a linear contig, what there is, in
    steps, so that many can be scored together.
    """
    places = run.spacing * np.arange(run.count, dtype=np.int64)
    there = np.minimum(run.before + places, run.after + places[::-1])
    return np.where(there >= context, context, there - there % step)
