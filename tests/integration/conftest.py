"""Benchmark scripts within the test's process, which saves importing PyTorch again."""

from __future__ import annotations

import contextlib
import os
import runpy
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


class Done(NamedTuple):
    """How a script ended; line breaks of its messages are spaces."""

    code: Any
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def benchmark() -> Callable[..., Done]:
    """Run one by its file's name."""

    def run(name: str, *arguments: object) -> Done:
        path = str(BENCHMARKS / name)
        code: Any = 0
        with (
            tempfile.TemporaryFile("w+") as out,
            tempfile.TemporaryFile("w+") as err,
            pytest.MonkeyPatch.context() as patch,
            redirected(1, out),
            redirected(2, err),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            patch.setattr(sys, "argv", [path, *map(str, arguments)])
            patch.syspath_prepend(BENCHMARKS)
            # Scripts set it for what they run.
            patch.setenv("OMP_NUM_THREADS", "1")
            try:
                runpy.run_path(path, run_name="__main__")
            except SystemExit as end:
                code = end.code
            out.seek(0)
            err.seek(0)
            return Done(code or 0, out.read(), " ".join(err.read().split()))

    return run


@contextlib.contextmanager
def redirected(descriptor: int, file: IO[str]) -> Iterator[None]:
    """Let what commands inherit as standard output or error be a file."""
    before = os.dup(descriptor)
    os.dup2(file.fileno(), descriptor)
    try:
        yield
    finally:
        os.dup2(before, descriptor)
        os.close(before)
