"""Benchmark scripts within the test's process, which saves importing PyTorch again."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[Any, str]]:
    """Run one by its file's name; return its exit code and what it wrote to standard error."""

    def run(name: str, *arguments: object) -> tuple[Any, str]:
        path = str(BENCHMARKS / name)
        monkeypatch.setattr(sys, "argv", [path, *map(str, arguments)])
        monkeypatch.syspath_prepend(BENCHMARKS)
        capfd.readouterr()
        code: Any = 0
        try:
            runpy.run_path(path, run_name="__main__")
        except SystemExit as end:
            code = end.code
        return code, capfd.readouterr().err

    return run
