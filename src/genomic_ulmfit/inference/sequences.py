"""Reading any number of sequences one after the other: FASTA, CSV and TSV, files and pipes."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple, cast

from genomic_ulmfit.data.tables import with_context
from genomic_ulmfit.dna.alphabet import Codes, encode
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import GZIP, readable, table_rows

_FORMATS = (
    "Allowed are FASTA, and CSV or TSV with a column sequence (optional: id), plain or gzipped."
)


class Named(NamedTuple):
    """A sequence with its id and where it stands, for error messages."""

    id: str
    place: str
    codes: Codes


def read_sequences(path: str | Path, *, context: int = 0) -> Iterator[Named]:
    """Read sequences, never more than one of them at a time.

    Parameters
    ----------
    path : path-like
        ``-`` is standard input. The format is told by content: FASTA begins with ``>``; a
        table has a header with a column `sequence` and, optionally, `id`, separated by commas,
        tabs or semicolons. Either may be gzipped.
    context : int
        Bases of context that a model knows: columns `before` and `after` of a table, if it has
        them, are put around its sequences. 0 passes over such columns.

    Yields
    ------
    Named
        In the order of the input. Ids may be repeated; without them they are ``sequence_N``,
        counted from 1. Letters are read as `genomic_ulmfit.dna.alphabet.encode` does.

    Raises
    ------
    InputError
        If the input is missing, empty, damaged or of another format, or a sequence is empty or
        no DNA.
    """
    shown = "standard input" if str(path) == "-" else str(path)
    number = 0
    with _open(path, shown) as handle:
        for number, (name, letters) in enumerate(_records(handle, shown, context), start=1):
            name = name or f"sequence_{number}"
            place = f"{shown}, sequence {number} ({name})"
            if not letters:
                raise InputError(f"{place}: has no bases. Remove it or give a longer one.")
            yield Named(name, place, encode(letters, name=place))
    if number == 0:
        raise InputError(f"{shown}: a header but no sequences. {_FORMATS}")


def in_chunks(sequences: Iterable[Named], most: int, most_bases: int) -> Iterator[list[Named]]:
    """Give sequences in their order, some at a time.

    Parameters
    ----------
    sequences : iterable of Named
        Read only as far as is needed.
    most : int
        Sequences at a time.
    most_bases : int
        Bases at a time, but for a single sequence.
    """
    chunk: list[Named] = []
    bases = 0
    for sequence in sequences:
        if chunk and (len(chunk) == most or bases + len(sequence.codes) > most_bases):
            yield chunk
            chunk, bases = [], 0
        chunk.append(sequence)
        bases += len(sequence.codes)
    if chunk:
        yield chunk


def _records(handle: io.TextIOWrapper, shown: str, context: int) -> Iterator[tuple[str, str]]:
    """Yield ids (possibly empty) and letters."""
    first = ""
    while not first.strip():
        first = handle.readline()
        if not first:
            raise InputError(f"{shown}: the input is empty. {_FORMATS}")
    if first.startswith(">"):
        return _fasta(first, handle)
    if first.startswith("LOCUS "):
        raise InputError(
            f"{shown}: this is a GenBank file, a genome; genomic-ulmfit scan searches those. "
            f"{_FORMATS}"
        )
    return _table(first, handle, shown, context)


def _fasta(title: str, handle: io.TextIOWrapper) -> Iterator[tuple[str, str]]:
    parts: list[str] = []
    for line in handle:
        if line.startswith(">"):
            yield _first_word(title), "".join("".join(parts).split())
            title, parts = line, []
        else:
            parts.append(line)
    yield _first_word(title), "".join("".join(parts).split())


def _first_word(title: str) -> str:
    return next(iter(title[1:].split()), "")


def _table(
    header: str, handle: io.TextIOWrapper, shown: str, context: int
) -> Iterator[tuple[str, str]]:
    delimiter, columns = table_header(header)
    if columns.count("sequence") != 1 or columns.count("id") > 1:
        found = ", ".join(name[:37] for name in columns[:20])
        raise InputError(
            f"{shown}: one column must be named 'sequence', and at most one 'id'; columns found: "
            f"{found}. {_FORMATS}"
        )
    at = columns.index("sequence")
    at_id = columns.index("id") if "id" in columns else None
    for name in ("id", "before", "after") if context else ("id",):
        alike = next((one for one in columns if one.lower() == name), name)
        if name not in columns and alike != name:
            raise InputError(f"{shown}: there is a column {alike!r}; rename it to {name}.")
    around = None
    if context and {"before", "after"} <= set(columns):
        around = columns.index("before"), columns.index("after")
    try:
        for number, row in enumerate(table_rows(handle, delimiter), start=1):
            if not row:
                continue
            if len(row) != len(columns):
                raise InputError(
                    f"{shown}, row {number}: has {len(row)} columns, but the header has "
                    f"{len(columns)}. Mend the row."
                )
            letters = row[at].strip()
            if around is not None:
                before, after = (row[column].strip() for column in around)
                letters = with_context(before, letters, after, context, f"{shown}, row {number}")
            yield "" if at_id is None else row[at_id].strip(), letters
    except csv.Error as error:
        raise InputError(f"{shown}: not a well-formed table ({error}). {_FORMATS}") from None


def table_header(line: str) -> tuple[str, list[str]]:
    """Return what separates a table's columns, and their names, from its first line."""
    delimiter = max(",\t;", key=line.count)
    return delimiter, [name.strip() for name in next(table_rows([line], delimiter))]


@contextlib.contextmanager
def _open(path: str | Path, shown: str) -> Iterator[io.TextIOWrapper]:
    with readable(shown, f"file of sequences. {_FORMATS}"), contextlib.ExitStack() as stack:
        source = cast("io.BufferedReader", sys.stdin.buffer)
        if str(path) != "-":
            source = stack.enter_context(open(path, "rb"))
        stream: IO[bytes] = source
        if source.peek(2)[:2] == GZIP:
            stream = cast("IO[bytes]", stack.enter_context(gzip.GzipFile(fileobj=source)))
        # newline=None turns every kind of line end into \n.
        yield stack.enter_context(io.TextIOWrapper(stream, encoding="utf-8-sig", newline=None))
