"""`genomic-ulmfit reproduce`: one study of a small simulated genome, looked at from all sides."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import torch

from genomic_ulmfit.dna.simulate import simulate_genome, write_genbank
from genomic_ulmfit.evaluation.baselines import BASELINES
from genomic_ulmfit.files import file_sha256
from genomic_ulmfit.models import pretrained
from genomic_ulmfit.models.folder import read_config
from genomic_ulmfit.models.store import load_language_model, save_language_model

MODELS = {
    "naive",
    "e_coli",
    "e_coli_seed_head",
    "ensemble",
    "ensemble_seed_head",
    "words",
    "onehot_lr",
    "kmer_lr",
    "cnn",
}
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
def genome(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """GenBank of a genome that gives a study few rows to train on."""
    path = tmp_path_factory.mktemp("genome") / "few.gbk"
    write_genbank(simulate_genome(n_genes=60, seed=0), path)
    return path


@pytest.fixture(scope="module")
def ensemble(encoder_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language model that says it has read two real genomes."""
    folder = tmp_path_factory.mktemp("lm") / "mine"
    shutil.copytree(encoder_folder, folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["training"]["genomes"] = [
        {"name": name, "sha256": "0" * 64, "n_bases": 4_000_000, "simulated": False}
        for name in ("NC_000913.3", "NC_000964.3")
    ]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def study(
    process: Callable, genome: Path, ensemble: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, Path]:
    out = tmp_path_factory.mktemp("study") / "results"
    arguments = ("--genome", genome, "--out", out, "--preset", "tiny", "--seeds", 1)
    arguments = (*arguments, "--ensemble", ensemble)
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
    assert len(rows) == 18
    for row in rows:
        assert row.keys() >= ROW
        assert 0 <= row["accuracy"] <= 1
        assert -1 <= row["mcc"] <= 1
        assert 0 <= row["auroc"] <= 1
        assert row["n_test"] == {"strict": 18, "seed": 10}[row["protocol"]]
        assert row["seconds"] >= 0


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


def test_results_say_where_they_come_from(
    study: tuple[Any, Path], genome: Path, ensemble: Path
) -> None:
    results = results_of(study[1])
    assert results["genome"]["simulated"] is True
    assert results["genome"]["n_genes"] == 60
    assert results["genome"]["source"] == "--genome"
    assert results["preset"] == "tiny"
    assert results["seeds"] == [0]
    assert results["command"].startswith("genomic-ulmfit reproduce --genome ")
    assert str(genome) in results["command"]
    assert results["leakage"]["strict"]["share"] == 0
    assert results["leakage"]["strict"]["n_test"] == 18
    assert results["quick"] is False
    compared = {(one["a"], one["b"]) for one in results["comparisons"]}
    assert {("e_coli", "naive"), ("e_coli", "onehot_lr")} <= compared
    assert {("ensemble", b) for b in ("e_coli", "naive", "words", "cnn")} <= compared
    curves = {(one["model"], one["protocol"]) for one in results["curves"]}
    # With as few labels as there are here, the others are probes, which are fitted in one step.
    trained = ("naive", "e_coli_seed_head", "ensemble_seed_head")
    assert curves == {(m, p) for m in trained for p in PROTOCOLS}

    own, other = results["language_models"]
    assert own["informed_random_bits_per_base"] == 2
    assert set(own["markov_bits_per_base"]) == {"2", "5", "8", "11"}
    assert (own["name"], own["shipped"], own["has_read_genome"]) == ("e_coli", False, True)
    assert own["sha256"] == file_sha256(study[1] / "encoder" / "model.safetensors")
    assert (other["name"], other["encoder"], other["shipped"]) == ("ensemble", "mine", False)
    assert other["sha256"] == file_sha256(ensemble / "model.safetensors")
    assert [genome["name"] for genome in other["genomes"]] == ["NC_000913.3", "NC_000964.3"]
    assert other["has_read_genome"] is False
    settings = json.loads((study[1] / "study.json").read_text(encoding="utf-8"))
    assert settings["encoders"]["ensemble"] == {"name": "mine", "sha256": other["sha256"]}


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
        said = "SIMULATED" in text or "SIMULATED" in path.read_text(encoding="utf-8")
        # The ensemble's language model has read no simulated genome.
        assert said is (path.name != "language_model_ensemble.svg"), path.name
    assert not [path for path in out.rglob("*") if path.name.startswith(".")], "no leftovers"
    assert sorted(path.name for path in (out / "encoder").iterdir()) == [
        "card.md",
        "config.json",
        "logs",
        "model.safetensors",
    ]


def without_times(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: row[name] for name in row if name != "seconds"} for row in rows]


