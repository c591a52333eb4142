"""Freed memory stays with the process: seen from outside, by the kernel's count of page faults."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

COUNT_FAULTS = """
import resource, sys
import torch
from genomic_ulmfit.models.memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
layer = torch.nn.LSTM(64, 256)
def step():
    output, _ = layer(torch.ones(100, 64, 64))
    output.sum().backward()
for _ in range(3):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(mode: str) -> int:
    run = subprocess.run(
        [sys.executable, "-c", COUNT_FAULTS, mode], capture_output=True, text=True, check=True
    )
    return int(run.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc takes the hint")
def test_steps_of_training_do_not_map_their_memory_anew() -> None:
    assert page_faults("keep") < page_faults("default") / 2
