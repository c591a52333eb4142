"""Tables of metrics: what has no interval is marked, and the mark explained."""

from __future__ import annotations

import io
from types import SimpleNamespace

from rich.console import Console

from genomic_ulmfit.cli.metric_table import NO_SPREAD, metric_table, why_no_interval
from genomic_ulmfit.evaluation.estimates import Estimate

SCORES = SimpleNamespace(
    certain=Estimate(1.0, 1.0, 1.0),
    spread=Estimate(0.5, 0.25, 0.75),
    undefined=Estimate(None, None, None),
    alone=Estimate(0.125, None, None),
)


def test_what_has_no_interval_is_marked_and_explained() -> None:
    out = io.StringIO()
    Console(file=out, width=80).print(metric_table(SCORES, vars(SCORES)))
    rows = {
        line.split("│")[1].strip(): [cell.strip() for cell in line.split("│")[2:4]]
        for line in out.getvalue().splitlines()
        if "│" in line
    }
    assert rows == {
        "certain": ["1.0000", NO_SPREAD],
        "spread": ["0.5000", "0.2500 to 0.7500"],
        "undefined": ["not defined", ""],
        "alone": ["0.1250", ""],
    }
    assert "however stretches are drawn" in why_no_interval(SCORES, vars(SCORES), "stretches")
    assert why_no_interval(SCORES, ["spread", "undefined", "alone"], "stretches") == ""
