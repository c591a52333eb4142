"""Labelled sequences of many species through one recipe, beside the baselines.

Every cell (data set, model) is written to a file of its own when it is done, so that an
interrupted benchmark goes on where it stopped, and one with another table adds to what is there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from genomic_ulmfit.data.splits import TEST, TRAIN, shares_word_with_train
from genomic_ulmfit.data.tables import read_labelled
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.evaluation.baselines import BASELINES, ONE_LENGTH
from genomic_ulmfit.evaluation.estimates import Estimate
from genomic_ulmfit.evaluation.metrics import evaluate_predictions, paired_bootstrap_difference
from genomic_ulmfit.files import file_sha256, require_writable, write_json, write_text
from genomic_ulmfit.models.prediction import predict_probabilities
from genomic_ulmfit.models.pretrained import PretrainedEncoder, read_encoder
from genomic_ulmfit.models.store import load_language_model
from genomic_ulmfit.reports.external import markdown_table
from genomic_ulmfit.reports.names import WITHOUT_ENCODER_EXTERNAL
from genomic_ulmfit.studies.kept import kept
from genomic_ulmfit.studies.rows import Part, Predict, train_row
from genomic_ulmfit.studies.settings import settle
from genomic_ulmfit.training.by_labels import train_by_labels
from genomic_ulmfit.training.classifier_setup import classifier_config, targets_of

METRICS = ("auroc", "mcc", "accuracy")
SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz")

ENCODER = "encoder"
"""The row of the pretrained encoder."""

Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Train and test rows of one file.

    Parameters
    ----------
    name : str
        File name without its suffix.
    sha256 : str
    train, test : pandas.DataFrame
        With columns id, sequence and label.
    shared : numpy.ndarray of bool, shape (len(test),)
        Which test sequences share a 15-mer with a train sequence, on either strand.
    """

    name: str
    sha256: str
    train: pd.DataFrame
    test: pd.DataFrame
    shared: npt.NDArray[np.bool_]

    @property
    def length(self) -> int | None:
        """Bases of every sequence; None if they have several lengths."""
        lengths = {*self.train["sequence"].str.len(), *self.test["sequence"].str.len()}
        return lengths.pop() if len(lengths) == 1 else None

    @property
    def models(self) -> list[str]:
        """The encoder's row, what is left of it without, and baselines that take such sequences."""
        if self.length is None:
            return [ENCODER, *(name for name in BASELINES if name not in ONE_LENGTH)]
        return [ENCODER, WITHOUT_ENCODER_EXTERNAL, *BASELINES]

    @property
    def classes(self) -> list[Any]:
        """Labels, sorted."""
        classes: list[Any] = np.unique(self.train["label"].to_numpy()).tolist()
        return classes

    def takes(self, trained: Dataset) -> bool:
        """Tell whether models of another data set can be tested on this one."""
        return self.classes == trained.classes and trained.length in (None, self.length)

    @property
    def test_targets(self) -> npt.NDArray[np.intp]:
        """Class of each test row."""
        return np.searchsorted(np.array(self.classes), self.test["label"].to_numpy())


