"""Logo, heat map and page: drawn from what was found, numbered from the site, and safe."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from genomic_ulmfit.inference.explaining.attribution import Attribution
from genomic_ulmfit.inference.explaining.explanation import ExplainResult, Explanation
from genomic_ulmfit.inference.explaining.mutagenesis import Mutagenesis
from genomic_ulmfit.inference.explaining.perturbation import Perturbation
from genomic_ulmfit.inference.explaining.profiles import average, known_bases
from genomic_ulmfit.reports.explain_figures import draw_average, draw_sequence
from genomic_ulmfit.reports.explain_page import render_explanation

N, LENGTH, ANCHOR = 3, 30, 12


def explanation(*, everything: bool, anchor: int | None = ANCHOR) -> Explanation:
    """The base at place 20 is worth 3, and no other anything."""
    rng = np.random.default_rng(0)
    windows = tuple(rng.integers(0, 4, LENGTH).astype(np.uint8) for _ in range(N))
    log_odds = np.array([1, 2, -1], np.float32)
    effects = np.zeros((N, LENGTH, 4), np.float32)
    for row, window in enumerate(windows):
        effects[row, 20, np.arange(4) != window[20]] = -3
    mutagenesis = Mutagenesis(log_odds, effects)
    contributions = {"mutagenesis": mutagenesis.importance(windows)}
    perturbations, attribution = (), None
    if everything:
        attribution = Attribution(
            rng.normal(size=(N, LENGTH)).astype(np.float32), log_odds, log_odds
        )
        contributions["gradient"] = attribution.contributions
        starts = np.arange(0, 26, 2)
        lost = -np.ones((N, len(starts)), np.float32)
        perturbations = (Perturbation(5, starts, log_odds, lost),)
        contributions["perturbation"] = perturbations[0].importance(LENGTH)
    return Explanation(
        ("a$b", "<script>", "c"),
        windows,
        "promoter",
        anchor,
        log_odds,
        contributions,
        mutagenesis,
        perturbations,
        attribution,
        average(contributions["mutagenesis"], windows),
    )


@pytest.mark.parametrize("everything", [True, False])
def test_average(tmp_path: Path, everything: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = draw_average(explanation(everything=everything))
        assert picture is not None
        picture.save(tmp_path)
    assert (tmp_path / "average.png").read_bytes().startswith(b"\x89PNG")
    assert picture.title == "What speaks for class promoter: mean of 3 sequences"
    # Place 20 is the ninth base from the site on, and the only one that matters.
    assert "(+3.00)" in picture.alt
    logo, heat, *rest = [axes for axes in picture.figure.axes if axes.get_label() != "<colorbar>"]
    top = max(patch.get_extents().y1 for patch in logo.patches)
    highest = [patch for patch in logo.patches if patch.get_extents().y1 == top]
    left, right = (logo.transData.inverted().transform((x, 0))[0] for x in
                   (highest[0].get_extents().x0, highest[0].get_extents().x1))  # fmt: skip
    assert 19.4 < left < right < 20.6
    assert len(rest) == everything
    image = heat.images[0].get_array()
    assert image is not None
    assert np.abs(image).sum(0).argmax() == 20
    shown = [label.get_text() for label in (rest or [heat])[-1].get_xticklabels()]
    assert shown == ["−10", "+1", "+10"]


def test_numbers_without_a_site() -> None:
    picture = draw_average(explanation(everything=False, anchor=None))
    assert picture is not None
    panel = picture.figure.axes[1]
    assert [label.get_text() for label in panel.get_xticklabels()] == ["10", "20", "30"]
    assert "dashed" not in picture.caption


def test_single_sequences_have_safe_names() -> None:
    one = draw_sequence(explanation(everything=True), 1)
    assert one.name == "0002__script_"
    assert one.title == "<script>: probability of class promoter 0.8808"


def test_sequences_of_several_lengths_have_no_average() -> None:
    found = explanation(everything=False)
    without = Explanation(**{**vars(found), "average": None})
    assert draw_average(without) is None


def test_page_is_self_contained_and_escaped() -> None:
    found = explanation(everything=False)
    summary = {
        "model": {"folder": "<b>", "class": "promoter"},
        "settings": {"sequences": "x.fa", "variants": None, "anchor": ANCHOR},
        "sequences": N,
        "called": 2,
        "variants": 0,
        "notes": ["a & b"],
    }
    picture = draw_average(found)
    page = render_explanation(
        ExplainResult(found, (), summary, ()), picture, [draw_sequence(found, 1)]
    )
    assert page.count("data:image/png;base64,") == 2
    assert "&lt;script&gt;: probability" in page
    assert "<script" not in page
    assert "&lt;b&gt;" in page
    assert "a &amp; b" in page
    assert "http" not in page.replace('http-equiv="Content', "")


def test_lines_leave_ambiguous_bases_out() -> None:
    found = explanation(everything=True)
    windows = (np.where(np.arange(LENGTH) < 8, 4, found.windows[0]).astype(np.uint8),)
    windows += found.windows[1:]
    ones = {
        method: known_bases(np.ones((N, LENGTH), np.float32), windows)
        for method in found.contributions
    }
    changed = Explanation(
        **{
            **vars(found),
            "windows": windows,
            "contributions": ones,
            "average": average(ones["mutagenesis"], windows),
        }
    )
    picture = draw_average(changed)
    assert picture is not None
    lines = next(axes for axes in picture.figure.axes if axes.get_ylabel() == "relative").lines
    for line in lines[:2]:
        # No window of the perturbation holds the last base.
        assert line.get_ydata()[:-1] == pytest.approx(np.ones(LENGTH - 1))


def test_a_sequence_of_which_nothing_is_known() -> None:
    found = explanation(everything=True)
    windows = (np.full(LENGTH, 4, np.uint8), *found.windows[1:])
    contributions = {
        method: known_bases(values, windows) for method, values in found.contributions.items()
    }
    changed = Explanation(**{**vars(found), "windows": windows, "contributions": contributions})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_sequence(changed, 0)
