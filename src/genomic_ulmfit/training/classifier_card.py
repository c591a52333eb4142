"""What a classifier's folder says about it, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from genomic_ulmfit.models.classifier import Classifier
from genomic_ulmfit.models.folder import read_config
from genomic_ulmfit.training.finetuning_recipe import FROZEN
from genomic_ulmfit.training.recipes import Recipe


def classifier_facts(
    labels: npt.ArrayLike,
    encoder: Path | None,
    recipe: Recipe,
    seed: int,
    *,
    table: dict[str, str] | None = None,
    simulated: bool = False,
    anchor: int | None = None,
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Return what is known of a training before it begins.

    Parameters
    ----------
    labels : array-like of str or int, shape (n,)
        Of the sequences that are learnt from.
    encoder : pathlib.Path or None
        Folder of the language model to start from; it is read now, whatever becomes of it later.
    recipe : Recipe
    seed : int
    table : dict of str to str, optional
        ``file`` and ``sha256`` of what the sequences were read from.
    simulated : bool
        Whether the sequences are made up.
    anchor : int, optional
        Bases of each sequence before the site that it was cut around.
    notes : sequence of str
        On the table, one sentence each.

    Returns
    -------
    dict
        JSON-able. ``labels`` are the classes as they were given, numbers as numbers; ``curve`` and
        ``valid_accuracy`` are empty as yet.
    """
    values, counts = np.unique(np.asarray(labels), return_counts=True)
    names = values.astype(str)
    return {
        "table": table,
        "simulated": simulated,
        "n_train": int(counts.sum()),
        "classes": {str(names[i]): int(counts[i]) for i in np.argsort(-counts, kind="stable")},
        "labels": values.tolist(),
        "encoder": None if encoder is None else encoder.resolve().name,
        "encoder_sha256": None if encoder is None else read_config(encoder)["sha256"],
        "trained": described(recipe, pretrained=encoder is not None),
        "recipe": asdict(recipe),
        "seed": seed,
        "anchor": anchor,
        "notes": list(notes),
        "curve": [],
        "valid_accuracy": None,
    }


def described(recipe: Recipe, *, pretrained: bool) -> str:
    """Say in words what a recipe trains, from an encoder or from random weights."""
    parts = []
    if recipe.probe is not None:
        parts.append("a linear probe of the frozen encoder")
    if recipe.network is not None:
        fine_tuned = "a fine-tuned network" if pretrained else "a network from random weights"
        parts.append("a small network on it" if recipe.network == FROZEN else fine_tuned)
    if recipe.motifs:
        parts.append("one over bases alone")
    *most, last = parts
    listed = f"{', '.join(most)} and {last}" if most else last
    return listed + (", their logits averaged" if most else "")


def classifier_card(model: Classifier, training: dict[str, Any]) -> str:
    """Return the text of ``card.md``.

    Parameters
    ----------
    model : Classifier
    training : dict
        As from `classifier_facts`.

    Returns
    -------
    str
        Markdown.
    """
    config = model.config
    classes = "\n".join(f"- {name}: {n:,} sequences" for name, n in training["classes"].items())
    length = f"{config.length} bases" if config.length else "any length"
    if config.context:
        length += f" between {config.context} bases of context"
    network = training["recipe"]["network"]
    listed = "\n".join(
        f"- {'all layers' if s['layers'] is None else str(s['layers']) + ' LSTM layers + head'}: "
        f"{s['epochs']} epochs at {s['learning_rate']:g}"
        for s in ([] if network is None else network["stages"])
    )
    stages = f"\n{listed}\n" if listed else ""
    encoder = (
        f"{training['encoder']} (sha256 `{training['encoder_sha256']}`)"
        if training["encoder"]
        else "none (random weights)"
    )
    accuracy = training["valid_accuracy"]
    watched = (
        "No validation rows were given."
        if accuracy is None
        else f"Accuracy on the validation rows at the end: {accuracy:.4f}."
    )
    return f"""# DNA classifier ({config.head} head, sequences of {length})

## Data
{_simulated(training)}{_source(training)}Trained on {training["n_train"]:,} sequences:

{classes}

## Recipe
Trained: {training["trained"]}. Encoder: {encoder}; seed {training["seed"]}.
{stages}
## Results
{watched} Measure on test rows with `genomic-ulmfit evaluate`.

## Use and limits
For sequences cut the same way as those it was trained on, from the same or related organisms.
Probabilities mean what they say only where classes are as frequent as in training.
"""


def _simulated(training: dict[str, Any]) -> str:
    told = (
        "**SIMULATED**: these sequences are made up, and the model knows nothing of real DNA.\n\n"
    )
    return told if training["simulated"] else ""


def _source(training: dict[str, Any]) -> str:
    table = training["table"]
    return "" if table is None else f"`{table['file']}`, sha256 `{table['sha256']}`. "