def read_datasets(folder: str | Path, *, min_length: int) -> list[Dataset]:
    """Read every table of a folder.

    Parameters
    ----------
    folder : path-like
        With CSV or TSV files with the columns sequence, label and split. Rows marked train are
        learnt from, rows marked test are tested on, rows marked valid are not used.
    min_length : int
        Bases that a sequence needs to have.

    Returns
    -------
    list of Dataset
        By name.

    Raises
    ------
    InputError
        If there is no table, or one cannot be used.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder. Give one with CSV or TSV files.")
    paths = sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIXES))
    if not paths:
        raise InputError(f"{folder}: holds no CSV or TSV files.")
    datasets: list[Dataset] = []
    for path in paths:
        name = next(path.name.removesuffix(end) for end in SUFFIXES if path.name.endswith(end))
        if name in (dataset.name for dataset in datasets):
            raise InputError(
                f"{folder}: there are two tables called {name}, {path.name} and another; a table's "
                "name is that of its row. Rename one."
            )
        table = read_labelled(path, min_length=min_length, require_classes=True)
        if "split" not in table:
            raise InputError(f"{path}: no split column. Mark each row train or test.")
        train, test = (table[table["split"] == name] for name in (TRAIN, TEST))
        if test.empty:
            raise InputError(f"{path}: no row is marked test. Models are scored on such rows.")
        if test["label"].nunique() < 2:
            raise InputError(
                f"{path}: all rows marked test are of class {test['label'].iloc[0]}. Models are "
                "scored on how they tell classes apart; mark rows of another one as test, too."
            )
        shared = shares_word_with_train(table)[test.index]
        datasets.append(
            Dataset(
                name=name,
                sha256=file_sha256(path),
                train=train.reset_index(drop=True),
                test=test.reset_index(drop=True),
                shared=shared,
            )
        )
    return datasets


def external(
    folder: str | Path,
    out: str | Path,
    *,
    encoder: str | Path,
    seed: int = 0,
    say: Callable[[str], None] = print,
    progress: bool = True,
) -> dict[str, Any]:
    """Train and test every model on every table of a folder, with no tuning for any of them.

    Parameters
    ----------
    folder : path-like
        See `read_datasets`.
    out : path-like
        Folder for one file per cell and ``external.json``.
    encoder : str or path-like
        Language model by folder or name.
    seed : int
    say : callable
        Takes a line about what is going on.
    progress : bool

    Returns
    -------
    dict
        As written to ``external.json``: per data set its facts, per model AUROC, MCC and accuracy
        with bootstrap 95 % intervals over test sequences, AUROC on those that share no 15-mer with
        a training sequence, and seconds, and ``gains``: how much the encoder's row has of each
        over the baseline with the best AUROC and over the same recipe without an encoder, with
        paired bootstrap intervals. Models for sequences of one length are left out where there
        are several. ``external.md`` has the same as a table.
    """
    bench = Bench.of(folder, out, encoder, seed, progress)
    datasets = []
    for dataset in bench.datasets:
        scores: dict[str, Any] = {}
        predicted: dict[str, Probabilities] = {}
        for model in dataset.models:
            cell = bench.cell(dataset, model, [dataset], say)
            predicted[model] = np.array(cell["probabilities"][dataset.name])
            scores[model] = {
                **_scores(dataset, predicted[model], np.ones(len(dataset.test), dtype=bool)),
                "auroc_unshared": _scores(dataset, predicted[model], ~dataset.shared)["auroc"],
                "seconds": cell["seconds"],
            }
            say(f"{dataset.name}, {model}: AUROC {scores[model]['auroc']['value']:.4f}")
        baselines = [model for model in dataset.models if model in BASELINES]
        best = max(baselines, key=lambda model: scores[model]["auroc"]["value"])
        others = [best, *(model for model in dataset.models if model == WITHOUT_ENCODER_EXTERNAL)]
        datasets.append(
            {
                "name": dataset.name,
                "sha256": dataset.sha256,
                "n_train": len(dataset.train),
                "n_test": len(dataset.test),
                "test_sharing_15mer_with_train": int(dataset.shared.sum()),
                "models": scores,
                "best_baseline": best,
                "gains": {other: _gains(dataset, predicted, other) for other in others},
            }
        )
    results = {**bench.facts(), "datasets": datasets}
    write_json(Path(out) / "external.json", results)
    write_text(Path(out) / "external.md", markdown_table(results))
    return results


def _scores(
    dataset: Dataset, predicted: Probabilities, rows: npt.NDArray[np.bool_]
) -> dict[str, dict[str, float | None]]:
    """Score predictions of some test rows; None where one class is all that is there."""
    targets = dataset.test_targets[rows]
    if len(np.unique(targets)) < 2:
        return {name: Estimate(None, None, None)._asdict() for name in METRICS}
    classes = [str(name) for name in dataset.classes]
    result = evaluate_predictions(targets, predicted[rows], classes)
    return {name: getattr(result, name)._asdict() for name in METRICS}


def _gains(
    dataset: Dataset, predicted: dict[str, Probabilities], over: str
) -> dict[str, dict[str, float | None]]:
    """Compare the encoder's row and another on the same test sequences, by metric."""
    return {
        metric: paired_bootstrap_difference(
            dataset.test_targets, predicted[ENCODER], predicted[over], metric=metric
        )._asdict()
        for metric in METRICS
    }


