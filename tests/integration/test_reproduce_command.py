"""`genomic-ulmfit reproduce`: one study of a small simulated genome, looked at from all sides."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

MODELS = {"naive", "e_coli", "e_coli_seed_head", "onehot_lr", "kmer_lr", "cnn"}
PROTOCOLS = {"strict", "seed"}
ROW = {
    "model",
    "protocol",
    "seed",
    "accuracy",
    "precision",
    "recall",
    "mcc",
    "auroc",
    "n_test",
    "seconds",
}


@pytest.fixture(scope="module")
def study(
    process: Callable, genome_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, Path]:
    out = tmp_path_factory.mktemp("study") / "results"
    arguments = ("--genome", genome_file, "--out", out, "--preset", "tiny", "--seeds", 1)
    ran = process("reproduce", *arguments)
    assert ran.code == 0, ran.stderr
    return ran, out


def results_of(out: Path) -> dict[str, Any]:
    results: dict[str, Any] = json.loads((out / "results.json").read_text(encoding="utf-8"))
    return results


def test_results_have_a_row_for_each_model_and_protocol(study: tuple[Any, Path]) -> None:
    results = results_of(study[1])
    rows = results["rows"]
    assert {(row["model"], row["protocol"], row["seed"]) for row in rows} == {
        (model, protocol, 0) for model in MODELS for protocol in PROTOCOLS
    }
    assert len(rows) == 12
    for row in rows:
        assert row.keys() >= ROW
        assert 0 <= row["accuracy"] <= 1
        assert -1 <= row["mcc"] <= 1
        assert 0 <= row["auroc"] <= 1
        assert row["n_test"] == {"strict": 44, "seed": 28}[row["protocol"]]
        assert row["seconds"] >= 0
    assert "ensemble" not in {row["model"] for row in rows}, "not run, so not there"


def test_the_summary_is_of_the_rows(study: tuple[Any, Path]) -> None:
    results = results_of(study[1])
    rows = {(row["model"], row["protocol"]): row for row in results["rows"]}
    assert len(results["summary"]) == len(rows)
    for entry in results["summary"]:
        row = rows[entry["model"], entry["protocol"]]
        assert entry["n_seeds"] == 1
        assert entry["n_test"] == row["n_test"]
        for metric in ("accuracy", "precision", "recall", "mcc", "auroc"):
            assert entry[metric]["mean"] == pytest.approx(row[metric])
            assert entry[metric]["low"] is None, "one seed has no interval"


def test_results_say_where_they_come_from(study: tuple[Any, Path], genome_file: Path) -> None:
    results = results_of(study[1])
    assert results["genome"]["simulated"] is True
    assert results["genome"]["n_genes"] == 150
    assert results["genome"]["source"] == "--genome"
    assert results["preset"] == "tiny"
    assert results["seeds"] == [0]
    assert results["command"].startswith("genomic-ulmfit reproduce --genome ")
    assert str(genome_file) in results["command"]
    assert results["leakage"]["strict"]["share"] == 0
    assert results["leakage"]["strict"]["n_test"] == 44
    model = results["language_model"]
    assert model["informed_random_bits_per_base"] == 2
    assert set(model["markov_bits_per_base"]) == {"2", "5", "8", "11"}
    compared = {(one["a"], one["b"]) for one in results["comparisons"]}
    assert {("e_coli", "naive"), ("e_coli", "onehot_lr")} <= compared
    curves = {(one["model"], one["protocol"]) for one in results["curves"]}
    assert curves >= {(m, p) for m in ("naive", "e_coli") for p in PROTOCOLS}


class Links(HTMLParser):
    """Collects what a page would load, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loaded += [
            value or "" for name, value in attrs if name == "src" or (tag, name) == ("link", "href")
        ]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_every_output_is_there_and_says_simulated(study: tuple[Any, Path]) -> None:
    ran, out = study
    assert "SIMULATED" in ran.stdout
    table = (out / "table.md").read_text(encoding="utf-8")
    assert "SIMULATED" in table
    assert table.count("|") > 50

    page = Links()
    page.feed((out / "report.html").read_text(encoding="utf-8"))
    assert "SIMULATED" in page.text
    assert page.loaded, "figures are in it"
    assert all(source.startswith("data:") for source in page.loaded), "and nothing is loaded"
    assert "script" not in page.tags

    figures = list((out / "figures").iterdir())
    vector = [path for path in figures if path.suffix == ".svg"]
    assert len(vector) >= 4, "training curves, ROC, PR, calibration"
    for path in vector:
        text = " ".join(ElementTree.parse(path).getroot().itertext())
        assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        assert "SIMULATED" in text or "SIMULATED" in path.read_text(encoding="utf-8"), path.name
    assert not [path for path in out.rglob("*") if path.name.startswith(".")], "no leftovers"
    assert sorted(path.name for path in (out / "encoder").iterdir()) == [
        "card.md",
        "config.json",
        "model.safetensors",
    ]


