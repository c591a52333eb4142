"""A random sample of embedded sequences with their labels: what a picture has room for."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from genomic_ulmfit.files import GZIP, table_rows
from genomic_ulmfit.inference.embed import Embedded, Vectors
from genomic_ulmfit.inference.sequences import table_header


class Sample:
    """A random sample of vectors from a stream, for a picture (Vitter 1985, algorithm R).

    Parameters
    ----------
    size : int
        All vectors are kept if there are no more.
    seed : int
    """

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self.seen = 0
        self._rng = np.random.default_rng(seed)
        self._kept: list[tuple[int, Vectors, float]] = []

    def add(self, embedded: Embedded) -> None:
        """Let some more vectors try their luck."""
        for vector, gc in zip(embedded.vectors, embedded.gc, strict=True):
            entry = (self.seen, vector, float(gc))
            self.seen += 1
            if len(self._kept) < self.size:
                self._kept.append(entry)
            elif (place := int(self._rng.integers(self.seen))) < self.size:
                # A copy: a view would keep all of its chunk in memory.
                self._kept[place] = (entry[0], vector.copy(), entry[2])

    def rows(self) -> npt.NDArray[np.intp]:
        """Return which of the stream's sequences are in the sample, ascending."""
        return np.array(sorted(row for row, _, _ in self._kept), dtype=np.intp)

    def vectors(self) -> Vectors:
        """Return their vectors, shape (n, width)."""
        return np.stack([vector for _, vector, _ in sorted(self._kept, key=lambda one: one[0])])

    def gc(self) -> npt.NDArray[np.float64]:
        """Return their share of G and C, shape (n,)."""
        return np.array([gc for _, _, gc in sorted(self._kept, key=lambda one: one[0])])


def labels_of(path: str | Path, rows: npt.NDArray[np.intp]) -> list[str] | None:
    """Return the labels of some of a file's sequences.

    Parameters
    ----------
    path : path-like
        What `genomic_ulmfit.inference.sequences.read_sequences` has read without complaint.
    rows : numpy.ndarray of int
        Numbers of the sequences, from 0, ascending.

    Returns
    -------
    list of str or None
        None if there is no column `label`, and for FASTA and whatever can be read only once.
    """
    path = Path(path)
    if not path.is_file():
        return None  # Standard input or a named pipe.
    with open(path, "rb") as binary:
        zipped = binary.read(2) == GZIP
    opened: Any = gzip.open if zipped else open
    with opened(path, "rt", encoding="utf-8-sig", newline=None) as handle:
        header = next(line for line in handle if line.strip())
        if header.startswith(">"):
            return None
        delimiter, columns = table_header(header)
        if "label" not in columns:
            return None
        wanted, at = set(rows.tolist()), columns.index("label")
        records = (row for row in table_rows(handle, delimiter) if row)
        return [
            sys.intern(row[at].strip()) for number, row in enumerate(records) if number in wanted
        ]
