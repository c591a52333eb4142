"""How many labels are enough: every model on the same nested subsets of a table's train rows.

Every cell (size, repeat, model) is written to a file of its own when it is done, so that an
interrupted study goes on where it stopped, and one with more repeats adds to what is there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

import genomic_ulmfit
from genomic_ulmfit.data.readings import Readings
from genomic_ulmfit.data.tables import is_simulated, read_labelled
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.evaluation.baselines import BASELINES
from genomic_ulmfit.evaluation.estimates import bootstrap_mean, paired_difference
from genomic_ulmfit.evaluation.metrics import mean_score, weighted_scores
from genomic_ulmfit.files import file_sha256, require_writable
from genomic_ulmfit.models.classifier import ClassifierConfig
from genomic_ulmfit.models.config import EncoderConfig
from genomic_ulmfit.models.config import preset as preset_config
from genomic_ulmfit.models.language_model import LanguageModel
from genomic_ulmfit.models.prediction import predict_probabilities
from genomic_ulmfit.models.pretrained import PretrainedEncoder, read_encoder
from genomic_ulmfit.models.store import load_language_model
from genomic_ulmfit.reports.learning_curve import (
    CURVE_METRICS,
    LearningCurve,
    curve_title,
    label,
    write_learning_curve,
)
from genomic_ulmfit.reports.names import WITHOUT_ENCODER
from genomic_ulmfit.reports.numbers import json_ready
from genomic_ulmfit.studies.encoders import SHIPPED
from genomic_ulmfit.studies.kept import kept
from genomic_ulmfit.studies.rows import Part, Predict, train_row
from genomic_ulmfit.studies.settings import settle
from genomic_ulmfit.training.by_labels import train_by_labels
from genomic_ulmfit.training.classifier_setup import BOTH_STRANDS, classifier_config, targets_of
from genomic_ulmfit.training.features import States, cached_states
from genomic_ulmfit.training.probe_fit import head_probabilities
from genomic_ulmfit.training.recipes import config_by_recipe, recipe_by_labels

SIZES = "20,50,100,200,500,1000,3000,all"
ALL = "all"
REPEATS_OF_ALL = 3
"""Of the size "all", whose subsets are all the same: only seeds differ."""

NAIVE = "naive"

RIGHT = "right"
"""What a cell's file calls which test sequences were told right: a digit of each, 1 for right."""


@dataclass(frozen=True)
class SubsetCell:
    """One model, trained on one subset."""

    size: str
    repeat: int
    model: str

    def __str__(self) -> str:
        return f"{self.size} labels, repeat {self.repeat}, {label(self.model)}"

    def path(self, out: Path) -> Path:
        """Return where its result is kept."""
        return out / "cells" / self.size / f"{self.model}-{self.repeat}.json"


