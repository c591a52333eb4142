"""What a row of the table is, and how its figures are taken."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Bench:
    """What every row is told.

    Parameters
    ----------
    quick : bool
        Only show that everything runs: tiny sizes, few repeats.
    genome : pathlib.Path or None
        GenBank file of E. coli K-12; None to work on a simulated genome.
    scratch : pathlib.Path
        Folder for files that nobody keeps.
    """

    quick: bool
    genome: Path | None
    scratch: Path

    @property
    def sizes(self) -> tuple[str, ...]:
        """Presets that are measured."""
        return ("tiny",) if self.quick else ("small", "paper")

    @property
    def size(self) -> str:
        """Preset of the rows that are measured at one size only."""
        return self.sizes[0]

    def repeats(self, wanted: int) -> int:
        return 2 if self.quick else wanted


@dataclass(frozen=True)
class Measurement:
    """What a row has measured.

    Parameters
    ----------
    values : list of float
        One for each repeat, in the unit of the row.
    note : str
        What belongs beside the figure.
    facts : dict
        More figures, JSON-able. ``flop_per_unit`` and ``precision`` give the share of GEMM peak.
    """

    values: list[float]
    note: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {
            "median": statistics.median(self.values),
            "lowest": min(self.values),
            "highest": max(self.values),
            "values": self.values,
            "note": self.note,
            **self.facts,
        }


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Parameters
    ----------
    name : str
        For ``--only``.
    what : str
        What is measured; of a peer, what it is.
    unit : str
        A rate ("tokens/s"), or "s", of which less is better.
    measure : callable
    against : tuple of str
        Names of our rows that a peer is compared to. Empty: this is no peer.
    package : str, optional
        Needed beside those that the project itself needs.
    process : str, optional
        Rows of one name are measured in one process, each other one in its own.
    """

    name: str
    what: str
    unit: str
    measure: Callable[[Bench], Measurement]
    against: tuple[str, ...] = ()
    package: str | None = None
    process: str | None = None


def rates(work: Callable[[], float], repeats: int) -> list[float]:
    """Return units per second of `work`, which returns how many units it has done.

    It is done once more before, and that time is not counted.
    """
    work()
    found = []
    for _ in range(repeats):
        begun = time.perf_counter()
        units = work()
        found.append(units / (time.perf_counter() - begun))
    return found


@dataclass(frozen=True)
class Steps:
    """How many training steps are made, and how they are timed.

    Parameters
    ----------
    first : int
        Steps that are not counted.
    blocks : int
        Repeats.
    length : int
        Steps of one.
    """

    first: int
    blocks: int
    length: int

    @property
    def total(self) -> int:
        return self.first + self.blocks * self.length

    def rates(self, ends: Sequence[float], units: float) -> list[float]:
        """Return units per second of each block.

        Parameters
        ----------
        ends : sequence of float
            When each step ended, seconds.
        units : float
            Done in one step.
        """
        marks = ends[self.first - 1 :: self.length]
        return [units * self.length / (b - a) for a, b in itertools.pairwise(marks)]


def steps_of(bench: Bench, size: str) -> Steps:
    """Return how many steps a training row makes."""
    if bench.quick:
        return Steps(1, 2, 1)
    return Steps(3, 5, 4) if size == "small" else Steps(2, 5, 2)
