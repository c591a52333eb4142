"""`genomic-ulmfit evaluate`, run as a user runs it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    confusion_matrix,
    matthews_corrcoef,
    precision_score,
    recall_score,
    roc_auc_score,
)

from genomic_ulmfit.dna.alphabet import encode
from genomic_ulmfit.models.prediction import predict_probabilities
from genomic_ulmfit.models.store import load_classifier

METRICS = ("accuracy", "precision", "recall", "specificity", "mcc", "auroc", "auprc")


def test_json_holds_what_scikit_learn_computes(
    process: Callable, classifier_folder: Path, promoters_csv: Path
) -> None:
    ran = process("evaluate", classifier_folder, promoters_csv, "--json", "--seed", 3)
    assert ran.code == 0, ran.stderr
    found = json.loads(ran.stdout)

    table = pd.read_csv(promoters_csv)
    test = table[table["split"] == "test"]
    assert found["n"] == len(test)
    labels = test["label"].to_numpy()
    codes = [encode(sequence) for sequence in test["sequence"]]
    positive = predict_probabilities(load_classifier(classifier_folder), codes)[:, 1]
    called = (positive > 0.5).astype(int)
    expected = {
        "accuracy": accuracy_score(labels, called),
        "precision": precision_score(labels, called),
        "recall": recall_score(labels, called),
        "specificity": recall_score(1 - labels, 1 - called),
        "mcc": matthews_corrcoef(labels, called),
        "auroc": roc_auc_score(labels, positive),
        "auprc": average_precision_score(labels, positive),
    }
    for name, value in expected.items():
        entry = found[name]
        assert entry["value"] == pytest.approx(value, abs=0.03), name
        assert entry["low"] <= entry["value"] <= entry["high"], name
    assert sum(map(sum, found["confusion"])) == len(test)
    assert found["confusion"] == pytest.approx(confusion_matrix(labels, called), abs=1)
    assert sum(entry["n"] for entry in found["reliability"]) == len(test)
    assert found["bootstrap"]["seed"] == 3
    assert found["simulated"]


def test_tables_for_people(command: Callable, classifier_folder: Path, promoters_csv: Path) -> None:
    ran = command("evaluate", classifier_folder, promoters_csv)
    assert ran.code == 0, ran.stderr
    for name in METRICS:
        assert any(f"│ {name} " in line for line in ran.stdout.splitlines()), name
    assert "SIMULATED SEQUENCES" in ran.stdout
    for title in ("44 sequences of split test", "Confusion matrix", "Calibration", "95 % interval"):
        assert title in " ".join(ran.stdout.split())


@pytest.mark.parametrize(("split", "n"), [("test", 44), ("valid", 22), ("train", 225)])
def test_a_split_may_be_chosen(
    command: Callable, classifier_folder: Path, promoters_csv: Path, split: str, n: int
) -> None:
    ran = command("evaluate", classifier_folder, promoters_csv, "--split", split, "--json")
    assert ran.code == 0, ran.stderr
    assert json.loads(ran.stdout)["n"] == n


def test_all_rows_where_there_is_no_split_and_one_class_only(
    command: Callable, classifier_folder: Path, promoters_csv: Path, tmp_path: Path
) -> None:
    table = pd.read_csv(promoters_csv).drop(columns=["split", "simulated"])
    ones = table[table["label"] == 1]
    ones.to_csv(tmp_path / "ones.csv", index=False)
    ran = command("evaluate", classifier_folder, tmp_path / "ones.csv", "--json")
    assert ran.code == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["n"] == len(ones)
    assert not found["simulated"]
    assert found["auroc"]["value"] is None
    assert found["recall"]["value"] == found["accuracy"]["value"]
    ran = command("evaluate", classifier_folder, tmp_path / "ones.csv")
    assert ran.code == 0
    assert "not defined" in ran.stdout
    assert "SIMULATED" not in ran.stdout


@pytest.mark.parametrize("split", ["train", "test"])
def test_rows_that_were_learnt_from_are_noted(
    command: Callable, classifier_folder: Path, promoters_csv: Path, split: str
) -> None:
    ran = command("evaluate", classifier_folder, promoters_csv, "--split", split)
    assert ran.code == 0, ran.stderr
    assert ("trained on these very sequences" in ran.stderr) == (split == "train")


def test_the_seed_decides_the_intervals_only(
    command: Callable, classifier_folder: Path, promoters_csv: Path
) -> None:
    found = [
        json.loads(
            command("evaluate", classifier_folder, promoters_csv, "--json", "--seed", seed).stdout
        )
        for seed in (0, 0, 1)
    ]
    assert found[0] == found[1]
    assert found[0]["brier"]["low"] != found[2]["brier"]["low"]
    for name in METRICS:
        assert found[0][name]["value"] == found[2][name]["value"]


def test_mistakes(
    command: Callable, classifier_folder: Path, promoters_csv: Path, tmp_path: Path
) -> None:
    def refused(*arguments: object) -> str:
        ran = command("evaluate", *arguments)
        assert ran.code == 2
        assert ran.stdout == ""
        assert "Traceback" not in ran.stderr
        message: str = ran.stderr
        return message

    table = pd.read_csv(promoters_csv)
    assert "it has test, train, valid" in refused(classifier_folder, promoters_csv, "--split", "x")
    only = tmp_path / "only.csv"
    table[table["split"] == "train"].to_csv(only, index=False)
    assert "no such rows; it has train" in refused(classifier_folder, only)
    bare = tmp_path / "bare.csv"
    table.drop(columns="split").to_csv(bare, index=False)
    assert "has no split column" in refused(classifier_folder, bare, "--split", "test")
    table["label"] = table["label"].map({0: "other", 1: "promoter"})
    named = tmp_path / "named.csv"
    table.to_csv(named, index=False)
    first = table.index[table["split"] == "test"][0]
    place = f"named.csv, row {first + 1} ({table['id'][first]})"
    message = refused(classifier_folder, named)
    assert place in message
    assert "is none of the model's classes: 0, 1" in message
    short = pd.read_csv(promoters_csv)
    short["sequence"] = short["sequence"].str[:140]
    short.to_csv(named, index=False)
    message = refused(classifier_folder, named)
    assert place in message
    assert "has 140 bases, but this model was trained on sequences of 150" in message
    assert "--seed" in refused(classifier_folder, promoters_csv, "--seed", -1)


def test_help_teaches_by_example(command: Callable) -> None:
    ran = command("evaluate", "--help")
    assert ran.code == 0
    assert "genomic-ulmfit evaluate model promoters.csv --split test" in ran.stdout


def test_the_positive_class_is_the_one_that_is_looked_for(
    command: Callable, classifier_folder: Path, promoters_csv: Path, tmp_path: Path
) -> None:
    def scored(model: Path, *options: object) -> dict[str, Any]:
        ran = command("evaluate", model, table_of[model], "--json", *options)
        assert ran.code == 0, ran.stderr
        found: dict[str, Any] = json.loads(ran.stdout)
        return found

    # The same model, whose first class is now the one that is looked for.
    renamed = tmp_path / "renamed"
    shutil.copytree(classifier_folder, renamed)
    config = json.loads((renamed / "config.json").read_text())
    config["architecture"] |= {"classes": ["TSS", "other"], "integer_labels": False}
    (renamed / "config.json").write_text(json.dumps(config))
    table = pd.read_csv(promoters_csv)
    table["label"] = table["label"].map({0: "TSS", 1: "other"})
    table.to_csv(tmp_path / "renamed.csv", index=False)
    table_of = {classifier_folder: promoters_csv, renamed: tmp_path / "renamed.csv"}

    first = scored(classifier_folder, "--class", "0")
    assert first["averaging"] == "positive class: 0"
    assert scored(renamed)["averaging"] == "positive class: TSS"
    assert scored(renamed)["recall"] == first["recall"]
    second = scored(classifier_folder)
    assert second["averaging"] == "positive class: 1"
    assert scored(renamed, "--class", "other")["auprc"] == second["auprc"]
    assert second["specificity"]["value"] == pytest.approx(first["recall"]["value"])
    assert command("evaluate", renamed, table_of[renamed], "--class", "tss").code == 2