def test_run_again_it_does_only_what_is_missing_and_finds_the_same(
    study: tuple[Any, Path], command: Callable, genome: Path, ensemble: Path
) -> None:
    _, out = study
    before = results_of(out)
    cells = sorted((out / "cells").rglob("*.json"))
    assert len(cells) == 18
    missing = out / "cells" / "strict" / "naive-0.json"
    lost = json.loads(missing.read_text(encoding="utf-8"))
    missing.unlink()
    (out / "results.json").unlink()
    kept = {path: path.stat().st_mtime_ns for path in cells if path != missing}
    encoder = (out / "encoder" / "model.safetensors").stat().st_mtime_ns

    arguments = ("--genome", genome, "--out", out, "--preset", "tiny", "--seeds", 1)
    ran = command("reproduce", *arguments, "--ensemble", ensemble)
    assert ran.code == 0, ran.stderr
    assert sorted((out / "cells").rglob("*.json")) == cells
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert (out / "encoder" / "model.safetensors").stat().st_mtime_ns == encoder
    found = json.loads(missing.read_text(encoding="utf-8"))
    assert found["labels"] == lost["labels"]
    assert found["probabilities"] == pytest.approx(lost["probabilities"], abs=1e-4)
    after = results_of(out)
    for name in ("genome", "machine", "leakage", "language_models", "seeds", "notes"):
        assert after[name] == before[name]
    assert without_times(after["rows"]) == without_times(before["rows"])


