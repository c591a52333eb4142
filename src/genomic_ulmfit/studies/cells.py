"""One cell of the study: a model trained on one split with one seed, and tested.

Every cell is written to a file of its own when it is done, so that an interrupted study goes on
where it stopped, and processes that are given different cells can share one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genomic_ulmfit.data.promoters import promoter_table
from genomic_ulmfit.data.readings import Readings
from genomic_ulmfit.data.splits import split_seed, split_strict
from genomic_ulmfit.dna.genome import Genome
from genomic_ulmfit.evaluation.metrics import evaluate_predictions
from genomic_ulmfit.models.classifier import Classifier
from genomic_ulmfit.models.config import preset as preset_config
from genomic_ulmfit.models.prediction import predict_probabilities
from genomic_ulmfit.models.pretrained import PretrainedEncoder
from genomic_ulmfit.models.store import load_language_model
from genomic_ulmfit.reports.names import METRICS
from genomic_ulmfit.reports.numbers import json_ready
from genomic_ulmfit.studies.rows import Part, Predict, train_row
from genomic_ulmfit.training.by_labels import train_by_labels
from genomic_ulmfit.training.classifier_setup import BOTH_STRANDS, classifier_config, targets_of

PROTOCOLS: dict[str, Callable[..., pd.DataFrame]] = {"strict": split_strict, "seed": split_seed}


@dataclass(frozen=True)
class Network:
    """How one of the network rows is trained: as `genomic-ulmfit train` does with as many labels.

    Parameters
    ----------
    encoder : str or None
        Row of the language model that it starts from.
    head : {"position", "pooling"}
    readings : Readings
    """

    encoder: str | None
    head: str = "position"
    readings: Readings = BOTH_STRANDS


NETWORKS = {
    # One strand, as the seed's naive model: the other takes as long again to learn.
    "naive": Network(None, readings=Readings()),
    "e_coli": Network("e_coli"),
    "e_coli_seed_head": Network("e_coli", "pooling"),
    "ensemble": Network("ensemble"),
    "ensemble_seed_head": Network("ensemble", "pooling"),
}


@dataclass(frozen=True)
class Cell:
    """One trained model on one split."""

    protocol: str
    model: str
    seed: int

    def __str__(self) -> str:
        return f"{self.model}, protocol {self.protocol}, seed {self.seed}"

    def path(self, out: Path) -> Path:
        """Return where its result is kept."""
        return out / "cells" / self.protocol / f"{self.model}-{self.seed}.json"


def seconds_left(done: Mapping[Cell, dict[str, Any]], ahead: Sequence[Cell]) -> float | None:
    """Estimate how long some cells will take from those that are done.

    Parameters
    ----------
    done : mapping of Cell to dict
        As from `run_cell`.
    ahead : sequence of Cell

    Returns
    -------
    float or None
        Seconds: for each cell the mean of its model's so far. None if there is a model of which
        none is done, which may be the slowest of all.
    """
    of_model: dict[str, list[float]] = {}
    for cell, result in done.items():
        of_model.setdefault(cell.model, []).append(result["row"]["seconds"])
    if any(cell.model not in of_model for cell in ahead):
        return None
    return sum(float(np.mean(of_model[cell.model])) for cell in ahead)


class Tables:
    """Labelled tables, one per protocol and seed, made when first asked for."""

    def __init__(self, genome: Genome) -> None:
        self.genome = genome
        self.tables: dict[tuple[str, int], pd.DataFrame] = {}

    def of(self, protocol: str, seed: int) -> pd.DataFrame:
        """Return the table of a protocol and seed, with its split."""
        key = (protocol, seed)
        if key not in self.tables:
            windows = promoter_table(self.genome, seed=seed)
            self.tables[key] = PROTOCOLS[protocol](windows, seed=seed)
        return self.tables[key]


def run_cell(
    cell: Cell,
    table: pd.DataFrame,
    encoder: PretrainedEncoder | None,
    *,
    preset: str,
    precision: str,
    progress: bool = True,
) -> dict[str, Any]:
    """Train and test one cell.

    Parameters
    ----------
    cell : Cell
    table : pandas.DataFrame
        Labelled windows with the cell's split.
    encoder : PretrainedEncoder or None
        What a network starts from.
    preset : str
        Size of the network.
    precision : {"bf16", "fp32"}
    progress : bool

    Returns
    -------
    dict
        ``row``, ``curve``, and the test part's ``labels`` and ``probabilities``, JSON-able.
    """
    train, valid, test = (Part.of(table[table["split"] == s]) for s in ("train", "valid", "test"))
    curve: list[dict[str, Any]] = []

    def network() -> Predict:
        classifier, points = _train_network(
            NETWORKS[cell.model], train, valid, encoder, cell.seed, preset, precision, progress
        )
        curve.extend(points)
        return lambda part: predict_probabilities(classifier, part.codes, precision=precision)

    start = time.perf_counter()
    predict = train_row(cell.model, train, network, seed=cell.seed, progress=progress)
    probabilities = predict(test)
    seconds = time.perf_counter() - start
    scores = evaluate_predictions(test.labels, probabilities, ("other", "promoter"))
    return json_ready(
        {
            "row": {
                "model": cell.model,
                "protocol": cell.protocol,
                "seed": cell.seed,
                **{name: getattr(scores, name).value for name in METRICS},
                "n_test": scores.n,
                "seconds": round(seconds, 1),
            },
            "curve": curve,
            "labels": test.labels.tolist(),
            "probabilities": probabilities[:, 1].round(6).tolist(),
        }
    )


def _train_network(
    network: Network,
    train: Part,
    valid: Part,
    start: PretrainedEncoder | None,
    seed: int,
    preset: str,
    precision: str,
    progress: bool,
) -> tuple[Classifier, list[dict[str, Any]]]:
    encoder = None if start is None else load_language_model(start.folder)
    config = classifier_config(
        train.codes,
        train.labels,
        preset_config(preset),
        network.head,
        readings=network.readings,
    )
    return train_by_labels(
        train.codes,
        targets_of(train.labels, config),
        config,
        encoder=encoder,
        valid=(valid.codes, targets_of(valid.labels, config)),
        seed=seed,
        precision=precision,
        progress=progress,
    )
