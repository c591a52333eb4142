"""How far long work has come, on standard error."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from types import TracebackType
from typing import NamedTuple, Protocol, TypeVar

import rich.progress

from genomic_ulmfit.console import plain_console

T = TypeVar("T")

FIRST_LINE, LINE_EVERY = 10.0, 60.0
"""Seconds to the first line where there is no terminal to draw a bar on, and between lines in the
long run."""

LOOK_EVERY = 0.5
"""Seconds between looks whether a line is due."""


class Lines:
    """Says when a log is due a line: soon at first, then ever more seldom, up to `LINE_EVERY`."""

    def __init__(self) -> None:
        self.wait = FIRST_LINE
        self.last = time.monotonic()

    def due(self) -> bool:
        """Return whether it is time for a line."""
        return time.monotonic() - self.last >= self.wait

    def written(self) -> None:
        """Take note that a line was written."""
        self.wait = min(2 * self.wait, LINE_EVERY)
        self.last = time.monotonic()


def time_left(begun: float, done: int, total: int) -> str:
    """Return how long the rest will take, from how long what is done took since `begun`."""
    seconds = (time.monotonic() - begun) / max(1, done) * (total - done)
    return f"{timedelta(seconds=round(seconds))} left"


class Report(Protocol):
    """Is told how far long work has come."""

    def __call__(self, what: str, done: int, total: int | None = None, /) -> None:
        """Take note that `done` of `total` (None: nobody knows) are done."""


class _Work(NamedTuple):
    """What is being done, how much of it is, and since when, if that was told."""

    what: str
    done: int
    total: int | None
    begun: float | None


class Progress:
    """A bar on a terminal, or now and then a line in a log, also while nothing new is reported.

    Parameters
    ----------
    unit : str
        What is counted; may be empty.
    show : bool
        Without it, nothing is shown.
    """

    def __init__(self, unit: str, show: bool = True) -> None:
        self.unit = unit
        self.show = show
        self.console = plain_console(stderr=True)
        self.bar: rich.progress.Progress | None = None
        self.line: rich.progress.TaskID | None = None
        self.lines = Lines()
        self.work: _Work | None = None
        self.ended = threading.Event()
        self.clock = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Progress:
        if self.show and self.console.is_terminal:
            self.bar = rich.progress.Progress(
                rich.progress.TextColumn("{task.description}", markup=False),
                rich.progress.BarColumn(),
                rich.progress.TextColumn("{task.fields[figures]}"),
                rich.progress.TimeRemainingColumn(),
                console=self.console,
                transient=True,
            )
            self.bar.start()
        elif self.show:
            self.clock.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bar is not None:
            self.bar.stop()
        elif self.show:
            self.ended.set()
            self.clock.join()

    def __call__(self, what: str, done: int, total: int | None = None) -> None:
        """Show that `done` of `total` (None: nobody knows) are done.

        To be told of 0 at the start tells how long the rest will take.
        """
        if self.work is not None and self.work.what == what:
            begun = self.work.begun
        else:
            begun = None if done else time.monotonic()
        self.work = _Work(what, done, total, begun)
        if self.bar is not None:
            figures = self._figures(self.work)
            if self.line is None:
                self.line = self.bar.add_task(what, total=total, figures=figures)
            self.bar.update(
                self.line, description=what, completed=done, total=total, figures=figures
            )

    def write_line(self) -> None:
        """Write a line if one is due and there is something to say."""
        work = self.work
        if work is None or not self.lines.due():
            return
        self.lines.written()
        left = ""
        if work.begun is not None and work.total is not None and 0 < work.done < work.total:
            left = f", {time_left(work.begun, work.done, work.total)}"
        self.console.print(f"{work.what}: {self._figures(work)}{left}")

    def _figures(self, work: _Work) -> str:
        figures = f"{work.done:,}" + ("" if work.total is None else f" of {work.total:,}")
        return f"{figures} {self.unit}".rstrip()

    def _watch(self) -> None:
        while not self.ended.wait(LOOK_EVERY):
            self.write_line()


def tracked(items: Iterable[T], what: str, total: int, show: bool = True) -> Iterator[T]:
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
    with Progress("", show) as progress:
        progress(what, 0, total)
        for done, item in enumerate(items, start=1):
            yield item
            progress(what, done, total)
