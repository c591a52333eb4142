"""`benchmarks/unfreezing.py` at tiny scale."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_heads_that_pool(
    promoters_csv: Path, encoder_folder: Path, benchmark: Callable[..., Any]
) -> None:
    done = benchmark("unfreezing.py", promoters_csv, "--pooling", "--encoder", encoder_folder)
    assert done.code == 0, done.stderr
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line[:2] == "| "]
    assert [row[0] for row in rows[1:]] == [
        "onehot_lr",
        "kmer_lr",
        "cnn",
        "pooling, in stages",
        "pooling, all layers at once, every phase",
    ]
    for row in rows[1:]:
        assert 0 <= float(row[1]) <= 1
        assert 0 <= float(row[2]) <= 1


def test_a_table_that_is_missing(tmp_path: Path, benchmark: Callable[..., Any]) -> None:
    done = benchmark("unfreezing.py", tmp_path / "absent.csv", "--pooling")
    assert done.code == 2
    assert "absent.csv" in done.stderr
