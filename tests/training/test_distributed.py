"""Several processes train as one does at the same batch."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from genomic_ulmfit.dna.simulate import simulate_genome, write_genbank
from genomic_ulmfit.models.folder import CHECKPOINT
from genomic_ulmfit.models.store import load_language_model
from genomic_ulmfit.training.pretraining_recipe import RECIPES
from genomic_ulmfit.training.pretraining_result import PretrainingResult, read_pretraining_result

# The command without dropout, for each process has its own masks. Lightning starts it again for
# each further process; the second one gets Ctrl-C at a step, if one is named.
DRIVER = """
import signal
from dataclasses import replace
from genomic_ulmfit.cli.main import main
from genomic_ulmfit.training.language_model_task import LanguageModelTask
from genomic_ulmfit.training.pretraining_recipe import RECIPES

RECIPES["tiny"] = replace(RECIPES["tiny"], dropout=0.0)
plain = LanguageModelTask.training_step

def step(task, *arguments):
    if task.trainer.global_rank == 1 and task.trainer.global_step == {stop_at}:
        signal.raise_signal(signal.SIGINT)
    return plain(task, *arguments)

LanguageModelTask.training_step = step
main()
"""


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("genome") / "sim.gbk"
    write_genbank(simulate_genome(n_genes=30, seed=0), path)
    return path


def start(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run Python, one thread per process."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def options(genome: Path, out: Path) -> tuple[object, ...]:
    return ("pretrain", genome, "--out", out, "--preset", "tiny", "--precision", "fp32")


def log(folder: Path) -> list[dict[str, str]]:
    with open(folder / "logs" / "metrics.csv", encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def check_same_run(folder: Path, expected: Path, precision: float) -> PretrainingResult:
    result, wanted = map(read_pretraining_result, (folder, expected))
    assert result.report.tokens == wanted.report.tokens
    assert result.report.loss == pytest.approx(wanted.report.loss, rel=precision)
    assert len(result.report.curve) == len(wanted.report.curve) == 2
    for point, of_wanted in zip(result.report.curve, wanted.report.curve, strict=True):
        assert point == pytest.approx(of_wanted, rel=precision)
    rows, of_wanted_rows = log(folder), log(expected)
    assert [row["step"] for row in rows] == [row["step"] for row in of_wanted_rows]
    for row, of_wanted_row in zip(rows, of_wanted_rows, strict=True):
        for name in ("tokens", "loss", "learning_rate"):
            assert float(row[name]) == pytest.approx(float(of_wanted_row[name]), rel=precision)
    assert sorted(path.name for path in folder.iterdir()) == [
        "card.md",
        "config.json",
        "logs",
        "model.safetensors",
    ]
    return result


def test_two_processes_stopped_and_resumed_are_as_one(
    command: Callable[..., Any], genome: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    monkeypatch.setitem(RECIPES, "tiny", replace(RECIPES["tiny"], dropout=0.0))
    ran = command(*options(genome, one))
    assert ran.code == 0, ran.stderr

    for name, stop_at in (("stopping.py", 15), ("whole.py", -1)):
        (tmp_path / name).write_text(DRIVER.format(stop_at=stop_at))
    arguments = (*options(genome, two), "--devices", 2)
    done = start(tmp_path / "stopping.py", *arguments)
    assert done.returncode != 0
    assert done.stderr.count("Add --resume to the same command") == 1, done.stderr
    assert (two / CHECKPOINT).exists()

    # Each process has its own state in the checkpoint: one cannot go on for two.
    ran = command(*options(genome, two), "--resume")
    assert ran.code == 2
    assert "of a run of 2 processes, and this is one of 1" in ran.stderr

    done = start(tmp_path / "whole.py", *arguments, "--resume")
    assert done.returncode == 0, done.stderr
    result = check_same_run(two, one, 1e-4)
    assert result.training["processes"] == 2
    weights = load_language_model(one).state_dict()
    for name, value in load_language_model(two).state_dict().items():
        assert value.allclose(weights[name], rtol=1e-2, atol=1e-4), name


def test_under_torchrun(command: Callable[..., Any], genome: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    ran = command(*options(genome, one))
    assert ran.code == 0, ran.stderr
    done = start(
        *("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2),
        *("-m", "genomic_ulmfit", *options(genome, two)),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("this language model") == 1, "one process speaks"
    # Their dropout masks differ from one process's.
    result = check_same_run(two, one, 0.02)
    assert result.training["processes"] == 2
