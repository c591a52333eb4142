"""A disk that is full: exit code 2, nothing half-written, and nothing lost that took hours."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genomic_ulmfit import files
from genomic_ulmfit.models.folder import CHECKPOINT


def limited(limit: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command that may write no file of more than `limit` bytes."""
    return subprocess.run(
        [sys.executable, "-m", "genomic_ulmfit", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )


def check_refusal(code: int, message: str) -> None:
    assert code == 2, message
    assert "Traceback" not in message
    assert message.strip().startswith("Error: "), message


def test_simulate(tmp_path: Path) -> None:
    old = tmp_path / "old.gbk"
    old.write_text("what was there before")
    for out in (old, tmp_path / "new.gbk"):
        done = limited(4096, "simulate", "--out", out, "--genes", 30)
        check_refusal(done.returncode, done.stderr)
        assert "File too large" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["old.gbk"]
    assert old.read_text() == "what was there before"


def test_train(tmp_path: Path, promoters_csv: Path, encoder_folder: Path) -> None:
    out = tmp_path / "model"
    arguments = ("train", promoters_csv, "--out", out, "--encoder", encoder_folder)
    done = limited(30_000, *arguments)
    message = done.stderr[done.stderr.index("Error") :]
    check_refusal(done.returncode, message)
    assert not out.exists() or not list(out.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_standard_output(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "genomic_ulmfit", "simulate", "--out", "a.gbk", "--genes", "3"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=280,
            check=False,
            cwd=tmp_path,
        )
    check_refusal(done.returncode, done.stderr)
    assert "No space left on device" in done.stderr


def full(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let files of these names be written, but not be finished."""
    plain = os.fsync

    def fsync(descriptor: int) -> None:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        if not names or Path(path).suffix in names:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        plain(descriptor)

    monkeypatch.setattr(files.os, "fsync", fsync)


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="needs /proc to tell one file from another"
)


@needs_proc
@pytest.mark.parametrize("suffix", [".safetensors", ".md", ".json"])
def test_a_model_is_whole_or_not_there(
    command: Callable[..., Any],
    promoters_csv: Path,
    encoder_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    suffix: str,
) -> None:
    out = tmp_path / "model"
    arguments = ("train", promoters_csv, "--out", out, "--encoder", encoder_folder)
    full(monkeypatch, suffix)
    ran = command(*arguments)
    assert ran.code == 2
    assert "No space left on device" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (out / "config.json").exists()
    assert not [path for path in out.iterdir() if path.name.startswith(".")], "no leftovers"
    ran = command("evaluate", out, promoters_csv)
    assert ran.code == 2
    assert "is missing; this is no complete model folder" in ran.stderr

    monkeypatch.undo()
    ran = command(*arguments)
    assert ran.code == 0, "with space, the same command does it"


@needs_proc
def test_training_is_not_lost_when_the_model_cannot_be_written(
    command: Callable[..., Any],
    genome_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "encoder"
    arguments = ("pretrain", genome_file, "--out", out, "--preset", "tiny", "--epochs", 1)
    full(monkeypatch, ".safetensors")
    ran = command(*arguments, "--precision", "fp32")
    assert ran.code == 2
    assert "No space left on device" in ran.stderr
    assert sorted(path.name for path in out.iterdir()) == [CHECKPOINT, "logs"]

    monkeypatch.undo()
    ran = command(*arguments, "--precision", "fp32", "--resume")
    assert ran.code == 0, ran.stderr
    assert sorted(path.name for path in out.iterdir()) == [
        "card.md",
        "config.json",
        "logs",
        "model.safetensors",
    ]


@needs_proc
def test_no_room_for_a_checkpoint(
    command: Callable[..., Any],
    genome_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "encoder"
    full(monkeypatch, ".ckpt")
    ran = command("pretrain", genome_file, "--out", out, "--preset", "tiny", "--epochs", 1)
    assert ran.code == 2
    assert "No space left on device" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert [path.name for path in out.iterdir()] == ["logs"]