def learning_curve(
    table_path: str | Path,
    out: str | Path,
    *,
    encoders: Sequence[str | Path],
    sizes: str | None = None,
    repeats: int = 10,
    seed: int = 0,
    preset: str | None = None,
    command: str = "",
    say: Callable[[str], None] = print,
    progress: bool = True,
) -> LearningCurve:
    """Run the study, or what is left of it, and write its report.

    Parameters
    ----------
    table_path : path-like
        Labelled sequences of one length with a split column; subsets are drawn from the rows
        marked train, models are tested on those marked test.
    out : path-like
        Folder for everything: frozen features, one file per cell, results, table, figure, page.
    encoders : sequence of str or path-like
        Language models by folder or name; each is a row.
    sizes : str, optional
        Numbers of labelled sequences, with commas; "all" for every training row. Those of `SIZES`
        that the table has rows for if not given.
    repeats : int
        Subsets of each size.
    seed : int
    preset : str, optional
        Size of the naive network; that of the first encoder if not given, or "small".
    command : str
        What the user typed, for the report.
    say : callable
        Takes a line about what is going on.
    progress : bool
        Whether to draw progress bars.

    Returns
    -------
    LearningCurve
        As written to ``results.json``.

    Raises
    ------
    InputError
        If the table has no split or too few rows, sizes make no sense, or `out` holds a study
        with other settings.
    """
    out = Path(out)
    require_writable(out)
    if repeats < 1:
        raise InputError(f"--repeats: got {repeats}, allowed is 1 or more.")
    rows = encoder_rows(encoders)
    architecture = _naive_architecture(preset, list(rows.values()))
    table = read_labelled(table_path, min_length=architecture.tokenizer.k, require_classes=True)
    data = _Data.of(table, Path(table_path))
    chosen = _parse_sizes(sizes, data)
    precision = settle(
        out,
        {
            "table_sha256": file_sha256(table_path),
            "seed": seed,
            "naive": architecture.to_dict(),
            "encoders": {row: encoder.sha256 for row, encoder in rows.items()},
        },
    )
    models = (NAIVE, *rows, WITHOUT_ENCODER, *BASELINES)
    cells = [
        SubsetCell(size, repeat, model)
        for size in chosen
        for repeat in range(min(repeats, REPEATS_OF_ALL) if size == ALL else repeats)
        for model in models
    ]
    bench = _Bench(data, rows, architecture, out / "features", precision, progress)
    done: dict[SubsetCell, dict[str, Any]] = {}
    for number, cell in enumerate(cells, start=1):
        done[cell] = kept(cell.path(out), partial(bench.run, cell, seed))
        say(f"{number}/{len(cells)}: {cell}: accuracy {done[cell]['accuracy']:.4f}")

    results: LearningCurve = {
        "title": curve_title(simulated=data.facts()["simulated"]),
        "command": command,
        "version": genomic_ulmfit.__version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "table": data.facts(),
        "encoders": {
            row: {"name": encoder.name, "sha256": encoder.sha256} for row, encoder in rows.items()
        },
        "models": list(models),
        "sizes": chosen,
        "repeats": repeats,
        "seed": seed,
        "precision": precision,
        "seconds": sum(result["seconds"] for result in done.values()),
        "rows": [{k: v for k, v in one.items() if k != RIGHT} for one in done.values()],
        "summary": [
            {
                "model": model,
                "size": size,
                "n_labels": of_size[0]["n_labels"],
                "repeats": len(of_size),
                **{
                    name: dict(
                        zip(
                            ("mean", "low", "high"),
                            mean_score([one[name] for one in of_size], name),
                            strict=True,
                        )
                    )
                    for name in CURVE_METRICS
                },
                "sd": float(np.std([one["accuracy"] for one in of_size], ddof=len(of_size) > 1)),
                "seconds": float(np.mean([one["seconds"] for one in of_size])),
            }
            for model in models
            for size in chosen
            for of_size in [_of(done, size, model)]
        ],
        "differences": [
            {
                "a": row,
                "b": other,
                "size": size,
                **_difference(_of(done, size, row), _of(done, size, other)),
            }
            for row in rows
            for other in models
            if other != row
            for size in chosen
        ],
    }
    results = json_ready(results)
    write_learning_curve(results, out)
    return results


def encoder_rows(encoders: Sequence[str | Path]) -> dict[str, PretrainedEncoder]:
    """Return language models by the name of their row: that of the seed's table, or their own."""
    rows: dict[str, PretrainedEncoder] = {}
    names = {shipped: row for row, shipped in SHIPPED.items()}
    for one in encoders:
        encoder = read_encoder(one)
        row = names.get(encoder.name, encoder.name)
        if row in (*rows, NAIVE, WITHOUT_ENCODER, *BASELINES):
            raise InputError(
                f"--encoder {one}: there is a row called {row} already; rename the folder."
            )
        rows[row] = encoder
    return rows


