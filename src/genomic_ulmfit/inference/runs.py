"""Evenly spaced windows along one strand, and the bases that scoring them needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genomic_ulmfit.dna.alphabet import AMBIGUOUS, Codes, reverse_complement
from genomic_ulmfit.dna.genome import Contig


@dataclass(frozen=True, eq=False)
class Run:
    """Windows that start `spacing` bases apart.

    Parameters
    ----------
    codes : numpy.ndarray of uint8
        Bases 5' to 3': `context` bases, then all windows.
    context : int
        Bases before the first window.
    count : int
        Number of windows.
    spacing : int
        Bases between the starts of neighbouring windows.
    """

    codes: Codes
    context: int
    count: int
    spacing: int

    def ambiguous(self, window: int) -> npt.NDArray[np.int64]:
        """Return how many ambiguous bases each window of `window` bases has, shape (count,)."""
        before = np.concatenate([[0], np.cumsum(self.codes == AMBIGUOUS)])
        starts = self.context + self.spacing * np.arange(self.count)
        counts: npt.NDArray[np.int64] = before[starts + window] - before[starts]
        return counts


def strand_codes(contig: Contig, start: int, end: int, strand: int) -> Codes:
    """Cut ``[start, end)`` in the strand's own coordinates, 5' to 3'.

    Parameters
    ----------
    contig : Contig
    start, end : int
        Counted from the strand's 5' end: base 0 of the reverse strand is the contig's last.
        On a circular contig they may lie outside ``[0, length)`` and run round it repeatedly.
    strand : int
        +1 or -1.

    Returns
    -------
    numpy.ndarray of uint8, shape (end - start,)
    """
    if strand < 0:
        start, end = len(contig) - end, len(contig) - start
    mode = "wrap" if contig.circular else "raise"
    codes = np.take(contig.codes, np.arange(start, end), mode=mode)  # type: ignore[call-overload]
    return codes if strand > 0 else reverse_complement(codes)


def cut_runs(
    contig: Contig,
    strand: int,
    first: int,
    last: int,
    *,
    window: int,
    step: int,
    stride: int,
    context: int,
) -> list[tuple[int, Run]]:
    """Cut the windows that start in ``[first, last)`` of one strand into runs.

    Parameters
    ----------
    contig : Contig
    strand : int
    first, last : int
        In the strand's own coordinates, within ``[0, length)``.
    window : int
        Bases per window.
    step : int
        Windows start at multiples of it.
    stride : int
        Bases per token. Windows whose starts differ by no multiple of it have no tokens in
        common and go into different runs.
    context : int
        Bases wanted before the first window. A linear contig may have fewer; a run then begins
        at the first base of the contig that is in phase with its tokens.

    Returns
    -------
    list of (int, Run)
        The start of each run's first window and the run.
    """
    spacing = int(np.lcm(step, stride))
    runs = []
    grid = -(-first // step) * step
    for start in range(grid, min(grid + spacing, last), step):
        count = -(-(last - start) // spacing)
        before = context if contig.circular else min(context, start)
        before -= before % stride
        end = start + (count - 1) * spacing + window
        codes = strand_codes(contig, start - before, end, strand)
        runs.append((start, Run(codes, before, count, spacing)))
    return runs
