"""Printing for people: what comes from files is shown as it is there."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text


def plain_console(*, stderr: bool = False, tables: bool = False) -> Console:
    """Return a console that takes nothing in a text for markup or for an emoji's name.

    ``[/sigma70]`` may be a class and ``run:100:7`` a sequence's id.

    Parameters
    ----------
    stderr : bool
        Whether to print on standard error: notes and progress belong there.
    tables : bool
        Whether tables are printed, too. Without them lines are as long as they are, so that a
        path can be copied; with them they break where the terminal ends.
    """
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=not tables)


def note(text: str) -> None:
    """Print what is worth knowing beside the results, on standard error."""
    plain_console(stderr=True).print(marked("Note:", text))


def marked(word: str, text: str, style: str = "bold") -> Text:
    """Return a text whose first word stands out."""
    return Text.assemble((word, style), " ", text)


def counted(n: int, what: str) -> str:
    """Return a number of things, of which there may be one: "1 sequence", "2,000 sequences"."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"
