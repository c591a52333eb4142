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
def step():
    return torch.ones(64 << 20, dtype=torch.uint8).sum().item()
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    assert step() == 64 << 20
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(mode: str) -> int:
    run = subprocess.run(
        [sys.executable, "-c", COUNT_FAULTS, mode], capture_output=True, text=True, check=True
    )
    return int(run.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc takes the hint")
def test_a_block_freed_and_wanted_again_is_not_mapped_anew() -> None:
    assert page_faults("keep") < page_faults("default") / 10
