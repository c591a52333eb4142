"""Reading BED files: intervals on contigs, 0-based and half-open, as we count ourselves."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import read_text

_COORDINATE = re.compile("[0-9]{1,18}")

_NOT_DATA = ("#", "track", "browser")


@dataclass(frozen=True)
class BedLine:
    """One interval.

    Parameters
    ----------
    contig : str
    start, end : int
    fields : tuple of str
        All columns as they stand in the file.
    number : int
        Line of the file, from 1.
    """

    contig: str
    start: int
    end: int
    fields: tuple[str, ...]
    number: int

    @property
    def strand(self) -> int | None:
        """The sixth column as +1 or -1; None if it is missing or says neither."""
        return {"+": 1, "-": -1}.get(self.fields[5]) if len(self.fields) > 5 else None


@dataclass(frozen=True)
class Bed:
    """A BED file.

    Parameters
    ----------
    lines : tuple of BedLine
    columns : tuple of str
        Names of the columns, if a comment before the first interval gives as many names as
        there are columns; else empty.
    """

    lines: tuple[BedLine, ...]
    columns: tuple[str, ...]


def read_bed(path: str | os.PathLike[str]) -> Bed:
    """Read a BED file, plain or gzipped.

    Parameters
    ----------
    path : path-like
        Three or more columns, separated by tabs (or, without any tab, by spaces). Lines that
        begin with ``#``, ``track`` or ``browser`` and blank lines are passed over.

    Returns
    -------
    Bed
        Possibly without lines.

    Raises
    ------
    InputError
        If the file is missing, a folder, no text, or a line is no interval.
    """
    lines: list[BedLine] = []
    comment: tuple[str, ...] = ()
    for number, line in enumerate(read_text(path, "BED file").splitlines(), start=1):
        if not line.strip():
            continue
        if line.startswith(_NOT_DATA) and not _is_interval(_fields(line)):
            if not lines and line.startswith("#"):
                comment = _fields(line.lstrip("#"))
            continue
        fields = _fields(line)
        if not _is_interval(fields):
            if len(fields) >= 8 and fields[3].isdecimal() and fields[4].isdecimal():
                raise InputError(
                    f"{path}, line {number}: this looks like GFF; a BED file is needed. (A scan "
                    "writes both, under one name.)"
                )
            raise InputError(
                f"{path}, line {number}: not a BED interval: {line[:60]!r}. A line needs a contig "
                "name, a start and an end, with 0 <= start <= end, separated by tabs."
                + ("" if lines else " Put a # before a line of column names.")
            )
        lines.append(BedLine(fields[0], int(fields[1]), int(fields[2]), fields, number))
    named = bool(lines) and all(len(line.fields) == len(comment) for line in lines)
    return Bed(tuple(lines), comment if named or not lines else ())


def site_position(line: BedLine) -> int:
    """Return the base at which the site of an interval lies, 0-based.

    Parameters
    ----------
    line : BedLine
        On a strand.

    Returns
    -------
    int
        Its thick part (columns 7 and 8), if that is one base; else its first base along its strand.
    """
    place = thick_base(line)
    if place is not None:
        return place
    return line.start if (line.strand or 1) > 0 else line.end - 1


def thick_base(line: BedLine) -> int | None:
    """Return the one base that is an interval's thick part (columns 7 and 8); None for others."""
    if len(line.fields) >= 8 and line.fields[6].isdecimal() and line.fields[7].isdecimal():
        thick = int(line.fields[6])
        if line.start <= thick < line.end and int(line.fields[7]) - thick == 1:
            return thick
    return None


def _fields(line: str) -> tuple[str, ...]:
    return tuple(line.split("\t") if "\t" in line else line.split())


def _is_interval(fields: tuple[str, ...]) -> bool:
    return (
        len(fields) >= 3
        and all(_COORDINATE.fullmatch(field) for field in fields[1:3])
        and int(fields[1]) <= int(fields[2])
    )
