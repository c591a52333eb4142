from __future__ import annotations

import json
import math

import numpy as np
import pytest

from genomic_ulmfit.reports.numbers import duration, interval, json_ready, number


def test_numbers_have_a_true_minus_and_missing_ones_a_dash():
    assert number(-0.12345) == "−0.123"
    assert number(0.5, 1, sign=True) == "+0.5"
    assert [number(missing) for missing in (None, math.nan, math.inf)] == ["–"] * 3
    assert interval(-0.1, 0.25, sign=True) == "[−0.100, +0.250]"
    assert interval(None, 0.25) == interval(0.1, math.nan) == interval(0.5, 0.5 + 1e-15) == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(9.94, "9.9 s"), (10, "10 s"), (119, "119 s"), (120, "2 min"), (7200, "2.0 h")],
)
def test_durations_are_as_precise_as_a_reader_needs(seconds, words):
    assert duration(seconds) == words


def test_json_ready_leaves_nothing_that_json_has_not():
    value = {
        "a": np.float32(0.5),
        "b": [np.int64(3), (math.nan, math.inf)],
        3: {"c": np.float64("nan"), "d": np.bool_(True)},
        "e": None,
    }
    clean = json_ready(value)
    assert clean == {"a": 0.5, "b": [3, [None, None]], "3": {"c": None, "d": True}, "e": None}
    assert json.loads(json.dumps(clean, allow_nan=False)) == clean
