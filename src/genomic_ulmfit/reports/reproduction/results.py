"""The shape of a study's results, as `results.json` holds them.

Everything a report shows comes from one plain dictionary of this shape, so that a report can be
made again from `results.json` without training anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from genomic_ulmfit.evaluation.metrics import mean_score
from genomic_ulmfit.reports.names import Metric
from genomic_ulmfit.reports.numbers import json_ready

Predictions = Mapping[
    tuple[str, str],
    Sequence[tuple[npt.NDArray[np.integer], npt.NDArray[np.floating]]],
]
"""(model, protocol) -> per seed the labels (1 is promoter) and the probabilities of promoter."""


class Estimate(TypedDict):
    """A mean over seeds and its 95 % interval; without an interval when one seed was run."""

    mean: float | None
    low: float | None
    high: float | None


class GenomeFacts(TypedDict):
    """The genome a study ran on: `source` is where the file came from, `sha256` is its own."""

    name: str
    n_bases: int
    n_genes: int
    sha256: str
    simulated: bool
    source: str


class Machine(TypedDict):
    """What a study ran on."""

    cpu: str
    cores: int
    precision: str
    torch: str


class Row(TypedDict):
    """One model, trained once with one seed and scored on one protocol's test split.

    `seconds` is the wall-clock time of training and scoring, without pretraining.
    """

    model: str
    protocol: str
    seed: int
    accuracy: float | None
    precision: float | None
    recall: float | None
    specificity: float | None
    mcc: float | None
    auroc: float | None
    auprc: float | None
    n_test: int
    seconds: float


class Summary(TypedDict):
    """One model on one protocol, over its seeds."""

    model: str
    protocol: str
    n_seeds: int
    n_test: int
    accuracy: Estimate
    precision: Estimate
    recall: Estimate
    specificity: Estimate
    mcc: Estimate
    auroc: Estimate
    auprc: Estimate
    seconds: float


class Comparison(TypedDict):
    """How far model `a` lies above model `b`, with a 95 % interval made by `method`.

    The same pair may be compared by several methods, each an entry of its own.
    """

    a: str
    b: str
    protocol: str
    metric: Metric
    difference: float | None
    low: float | None
    high: float | None
    method: str


class LanguageModelPoint(TypedDict):
    """Losses in nats per token after `tokens` training tokens."""

    tokens: int
    train_loss: float | None
    valid_loss: float | None


class GenomeRead(TypedDict):
    """A genome in a language model's training text."""

    name: str
    n_bases: int
    simulated: bool


class LanguageModelFacts(TypedDict):
    """A language model that a row starts from, scored on held-out regions of its own genomes.

    `name` is the row (the seed's head below it starts from the same), `encoder` and `sha256`
    are the model's own; one that is not `shipped` was trained in the study or given by the user.
    `has_read_genome` tells whether the study's genome is among its `genomes`, `windows_cut` how
    many windows were cut out of its text because somebody tests on them. `loss` is in nats per
    token; `bits_per_base_on_genome` is of the study's genome alone, None if not measured;
    `markov_bits_per_base` maps the order of a Markov model, as a string, to its score on the same
    held-out sequence.
    """

    name: str
    encoder: str
    sha256: str
    shipped: bool
    genomes: list[GenomeRead]
    has_read_genome: bool
    windows_cut: int
    epochs: float
    tokens: int
    seconds: float
    loss: float
    accuracy: float
    perplexity: float
    bits_per_base: float
    bits_per_base_on_genome: float | None
    informed_random_bits_per_base: float
    markov_bits_per_base: dict[str, float]
    curve: list[LanguageModelPoint]


class CurvePoint(TypedDict):
    """One logged moment of a classifier's training; `stage` names what was unfrozen."""

    step: int
    epoch: float
    stage: str
    train_loss: float | None
    valid_loss: float | None
    valid_accuracy: float | None


class Curve(TypedDict):
    """How one classifier's training went."""

    model: str
    protocol: str
    seed: int
    points: list[CurvePoint]


class StudyResults(TypedDict):
    """All of a study: what `results.json` holds and every report is made from.

    A `quick` study has the strict protocol alone, without the seed's head. `leakage` maps a
    protocol to its counts: `n_test`, `test_sharing_15mer_with_train` and their ratio `share`, and
    whatever else the study measured.
    """

    title: str
    command: str
    version: str
    created: str
    preset: str
    quick: bool
    seeds: list[int]
    genome: GenomeFacts
    machine: Machine
    rows: list[Row]
    summary: list[Summary]
    comparisons: list[Comparison]
    leakage: dict[str, dict[str, Any]]
    language_models: list[LanguageModelFacts]
    curves: list[Curve]
    notes: list[str]


def summarise(rows: Sequence[Row]) -> list[Summary]:
    """Gather rows into one summary per model and protocol.

    Parameters
    ----------
    rows : sequence of Row
        One per model, protocol and seed.

    Returns
    -------
    list of Summary
        In the order in which model and protocol first appear. An estimate is the mean over
        seeds with Student's t interval, cut to the range the metric can take; it is None where
        the metric is not defined on some seed. `n_test` is the smallest over seeds.
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["model"], row["protocol"]), []).append(row)
    return [_summarise_one(group) for group in groups.values()]


def _summarise_one(rows: Sequence[Row]) -> Summary:
    return {
        "model": rows[0]["model"],
        "protocol": rows[0]["protocol"],
        "n_seeds": len(rows),
        "n_test": min(row["n_test"] for row in rows),
        "accuracy": _estimate(rows, "accuracy"),
        "precision": _estimate(rows, "precision"),
        "recall": _estimate(rows, "recall"),
        "specificity": _estimate(rows, "specificity"),
        "mcc": _estimate(rows, "mcc"),
        "auroc": _estimate(rows, "auroc"),
        "auprc": _estimate(rows, "auprc"),
        "seconds": sum(row["seconds"] for row in rows) / len(rows),
    }


def _estimate(rows: Sequence[Row], metric: Metric) -> Estimate:
    mean, low, high = mean_score([json_ready(row[metric]) for row in rows], metric)
    return {"mean": mean, "low": low, "high": high}
