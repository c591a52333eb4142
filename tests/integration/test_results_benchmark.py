"""`benchmarks/results.py` runs studies and puts their tables into a page, at tiny scale."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genomic_ulmfit.dna.simulate import simulate_genome, write_genbank

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
def here(tmp_path: Path) -> Path:
    """A page, and a genome of few genes."""
    (tmp_path / "page.md").write_text(PAGE)
    (tmp_path / "species").mkdir()
    (tmp_path / "tss.bed").touch()
    write_genbank(simulate_genome(n_genes=24, seed=0), tmp_path / "sim.gbk")
    return tmp_path


def arguments(here: Path, *more: object, genome: str = "sim.gbk") -> list[str]:
    given = (
        *("--genome", here / genome, "--tss", here / "tss.bed", "--species", here / "species"),
        *("--out", here / "out", "--into", here / "page.md", "--repeats", 1, *more),
    )
    return [str(one) for one in given]


def test_tables_come_into_the_page(
    here: Path, encoder_folder: Path, benchmark: Callable[..., Any]
) -> None:
    wanted = arguments(here, "--encoders", encoder_folder, "--only", "curve-anchored")
    done = benchmark("results.py", *wanted)
    assert done.code == 0, done.stderr
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


def test_what_is_missing_is_named(here: Path, benchmark: Callable[..., Any]) -> None:
    code, _, said = benchmark("results.py", *arguments(here, genome="absent.gbk"))
    assert code == 2
    assert "--genome: there is no" in said
    # The folder of species holds no table.
    code, _, said = benchmark("results.py", *arguments(here, "--only", "species"))
    assert code == 2
    assert "holds no CSV or TSV files" in said
    (here / "page.md").write_text("nothing")
    code, _, said = benchmark("results.py", *arguments(here, "--only", "species"))
    assert code == 2
    assert "needs one line <!-- begin species --> and one <!-- end species -->" in said
