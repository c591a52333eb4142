"""Bases at two bits each: four to a byte, the first in the highest bits.

A corpus of bacteria takes a quarter of a byte per base on disk, and is read through a memory map:
opening it costs nothing, whatever its size.
"""

from __future__ import annotations

import mmap
import os

import numpy as np
import numpy.typing as npt

from genomic_ulmfit.dna.alphabet import AMBIGUOUS, Codes
from genomic_ulmfit.errors import InputError

Packed = npt.NDArray[np.uint8]

BASES_PER_BYTE = 4

_SHIFTS = np.array([6, 4, 2, 0], dtype=np.uint8)
# The four codes of every byte, read as one number: a lookup then moves four bases at a time.
_QUADS = ((np.arange(256, dtype=np.uint8)[:, None] >> _SHIFTS) & 3).view(np.uint32).reshape(256)

_AROUND = 1 << 21
"""Bytes that Linux may map on either side of one that is read: what one page table covers."""


def pack(codes: Codes) -> Packed:
    """Pack base codes, filling up the last byte with zeros.

    Parameters
    ----------
    codes : numpy.ndarray of uint8, shape (length,)
        0 to 3; an ambiguous base has no place in two bits.

    Returns
    -------
    numpy.ndarray of uint8, shape (ceil(length / 4),)
    """
    if (codes >= AMBIGUOUS).any():
        raise ValueError("pack: ambiguous bases must be cut out first.")
    padded = np.zeros((-(-len(codes) // BASES_PER_BYTE), BASES_PER_BYTE), dtype=np.uint8)
    padded.reshape(-1)[: len(codes)] = codes
    packed: Packed = np.bitwise_or.reduce(padded << _SHIFTS, axis=1)
    return packed


class PackedBases:
    """A text of packed bases, in memory or in a file.

    Parameters
    ----------
    packed : numpy.ndarray of uint8
        What `pack` returns.
    """

    def __init__(self, packed: Packed) -> None:
        self.packed = packed
        self._mapping: mmap.mmap | None = None

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> PackedBases:
        """Map a file into memory, read-only. The file must not be empty."""
        with open(path, "rb") as handle:
            mapping = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
        bases = cls(np.frombuffer(mapping, dtype=np.uint8))
        bases._mapping = mapping
        return bases

    def __len__(self) -> int:
        """Bases, those that fill up a byte included."""
        return len(self.packed) * BASES_PER_BYTE

    def read(self, start: int, length: int) -> Codes:
        """Unpack a stretch.

        Parameters
        ----------
        start, length : int
            In bases.

        Returns
        -------
        numpy.ndarray of uint8, shape (length,)

        Raises
        ------
        InputError
            If the stretch lies outside of the text.
        """
        end = start + length
        if not 0 <= start <= end <= len(self):
            raise InputError(
                f"corpus: bases {start:,} to {end:,} lie outside of its text of {len(self):,} "
                "bases. Its tables are damaged; build it again."
            )
        first, last = start // BASES_PER_BYTE, -(-end // BASES_PER_BYTE)
        codes = _QUADS[self.packed[first:last]].view(np.uint8)
        self._release(first, last)
        return codes[start - first * BASES_PER_BYTE :][:length]

    def _release(self, first: int, last: int) -> None:
        # What was read stays in the system's cache, but this process need not hold on to it:
        # else its memory would grow to the size of the file.
        if self._mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
            start = max(0, first - _AROUND) // mmap.PAGESIZE * mmap.PAGESIZE
            end = min(last + _AROUND, len(self.packed))
            self._mapping.madvise(mmap.MADV_DONTNEED, start, end - start)