@dataclass(eq=False)
class Bench:
    """Trains on one data set after another and predicts the test rows of all of them."""

    datasets: Sequence[Dataset]
    encoder: PretrainedEncoder
    out: Path
    seed: int
    precision: str
    progress: bool

    @classmethod
    def of(
        cls, folder: str | Path, out: str | Path, encoder: str | Path, seed: int, progress: bool
    ) -> Bench:
        """Read what is there to read, and check that `out` is for the same study."""
        out = Path(out)
        require_writable(out)
        chosen = read_encoder(encoder)
        datasets = read_datasets(folder, min_length=chosen.architecture.tokenizer.k)
        precision = settle(out, {"encoder": chosen.sha256, "seed": seed})
        return cls(datasets, chosen, out, seed, precision, progress)

    def facts(self) -> dict[str, Any]:
        """Return what results of this bench rest on."""
        return {
            "encoder": {"name": self.encoder.name, "sha256": self.encoder.sha256},
            "seed": self.seed,
            "precision": self.precision,
        }

    def cell(
        self,
        dataset: Dataset,
        model: str,
        tested: Sequence[Dataset],
        say: Callable[[str], None],
    ) -> dict[str, Any]:
        """Return a model's predictions, trained on a data set if that has not been done.

        It is done again if the data set, or one that it is to be tested on, is another by now.

        Returns
        -------
        dict
            ``seconds`` of training and of predicting, and ``probabilities``: of the test rows of
            each data set with sequences of a length and classes that the model takes.
            ``datasets`` says what these data sets were, by name.
        """
        path = self.out / "cells" / dataset.name / f"{model}.json"
        wanted = {one.name: one.sha256 for one in (dataset, *tested) if one.takes(dataset)}

        def make() -> dict[str, Any]:
            say(f"{dataset.name}: {model}")
            return self._run(dataset, model)

        return kept(
            path, make, holds=lambda found: wanted.items() <= found.get("datasets", {}).items()
        )

    def _run(self, dataset: Dataset, model: str) -> dict[str, Any]:
        start = time.perf_counter()
        train = Part.of(dataset.train)
        predict = train_row(
            model,
            train,
            lambda: self._train_network(train),
            seed=self.seed,
            progress=self.progress,
        )
        seconds = {"train": time.perf_counter() - start}
        start = time.perf_counter()
        tested = [other for other in self.datasets if other.takes(dataset)]
        probabilities = {
            # In doubles, for a rounded float of another kind is long again in JSON.
            other.name: predict(Part.of(other.test)).astype(np.float64).round(6).tolist()
            for other in tested
        }
        seconds["predict"] = time.perf_counter() - start
        return {
            "seconds": {name: round(value, 1) for name, value in seconds.items()},
            "probabilities": probabilities,
            "datasets": {other.name: other.sha256 for other in tested},
        }

    def _train_network(self, train: Part) -> Predict:
        encoder = load_language_model(self.encoder.folder)
        config = classifier_config(train.codes, train.labels, encoder.encoder.config)
        classifier, _ = train_by_labels(
            train.codes,
            targets_of(train.labels, config),
            config,
            encoder=encoder,
            seed=self.seed,
            precision=self.precision,
            progress=self.progress,
        )
        return lambda part: predict_probabilities(classifier, part.codes, precision=self.precision)