def draw_subset(
    targets: npt.NDArray[np.intp], size: str, seed: tuple[int, int]
) -> npt.NDArray[np.intp]:
    """Draw a balanced subset; for one seed, the smaller ones are parts of the larger.

    Parameters
    ----------
    targets : numpy.ndarray of int, shape (n,)
        Class of each row.
    size : str
        How many rows, or "all". Where it is no multiple of the number of classes, the first
        classes have one more.
    seed : (int, int)
        Study and repeat.

    Returns
    -------
    numpy.ndarray of int
        Row numbers, ascending.
    """
    if size == ALL:
        return np.arange(len(targets))
    n_classes = int(targets.max()) + 1
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(np.flatnonzero(targets == label)) for label in range(n_classes)]
    each, rest = divmod(int(size), n_classes)
    return np.sort(
        np.concatenate([order[: each + (label < rest)] for label, order in enumerate(orders)])
    )


@dataclass(frozen=True, eq=False)
class _Data:
    """Train and test rows of a table."""

    path: Path
    train_table: pd.DataFrame
    train: Part
    test: Part
    config: ClassifierConfig

    @classmethod
    def of(cls, table: pd.DataFrame, path: Path) -> _Data:
        if "split" not in table:
            raise InputError(
                f"{path}: no split column. Mark each row train or test, with no homologues across; "
                "genomic-ulmfit data promoters does."
            )
        train, test = (
            table[table["split"] == name].reset_index(drop=True) for name in ("train", "test")
        )
        if test.empty:
            raise InputError(f"{path}: no row is marked test. Models are compared on such rows.")
        if len({*train["sequence"].str.len(), *test["sequence"].str.len()}) > 1:
            raise InputError(
                f"{path}: the sequences are of several lengths; a learning curve needs one. Cut "
                "them to windows."
            )
        # Any architecture will do here: classes and length are what is wanted.
        part = Part.of(train)
        config = classifier_config(part.codes, part.labels, preset_config("tiny"))
        return cls(path, train, part, Part.of(test), config)

    @property
    def train_targets(self) -> npt.NDArray[np.intp]:
        return targets_of(self.train.labels, self.config)

    @property
    def test_targets(self) -> npt.NDArray[np.intp]:
        return targets_of(self.test.labels, self.config)

    def config_of(self, architecture: EncoderConfig, readings: Readings) -> ClassifierConfig:
        train = self.train
        return classifier_config(train.codes, train.labels, architecture, readings=readings)

    def facts(self) -> dict[str, Any]:
        """Say what the study ran on."""
        train = self.train_table
        framing = set(train["framing"]) if "framing" in train else set()
        contigs = sorted(set(train["contig"])) if "contig" in train else []
        return {
            "file": self.path.name,
            "sha256": file_sha256(self.path),
            "n_train": len(train),
            "n_test": len(self.test.codes),
            "length": self.config.length,
            "classes": list(self.config.classes),
            "framing": framing.pop() if len(framing) == 1 else None,
            "contigs": contigs[:5],
            "simulated": is_simulated(train),
        }


