"""What is asked of a classifier, and how strongly it believes in a class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from genomic_ulmfit.data.batches import Batch, TokenizedSequences
from genomic_ulmfit.dna.alphabet import Codes
from genomic_ulmfit.inference.log_odds import log_odds
from genomic_ulmfit.models.classifier import Classifier
from genomic_ulmfit.models.prediction import predict_logits

Floats = npt.NDArray[np.float32]


class Question(NamedTuple):
    """What is asked of a model.

    Parameters
    ----------
    model : Classifier
    target : int
        Column of the class that is asked about.
    precision : {"bf16", "fp32"}
    anchor : int or None
        Where in each sequence the site lies, if anybody knows.
    """

    model: Classifier
    target: int
    precision: str
    anchor: int | None


def window_of(model: Classifier, codes: Codes) -> Codes:
    """Cut off the context around a sequence, if it has any: as much before as behind."""
    length = model.config.length
    if length is None:
        return codes
    around = (len(codes) - length) // 2
    return codes[around : around + length]


def batches(model: Classifier, codes: Sequence[Codes], size: int) -> Iterator[Batch]:
    """Give every sequence once, `size` at a time.

    A model of sequences of one length takes what is more than that for context; with and without
    it they are not padded to one length.

    Parameters
    ----------
    model : Classifier
    codes : sequence of numpy.ndarray of uint8
    size : int
    """
    config = model.config
    sequences = TokenizedSequences.of(codes, config.encoder.tokenizer, config.readings)
    return sequences.in_order_of_length(size, pad=config.length is None)


def sequence_log_odds(
    model: Classifier, codes: Sequence[Codes], target: int, precision: str, batch_size: int = 512
) -> Floats:
    """Return the log-odds of a class for whole sequences, each encoded by itself.

    Parameters
    ----------
    model : Classifier
        In evaluation mode.
    codes : sequence of numpy.ndarray of uint8
    target : int
    precision : {"bf16", "fp32"}
        Of the encoder; heads compute in fp32.
    batch_size : int

    Returns
    -------
    numpy.ndarray of float32, shape (len(codes),)
    """
    logits = predict_logits(model, codes, precision=precision, batch_size=batch_size)
    return log_odds(torch.from_numpy(logits), target).float().numpy()
