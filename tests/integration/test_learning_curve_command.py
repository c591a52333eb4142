"""`genomic-ulmfit learning-curve`, run as a user runs it, and the subsets it draws."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from genomic_ulmfit.data.tables import read_labelled, write_table
from genomic_ulmfit.studies.learning_curve import draw_subset
from genomic_ulmfit.training import motifs
from genomic_ulmfit.training.classifier_setup import encode_all
from genomic_ulmfit.training.probe_fit import fit_head, head_probabilities
from genomic_ulmfit.training.recipes import recipe_by_labels

MODELS = ["naive", "encoder", "words", "onehot_lr", "kmer_lr", "cnn"]


@pytest.fixture(scope="module")
def study(
    tmp_path_factory: pytest.TempPathFactory,
    promoters_csv: Path,
    encoder_folder: Path,
    process: Callable[..., Any],
) -> tuple[Path, Any]:
    out = tmp_path_factory.mktemp("study") / "curve"
    ran = process(
        *("learning-curve", promoters_csv, "--encoder", encoder_folder, "--out", out),
        *("--sizes", "20", "--repeats", 2),
    )
    return out, ran


def told(out: Path, model: str, repeat: int) -> str:
    cell = json.loads((out / "cells" / "20" / f"{model}-{repeat}.json").read_text())
    right: str = cell["right"]
    return right


def test_writes_everything(study: tuple[Path, Any]) -> None:
    out, ran = study
    assert ran.code == 0, ran.stderr
    results = json.loads((out / "results.json").read_text())
    assert results["models"] == MODELS
    assert results["sizes"] == ["20"]
    assert len(results["rows"]) == len(MODELS) * 2
    assert all(row["n_labels"] == int(row["size"]) for row in results["rows"])
    by_cell = {(r["model"], r["size"], r["repeat"]): r["accuracy"] for r in results["rows"]}
    for one in results["summary"]:
        values = [by_cell[one["model"], one["size"], repeat] for repeat in range(2)]
        assert one["accuracy"]["mean"] == pytest.approx(np.mean(values))
        assert one["accuracy"]["low"] <= np.mean(values) <= one["accuracy"]["high"]
    for one in results["differences"]:
        a, b = ([by_cell[model, "20", i] for i in range(2)] for model in (one["a"], one["b"]))
        assert one["difference"] == pytest.approx(np.mean(a) - np.mean(b))
        # Resampled by the slow way: every test sequence's mean over both subsets.
        right = [
            np.mean([list(map(int, told(out, one[side], i))) for i in range(2)], axis=0)
            for side in "ab"
        ]
        gains = right[0] - right[1]
        assert gains.mean() == pytest.approx(one["difference"])
        rng = np.random.default_rng(5)
        means = [rng.choice(gains, len(gains)).mean() for _ in range(2000)]
        low, high = np.percentile(means, [2.5, 97.5])
        assert one["over_sequences"]["low"] == pytest.approx(low, abs=0.2 * (high - low) + 1e-9)
        assert one["over_sequences"]["high"] == pytest.approx(high, abs=0.2 * (high - low) + 1e-9)
    table = (out / "table.md").read_text()
    assert table.startswith("# SIMULATED SEQUENCES: how few labels are enough")
    assert "Made up: the numbers say nothing about real DNA." in table
    assert "over test sequences" in table
    assert "one-hot logistic regression" in table
    assert "20 labels" in table
    assert (out / "figures" / "learning_curve.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (out / "figures" / "learning_curve.svg").read_text()
    page = (out / "report.html").read_text()
    assert "data:image/svg+xml;base64," in page
    assert "http" not in page.replace("http-equiv", "")
    assert "<h1>SIMULATED SEQUENCES" in page
    assert "accuracy" in ran.stdout
    assert "SIMULATED SEQUENCES" in ran.stdout


def test_the_probe_without_an_encoder_follows_the_recipe(
    study: tuple[Path, Any], promoters_csv: Path
) -> None:
    out, _ = study
    table = read_labelled(promoters_csv)
    train, test = (table[table["split"] == part] for part in ("train", "test"))
    chosen = train.iloc[draw_subset(train["label"].to_numpy(), "20", (0, 1))]
    recipe = recipe_by_labels(20, pretrained=True, one_length=True).probe
    assert recipe is not None
    assert recipe.word_share != 1
    head = fit_head(encode_all(chosen), chosen["label"].to_numpy(), 2, recipe, frames=True, seed=1)
    probabilities = head_probabilities(head, encode_all(test))
    cell = json.loads((out / "cells" / "20" / "words-1.json").read_text())
    expected = roc_auc_score(test["label"], probabilities[:, 1])
    assert cell["auroc"] == pytest.approx(expected)


def test_goes_on_where_it_stopped(
    study: tuple[Path, Any],
    promoters_csv: Path,
    encoder_folder: Path,
    command: Callable[..., Any],
) -> None:
    out, _ = study
    arguments = ("learning-curve", promoters_csv, "--encoder", encoder_folder, "--out", out)
    cell = out / "cells" / "20" / "words-1.json"
    kept = out / "cells" / "20" / "words-0.json"
    before, made = json.loads(cell.read_text()), kept.stat().st_mtime_ns
    cell.unlink()
    ran = command(*arguments, "--sizes", "20", "--repeats", 2)
    assert ran.code == 0, ran.stderr
    after = json.loads(cell.read_text())
    assert {**after, "seconds": 0} == {**before, "seconds": 0}
    assert kept.stat().st_mtime_ns == made

    refused = command(*arguments, "--sizes", "20", "--seed", 5)
    assert refused.code == 2
    assert "study with another seed" in refused.stderr


def test_a_small_table_gets_the_sizes_it_has_rows_for(
    promoters_csv: Path,
    encoder_folder: Path,
    command: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # How well the small CNN is trained is not looked at.
    monkeypatch.setattr(motifs, "EPOCHS", 1)
    table = read_labelled(promoters_csv)
    train = table[table["split"] == "train"].groupby("label").head(12)
    few = pd.concat([train, table[table["split"] == "test"]])
    write_table(few, tmp_path / "few.csv")
    out = tmp_path / "curve"
    ran = command(
        *("learning-curve", tmp_path / "few.csv", "--encoder", encoder_folder, "--out", out),
        *("--repeats", 1),
    )
    assert ran.code == 0, ran.stderr
    assert json.loads((out / "results.json").read_text())["sizes"] == ["20", "all"]


def test_subsets_are_balanced_and_nested() -> None:
    targets = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [50, 40, 60]))
    small, large, all_rows = (draw_subset(targets, size, (3, 1)) for size in ("10", "50", "all"))
    assert np.bincount(targets[small]).tolist() == [4, 3, 3]
    assert np.bincount(targets[large]).tolist() == [17, 17, 16]
    assert set(small) < set(large)
    assert all_rows.tolist() == list(range(150))
    assert set(draw_subset(targets, "10", (3, 2))) != set(small)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--sizes", "3"), "--sizes: got '3'; allowed are numbers from 4 to"),
        (("--sizes", "9999"), "--sizes: got '9999'"),
        (("--sizes", "20,20"), "names a size twice"),
        (("--repeats", "0"), "--repeats: got 0"),
        (("--encoder", "absent"), "absent: no such model folder"),
    ],
)
def test_unusable_options(
    options: tuple[str, ...],
    message: str,
    promoters_csv: Path,
    encoder_folder: Path,
    tmp_path: Path,
    command: Callable[..., Any],
) -> None:
    encoder = () if "--encoder" in options else ("--encoder", encoder_folder)
    ran = command("learning-curve", promoters_csv, "--out", tmp_path / "x", *encoder, *options)
    assert ran.code == 2
    assert message in ran.stderr
    assert not (tmp_path / "x").exists()


def test_a_table_without_split(
    promoters_csv: Path, encoder_folder: Path, tmp_path: Path, command: Callable[..., Any]
) -> None:
    table = read_labelled(promoters_csv).drop(columns="split")
    write_table(table, tmp_path / "t.csv")
    ran = command(
        "learning-curve", tmp_path / "t.csv", "--encoder", encoder_folder, "--out", tmp_path / "x"
    )
    assert ran.code == 2
    assert "no split column" in ran.stderr