@dataclass(eq=False)
class _Bench:
    """Trains and tests one cell after another; what they share is loaded once."""

    data: _Data
    rows: dict[str, PretrainedEncoder]
    architecture: EncoderConfig
    cache: Path
    precision: str
    progress: bool

    def __post_init__(self) -> None:
        self.loaded: dict[str, tuple[LanguageModel, States, States]] = {}

    def run(self, cell: SubsetCell, first_seed: int) -> dict[str, Any]:
        """Train and test one cell; each repeat has a subset and a seed of its own."""
        targets, test = self.data.train_targets, self.data.test
        subset = draw_subset(targets, cell.size, (first_seed, cell.repeat))
        seed = first_seed + cell.repeat
        encoder, of_train, of_test = self._encoder(cell.model)

        def network() -> Predict:
            model, _ = train_by_labels(
                train.codes,
                targets[subset],
                self._config(self.rows.get(cell.model)),
                encoder=encoder,
                states=None if of_train is None else of_train[subset],
                seed=seed,
                precision=self.precision,
                progress=self.progress,
            )
            head = model.probe_head
            if head and model.config.head == "probe" and of_test is not None:
                # The test part's states are at hand, and it is all that is predicted.
                return lambda part: head_probabilities(head, part.codes, of_test)
            return lambda part: predict_probabilities(model, part.codes, precision=self.precision)

        start = time.perf_counter()  # Frozen features are made once for the whole study.
        train = self.data.train.take(subset)
        predict = train_row(cell.model, train, network, seed=seed, progress=self.progress)
        probabilities = predict(test).astype(np.float64)
        seconds = time.perf_counter() - start
        once = np.ones((1, len(test.codes)))
        scores = weighted_scores(self.data.test_targets, probabilities, once)
        right = probabilities.argmax(1) == self.data.test_targets
        return {
            "model": cell.model,
            "size": cell.size,
            "repeat": cell.repeat,
            "n_labels": len(subset),
            **{name: _number(scores[name][0]) for name in CURVE_METRICS},
            "seconds": round(seconds, 2),
            RIGHT: "".join(map(str, right.astype(int))),
        }

    def _config(self, encoder: PretrainedEncoder | None) -> ClassifierConfig:
        """Return the classifier; the naive one reads the strand given, as the seed's did."""
        if encoder is None:
            return self.data.config_of(self.architecture, Readings())
        # Whatever the number of labels, a recipe with an encoder has a probe.
        recipe = recipe_by_labels(1, pretrained=True, one_length=True)
        return config_by_recipe(self.data.config_of(encoder.architecture, BOTH_STRANDS), recipe)

    def _encoder(self, row: str) -> tuple[LanguageModel | None, States | None, States | None]:
        if row not in self.rows:
            return None, None, None
        if row not in self.loaded:
            one = self.rows[row]
            model = load_language_model(one.folder)
            of_train, of_test = (
                cached_states(
                    model.encoder,
                    one.sha256,
                    codes,
                    self.cache,
                    readings=self._config(one).readings,
                    precision=self.precision,
                )
                for codes in (self.data.train.codes, self.data.test.codes)
            )
            self.loaded[row] = model, of_train, of_test
        return self.loaded[row]


def _difference(a: list[dict[str, Any]], b: list[dict[str, Any]]) -> dict[str, Any]:
    """Compare two models over subsets, and over test sequences."""
    over_subsets = paired_difference([one["accuracy"] for one in a], [one["accuracy"] for one in b])
    # Of each test sequence, in how many more subsets one of them has it right.
    shares = [
        np.array([list(map(int, one[RIGHT])) for one in of_model]).mean(0) for of_model in (a, b)
    ]
    over_sequences = bootstrap_mean(shares[0] - shares[1])
    return {
        "difference": over_subsets.value,
        "low": over_subsets.low,
        "high": over_subsets.high,
        "over_sequences": {"low": over_sequences.low, "high": over_sequences.high},
    }


def _of(done: dict[SubsetCell, dict[str, Any]], size: str, model: str) -> list[dict[str, Any]]:
    return [one for cell, one in done.items() if (cell.size, cell.model) == (size, model)]


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _naive_architecture(preset: str | None, encoders: list[PretrainedEncoder]) -> EncoderConfig:
    if preset is None and encoders:
        return encoders[0].architecture
    return preset_config(preset or "small")


def _parse_sizes(sizes: str | None, data: _Data) -> list[str]:
    targets = data.train_targets
    counts = np.bincount(targets, minlength=len(data.config.classes))
    largest = int(counts.min()) * len(counts)
    least = 2 * len(counts)
    if sizes is None:
        fitting = [
            size for size in SIZES.split(",") if size == ALL or least <= int(size) <= largest
        ]
        sizes = ",".join(fitting)
    parsed = []
    for word in (word.strip() for word in sizes.split(",")):
        if word != ALL and not (word.isdecimal() and least <= int(word) <= largest):
            raise InputError(
                f"--sizes: got {word!r}; allowed are numbers from {least} to {largest:,} (balanced "
                f"classes, of which the smallest has {counts.min():,} rows marked train) and all."
            )
        parsed.append(word if word == ALL else str(int(word)))
    if len(set(parsed)) < len(parsed):
        raise InputError(f"--sizes: {sizes} names a size twice.")
    return sorted(parsed, key=lambda size: len(targets) + 1 if size == ALL else int(size))
