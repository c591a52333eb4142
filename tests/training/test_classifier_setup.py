"""What a classifier starts from and how it is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from genomic_ulmfit.dna.alphabet import decode
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models.config import EncoderConfig
from genomic_ulmfit.models.language_model import LanguageModel
from genomic_ulmfit.training.classifier_setup import (
    choose_recipe,
    classifier_config,
    encode_all,
    targets_of,
    with_epochs,
)
from genomic_ulmfit.training.finetuning_recipe import NAIVE, POOLED, PRETRAINED
from genomic_ulmfit.training.recipes import Recipe

SMALL = EncoderConfig(embedding=12, hidden=16, layers=1)


def test_a_probe_that_is_asked_for_stands_alone(
    encoder: LanguageModel, config: Callable[..., Any]
) -> None:
    for n_labels in (20, 10_000):
        recipe = choose_recipe(n_labels, config(), encoder, head="probe")
        assert recipe.probe is not None
        assert recipe == Recipe(recipe.probe, None, motifs=False)


@pytest.mark.parametrize(
    ("n_labels", "expected"), [(99, PRETRAINED), (100, POOLED), (10_000, POOLED)]
)
def test_heads_that_are_asked_for(
    encoder: LanguageModel, config: Callable[..., Any], n_labels: int, expected: object
) -> None:
    pooling = replace(config(), head="pooling", length=None, frames=False)
    assert choose_recipe(n_labels, pooling, encoder, "pooling") == Recipe(None, expected)
    assert choose_recipe(n_labels, pooling, None, "pooling") == Recipe(None, NAIVE)
    longer = choose_recipe(n_labels, pooling, encoder, "pooling", epochs=7).network
    assert longer == with_epochs(expected, 7)
    position = replace(config(), head="position")
    assert choose_recipe(n_labels, position, encoder, "position") == Recipe(None, PRETRAINED)


def test_epochs_are_those_of_the_last_stage() -> None:
    shorter = with_epochs(PRETRAINED, 1)
    assert shorter.stages[:-1] == PRETRAINED.stages[:-1]
    assert shorter.stages[-1] == replace(PRETRAINED.stages[-1], epochs=1)
    with pytest.raises(InputError, match="--epochs: got 0, allowed is 1 or more"):
        with_epochs(NAIVE, 0)


def test_a_configuration_suits_its_sequences() -> None:
    same = [np.zeros(30, np.uint8)] * 4
    varied = [np.zeros(length, np.uint8) for length in range(10, 26, 2)]
    found = classifier_config(same, ["x", "y", "x", "y"], SMALL)
    assert (found.head, found.length, found.classes) == ("position", 30, ("x", "y"))
    assert not found.integer_labels
    assert classifier_config(varied, [1, 2] * 4, SMALL).head == "pooling"
    assert classifier_config(same, [1, 2, 1, 2], SMALL, "pooling").length is None
    with pytest.raises(InputError, match="--head position: needs sequences of one length"):
        classifier_config(varied, [1, 2] * 4, SMALL, "position")
    numbers = classifier_config(same, [10, 9, 10, -1], SMALL)
    assert numbers.classes == ("-1", "9", "10"), "in the order of numbers"
    assert numbers.integer_labels
    assert targets_of([9, 10, -1], numbers).tolist() == [1, 2, 0]
    with pytest.raises(InputError, match="label: '8' is none of the model's classes: -1, 9, 10"):
        targets_of([9, 8], numbers)


def test_context_of_another_length_than_in_training() -> None:
    table = pd.DataFrame(
        {"id": ["a", "b"], "sequence": ["ACGT"] * 2, "before": ["AC", "A"], "after": ["GT", "GTT"]}
    )
    assert [decode(codes) for codes in encode_all(table[:1], 2)] == ["ACACGTGT"]
    with pytest.raises(InputError, match="sequence b: has 1 bases before and 3 after it, but"):
        encode_all(table, 2)
