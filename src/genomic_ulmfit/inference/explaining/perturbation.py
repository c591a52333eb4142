"""Sliding-window perturbation: what is lost when a whole stretch of bases is replaced.

A motif may bear the loss of any one base and yet be needed. As in the seed's notebooks a window
of several k-mer lengths slides along each sequence and everything within it is replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genomic_ulmfit.dna.alphabet import AMBIGUOUS, BASES, Codes
from genomic_ulmfit.inference.explaining.edits import Counted, Edits, edited_log_odds
from genomic_ulmfit.inference.targets import Floats, window_of
from genomic_ulmfit.models.classifier import Classifier

WIDTHS = (5, 10, 20)
"""Bases per window: a token of the language model, a hexamer and its flanks, a −10 box and its
spacer."""

ROTATIONS = (1, 2, 3)
"""Each replaces every base of a window by the one so many places on in ACGT (T is followed by A):
after all three every base of the window has been every other one, without chance in it."""


@dataclass(frozen=True, eq=False)
class Perturbation:
    """What replacing the windows of one width does to the log-odds of a class.

    Parameters
    ----------
    width : int
        Bases per window.
    starts : numpy.ndarray of int, shape (n_windows,)
        First base of each window.
    log_odds : numpy.ndarray of float32, shape (n,)
        Of the sequences as they are.
    effects : numpy.ndarray of float32, shape (n, n_windows)
        Mean log-odds with the window replaced, minus those of the sequence as it is. NaN where a
        window does not lie within a sequence.
    """

    width: int
    starts: npt.NDArray[np.int64]
    log_odds: Floats
    effects: Floats

    def importance(self, longest: int) -> Floats:
        """Return what each base contributes, shape (n, longest).

        The mean loss over the windows that cover it, of which each base of a window gets an equal
        share: so contributions of neighbours can be added up, as those of other methods can.
        """
        covers = np.zeros((len(self.starts), longest), dtype=np.float32)
        for row, start in zip(covers, self.starts, strict=True):
            row[start : start + self.width] = 1
        known = ~np.isnan(self.effects)
        counts = known @ covers
        sums = -np.where(known, self.effects, 0) @ covers
        means = sums / np.maximum(counts, 1) / np.float32(self.width)
        return np.where(counts > 0, means, np.float32(np.nan))


def window_perturbation(
    model: Classifier,
    codes: Sequence[Codes],
    target: int,
    precision: str,
    width: int,
    report: Counted = lambda _: None,
) -> Perturbation:
    """Replace all bases within a window that slides by half of its width, to the very end.

    Parameters
    ----------
    model : Classifier
        In evaluation mode.
    codes : sequence of numpy.ndarray of uint8
        Ambiguous bases stay as they are, and so does context.
    target : int
        The class that is asked about.
    precision : {"bf16", "fp32"}
    width : int
        Bases per window.
    report : callable
        Told how many sequences are done.

    Returns
    -------
    Perturbation
        Without windows if all sequences are shorter than one.
    """
    windows = [window_of(model, sequence) for sequence in codes]
    step = max(1, width // 2)
    lasts = {len(window) - width for window in windows if len(window) >= width}
    starts = np.array(sorted({*range(0, max(lasts, default=-1) + 1, step), *lasts}), dtype=np.int64)
    rows, columns, stretches = [], [], []
    for number, window in enumerate(windows):
        last = len(window) - width
        inside = np.flatnonzero((starts < last) & (starts % step == 0) | (starts == last))
        rows.append(np.full(len(inside), number))
        columns.append(inside)
        stretches.append(window[starts[inside, None] + np.arange(width)])
    row, column = np.concatenate(rows), np.concatenate(columns)
    stretch = np.concatenate(stretches)
    before = np.array([(len(c) - len(w)) // 2 for c, w in zip(codes, windows, strict=True)])
    known = stretch != AMBIGUOUS
    edits = Edits(
        np.tile(row, len(ROTATIONS)),
        np.tile(before[row] + starts[column], len(ROTATIONS)),
        np.concatenate(
            [np.where(known, (stretch + by) % len(BASES), stretch) for by in ROTATIONS]
        ).astype(np.uint8),
    )
    of_sequences, of_edits = edited_log_odds(model, codes, edits, target, precision, report)
    effects = np.full((len(codes), len(starts)), np.nan, dtype=np.float32)
    effects[row, column] = of_edits.reshape(len(ROTATIONS), -1).mean(0) - of_sequences[row]
    return Perturbation(width, starts, of_sequences, effects)