def without_times(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: row[name] for name in row if name != "seconds"} for row in rows]


def test_run_again_it_does_only_what_is_missing_and_finds_the_same(
    study: tuple[Any, Path], command: Callable, genome_file: Path
) -> None:
    _, out = study
    before = results_of(out)
    cells = sorted((out / "cells").rglob("*.json"))
    assert len(cells) == 12
    missing = out / "cells" / "strict" / "naive-0.json"
    lost = json.loads(missing.read_text(encoding="utf-8"))
    missing.unlink()
    (out / "results.json").unlink()
    kept = {path: path.stat().st_mtime_ns for path in cells if path != missing}
    encoder = (out / "encoder" / "model.safetensors").stat().st_mtime_ns

    ran = command(
        *("reproduce", "--genome", genome_file, "--out", out, "--preset", "tiny", "--seeds", 1)
    )
    assert ran.code == 0, ran.stderr
    assert sorted((out / "cells").rglob("*.json")) == cells
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert (out / "encoder" / "model.safetensors").stat().st_mtime_ns == encoder
    found = json.loads(missing.read_text(encoding="utf-8"))
    assert found["labels"] == lost["labels"]
    assert found["probabilities"] == pytest.approx(lost["probabilities"], abs=1e-4)
    after = results_of(out)
    for name in ("genome", "machine", "leakage", "language_model", "seeds", "notes"):
        assert after[name] == before[name]
    assert without_times(after["rows"]) == without_times(before["rows"])


@pytest.mark.parametrize("change", ["preset", "genome"])
def test_a_folder_with_another_study_is_refused(
    study: tuple[Any, Path], command: Callable, genome_file: Path, tmp_path: Path, change: str
) -> None:
    _, out = study
    before = {path: path.read_bytes() for path in out.rglob("*.json")}
    genome = genome_file
    if change == "genome":
        genome = tmp_path / "other.gbk"
        genome.write_bytes(genome_file.read_bytes() + b"\n")
    preset = "small" if change == "preset" else "tiny"
    ran = command("reproduce", "--genome", genome, "--out", out, "--preset", preset)
    assert ran.code == 2
    assert f"holds a study with another {change}" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert {path: path.read_bytes() for path in out.rglob("*.json")} == before


def test_mistakes(command: Callable, genome_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for arguments, message in (
        (("--genome", tmp_path / "absent.gbk"), "is no file"),
        (("--genome", genome_file, "--simulated"), "--simulated"),
        (("--genome", genome_file, "--preset", "huge"), "preset: got 'huge'"),
        (("--genome", genome_file, "--seeds", 0), "--seeds"),
        (("--genome", genome_file, "--seed", -1), "--seed"),
    ):
        ran = command("reproduce", "--out", out, *arguments)
        assert ran.code == 2, arguments
        assert message in ran.stderr
        assert "Traceback" not in ran.stderr
        assert not out.exists() or not list(out.iterdir())


def test_help_teaches_by_example(command: Callable) -> None:
    ran = command("reproduce", "--help")
    assert ran.code == 0
    assert "genomic-ulmfit reproduce --out results --preset small --seeds 3" in ran.stdout
