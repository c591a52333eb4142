"""Freed memory stays with the process: seen from outside, by the kernel's count of page faults."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

COUNT_FAULTS = """
import contextlib, resource, sys
import torch
from genomic_ulmfit.models.memory import freed_memory_kept
layer = torch.nn.LSTM(64, 256)
def step():
    output, _ = layer(torch.ones(100, 64, 64))
    output.sum().backward()
def faults():
    for _ in range(3):
        step()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
default = faults()
with freed_memory_kept():
    kept = faults()
print(default, kept, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc takes the hint")
def test_steps_of_training_do_not_map_their_memory_anew() -> None:
    run = subprocess.run(
        [sys.executable, "-c", COUNT_FAULTS], capture_output=True, text=True, check=True
    )
    default, kept, afterwards = map(int, run.stdout.split())
    assert kept < default / 2
    assert afterwards > 2 * kept, "what comes after has the C library as it was"
