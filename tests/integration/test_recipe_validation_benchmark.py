"""`benchmarks/recipe_validation.py` at tiny scale."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_a_row_per_recipe(
    promoters_csv: Path, encoder_folder: Path, benchmark: Callable[..., Any]
) -> None:
    options = ("--encoder", encoder_folder, "--sizes", 20, "--folds", 2)
    done = benchmark("recipe_validation.py", promoters_csv, *options)
    assert done.code == 0, done.stderr
    # 225 rows are marked train and 22 valid; those marked test are not looked at.
    assert "promoters.csv: 247 rows, 2 folds" in done.stdout
    rows = [line.strip("|").split("|") for line in done.stdout.splitlines() if line[:2] == "| "]
    assert [row[0].strip() for row in rows[1:]] == [
        "probe, 3-mers × 1",
        "probe, 3-mers × 2",
        "probe, 3-mers × 4",
        "probe × 1, network and network over bases",
        "the recipe without an encoder",
    ]
    # What train does with 20 labels stands out.
    assert [row[1].strip().startswith("**") for row in rows[1:]] == [
        False,
        False,
        True,
        False,
        False,
    ]
    assert rows[4][1].strip() == "–"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--folds", 1), "--folds: got 1, allowed is 2 or more"),
        (("--subsets", 0), "--subsets: got 0, allowed is 1 or more"),
        (("--sizes", 1), "--sizes: got 1; "),
        (("--sizes", 9999), "--sizes: got 9999; "),
    ],
)
def test_unusable_options(
    promoters_csv: Path,
    encoder_folder: Path,
    options: tuple[object, ...],
    message: str,
    benchmark: Callable[..., Any],
) -> None:
    done = benchmark("recipe_validation.py", promoters_csv, "--encoder", encoder_folder, *options)
    assert done.code == 2
    assert message in done.stderr
    assert done.stdout == ""
