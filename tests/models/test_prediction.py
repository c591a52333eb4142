"""Which lengths a model takes, and what it says of others."""

from __future__ import annotations

import numpy as np
import pytest

from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models.classifier import Classifier, ClassifierConfig
from genomic_ulmfit.models.config import EncoderConfig
from genomic_ulmfit.models.prediction import predict_probabilities, require_length

ENCODER = EncoderConfig(8, 8, 1, KmerTokenizer(5, 2))
ANY_LENGTH = Classifier(ClassifierConfig(ENCODER, ("a", "b"), "pooling")).eval()
ONE_LENGTH = Classifier(ClassifierConfig(ENCODER, ("a", "b"), "position", 20)).eval()
WITH_CONTEXT = Classifier(ClassifierConfig(ENCODER, ("a", "b"), "position", 20, context=8)).eval()


def bases(n: int) -> np.ndarray:
    return np.zeros(n, dtype=np.uint8)


@pytest.mark.parametrize(
    ("model", "lengths"),
    [
        (ANY_LENGTH, (5, 6, 1000)),
        (ANY_LENGTH.encoder, (5, 6, 1000)),
        (ONE_LENGTH, (20,)),
        (WITH_CONTEXT, (20, 36)),
    ],
)
def test_lengths_that_a_model_takes(model: Classifier, lengths: tuple[int, ...]) -> None:
    for length in lengths:
        require_length(model, bases(length), "s")


@pytest.mark.parametrize(
    ("model", "length", "message"),
    [
        (ANY_LENGTH, 4, "s: has 4 bases; at least 5 are needed. Remove it or give a longer one."),
        (ANY_LENGTH.encoder, 4, "s: has 4 bases; at least 5 are needed"),
        (ONE_LENGTH, 21, "s: has 21 bases, but this model was trained on sequences of 20. Cut"),
        (ONE_LENGTH, 4, "s: has 4 bases, but this model was trained on sequences of 20. Cut"),
        (
            WITH_CONTEXT,
            28,
            "s: has 28 bases, but this model was trained on sequences of 20 (or 36, with 8 bases "
            "of context on either side). Cut windows of that length",
        ),
    ],
)
def test_lengths_that_it_does_not_take(model: Classifier, length: int, message: str) -> None:
    with pytest.raises(InputError) as raised:
        require_length(model, bases(length), "s")
    assert str(raised.value).startswith(message)


def test_sequences_without_names_are_counted() -> None:
    with pytest.raises(InputError, match="sequence 2: has 4 bases; at least 5 are needed"):
        predict_probabilities(ANY_LENGTH, [bases(9), bases(4)])
