"""The speed benchmark runs at tiny sizes; how fast is not looked at."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
OURS = {
    "gemm-bf16": "TFLOP/s",
    "gemm-fp32": "TFLOP/s",
    "memory-copy": "GB/s",
    "train-tiny": "tokens/s",
    "infer-tiny": "tokens/s",
    "time-to-quality": "s",
    "tokenise": "bp/s",
    "fine-tune": "s",
    "train": "s",
    "features-tiny": "bp/s",
    "predict": "bp/s",
    "scan-dense": "bp/s",
    "scan-exact": "bp/s",
    "start-help": "s",
    "start-predict": "s",
    "start-torch": "s",
}
PEERS = {
    "lstm-train-tiny": ("torch", "train-tiny"),
    "lstm-infer-tiny": ("torch", "infer-tiny"),
    "fastai-train-tiny": ("fastai", "train-tiny"),
    "fastai-infer-tiny": ("fastai", "infer-tiny"),
    "fastai-train-seed": ("fastai", "train-tiny"),
    "prokbert-fp32": ("transformers", "features-tiny"),
    "dnabert-fp32": ("transformers", "features-tiny"),
}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("speed")
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "speed.py", "--quick", "--threads", "1", "--out", out],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return out, done.stdout


def cells(table: str) -> dict[str, list[str]]:
    """Return the table's lines by the name in their first cell."""
    lines = [line.strip("| ").split(" | ") for line in table.splitlines() if line[:3] == "| `"]
    return {line[0].strip("`"): [cell.strip() for cell in line] for line in lines}


def test_every_row_is_in_table_and_json(measured: tuple[Path, str]) -> None:
    out, shown = measured
    report = json.loads((out / "speed.json").read_text())
    assert (out / "speed.md").read_text() == shown.removesuffix("\n")
    assert "QUICK" in shown
    assert report["settings"]["genome"] == "simulated"
    assert report["settings"]["threads"] == 1
    rows = report["rows"]
    assert set(rows) == set(cells(shown)) == {*OURS, *PEERS}
    for name, unit in OURS.items():
        assert rows[name]["unit"] == unit
        values = rows[name]["values"]
        assert rows[name]["lowest"] == min(values) > 0
        assert rows[name]["lowest"] <= rows[name]["median"] <= rows[name]["highest"] == max(values)
        assert unit in cells(shown)[name][2]
    for name in ("predict", "scan-dense", "scan-exact", "start-help"):
        assert rows[name]["peak_megabytes"] > 10
    # The command line alone needs no PyTorch.
    assert rows["start-help"]["peak_megabytes"] < rows["start-torch"]["peak_megabytes"]


def test_peers_are_compared_or_said_to_be_missing(measured: tuple[Path, str]) -> None:
    out, shown = measured
    rows = json.loads((out / "speed.json").read_text())["rows"]
    for name, (package, ours) in PEERS.items():
        line = cells(shown)[name]
        if importlib.util.find_spec(package) is None:
            assert "is not installed" in rows[name]["skipped"]
            assert line[2] == "not measured"
        else:
            ratio = rows[ours]["median"] / rows[name]["median"]
            assert f"{ratio:.2f}× (`{ours}`)" in line[6]


def test_time_to_quality_is_computed_from_the_rows(measured: tuple[Path, str]) -> None:
    out, shown = measured
    report = json.loads((out / "speed.json").read_text())
    found, rows = report["time_to_quality"], report["rows"]
    if importlib.util.find_spec("fastai") is None:
        assert found is None
        return
    epoch = rows["fastai-train-seed"]["tokens_per_epoch"] / rows["fastai-train-seed"]["median"]
    assert found["ratio"] == pytest.approx(19 * epoch / rows["time-to-quality"]["median"])
    # A simulated genome cannot reach a loss that was measured on a real one.
    assert not found["reached"]
    assert "EXTRAPOLATED" in shown
    assert "NOT passed" in shown


QUICK = ("speed.py", "--quick", "--threads", 1)


def test_what_is_measured_is_kept(
    measured: tuple[Path, str],
    benchmark: Callable[..., Any],
    tmp_path: Path,
) -> None:
    out, shown = measured
    text = (out / "speed.json").read_text()
    (tmp_path / "speed.json").write_text(text)
    assert benchmark(*QUICK, "--out", tmp_path) == (0, shown, "")
    assert (tmp_path / "speed.json").read_text() == text


def test_a_row_that_fails_is_not_kept_and_costs_no_other(
    measured: tuple[Path, str],
    benchmark: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    report: dict[str, Any] = json.loads((measured[0] / "speed.json").read_text())
    before = dict(report["rows"])
    del report["rows"]["tokenise"]
    (tmp_path / "speed.json").write_text(json.dumps(report))
    monkeypatch.setattr(
        "genomic_ulmfit.dna.tokenizer.KmerTokenizer.tokenize", lambda *_: 1 // 0, raising=True
    )
    done = benchmark(*QUICK, "--out", tmp_path)
    assert done.code == 1
    assert "FAILED: ZeroDivisionError" in cells(done.stdout)["tokenise"][-1]
    kept = json.loads((tmp_path / "speed.json").read_text())["rows"]
    assert set(kept) == set(before) - {"tokenise"}

    # One that an older version kept is measured again, too.
    stale = {**report, "rows": {**report["rows"], "tokenise": {"failed": "then"}}}
    (tmp_path / "speed.json").write_text(json.dumps(stale))
    done = benchmark(*QUICK, "--out", tmp_path)
    assert done.code == 1
    assert "FAILED: ZeroDivisionError" in cells(done.stdout)["tokenise"][-1]

    (tmp_path / "speed.json").write_text(json.dumps({**report, "rows": before}))
    done = benchmark(*QUICK, "--out", tmp_path, "--only", "tokenise")
    assert done.code == 1
    assert "what was measured before" in done.stderr
    assert cells(done.stdout)["tokenise"] == cells(measured[1])["tokenise"]
    assert json.loads((tmp_path / "speed.json").read_text())["rows"] == before


def test_other_settings_make_another_table(
    measured: tuple[Path, str],
    benchmark: Callable[..., Any],
    tmp_path: Path,
) -> None:
    report: dict[str, Any] = json.loads((measured[0] / "speed.json").read_text())
    report["settings"]["threads"] = 2
    (tmp_path / "speed.json").write_text(json.dumps(report))
    done = benchmark(*QUICK, "--out", tmp_path)
    assert done.code == 2
    assert "threads 2, now it is 1" in done.stderr


def test_unknown_row(benchmark: Callable[..., Any], tmp_path: Path) -> None:
    done = benchmark(*QUICK, "--out", tmp_path, "--only", "train-huge")
    assert done.code == 2
    assert "there is no row 'train-huge'" in done.stderr
