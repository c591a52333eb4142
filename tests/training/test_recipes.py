"""Which recipe is for how many labels."""

from __future__ import annotations

from dataclasses import replace

import pytest

from genomic_ulmfit.models.classifier import ClassifierConfig
from genomic_ulmfit.models.config import EncoderConfig
from genomic_ulmfit.training.finetuning_recipe import FROZEN, NAIVE, POOLED, PRETRAINED
from genomic_ulmfit.training.recipes import (
    RECIPES,
    ProbeRecipe,
    Recipe,
    config_by_recipe,
    recipe_by_labels,
)

CONFIG = ClassifierConfig(EncoderConfig(embedding=12, hidden=16, layers=1), ("a", "b"), "probe", 61)


def test_recipes_are_in_order_and_every_number_has_one() -> None:
    starts = [start for start, _ in RECIPES]
    assert starts == sorted(set(starts))
    assert starts[0] == 0
    for n in (2, 20, 149, 150, 1000):
        recipe = recipe_by_labels(n, pretrained=True, one_length=True)
        assert recipe.probe is not None
        assert recipe.network is None
    assert recipe_by_labels(10_000, pretrained=True, one_length=True).network is FROZEN
    assert recipe_by_labels(20, pretrained=True, one_length=False) == Recipe(None, PRETRAINED)
    assert recipe_by_labels(100, pretrained=True, one_length=False) == Recipe(None, POOLED)
    assert recipe_by_labels(20, pretrained=False, one_length=True) == Recipe(None, NAIVE)
    for one_length in (True, False):
        many = recipe_by_labels(10_000, pretrained=False, one_length=one_length)
        assert many == Recipe(None, NAIVE, motifs=one_length)


def test_a_probe_reads_every_phase_unless_there_is_context() -> None:
    probe = Recipe(ProbeRecipe(1.0), None)
    assert config_by_recipe(CONFIG, probe).phases == CONFIG.encoder.tokenizer.stride == 2
    assert config_by_recipe(replace(CONFIG, context=8), probe).phases == 1
    network = replace(CONFIG, head="position")
    assert config_by_recipe(network, Recipe(None, PRETRAINED)).phases == 1


def test_pooled_states_are_averaged_over_phases() -> None:
    pooling = replace(CONFIG, head="pooling", length=None)
    found = config_by_recipe(pooling, Recipe(None, POOLED))
    assert (found.phases, found.phases_alike) == (2, True)
    assert config_by_recipe(pooling, Recipe(None, PRETRAINED)) == pooling


def test_no_probe_beside_a_network_that_changes_the_encoder() -> None:
    with pytest.raises(ValueError, match="probe"):
        Recipe(ProbeRecipe(1.0), PRETRAINED)
