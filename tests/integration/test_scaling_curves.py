"""The scaling curves run at tiny sizes; how fast is not looked at."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "scaling_curves.py"


def test_table_json_and_figure(tmp_path: Path) -> None:
    command = [sys.executable, SCRIPT, "--quick", "--threads", "1", "--out", tmp_path]
    done = subprocess.run(
        [*command, "--figure", tmp_path / "scaling.png"],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "scaling.json").read_text())
    sizes = {name: list(points) for name, points in report["curves"].items()}
    assert sizes == {
        "corpus": ["20000"],
        "length": ["10000", "20000"],
        "contigs": ["10"],
    }
    for points in report["curves"].values():
        for size, point in points.items():
            assert point["seconds"] > 0
            assert point["megabytes"] > 100
            assert any(f"| {int(size):,} |" in line for line in done.stdout.splitlines())
    assert done.stdout.count("exponent not known from one point") == 2
    assert re.search(r"Time over bases of the genome: exponent -?\d+\.\d\d\.", done.stdout)
    assert (tmp_path / "scaling.png").read_bytes().startswith(b"\x89PNG")
