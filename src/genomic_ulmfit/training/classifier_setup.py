"""What a classifier starts from and how it is trained: encoder, shape, recipe, classes."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from genomic_ulmfit.data.readings import Readings
from genomic_ulmfit.data.tables import with_context
from genomic_ulmfit.dna.alphabet import Codes, encode
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models.classifier import FIXED_LENGTH, ClassifierConfig
from genomic_ulmfit.models.config import EncoderConfig
from genomic_ulmfit.models.config import preset as preset_config
from genomic_ulmfit.models.language_model import LanguageModel
from genomic_ulmfit.models.pretrained import DEFAULT, encoder_folder
from genomic_ulmfit.models.store import load_language_model
from genomic_ulmfit.training.finetuning_recipe import (
    FROZEN,
    NAIVE,
    PRETRAINED,
    FineTuningRecipe,
)
from genomic_ulmfit.training.recipes import Recipe, recipe_by_labels

HEADS = ("auto", "position", "pooling", "probe")

DEFAULT_PRESET = "small"
"""Size of a network that starts from random weights, where none is asked for."""

BOTH_STRANDS = Readings(both_strands=True)


def choose_encoder(encoder: str | Path | None, preset: str | None) -> Path | None:
    """Return the folder of the language model that a classifier starts from.

    Parameters
    ----------
    encoder : path-like, "auto", "none" or None
        Name of a shipped encoder, or a folder. "auto" is the shipped `DEFAULT`, unless `preset`
        asks for a network of a certain size.
    preset : str or None
        Size of a network that starts from random weights.

    Returns
    -------
    pathlib.Path or None
        None for random weights.

    Raises
    ------
    InputError
        If there is no such encoder, or a size is asked for beside one, which has its own.
    """
    if str(encoder) == "auto":
        encoder = DEFAULT if preset is None else None
    if encoder is None or str(encoder) == "none":
        return None
    if preset is not None:
        raise InputError(
            f"--preset: got {preset} beside the encoder {encoder}, which has a size of its own; "
            "leave one of them out."
        )
    return encoder_folder(encoder)


def load_start(
    folder: Path | None, preset: str | None
) -> tuple[LanguageModel | None, EncoderConfig]:
    """Return what `choose_encoder` chose, loaded, and the shape of the network to train."""
    if folder is None:
        return None, preset_config(preset or DEFAULT_PRESET)
    start = load_language_model(folder)
    return start, start.encoder.config


def classifier_config(
    codes: list[Codes],
    labels: npt.ArrayLike,
    architecture: EncoderConfig,
    head: str = "auto",
    context: int = 0,
    readings: Readings = BOTH_STRANDS,
) -> ClassifierConfig:
    """Describe the classifier that suits some labelled sequences.

    Parameters
    ----------
    codes : list of numpy.ndarray of uint8
    labels : array-like of str or int, shape (len(codes),)
        Classes are their sorted distinct values.
    architecture : EncoderConfig
    head : {"auto", "position", "pooling", "probe"}
        "auto" is "position" where all sequences have one length, else "pooling".
    context : int
        Bases at either end of each sequence that are context.
    readings : Readings
        The seed's models read one strand.

    Returns
    -------
    ClassifierConfig

    Raises
    ------
    InputError
        If there is no such head, or it needs sequences of one length and these have several.
    """
    lengths = {len(sequence) - 2 * context for sequence in codes}
    if head not in HEADS:
        raise InputError(f"--head: got {head!r}, allowed are {', '.join(HEADS)}.")
    if head == "auto":
        head = "position" if len(lengths) == 1 else "pooling"
    elif head in FIXED_LENGTH and len(lengths) > 1:
        raise InputError(
            f"--head {head}: needs sequences of one length, but these have {min(lengths)} to "
            f"{max(lengths)} bases. Use --head pooling."
        )
    classes = np.unique(np.asarray(labels))
    return ClassifierConfig(
        encoder=architecture,
        classes=tuple(str(name) for name in classes),
        head=head,
        length=lengths.pop() if head in FIXED_LENGTH else None,
        integer_labels=bool(np.issubdtype(classes.dtype, np.integer)),
        context=context,
        both_strands=readings.both_strands,
        phases=readings.phases,
        frames=head in FIXED_LENGTH,
    )


def choose_recipe(
    n_labels: int,
    config: ClassifierConfig,
    encoder: LanguageModel | None,
    head: str = "auto",
    epochs: int | None = None,
) -> Recipe:
    """Return what is trained: what this many labels pay for, unless a head is asked for.

    Parameters
    ----------
    n_labels : int
    config : ClassifierConfig
    encoder : LanguageModel or None
    head : {"auto", "position", "pooling", "probe"}
        As it was asked for. "auto" follows the number of labels, "position" and "pooling"
        fine-tune a network with that head (the latter as the number of labels says), "probe"
        fits a linear probe alone.
    epochs : int, optional
        Of the last stage of fine-tuning.

    Returns
    -------
    Recipe

    Raises
    ------
    InputError
        If a probe is asked for without an encoder, or epochs where no encoder is trained.
    """
    if head == "probe" and encoder is None:
        raise InputError(
            "--head probe: reads the hidden states of a pretrained encoder, but there is none; "
            "name one with --encoder."
        )
    recipe = recipe_by_labels(
        n_labels, pretrained=encoder is not None, one_length=config.length is not None
    )
    if head == "probe":
        recipe = replace(recipe, network=None, motifs=False)
    elif head == "position":
        recipe = Recipe(None, NAIVE if encoder is None else PRETRAINED)
    if epochs is None:
        return recipe
    if recipe.network in (None, FROZEN):
        raise InputError(
            f"--epochs: got {epochs}, but with these {n_labels:,} sequences the encoder stays as "
            "it is. Leave --epochs out, or fine-tune the whole network with --head position."
        )
    return replace(recipe, network=with_epochs(recipe.network, epochs))


def with_epochs(recipe: FineTuningRecipe, epochs: int) -> FineTuningRecipe:
    """Return a recipe with another number of epochs in its last stage, which trains all layers.

    Parameters
    ----------
    recipe : FineTuningRecipe
    epochs : int

    Returns
    -------
    FineTuningRecipe

    Raises
    ------
    InputError
        If there are to be fewer epochs than one.
    """
    if not isinstance(epochs, Integral) or epochs < 1:
        raise InputError(f"--epochs: got {epochs!r}, allowed is 1 or more.")
    return replace(recipe, stages=(*recipe.stages[:-1], replace(recipe.stages[-1], epochs=epochs)))


def targets_of(labels: npt.ArrayLike, config: ClassifierConfig) -> npt.NDArray[np.intp]:
    """Return each label's class index; raises `InputError` for one the model does not know."""
    index = {name: position for position, name in enumerate(config.classes)}
    names = [str(label) for label in np.asarray(labels)]
    unknown = sorted(set(names) - set(index))
    if unknown:
        raise InputError(
            f"label: {unknown[0]!r} is none of the model's classes: {', '.join(config.classes)}."
        )
    return np.array([index[name] for name in names], dtype=np.intp)


def encode_all(table: pd.DataFrame, context: int = 0) -> list[Codes]:
    """Return the base codes of a table's sequences, for a model that was trained with context.

    Parameters
    ----------
    table : pandas.DataFrame
        As from `genomic_ulmfit.data.tables.read_labelled`.
    context : int
        The model's. Unless it is 0, columns `before` and `after` are put around the sequences.

    Returns
    -------
    list of numpy.ndarray of uint8

    Raises
    ------
    InputError
        If a row has other numbers of bases around its sequence.
    """
    places = [f"sequence {name}" for name in table["id"]]
    sequences = table["sequence"].tolist()
    if context and {"before", "after"} <= set(table):
        parts = zip(table["before"], sequences, table["after"], places, strict=True)
        sequences = [with_context(*part[:3], context, part[3]) for part in parts]
    return [encode(one, name=place) for one, place in zip(sequences, places, strict=True)]
