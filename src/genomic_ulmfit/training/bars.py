"""How far a loop has come that is not Lightning's, on standard error."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.progress import track

from genomic_ulmfit.console import plain_console

T = TypeVar("T")

LINE_EVERY = 60.0
"""Seconds between lines where there is no terminal to draw a bar on."""


def bar(items: Iterable[T], what: str, total: int, show: bool = True) -> Iterator[T]:
    """Give items one after the other, and show how many are done.

    Parameters
    ----------
    items : iterable
    what : str
        What is being done.
    total : int
        How many there are.
    show : bool
        Without it, nothing is shown.
    """
    console = plain_console(stderr=True)
    if not show:
        yield from items
    elif console.is_terminal:
        yield from track(items, what, total, console=console, transient=True)
    else:
        last_line = time.monotonic()
        for done, item in enumerate(items, start=1):
            yield item
            if time.monotonic() - last_line >= LINE_EVERY:
                last_line = time.monotonic()
                console.print(f"{what}: {done:,} of {total:,}")
