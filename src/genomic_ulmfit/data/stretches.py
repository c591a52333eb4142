"""Holding out whole stretches of a genome, on which a scan can be scored afterwards.

Windows that are drawn one by one leave a test site's neighbours in train. Where every fifth stretch
is held out with all that lies in it, a scan of these stretches meets nothing that was learnt from.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from genomic_ulmfit.data.splits import TEST, TRAIN, widened
from genomic_ulmfit.dna.genome import Contig
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import write_text

LONGEST = 100_000
"""Bases of a stretch, at most."""
FOLDS = 5
"""One stretch of so many is held out."""
FEWEST = 25
"""Stretches that a genome is cut into, at least."""


class HeldOutStretch(NamedTuple):
    """Bases ``[start, end)`` of a contig."""

    contig: str
    start: int
    end: int


def held_out_stretches(contigs: Sequence[Contig], seed: int = 0) -> list[HeldOutStretch]:
    """Return every fifth stretch of a genome.

    Parameters
    ----------
    contigs : sequence of Contig
        Cut into stretches of 100,000 bases, or shorter ones where that gives fewer than 25; the
        last of each contig is what remains.
    seed : int
        Stretch `seed` modulo 5, counted from 0, is the first; so 0 to 4 hold out each in turn.

    Returns
    -------
    list of HeldOutStretch
        In genome order.
    """
    total = sum(map(len, contigs))
    length = max(1, min(LONGEST, total // FEWEST))
    every = [
        HeldOutStretch(contig.name, start, min(start + length, len(contig)))
        for contig in contigs
        for start in range(0, len(contig), length)
    ]
    return every[seed % FOLDS :: FOLDS]


def split_by_stretches(table: pd.DataFrame, stretches: Sequence[HeldOutStretch]) -> pd.DataFrame:
    """Put windows within some stretches to test, and those outside to train.

    Parameters
    ----------
    table : pandas.DataFrame
        From `genomic_ulmfit.data.promoters.promoter_table` or `tss_table`.
    stretches : sequence of HeldOutStretch

    Returns
    -------
    pandas.DataFrame
        With a column `split`, in the same order, without windows that lie across a border, their
        context included: a note in ``attrs["notes"]`` counts them.

    Raises
    ------
    InputError
        If a class has no window left on one side.
    """
    covered = np.zeros(len(table), dtype=np.int64)
    seen = widened(table) if "before" in table else table
    starts, ends = seen["start"].to_numpy(), seen["end"].to_numpy()
    for name, rows in table.groupby("contig").indices.items():
        bounds = np.array([s[1:] for s in stretches if s.contig == name], np.int64).reshape(-1, 2)
        length = int(table["contig_length"].iloc[rows[0]])
        covered[rows] = _within(ends[rows], bounds, length) - _within(starts[rows], bounds, length)
    inside, outside = covered == ends - starts, covered == 0
    kept = inside | outside
    result = table[kept].assign(split=np.where(inside[kept], TEST, TRAIN))
    result = result.reset_index(drop=True)
    for split in (TRAIN, TEST):
        missing = set(table["label"]) - set(result.loc[result["split"] == split, "label"])
        if missing:
            raise InputError(
                f"--protocol stretches: no window of class {min(missing)} lies in what is left "
                f"{'to train on' if split == TRAIN else 'for the test'}. Give a larger genome or "
                "more sites, or another --seed, which holds out other stretches."
            )
    result.attrs["notes"] = [*table.attrs.get("notes", [])]
    if not kept.all():
        result.attrs["notes"].append(
            f"{int((~kept).sum()):,} windows lie across the border of a held-out stretch, context "
            "included, and were left out."
        )
    return result


def _within(
    places: npt.NDArray[np.int64], bounds: npt.NDArray[np.int64], length: int
) -> npt.NDArray[np.int64]:
    """Return how many bases of some intervals lie before each place.

    Places below 0 and beyond the contig are those of further rounds, as on a circle.
    """
    rounds, place = np.divmod(places[:, None], length)
    starts, ends = bounds.T
    of_one = np.clip(place - starts, 0, ends - starts).sum(axis=1)
    return of_one + rounds[:, 0] * int((ends - starts).sum())


def write_stretches(stretches: Sequence[HeldOutStretch], path: str | os.PathLike[str]) -> None:
    """Write stretches as BED, for ``--regions`` of `scan` and `evaluate-scan`; atomically."""
    write_text(path, "".join(f"{name}\t{start}\t{end}\ttest\n" for name, start, end in stretches))