def test_one_protocol_alone(
    study: tuple[Any, Path],
    command: Callable,
    genome: Path,
    ensemble: Path,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    shutil.copytree(study[1], out)
    arguments = ("--genome", genome, "--out", out, "--preset", "tiny", "--seeds", 1)
    ran = command("reproduce", *arguments, "--ensemble", ensemble, "--protocol", "seed")
    assert ran.code == 0, ran.stderr
    results = results_of(out)
    assert {row["protocol"] for row in results["rows"]} == {"seed"}
    assert set(results["leakage"]) == {"seed"}
    expected = [row for row in results_of(study[1])["rows"] if row["protocol"] == "seed"]
    assert results["rows"] == expected


@pytest.mark.parametrize("change", ["preset", "genome", "encoders", "quick"])
def test_a_folder_with_another_study_is_refused(
    study: tuple[Any, Path],
    command: Callable,
    genome: Path,
    ensemble: Path,
    encoder_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
) -> None:
    _, out = study
    before = {path: path.read_bytes() for path in out.rglob("*.json")}
    if change == "genome":
        (tmp_path / "other.gbk").write_bytes(genome.read_bytes() + b"\n")
        genome = tmp_path / "other.gbk"
    arguments = ["--genome", genome, "--out", out, "--preset", "tiny", "--ensemble", ensemble]
    if change == "preset":
        monkeypatch.setattr(pretrained, "SHIPPED", tmp_path)
        arguments[5:] = ["small"]
    if change == "encoders":
        other = save_another(encoder_folder, tmp_path / "mine")
        arguments[-1] = other
    if change == "quick":
        arguments.append("--quick")
    ran = command("reproduce", *arguments)
    assert ran.code == 2
    assert f"holds a study with another {change}" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert {path: path.read_bytes() for path in out.rglob("*.json")} == before


def save_another(folder: Path, out: Path) -> Path:
    """Write the same language model with other weights."""
    model = load_language_model(folder)
    with torch.no_grad():
        model.bias += 1
    save_language_model(model, out, "", read_config(folder)["training"])
    return out


def test_a_quick_run_uses_shipped_encoders_and_says_so(
    command: Callable,
    genome: Path,
    ensemble: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shipped = tmp_path / "shipped"
    shutil.copytree(ensemble, shipped / "bacteria")
    single = save_another(ensemble, shipped / "e-coli")
    config = json.loads((single / "config.json").read_text(encoding="utf-8"))
    del config["training"]["genomes"][1]
    (single / "config.json").write_text(json.dumps(config), encoding="utf-8")
    monkeypatch.setattr(pretrained, "SHIPPED", shipped)
    # The others take longest, and are not what this is about.
    fastest = {"onehot_lr": BASELINES["onehot_lr"]}
    monkeypatch.setattr("genomic_ulmfit.studies.reproduce.BASELINES", fastest)

    out = tmp_path / "quick"
    arguments = ("--genome", genome, "--out", out, "--preset", "tiny", "--quick")
    ran = command("reproduce", *arguments)
    assert ran.code == 0, ran.stderr
    assert "e_coli: starts from e-coli" in ran.stderr
    assert not (out / "encoder").exists(), "nothing was pretrained"
    results = results_of(out)
    assert results["quick"] is True
    assert {(row["model"], row["protocol"], row["seed"]) for row in results["rows"]} == {
        (model, "strict", 0) for model in ("naive", "e_coli", "ensemble", "words", "onehot_lr")
    }
    stages = {
        curve["model"]: {point["stage"] for point in curve["points"]} for curve in results["curves"]
    }
    # As many labels as there are here are for a probe, which is fitted in one step.
    assert stages == {"naive": {"all layers"}}
    own, other = results["language_models"]
    assert (own["encoder"], own["shipped"]) == ("e-coli", True)
    assert (other["encoder"], other["shipped"]) == ("bacteria", True)
    assert not own["has_read_genome"]
    for name in ("table.md", "report.html"):
        text = (out / name).read_text(encoding="utf-8")
        assert "E. coli genome pretraining" in text, "whose genome was read"
        assert "Quick run" in text
        assert "SIMULATED GENOME" in text


def test_without_an_ensemble_of_the_preset_its_rows_are_left_out(
    command: Callable,
    genome: Path,
    encoder_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "study"
    shutil.copytree(encoder_folder, out / "encoder")
    cells = iter(range(3))

    def stop(*_: object, **__: object) -> dict[str, Any]:
        if next(cells) == 2:
            raise KeyboardInterrupt
        return {"row": {"accuracy": 0.5, "seconds": 60.0}}

    monkeypatch.setattr("genomic_ulmfit.studies.reproduce.run_cell", stop)
    ran = command("reproduce", "--genome", genome, "--out", out, "--preset", "tiny")
    assert ran.code == 130
    assert "no ensemble rows: no ensemble encoder of preset tiny is at hand" in ran.stderr
    assert "2/42: kmer_lr, protocol strict, seed 0: accuracy 0.5" in ran.stderr, "3 seeds, 7 models"
    encoders = json.loads((out / "study.json").read_text(encoding="utf-8"))["encoders"]
    assert encoders == {"e_coli": {"name": "trained on the genome", "sha256": None}}


def test_mistakes(command: Callable, genome: Path, ensemble: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for arguments, message in (
        (("--genome", tmp_path / "absent.gbk"), "is no file"),
        (("--genome", genome, "--simulated"), "--simulated"),
        (("--genome", genome, "--preset", "huge"), "preset: got 'huge'"),
        (("--genome", genome, "--seeds", 0), "--seeds"),
        (("--genome", genome, "--protocol", "loose"), "--protocol: got 'loose'"),
        (("--genome", genome, "--protocol", "seed", "--quick"), "--protocol seed"),
        (("--genome", genome, "--seed", -1), "--seed"),
        (("--genome", genome, "--ensemble", "absent"), "absent: no such model folder"),
        (("--genome", genome, "--ensemble", ensemble), "has not the size of preset small"),
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
