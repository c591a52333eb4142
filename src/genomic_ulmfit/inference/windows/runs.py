"""Evenly spaced windows of a contig, and the bases that scoring them on both strands needs."""

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
        `before` bases, all windows, `after` bases.
    before, after : int
        Bases before the first window and behind the last: context, of whole tokens.
    count : int
        Number of windows.
    spacing : int
        Bases between the starts of neighbouring windows, of whole tokens.
    """

    codes: Codes
    before: int
    after: int
    count: int
    spacing: int

    def ambiguous(self, window: int) -> npt.NDArray[np.int64]:
        """Return how many ambiguous bases each window of `window` bases has, shape (count,)."""
        sums = np.concatenate([[0], np.cumsum(self.codes == AMBIGUOUS)])
        starts = self.before + self.spacing * np.arange(self.count)
        counts: npt.NDArray[np.int64] = sums[starts + window] - sums[starts]
        return counts

    def along(self, strand: int) -> Run:
        """Return the run 5' to 3' along a strand; the reverse one has the last window first."""
        if strand > 0:
            return self
        return Run(
            reverse_complement(self.codes), self.after, self.before, self.count, self.spacing
        )


def cut_runs(
    contig: Contig,
    first: int,
    last: int,
    *,
    window: int,
    step: int,
    stride: int,
    context: int,
) -> list[tuple[int, Run]]:
    """Cut the windows that start in ``[first, last)`` into runs.

    Parameters
    ----------
    contig : Contig
    first, last : int
        On the forward strand, within ``[0, length)``; on a linear contig, every window must fit.
    window : int
        Bases per window.
    step : int
        Windows start at multiples of it.
    stride : int
        Bases per token. Windows whose starts differ by no multiple of it have no tokens in
        common and go into different runs.
    context : int
        Bases wanted on either side of each run. A linear contig may have fewer.

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
        end = start + (count - 1) * spacing + window
        before, after = context, context
        if not contig.circular:
            before, after = min(context, start), min(context, len(contig) - end)
        # Only whole tokens move the windows' own into phase.
        before, after = before - before % stride, after - after % stride
        places = np.arange(start - before, end + after) % len(contig)
        runs.append((start, Run(contig.codes[places], before, after, count, spacing)))
    return runs
