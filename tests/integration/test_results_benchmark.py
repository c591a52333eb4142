"""`benchmarks/results.py` runs studies and puts their tables into a page, at tiny scale."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from genomic_ulmfit.data.tables import read_labelled, write_table

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
PAGE = """# Page

Before.

<!-- begin curve-anchored -->
old
<!-- end curve-anchored -->

Between.

<!-- begin species -->
<!-- end species -->
"""


@pytest.fixture
def here(tmp_path: Path, promoters_csv: Path) -> Path:
    """A page, and windows of the anchored framing, with few rows to train on."""
    (tmp_path / "page.md").write_text(PAGE)
    (tmp_path / "species").mkdir()
    (tmp_path / "tss.bed").touch()
    table = read_labelled(promoters_csv)
    train = table[table["split"] == "train"].groupby("label").head(12)
    few = pd.concat([train, table[table["split"] == "test"]])
    (tmp_path / "out" / "windows").mkdir(parents=True)
    write_table(few, tmp_path / "out" / "windows" / "anchored.csv")
    return tmp_path


def run(here: Path, genome: Path, *more: object) -> subprocess.CompletedProcess[str]:
    arguments = (
        *("--genome", genome, "--tss", here / "tss.bed", "--species", here / "species"),
        *("--out", here / "out", "--into", here / "page.md", "--repeats", 1, *more),
    )
    return subprocess.run(
        [sys.executable, BENCHMARKS / "results.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def test_tables_come_into_the_page(here: Path, genome_file: Path, encoder_folder: Path) -> None:
    done = run(here, genome_file, "--encoders", encoder_folder, "--only", "curve-anchored")
    assert done.returncode == 0, done.stderr
    page = (here / "page.md").read_text()
    assert page.startswith("# Page\n\nBefore.\n\n<!-- begin curve-anchored -->\n\n| accuracy")
    assert page.endswith(PAGE.partition("old\n")[2])
    curve = page.partition("Between.")[0]
    results = json.loads((here / "out" / "curve-anchored" / "results.json").read_text())
    for one in results["summary"]:
        for metric in ("accuracy", "auroc"):
            assert f"{one[metric]['mean']:.3f}" in curve
    rows = [line for line in curve.splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {len(results["sizes"]) + 2}
    assert done.stdout in page


def test_what_is_missing_is_named(here: Path, genome_file: Path) -> None:
    done = run(here, here / "absent.gbk")
    assert done.returncode == 2
    assert "--genome: there is no" in done.stderr
    # The folder of species holds no table.
    done = run(here, genome_file, "--only", "species")
    assert done.returncode == 2
    assert "holds no CSV or TSV files" in done.stderr
    assert "Traceback" not in done.stderr
    (here / "page.md").write_text("nothing")
    done = run(here, genome_file, "--only", "species")
    assert done.returncode == 2
    assert "has no lines <!-- begin species -->" in done.stderr
