from __future__ import annotations

import pytest

from genomic_ulmfit.reports.markdown import markdown_row, plain


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("a", "a"),
        ("a|b", r"a\|b"),
        ("`a|b`", r"`a\|b`"),
        (r"a\|b", r"a\|b"),
        (r"a\\|b", r"a\\\|b"),
        ("||", r"\|\|"),
        ("a\\", "a\\"),
    ],
)
def test_no_cell_ends_early(cell, written):
    assert markdown_row([cell, "−1"]) == f"| {written} | −1 |"


def test_plain_text_is_escaped_once_in_a_row():
    assert plain("a|b\n <i> *c* `d` \\") == r"a\|b \<i> \*c\* \`d\` \\"
    assert markdown_row([plain("a|b\\")]) == r"| a\|b\\ |"
