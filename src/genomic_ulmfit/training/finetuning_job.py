"""From a labelled table to a folder that holds a classifier and says what it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from genomic_ulmfit.data.tables import read_labelled
from genomic_ulmfit.dna.alphabet import Codes, encode
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import file_sha256, require_writable
from genomic_ulmfit.models.classifier import Classifier, ClassifierConfig
from genomic_ulmfit.models.config import EncoderConfig
from genomic_ulmfit.models.config import preset as preset_config
from genomic_ulmfit.models.language_model import LanguageModel
from genomic_ulmfit.models.pretrained import DEFAULT, encoder_folder
from genomic_ulmfit.models.store import load_language_model, read_config, save_classifier
from genomic_ulmfit.training.finetuning import NAIVE, PRETRAINED, FineTuningRecipe, fine_tune

DEFAULT_PRESET = "small"
"""Size of a network that starts from random weights, where none is asked for."""


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
    codes: list[Codes], labels: npt.ArrayLike, architecture: EncoderConfig, head: str = "auto"
) -> ClassifierConfig:
    """Describe the classifier that suits some labelled sequences.

    Parameters
    ----------
    codes : list of numpy.ndarray of uint8
    labels : array-like of str or int, shape (len(codes),)
        Classes are their sorted distinct values.
    architecture : EncoderConfig
    head : {"auto", "position", "pooling"}
        "auto" is "position" where all sequences have one length, else "pooling".

    Returns
    -------
    ClassifierConfig
    """
    lengths = {len(sequence) for sequence in codes}
    if head == "auto":
        head = "position" if len(lengths) == 1 else "pooling"
    elif head == "position" and len(lengths) > 1:
        raise InputError(
            f"--head position: needs sequences of one length, but these have {min(lengths)} to "
            f"{max(lengths)} bases. Use --head pooling."
        )
    classes = np.unique(np.asarray(labels))
    return ClassifierConfig(
        encoder=architecture,
        classes=tuple(str(name) for name in classes),
        head=head,
        length=lengths.pop() if head == "position" else None,
        integer_labels=bool(np.issubdtype(classes.dtype, np.integer)),
    )


def recipe_for(encoder: LanguageModel | None, epochs: int | None = None) -> FineTuningRecipe:
    """Return the recipe for a pretrained encoder, or for none.

    Parameters
    ----------
    encoder : LanguageModel or None
    epochs : int, optional
        Of the last stage, in which all layers are trained; the recipe's number if not given.
    """
    recipe = NAIVE if encoder is None else PRETRAINED
    if epochs is None:
        return recipe
    if epochs < 1:
        raise InputError(f"--epochs: got {epochs}, allowed is 1 or more.")
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


def train_classifier(
    table_path: str | Path,
    out: str | Path,
    *,
    encoder: str | Path | None = "auto",
    preset: str | None = None,
    head: str = "auto",
    epochs: int | None = None,
    seed: int = 0,
    precision: str | None = None,
    progress: bool = True,
) -> list[dict[str, Any]]:
    """Fine-tune a classifier on a table's training rows and write its folder.

    Parameters
    ----------
    table_path : path-like
        CSV, TSV or FASTA with labels. With a `split` column, rows marked train are learnt
        from, rows marked valid are watched and rows marked test are not looked at; without
        one, every row is learnt from.
    out : path-like
        Model folder to write.
    encoder, preset
        As in `choose_encoder`.
    head : {"auto", "position", "pooling"}
    epochs : int, optional
        Of the last stage.
    seed : int
    precision : {"bf16", "fp32"}, optional
    progress : bool

    Returns
    -------
    list of dict
        The training curve, as `fine_tune` returns it.
    """
    out = Path(out)
    require_writable(out)
    if (out / "config.json").exists():
        raise InputError(f"--out: {out} holds a finished model already; name another folder.")
    folder = choose_encoder(encoder, preset)
    start, architecture = load_start(folder, preset)
    table = read_labelled(table_path, min_length=architecture.tokenizer.k, require_classes=True)
    train = table[table["split"] == "train"] if "split" in table else table
    if train["label"].nunique() < 2:
        raise InputError(
            f"{table_path}: the rows marked split=train hold fewer than two classes; a "
            "classifier needs sequences of at least two."
        )
    codes = encode_all(train)
    config = classifier_config(codes, train["label"].to_numpy(), architecture, head)
    recipe = recipe_for(start, epochs)
    valid = table[table["split"] == "valid"] if "split" in table else table[:0]
    model, curve = fine_tune(
        codes,
        targets_of(train["label"], config),
        config,
        recipe,
        encoder=start,
        valid=(encode_all(valid), targets_of(valid["label"], config)) if len(valid) else None,
        seed=seed,
        precision=precision,
        progress=progress,
    )
    training = {
        "table": {"file": Path(table_path).name, "sha256": file_sha256(table_path)},
        "n_train": len(train),
        "classes": {str(k): int(v) for k, v in train["label"].value_counts().items()},
        "encoder": None if folder is None else folder.resolve().name,
        "encoder_sha256": None if folder is None else read_config(folder)["sha256"],
        "recipe": {**recipe.__dict__, "stages": [stage.__dict__ for stage in recipe.stages]},
        "seed": seed,
        "curve": curve,
    }
    save_classifier(model, out, _card(model, training), training)
    return curve


def encode_all(table: pd.DataFrame) -> list[Codes]:
    """Return the base codes of a table's sequences."""
    return [
        encode(sequence, name=f"sequence {name}")
        for name, sequence in zip(table["id"], table["sequence"], strict=True)
    ]


def _card(model: Classifier, training: dict[str, Any]) -> str:
    config = model.config
    classes = "\n".join(f"- {name}: {n:,} sequences" for name, n in training["classes"].items())
    length = f"{config.length} bases" if config.length else "any length"
    stages = "\n".join(
        f"- {'all layers' if s['layers'] is None else str(s['layers']) + ' LSTM layers + head'}: "
        f"{s['epochs']} epochs at {s['learning_rate']:g}"
        for s in training["recipe"]["stages"]
    )
    encoder = (
        f"{training['encoder']} (sha256 `{training['encoder_sha256']}`)"
        if training["encoder"]
        else "none (random weights)"
    )
    last = training["curve"][-1]
    watched = (
        "No validation rows were given."
        if last["valid_accuracy"] is None
        else f"Accuracy on the validation rows at the end: {last['valid_accuracy']:.4f}."
    )
    return f"""# DNA classifier ({config.head} head, sequences of {length})

## Data
`{training["table"]["file"]}`, sha256 `{training["table"]["sha256"]}`; trained on
{training["n_train"]:,} sequences:

{classes}

## Recipe
Encoder: {encoder}; seed {training["seed"]}.

{stages}

## Results
{watched} Measure on test rows with `genomic-ulmfit evaluate`.

## Use and limits
For sequences cut the same way as those it was trained on, from the same or related organisms.
Probabilities mean what they say only where classes are as frequent as in training.
"""
