from __future__ import annotations

from typing import Any

import pytest
from matplotlib.text import Text

from genomic_ulmfit.reports.learning_curve import (
    CURVE_METRICS,
    SEED_CONTIG,
    draw_learning_curve,
    is_seeds_task,
    markdown_table,
    render_page,
)

NAME = "$x^{$|<b>"
"""Of an encoder and a table: both come from files."""


@pytest.fixture(scope="module")
def results() -> Any:
    models = ["naive", NAME]
    estimate = {"mean": 0.8, "low": 0.7, "high": 0.9}
    return {
        "title": "How few labels are enough",
        "command": "genomic-ulmfit learning-curve",
        "version": "0.1.0",
        "created": "2025-01-02T03:04:05+00:00",
        "table": {
            "file": NAME,
            "sha256": "f" * 64,
            "framing": "",
            "contigs": ["x"],
            "length": 150,
            "n_test": 100,
        },
        "encoders": {NAME: {"name": NAME, "sha256": "e" * 64}},
        "models": models,
        "sizes": ["20", "all"],
        "repeats": 3,
        "seed": 0,
        "precision": "fp32",
        "seconds": 7.0,
        "rows": [],
        "summary": [
            {
                "model": model,
                "size": size,
                "n_labels": 20 if size == "20" else 400,
                **dict.fromkeys(CURVE_METRICS, estimate),
            }
            for model in models
            for size in ("20", "all")
        ],
        "differences": [
            {
                "a": NAME,
                "b": "naive",
                "size": size,
                "difference": 0.02,
                "low": -0.01,
                "high": 0.05,
                "over_sequences": {"low": 0.0, "high": 0.04},
            }
            for size in ("20", "all")
        ],
    }


def test_names_of_files_are_drawn_as_they_are(results: Any) -> None:
    picture = draw_learning_curve(results)
    picture.figure.draw_without_rendering()
    drawn = [text.get_text() for text in picture.figure.findobj(Text)]
    literal = NAME.replace("$", r"\$")
    assert f"{literal} encoder" in drawn
    assert any(text.startswith(f"{literal}: 100 test sequences") for text in drawn)
    assert picture.caption.startswith(NAME)
    page = render_page(results, picture)
    assert "<b>" not in page
    assert "data:image/svg+xml;base64," in page


@pytest.mark.parametrize("size", ["20", "30"])
def test_a_single_size_on_the_seeds_task_is_a_point(results: Any, size: str) -> None:
    one = {
        **results,
        "table": {**results["table"], "framing": "anchored", "contigs": [SEED_CONTIG]},
        "sizes": [size],
        "summary": [
            {**cell, "size": size, "n_labels": int(size)}
            for cell in results["summary"]
            if cell["size"] == "20"
        ],
    }
    panel = draw_learning_curve(one).figure.axes[0]
    drawn = [line for line in panel.lines if line.get_marker() not in (None, "None", "")]
    assert [line.get_xdata().tolist() for line in drawn[:2]] == [[int(size)]] * 2
    # The seed's own accuracy, where it has told one.
    assert [line.get_marker() for line in drawn[2:]] == (["x"] if size == "20" else [])
    assert is_seeds_task(one) == (size == "20")
    assert panel.get_ylim()[0] > 0.5


def test_names_of_files_do_not_end_a_cell(results: Any) -> None:
    lines = markdown_table(results).splitlines()
    named = [line for line in lines if line.startswith("| $x^")]
    assert len(named) == 3
    for line in named:
        assert line.startswith(r"| $x^{$\|<b> encoder |")
        # The bars at both ends, and one before each cell but the first.
        cells = 4 if line == named[-1] else 3
        assert line.replace(r"\|", "").count("|") == cells + 1
