"""From a labelled table to a folder that holds a classifier and says what it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from genomic_ulmfit.data.readings import Readings
from genomic_ulmfit.data.tables import read_labelled
from genomic_ulmfit.dna.alphabet import Codes, encode
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import file_sha256, require_writable
from genomic_ulmfit.models.classifier import FIXED_LENGTH, Classifier, ClassifierConfig
from genomic_ulmfit.models.config import EncoderConfig
from genomic_ulmfit.models.config import preset as preset_config
from genomic_ulmfit.models.language_model import LanguageModel
from genomic_ulmfit.models.prediction import predict_probabilities
from genomic_ulmfit.models.pretrained import DEFAULT, encoder_folder
from genomic_ulmfit.models.store import load_language_model, read_config, save_classifier
from genomic_ulmfit.training.by_labels import train_by_labels
from genomic_ulmfit.training.finetuning import FROZEN, NAIVE, PRETRAINED, FineTuningRecipe
from genomic_ulmfit.training.recipes import Recipe, recipe_by_labels

HEADS = ("auto", "position", "pooling", "probe")

DEFAULT_PRESET = "small"
"""Size of a network that starts from random weights, where none is asked for."""

ODD_LENGTHS = 0.1
"""Share of rows, below which those of unusual length are taken for a mistake."""


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


BOTH_STRANDS = Readings(both_strands=True)


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
        fine-tune a network with that head, "probe" fits a linear probe alone.
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
    network = recipe_for(encoder, epochs)
    if head in ("position", "pooling"):
        return Recipe(None, network)
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
    if epochs is None:
        return recipe
    if recipe.network not in (NAIVE, PRETRAINED):
        raise InputError(
            f"--epochs: got {epochs}, but with these {n_labels:,} sequences the encoder stays as "
            "it is. Leave --epochs out, or fine-tune the whole network with --head position."
        )
    return replace(recipe, network=network)


def recipe_for(encoder: LanguageModel | None, epochs: int | None = None) -> FineTuningRecipe:
    """Return the recipe of fine-tuning a pretrained encoder, or of training without one.

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
) -> dict[str, Any]:
    """Train a classifier on a table's training rows and write its folder.

    Parameters
    ----------
    table_path : path-like
        CSV, TSV or FASTA with labels. With a `split` column, rows marked train are learnt
        from, rows marked valid are watched and rows marked test are not looked at; without
        one, every row is learnt from. A column `anchor` that says the same of every row
        (`genomic_ulmfit.data.promoters`) is remembered for scanning. Columns `before` and
        `after` hold what stands on either side of each sequence, as a scan will see it.
    out : path-like
        Model folder to write.
    encoder, preset
        As in `choose_encoder`.
    head, epochs
        As in `choose_recipe`.
    seed : int
    precision : {"bf16", "fp32"}, optional
    progress : bool

    Returns
    -------
    dict
        What the folder's `config.json` says under `training`: among others ``trained`` (in
        words), ``curve`` (as `fine_tune` returns it; empty for a probe),
        ``valid_accuracy`` (None without validation rows) and ``notes`` (on the table, one sentence
        each).
    """
    out = Path(out)
    require_writable(out)
    if (out / "config.json").exists():
        raise InputError(f"--out: {out} holds a finished model already; name another folder.")
    folder = choose_encoder(encoder, preset)
    start, architecture = load_start(folder, preset)
    table = read_labelled(table_path, min_length=architecture.tokenizer.k, require_classes=True)
    train = table[table["split"] == "train"] if "split" in table else table
    # Of what was read, whatever becomes of the files while this trains.
    table_facts = {"file": Path(table_path).name, "sha256": file_sha256(table_path)}
    encoder_sha256 = None if folder is None else read_config(folder)["sha256"]
    context = _context_length(table, table_path, head, architecture.tokenizer.stride)
    notes = [*_lengths(train, table_path, head), *_repeats(train)]
    codes = encode_all(train, context)
    config = classifier_config(codes, train["label"].to_numpy(), architecture, head, context)
    anchor = _anchor(table, table_path, config.length, notes)
    recipe = choose_recipe(len(codes), config, start, head, epochs)
    valid = table[table["split"] == "valid"] if "split" in table else table[:0]
    watched = _validation(valid, config, table_path) if len(valid) else None
    model, curve = train_by_labels(
        codes,
        targets_of(train["label"], config),
        config,
        recipe,
        encoder=start,
        valid=watched,
        seed=seed,
        precision=precision,
        progress=progress,
    )
    training = {
        "table": table_facts,
        "n_train": len(train),
        "classes": {str(k): int(v) for k, v in train["label"].value_counts().items()},
        "encoder": None if folder is None else folder.resolve().name,
        "encoder_sha256": encoder_sha256,
        "trained": described(recipe, pretrained=start is not None),
        "recipe": asdict(recipe),
        "seed": seed,
        "anchor": anchor,
        "notes": notes,
        "curve": curve,
        "valid_accuracy": None if watched is None else _accuracy(model, *watched, precision),
    }
    save_classifier(model, out, _card(model, training), training)
    return training


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
    """
    sequences = table["sequence"]
    if context and {"before", "after"} <= set(table):
        sequences = table["before"] + sequences + table["after"]
    return [
        encode(sequence, name=f"sequence {name}")
        for name, sequence in zip(table["id"], sequences, strict=True)
    ]


def _context_length(table: pd.DataFrame, path: str | Path, head: str, stride: int) -> int:
    """Return how many bases of context each row of a table has on either side."""
    sides = [name for name in ("before", "after") if name in table]
    if not sides:
        return 0
    if len(sides) == 1:
        raise InputError(
            f"{path}: has a column {sides[0]}, but not the other of before and after. Context is "
            "of both sides: give both, or neither."
        )
    lengths = pd.concat([table[side].astype(str).str.len() for side in sides])
    context = int(lengths.iloc[0])
    if lengths.nunique() > 1 or context % stride:
        shown = f"{lengths.min()} to {lengths.max()}" if lengths.nunique() > 1 else str(context)
        raise InputError(
            f"{path}, columns before and after: have {shown} bases, but every row needs as many "
            f"on either side, a multiple of {stride}. Cut them alike, or remove the columns."
        )
    if head == "pooling" or table["sequence"].str.len().nunique() > 1:
        raise InputError(
            f"{path}, columns before and after: are for sequences of one length under a head "
            "that sees position. Remove the columns, or --head pooling."
        )
    return context


def _validation(
    valid: pd.DataFrame, config: ClassifierConfig, path: str | Path
) -> tuple[list[Codes], npt.NDArray[np.intp]]:
    """Encode the validation rows; one that the model cannot take is found before training."""
    codes = encode_all(valid, config.context)
    for name, sequence in zip(valid["id"], codes, strict=True):
        length = len(sequence) - 2 * config.context
        if config.length is not None and length != config.length:
            raise InputError(
                f"{path}: {name}, a validation row, has {length} bases, but all training "
                f"rows have {config.length}. Cut it to that length, or use --head pooling."
            )
    return codes, targets_of(valid["label"], config)


def _accuracy(
    model: Classifier,
    codes: Sequence[Codes],
    targets: npt.NDArray[np.intp],
    precision: str | None,
) -> float:
    likeliest = predict_probabilities(model, codes, precision=precision).argmax(axis=1)
    return float((likeliest == targets).mean())


def _lengths(train: pd.DataFrame, path: str | Path, head: str) -> list[str]:
    """Say what several lengths change; raises `InputError` if a few rows alone are to blame."""
    lengths = train["sequence"].str.len()
    if head != "auto" or lengths.nunique() == 1:
        return []
    usual = lengths.mode()[0]
    odd = lengths[lengths != usual]
    if len(odd) < ODD_LENGTHS * len(lengths):
        row = odd.index[0]
        raise InputError(
            f"{path}, row {row + 1} ({train['id'][row]}): has {odd.iloc[0]} bases, but "
            f"{len(lengths) - len(odd):,} of {len(lengths):,} rows have {usual}. Cut such rows to "
            "that length or remove them; or, to learn from sequences of any length, --head pooling."
        )
    return [
        f"Sequences have {lengths.min():,} to {lengths.max():,} bases, so a network that does not "
        "see position is trained. Cut to one length, they are for a head that does."
    ]


def _repeats(train: pd.DataFrame) -> Iterator[str]:
    """Say which sequences stand in several rows."""
    repeated = train[train.duplicated("sequence", keep=False)]
    if repeated.empty:
        return
    classes = repeated.groupby("sequence", sort=False)["label"].nunique()
    if (disputed := classes[classes > 1]).size:
        ids = repeated.loc[repeated["sequence"] == disputed.index[0], "id"].head(2)
        yield (
            f"{len(disputed):,} sequences stand in rows of different classes (the first: "
            f"{' and '.join(map(str, ids))}): no model can have all of them right."
        )
    surplus = len(repeated) - len(classes)
    yield f"{surplus:,} of {len(train):,} rows repeat the sequence of another and tell nothing new."


def _anchor(
    table: pd.DataFrame, path: str | Path, length: int | None, notes: list[str]
) -> int | None:
    """Return where in its windows the site lies that a table was cut at, if it tells."""
    if length is None or "anchor" not in table:
        return None
    anchors = table["anchor"].unique()
    if len(anchors) > 1 or not isinstance(anchors[0], np.integer):
        shown = ", ".join(map(str, anchors[:3])) + ", ..." * (len(anchors) > 3)
        notes.append(f"Column anchor holds {shown}, not one whole number, and is not used.")
        return None
    anchor = int(anchors[0])
    if anchor < 0:
        raise InputError(
            f"{path}, column anchor: got {anchor}; it counts the bases of a sequence before its "
            f"site, 0 to {length - 1}. If {-anchor} stand before it, write {-anchor}."
        )
    if anchor >= length:
        notes.append(
            f"Column anchor holds {anchor}: the site is no base of these {length}. A scan will "
            "name windows by their middle instead."
        )
        return None
    return anchor


def _card(model: Classifier, training: dict[str, Any]) -> str:
    config = model.config
    classes = "\n".join(f"- {name}: {n:,} sequences" for name, n in training["classes"].items())
    length = f"{config.length} bases" if config.length else "any length"
    if config.context:
        length += f" between {config.context} bases of context"
    network = training["recipe"]["network"]
    stages = "\n".join(
        f"- {'all layers' if s['layers'] is None else str(s['layers']) + ' LSTM layers + head'}: "
        f"{s['epochs']} epochs at {s['learning_rate']:g}"
        for s in ([] if network is None else network["stages"])
    )
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
`{training["table"]["file"]}`, sha256 `{training["table"]["sha256"]}`; trained on
{training["n_train"]:,} sequences:

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
