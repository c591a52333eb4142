"""Cells of the study."""

from __future__ import annotations

from typing import Any

import pytest

from genomic_ulmfit.studies.cells import Cell, seconds_left


def took(seconds: float) -> dict[str, Any]:
    return {"row": {"seconds": seconds}}


def test_time_ahead_is_the_mean_of_each_model_so_far() -> None:
    done = {
        Cell("strict", "cnn", 0): took(10),
        Cell("strict", "naive", 0): took(300),
        Cell("seed", "cnn", 0): took(20),
    }
    ahead = [Cell("strict", "cnn", 1), Cell("seed", "cnn", 1), Cell("strict", "naive", 1)]
    assert seconds_left(done, ahead) == pytest.approx(15 + 15 + 300)
    assert seconds_left(done, []) == 0


def test_no_estimate_where_a_model_was_never_run() -> None:
    done = {Cell("strict", "cnn", 0): took(10)}
    assert seconds_left(done, [Cell("strict", "cnn", 1), Cell("strict", "naive", 0)]) is None
