"""SIGKILL, which nothing can prepare for: a resumed run is as if it had never been killed."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

# One process that has PyTorch loaded forks runs, each killed at its moment; it does not compute
# itself, so forking it is safe. The last run goes to the end.
DRIVER = """
import json, os, random, signal, sys, time
from pathlib import Path

from genomic_ulmfit.data.corpus import build_corpus
from genomic_ulmfit.dna.simulate import simulate_genome
from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.models.config import EncoderConfig
from genomic_ulmfit.training import journal, language_model_task
from genomic_ulmfit.models.folder import CHECKPOINT
from genomic_ulmfit.training.pretraining import pretrain
from genomic_ulmfit.training.pretraining_recipe import PretrainingRecipe
from safetensors.torch import save_file

journal.VALIDATION_TOKENS = 2_000
corpus = build_corpus([simulate_genome(n_genes=15, seed=0)])
config = EncoderConfig(12, 16, 2, KmerTokenizer(3, 2))
recipe = PretrainingRecipe(epochs=1.5, streams=8, bptt=20, learning_rate=2e-2, dropout=0.1)


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def before(owner, name, calls):
    plain, left = getattr(owner, name), [calls]
    def counted(*arguments, **options):
        left[0] -= 1
        if not left[0]:
            kill()
        return plain(*arguments, **options)
    setattr(owner, name, counted)


def prepare(place, n):
    if place == "step":
        before(language_model_task.LanguageModelTask, "training_step", n)
    elif place == "optimizer":
        before(language_model_task.torch.optim.AdamW, "step", n)
    elif place == "rename":
        before(os, "replace", n)
    elif place == "write":
        plain, left = Path.write_bytes, [n]
        def half(self, data):
            left[0] -= 1
            if not left[0]:
                plain(self, bytes(data)[: len(data) // 2])
                kill()
            return plain(self, data)
        Path.write_bytes = half
    elif place == "validation":
        plain, left = journal.held_out_sums, [n]
        def interrupted(model, windows, *rest):
            left[0] -= 1
            def cut():
                for window in windows:
                    yield window
                    if not left[0]:
                        kill()
            return plain(model, cut(), *rest)
        journal.held_out_sums = interrupted


def run(folder, place=None, n=None):
    child = os.fork()
    if child:
        return child
    prepare(place, n)
    resume = (folder / CHECKPOINT).exists()
    model, report = pretrain(
        corpus, folder, config, recipe, precision="fp32", progress=False, resume=resume,
        checkpoint_every=0.02,
    )
    save_file(model.state_dict(), folder / "weights.safetensors")
    (folder / "report.json").write_text(json.dumps(report.to_dict()))
    os._exit(0)


def ended(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


folder, moments, timed = Path(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3])
start = time.monotonic()
assert ended(run(folder / "whole")) == 0
duration = time.monotonic() - start
killed = folder / "killed"
for place, n in moments:
    assert ended(run(killed, place, n)) == -signal.SIGKILL, (place, n)
for _ in range(timed):
    child = run(killed)
    time.sleep(random.Random(timed).random() * duration)
    os.kill(child, signal.SIGKILL)
    assert ended(child) in (0, -signal.SIGKILL)
assert ended(run(killed)) == 0
"""

MOMENTS = [
    # Before there is a checkpoint.
    ("step", 1),
    ("write", 1),
    ("rename", 2),
    ("write", 2),
    ("step", 9),
    ("validation", 1),
    ("optimizer", 5),
    ("write", 3),
    ("validation", 2),
    ("step", 13),
    ("validation", 3),
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """One run as it is, and one killed at these moments and at two times drawn at random."""
    folder = tmp_path_factory.mktemp("kill")
    driver = folder / "driver.py"
    driver.write_text(DRIVER)
    done = subprocess.run(
        [sys.executable, driver, folder, json.dumps(MOMENTS), "2"],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "whole", folder / "killed"


def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return found


def test_the_loss_curve_is_the_same(folders: tuple[Path, Path]) -> None:
    whole, killed = map(report, folders)
    assert len(whole["curve"]) >= 4, "there is validation within the epoch"
    assert len(killed["curve"]) == len(whole["curve"])
    for point, wanted in zip(killed["curve"], whole["curve"], strict=True):
        assert point == pytest.approx(wanted, rel=1e-5)
    assert killed["tokens"] == whole["tokens"]
    assert killed["loss"] == pytest.approx(whole["loss"], rel=1e-4)


def test_the_weights_are_the_same(folders: tuple[Path, Path]) -> None:
    whole, killed = (load_file(folder / "weights.safetensors") for folder in folders)
    assert sorted(killed) == sorted(whole)
    for name, values in whole.items():
        # Rounded to bfloat16: noise may tip a weight over, by 1 in 128.
        assert killed[name] == pytest.approx(values, rel=1e-2, abs=1e-5), name


def test_the_log_has_each_step_once(folders: tuple[Path, Path]) -> None:
    logs = []
    for folder in folders:
        with open(folder / "logs" / "metrics.csv", encoding="utf-8", newline="") as handle:
            logs.append(list(csv.DictReader(handle)))
    assert [row["step"] for row in logs[1]] == [row["step"] for row in logs[0]]
    for row, wanted in zip(*reversed(logs), strict=True):
        for name in ("tokens", "loss", "learning_rate"):
            assert float(row[name]) == pytest.approx(float(wanted[name]), rel=1e-5)


def test_nothing_half_written_is_left(folders: tuple[Path, Path]) -> None:
    names = ["last.ckpt", "logs", "report.json", "weights.safetensors"]
    assert sorted(path.name for path in folders[1].iterdir()) == names
