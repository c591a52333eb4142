"""Rows of Markdown tables (GitHub's kind), and text that must not become markup."""

from __future__ import annotations

import re
from collections.abc import Iterable

# With what is escaped already, so that a bar after two backslashes counts as a bare one.
_BARS = re.compile(r"\\.|\|")


def markdown_row(cells: Iterable[str]) -> str:
    r"""Return a line of a table.

    Parameters
    ----------
    cells : iterable of str
        Markdown, each of one line. A bar that is not escaped is, or it would end the cell: in a
        table even one between backticks does.

    Returns
    -------
    str
        Without the end of the line.
    """
    return f"| {' | '.join(_BARS.sub(_escaped, cell) for cell in cells)} |"


def _escaped(found: re.Match[str]) -> str:
    return r"\|" if found[0] == "|" else found[0]


def plain(text: str) -> str:
    """Return text in one line, as Markdown that shows it as it is.

    A genome's name comes from a file somebody else wrote and must not become markup.
    """
    for character in "\\|<`*":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())
