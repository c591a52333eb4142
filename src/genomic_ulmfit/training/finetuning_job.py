"""From a labelled table to a folder that holds a classifier and says what it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from genomic_ulmfit.console import counted
from genomic_ulmfit.data.tables import is_simulated, read_labelled
from genomic_ulmfit.dna.alphabet import Codes
from genomic_ulmfit.errors import InputError, listed
from genomic_ulmfit.files import file_sha256
from genomic_ulmfit.models.classifier import Classifier, ClassifierConfig
from genomic_ulmfit.models.folder import require_no_model
from genomic_ulmfit.models.prediction import predict_probabilities
from genomic_ulmfit.models.store import save_classifier
from genomic_ulmfit.training.by_labels import train_by_labels
from genomic_ulmfit.training.classifier_card import classifier_card, classifier_facts
from genomic_ulmfit.training.classifier_setup import (
    choose_encoder,
    choose_recipe,
    classifier_config,
    encode_all,
    load_start,
    targets_of,
)

FEW_FOR_A_NETWORK = 400
"""Labelled sequences. With fewer a linear probe does better (docs/few-labels.md)."""

ODD_LENGTHS = 0.1
"""Share of rows, below which those of unusual length are taken for a mistake."""


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

    Raises
    ------
    InputError
        If `out` holds a finished model or cannot be written, an argument cannot be used or does
        not go with another, or the table cannot be read or does not suit the model.
    """
    out = Path(out)
    require_no_model(out)
    folder = choose_encoder(encoder, preset)
    start, architecture = load_start(folder, preset)
    table = read_labelled(table_path, min_length=architecture.tokenizer.k, require_classes=True)
    train = table[table["split"] == "train"] if "split" in table else table
    # Of what was read, whatever becomes of the file while this trains.
    read = {"file": Path(table_path).name, "sha256": file_sha256(table_path)}
    context = _context_length(table, table_path, head, architecture.tokenizer.stride)
    notes = [*_lengths(train, table_path, head), *_alike(train), *_repeats(train)]
    codes = encode_all(train, context)
    config = classifier_config(codes, train["label"].to_numpy(), architecture, head, context)
    anchor = _anchor(table, table_path, config.length, notes)
    recipe = choose_recipe(len(codes), config, start, head, epochs)
    if len(codes) < FEW_FOR_A_NETWORK and recipe.probe is None:
        notes.append(
            f"{len(codes):,} sequences are few to train a network on: it may have learnt them by "
            "heart, so keep some for a test. From sequences of one length and a pretrained encoder "
            "--head auto fits a linear probe, which learns more."
        )
    valid = table[table["split"] == "valid"] if "split" in table else table[:0]
    watched = _validation(valid, config, table_path) if len(valid) else None
    training = classifier_facts(
        train["label"],
        folder,
        recipe,
        seed,
        table=read,
        simulated=is_simulated(train),
        anchor=anchor,
        notes=notes,
    )
    model, training["curve"] = train_by_labels(
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
    if watched is not None:
        training["valid_accuracy"] = _accuracy(model, *watched, precision)
    save_classifier(model, out, classifier_card(model, training), training)
    return training


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
        f"Sequences have {lengths.min():,} to {lengths.max():,} bases, so what is trained does not "
        "see where in a sequence something stands. Cut all to one length around what they share "
        "(a start codon, a TSS) and it will, which tells more with the same labels."
    ]


def _alike(train: pd.DataFrame) -> Iterator[str]:
    """Say which classes have names that differ in their capitals alone."""
    names: dict[str, list[str]] = {}
    for name in sorted({str(label) for label in train["label"]}):
        names.setdefault(name.casefold(), []).append(name)
    for alike in names.values():
        if len(alike) > 1:
            yield (
                f"{' and '.join(alike)} are {len(alike)} classes. If one is meant, write its "
                "labels alike."
            )


def _repeats(train: pd.DataFrame) -> Iterator[str]:
    """Say which sequences stand in several rows."""
    repeated = train[train.duplicated("sequence", keep=False)]
    if repeated.empty:
        return
    classes = repeated.groupby("sequence", sort=False)["label"].nunique()
    if (disputed := classes[classes > 1]).size:
        ids = repeated.loc[repeated["sequence"] == disputed.index[0], "id"].head(2)
        yield (
            f"{counted(len(disputed), 'sequence')} with rows of different classes (the first: "
            f"{' and '.join(map(str, ids))}): no model can have all of them right."
        )
    alike = repeated[~repeated["sequence"].isin(disputed.index)]
    if surplus := len(alike) - alike["sequence"].nunique():
        yield (
            f"{surplus:,} of {len(train):,} rows repeat the sequence of another and tell nothing "
            "new."
        )


def _anchor(
    table: pd.DataFrame, path: str | Path, length: int | None, notes: list[str]
) -> int | None:
    """Return where in its windows the site lies that a table was cut at, if it tells."""
    if length is None or "anchor" not in table:
        return None
    anchors = table["anchor"].unique()
    if len(anchors) > 1 or not isinstance(anchors[0], np.integer):
        shown = listed("an empty cell" if anchor == "" else anchor for anchor in anchors)
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
