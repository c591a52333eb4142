from __future__ import annotations

import pytest
from matplotlib.text import Text

from genomic_ulmfit.reports.cross_species import draw_heat_map
from genomic_ulmfit.reports.picture import new_figure, put_words

# Two dollars make what is between them mathematics, here such that matplotlib cannot read it.
NAME = "$x^{$"
DRAWN = r"\$x^{\$"


@pytest.mark.parametrize("simulated", [False, True])
def test_title_and_caption_are_drawn_as_they_are(simulated):
    figure = new_figure(5, 3)
    put_words(
        figure, NAME, f"of {NAME}", left=0.1, top=0.9, bottom=0.1, simulated=simulated, fontsize=6
    )
    title, caption = figure.texts
    assert (title.get_text(), caption.get_text()) == (DRAWN, f"of {DRAWN}")
    assert (title.get_position(), title.get_va()) == ((0.1, 0.9), "top")
    assert (caption.get_position(), caption.get_va()) == ((0.1, 0.1), "bottom")
    assert (title.get_color() != "black") is simulated
    assert caption.get_fontsize() == 6
    figure.draw_without_rendering()


def test_names_of_files_are_no_mathematics_in_a_heat_map():
    results = {
        "names": [NAME, "b"],
        "auroc": [[0.9, None], [0.6, 0.7]],
        "n_test": [10, 20],
        "model": "encoder",
        "encoder": {"name": NAME},
        "seed": 0,
    }
    picture = draw_heat_map(results)
    assert picture.png
    drawn = [text.get_text() for text in picture.figure.findobj(Text)]
    assert DRAWN in drawn
    assert any(f"encoder {DRAWN}, seed 0" in text for text in drawn)
    assert f"encoder {NAME}, seed 0" in picture.caption
