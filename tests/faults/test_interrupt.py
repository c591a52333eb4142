"""Ctrl-C: exit code 130, a word about what to do, and nothing under a final name."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genomic_ulmfit.models.folder import CHECKPOINT
from genomic_ulmfit.models.store import load_language_model
from genomic_ulmfit.training.pretraining_result import read_pretraining_result

# Presses Ctrl-C when a method has been called so many times, then is the command line.
PRESS = """
import importlib, os, signal, sys
module, owner, method, calls = sys.argv[1:5]
target = importlib.import_module(module)
target = getattr(target, owner) if owner else target
plain, left = getattr(target, method), [int(calls)]
def pressed(*arguments, **options):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGINT)
    return plain(*arguments, **options)
setattr(target, method, pressed)
sys.argv = ["genomic-ulmfit", *sys.argv[5:]]
from genomic_ulmfit.cli.main import main
main()
"""


def interrupted(
    module: str, owner: str, method: str, calls: int, *arguments: object
) -> subprocess.CompletedProcess[str]:
    target = (f"genomic_ulmfit.{module}", owner, method, str(calls))
    done = subprocess.run(
        [sys.executable, "-c", PRESS, *target, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_pretrain_is_stopped_and_resumed(
    command: Callable[..., Any], genome_file: Path, encoder_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "encoder"
    arguments = ("pretrain", genome_file, "--out", out, "--preset", "tiny", "--epochs", 1)
    arguments = (*arguments, "--precision", "fp32")
    task = ("training.language_model_task", "LanguageModelTask", "training_step")
    done = interrupted(*task, 40, *arguments)
    assert "Add --resume to the same command to continue" in " ".join(done.stderr.split())
    assert sorted(path.name for path in out.iterdir()) == [CHECKPOINT, "logs"]

    ran = command(*arguments, "--resume")
    assert ran.code == 0, ran.stderr
    assert sorted(path.name for path in out.iterdir()) == [
        "card.md",
        "config.json",
        "logs",
        "model.safetensors",
    ]
    # The same model as the one that was never interrupted.
    expected = load_language_model(encoder_folder).state_dict()
    for name, value in load_language_model(out).state_dict().items():
        # Weights are stored in bf16: what differs at all differs by 2^-7 of its size.
        assert value.allclose(expected[name], rtol=1e-2, atol=1e-5), name
    report = read_pretraining_result(out).report
    assert report.tokens == read_pretraining_result(encoder_folder).report.tokens


def test_train_is_stopped(promoters_csv: Path, encoder_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    task = ("training.finetuning", "_FineTuningTask", "training_step")
    start = ("--encoder", encoder_folder, "--head", "position")
    arguments = ("train", promoters_csv, "--out", out, *start)
    done = interrupted(*task, 10, *arguments)
    assert "No model was written" in done.stderr
    assert done.stdout == ""
    assert not list(tmp_path.iterdir())


def press(*_: object, **__: object) -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("simulate --out {out}", "genomic_ulmfit.dna.simulate.write_genbank"),
        ("data promoters {genome} --out {out}", "genomic_ulmfit.data.promoters_job.promoter_table"),
        ("pretrain {genome} --out {out}", "genomic_ulmfit.training.pretraining_job.read_genome"),
        ("train {table} --out {out}", "genomic_ulmfit.training.finetuning_job.read_labelled"),
        ("evaluate {model} {table}", "genomic_ulmfit.evaluation.evaluate_job.read_labelled"),
        ("reproduce --genome {genome} --out {out}", "genomic_ulmfit.studies.reproduce.read_genome"),
    ],
)
def test_any_command_stops_quietly(
    command: Callable[..., Any],
    genome_file: Path,
    promoters_csv: Path,
    classifier_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    line: str,
    where: str,
) -> None:
    monkeypatch.setattr(where, press)
    words = {
        "{out}": tmp_path / "out",
        "{genome}": genome_file,
        "{table}": promoters_csv,
        "{model}": classifier_folder,
    }
    ran = command(*(words.get(word, word) for word in line.split()))
    assert ran.code == 130
    assert "Stopped" in ran.stderr
    assert "resume" not in ran.stderr, "there is nothing to resume"
    assert "Traceback" not in ran.stderr
    assert ran.stdout == ""
    assert not list(tmp_path.iterdir())


def test_a_study_keeps_what_is_done(
    command: Callable[..., Any],
    genome_file: Path,
    encoder_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "study"
    shutil.copytree(encoder_folder, out / "encoder")
    arguments = ("reproduce", "--genome", genome_file, "--out", out, "--preset", "tiny")
    monkeypatch.setattr("genomic_ulmfit.evaluation.baselines.ConvolutionalNetwork.fit", press)
    ran = command(*arguments, "--seeds", 1)
    assert ran.code == 130
    assert "The same command continues where it stopped" in ran.stderr
    done = sorted(path.name for path in (out / "cells").rglob("*.json"))
    assert done == ["kmer_lr-0.json", "onehot_lr-0.json"]
    assert not (out / "results.json").exists()

    ran = command(*arguments, "--seeds", 1)
    assert ran.code == 130
    assert "1/14: onehot_lr, protocol strict, seed 0: accuracy" in ran.stderr
    assert "1/14: onehot_lr, protocol strict, seed 0 " not in ran.stderr, "not run again"
    assert "3/14: cnn, protocol strict, seed 0 " in ran.stderr
