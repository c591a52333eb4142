"""Running a command of the package as a user would: its time and its memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

# A process also counts what its parent's memory was while it was being started, and whoever
# measures holds PyTorch. So a small Python stands between the two.
_LAUNCHER = """
import json, os, subprocess, sys, time
begun = time.perf_counter()
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
told = child.stderr.read().decode(errors="replace")
_, status, used = os.wait4(child.pid, 0)
print(json.dumps([time.perf_counter() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss,
                  os.waitstatus_to_exitcode(status), told[-2000:]]))
"""


class Ran(NamedTuple):
    """What a command has used.

    Parameters
    ----------
    seconds : float
        By the clock.
    cpu_seconds : float
        Of all its threads.
    megabytes : float
        Peak resident memory, in MB of 1,000,000 bytes.
    """

    seconds: float
    cpu_seconds: float
    megabytes: float


def run_command(*arguments: object) -> Ran:
    """Run ``genomic-ulmfit ARGUMENTS`` in a new process; raise if it fails."""
    return run_python("-m", "genomic_ulmfit", *arguments)


def run_python(*arguments: object) -> Ran:
    """Run this Python with arguments in a new process; raise if it fails."""
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", _LAUNCHER, *command],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    seconds, cpu_seconds, peak, code, told = json.loads(done.stdout)
    if code:
        raise RuntimeError(f"{' '.join(command[1:])}: exit code {code}\n{told}")
    # Linux counts in KiB, macOS in bytes.
    return Ran(seconds, cpu_seconds, peak * (1 if sys.platform == "darwin" else 1024) / 1e6)


def write_fasta(path: Path, records: Sequence[tuple[str, str]]) -> Path:
    """Write sequences, lines of 80 letters."""
    with open(path, "w", encoding="ascii") as handle:
        for name, letters in records:
            handle.write(f">{name}\n")
            handle.writelines(f"{letters[i : i + 80]}\n" for i in range(0, len(letters), 80))
    return path


def processor() -> str:
    """Name the processor, and say whether it multiplies in bf16."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        import platform

        return platform.processor() or platform.machine()
    fields = dict(
        tuple(part.strip() for part in line.split(":", 1))
        for line in text.splitlines()
        if ":" in line
    )
    flags = fields.get("flags", "").split()
    bf16 = [name for name in ("amx_bf16", "avx512_bf16") if name in flags]
    name = fields.get("model name", "unknown processor")
    return f"{name}, {os.cpu_count()} cores, {' and '.join(bf16) or 'no bf16'}"
