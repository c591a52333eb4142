"""Labelled sequences in files: CSV, TSV and FASTA in, CSV out.

A table has a row per sequence, with columns `sequence` and `label`, and optionally `id` and
`split`. In FASTA the label stands in the description, in one word: ``>id label=promoter
split=train``.
"""

from __future__ import annotations

import csv
import io
import os
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from Bio.SeqIO.FastaIO import SimpleFastaParser

from genomic_ulmfit.data.splits import SPLITS
from genomic_ulmfit.dna.alphabet import decode, encode
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import open_text, read_text, table_rows

MIN_ROWS = 8
MIN_CLASS_SIZE = 2

_FORMATS = (
    "Allowed are CSV (commas or semicolons) or TSV with columns sequence and label (optional: id, "
    "split, anchor), or FASTA with '>id label=...' lines, plain or gzipped."
)
SIMULATED = "simulated"
"""Column of tables cut from a made-up genome, 1 in every row; others have none."""

_NEEDED = {
    "sequence": ("sequence", "sequences", "seq", "seqs", "dna"),
    "label": ("label", "labels", "class", "classes", "target"),
}
"""Columns, and what else people call them."""

_BASES = re.compile("[ACGTUN]{8,}", re.IGNORECASE)

_INTEGER = r"0|-?[1-9][0-9]{0,17}"


def read_labelled(
    path: str | os.PathLike[str], *, min_length: int = 1, require_classes: bool = False
) -> pd.DataFrame:
    """Read labelled sequences and check every row.

    Parameters
    ----------
    path : path-like
        CSV or TSV with a header (comma, tab or semicolon), or FASTA whose descriptions carry
        ``label=...`` and, optionally, ``split=...``. The format is told by content; each may
        be gzipped, have a byte order mark or Windows line ends.
    min_length : int
        Shortest sequence allowed, in bases; the tokenizer's k.
    require_classes : bool
        Also require what training needs: at least 2 classes, `MIN_CLASS_SIZE` (2) sequences of
        each, and `MIN_ROWS` (8) rows. With a split column these are of rows marked train, and no
        other row may have a class that those have not.

    Returns
    -------
    pandas.DataFrame
        In file order. Columns:

        - id: as given, else ``sequence_N`` counted from 1;
        - sequence: upper case; U is read as T and every IUPAC ambiguity letter as N;
        - label: int if every label is an integer, else str;
        - split, where given: train, valid or test;
        - any other columns of a CSV: int if every value is an integer, else str.

    Raises
    ------
    InputError
        If the file is missing or a folder, or any row of it cannot be used; the message names
        the row, counted from 1 without the header (in FASTA, the record).
    """
    path = Path(path)
    text = _read_text(path)
    table = _parse_fasta(path, text) if text.startswith(">") else _parse_csv(path, text)
    if table.empty:
        raise InputError(f"{path}: a header but no sequences. {_FORMATS}")

    if "id" not in table:
        table.insert(0, "id", [f"sequence_{row}" for row in range(1, len(table) + 1)])
    _check_ids(path, table)
    _require_values(path, table, "sequence")
    _require_values(path, table, "label")
    if "split" in table:
        _check_splits(path, table)
    table["sequence"] = [
        decode(encode(sequence, name=_place(path, table, row)))
        for row, sequence in enumerate(table["sequence"])
    ]
    lengths = table["sequence"].str.len()
    if (lengths < min_length).any():
        row = int((lengths < min_length).to_numpy().argmax())
        raise InputError(
            f"{_place(path, table, row)}: the sequence has {lengths[row]} bases; at least "
            f"{min_length} are needed. Remove it or give a longer one."
        )
    for column in table.columns.difference(["id", "sequence", "split"]):
        if table[column].str.fullmatch(_INTEGER).all():
            table[column] = table[column].astype(np.int64)
    if require_classes:
        _check_classes(path, table)
    return table


def with_context(before: str, sequence: str, after: str, context: int, place: str) -> str:
    """Put what stands around a sequence around it.

    Parameters
    ----------
    before, sequence, after : str
    context : int
        Bases on either side that a model was trained with.
    place : str
        Where the three stand, for the message.

    Raises
    ------
    InputError
        If there are more or less bases on a side than `context`, and not none on both.
    """
    if (len(before), len(after)) not in ((0, 0), (context, context)):
        raise InputError(
            f"{place}: has {len(before)} bases before and {len(after)} after it, but the model was "
            f"trained with {context} on either side. Give so many, or leave both cells empty."
        )
    return before + sequence + after


def is_simulated(table: pd.DataFrame) -> bool:
    """Return whether any sequence of a table is marked as made up."""
    if SIMULATED not in table:
        return False
    return bool((pd.to_numeric(table[SIMULATED], errors="coerce") == 1).any())


def write_table(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a table as CSV, atomically; gzipped if `path` ends in .gz.

    The same table always gives the same bytes.

    Parameters
    ----------
    table : pandas.DataFrame
    path : path-like
    """
    with open_text(path) as file:
        table.to_csv(file, index=False, lineterminator="\n")


def _read_text(path: Path) -> str:
    text = read_text(path, f"labelled table. {_FORMATS}")
    if "\0" in text:
        raise InputError(f"{path}: not a text file. {_FORMATS}")
    if not text.strip():
        raise InputError(f"{path}: the file is empty. {_FORMATS}")
    if text.startswith("LOCUS "):
        raise InputError(
            f"{path}: this is a GenBank file, a genome. Cut labelled sequences from it with "
            f"genomic-ulmfit data promoters. {_FORMATS}"
        )
    if text.startswith("@") and "\n+" in text:
        raise InputError(f"{path}: this is FASTQ, reads without labels. {_FORMATS}")
    return text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\n")


def _parse_csv(path: Path, text: str) -> pd.DataFrame:
    header = text.split("\n", 1)[0]
    delimiter = max(",\t;", key=header.count)
    try:
        # pandas takes all rows behind a quote that nothing closes for part of one cell.
        for _ in table_rows(io.StringIO(text), delimiter):
            pass
        # Read without a header, so that pandas neither renames repeated columns nor takes a
        # surplus column for an index.
        cells = pd.read_csv(
            io.StringIO(text), sep=delimiter, header=None, dtype=str, keep_default_na=False
        )
    except (csv.Error, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        reason = str(error).removeprefix("Error tokenizing data. C error: ").strip()
        raise InputError(f"{path}: not a well-formed table ({reason}). {_FORMATS}") from error
    cells = cells.apply(lambda column: column.str.strip())
    # Spreadsheets leave empty columns on the right, and empty rows below.
    cells = cells.loc[:, (cells != "").any()]
    cells = cells[: int((cells != "").any(axis=1).to_numpy().nonzero()[0][-1]) + 1]
    columns = cells.iloc[0].tolist()
    shown = ", ".join(name if len(name) <= 40 else f"{name[:37]}..." for name in columns[:20])
    missing = [name for name in _NEEDED if name not in columns]
    if missing:
        raise InputError(
            f"{path}: no column named {' and none named '.join(map(repr, missing))}; columns "
            f"found: {shown}.{_advice(missing, columns)} {_FORMATS}"
        )
    for name in ("id", "split", "anchor", "before", "after"):
        alike = next((one for one in columns if one.lower() == name), name)
        if name not in columns and alike != name:
            raise InputError(
                f"{path}: there is a column {alike!r}, which would mean nothing; columns found: "
                f"{shown}. Rename it to {name}, or, if it is something else, to another name."
            )
    if len(set(columns)) < len(columns):
        raise InputError(f"{path}: a column name is used twice; columns found: {shown}.")
    return cells.iloc[1:].set_axis(columns, axis="columns").reset_index(drop=True)


def _advice(missing: list[str], columns: list[str]) -> str:
    """Say what to do about columns that are needed and not there."""
    if any(_BASES.fullmatch(name) for name in columns):
        return " The first line looks like a row; write the names of the columns above it."
    found = {
        name: next((one for one in columns if one.lower() in _NEEDED[name]), None)
        for name in missing
    }
    renamed = " and ".join(f"{alike} to {name}" for name, alike in found.items() if alike)
    return f" Rename {renamed}." if renamed else ""


def _parse_fasta(path: Path, text: str) -> pd.DataFrame:
    rows: list[dict[str, str]] = []
    for title, sequence in SimpleFastaParser(io.StringIO(text)):
        name, *description = title.split() or [""]
        if name.partition("=")[0] in ("label", "split"):  # '> label=promoter' has no id.
            name, description = f"sequence_{len(rows) + 1}", [name, *description]
        fields = {}
        for word, after in pairwise([*description, "="]):
            key, _, value = word.partition("=")
            if key not in ("label", "split"):
                continue
            if key == "label" and "=" not in after:
                one_word = f"{word}_{after}".replace('"', "").replace("'", "")
                raise InputError(
                    f"{path}, row {len(rows) + 1} ({name}): behind {word} stands {after!r}, which "
                    f"may belong to the label or not. If it does, write {one_word}, without "
                    f"quotes; if not, move it before {word}."
                )
            fields[key] = value
        # Tabs too: the parser takes out spaces only.
        rows.append({"id": name, "sequence": sequence.replace("\t", ""), **fields})
    table = pd.DataFrame(rows, dtype=str)
    if "label" not in table:
        raise InputError(
            f"{path}: this FASTA has no labels. Write each one in the description line, for "
            f"example '>{rows[0]['id']} label=promoter'."
        )
    return table.fillna("")


def _place(path: Path, table: pd.DataFrame, row: int) -> str:
    return f"{path}, row {row + 1} ({table['id'][row]})"


def _check_ids(path: Path, table: pd.DataFrame) -> None:
    _require_values(path, table, "id")
    repeated = table["id"].duplicated()
    if repeated.any():
        row = int(repeated.to_numpy().argmax())
        first = int((table["id"] == table["id"][row]).to_numpy().argmax())
        raise InputError(
            f"{path}: rows {first + 1} and {row + 1} have the same id {table['id'][row]!r}. "
            "Give each sequence its own id, or leave the column out."
        )


def _require_values(path: Path, table: pd.DataFrame, column: str) -> None:
    missing = table[column] == ""
    if missing.any():
        row = int(missing.to_numpy().argmax())
        raise InputError(
            f"{_place(path, table, row)}: the {column} is empty ({int(missing.sum()):,} of "
            f"{len(table):,} rows). Fill it in or remove the row."
        )


def _check_splits(path: Path, table: pd.DataFrame) -> None:
    unknown = ~table["split"].isin(SPLITS)
    if unknown.any():
        row = int(unknown.to_numpy().argmax())
        found = table["split"][row]
        advice = "Rename it or leave the column out."
        if not found:
            advice = "Write train in the rows to learn from, or leave the column out."
        elif found.lower() in SPLITS:
            advice = f"Write {found.lower()}."
        raise InputError(
            f"{_place(path, table, row)}: split is {found!r}; allowed are {', '.join(SPLITS)}. "
            f"{advice}"
        )


def _check_classes(path: Path, table: pd.DataFrame) -> None:
    learnt, rows = table, "rows"
    if "split" in table:
        learnt, rows = table[table["split"] == "train"], "rows marked train"
    sizes = learnt["label"].value_counts()
    found = ", ".join(f"{label} ({count:,})" for label, count in sizes.head(10).items())
    if len(sizes) < 2:
        raise InputError(
            f"{path}: label: {'one class only, ' + found if found else f'no {rows}'}. A "
            f"classifier needs {rows} of at least two classes."
        )
    if len(learnt) < MIN_ROWS:
        raise InputError(
            f"{path}: {len(learnt)} {rows} are too few to train on; at least {MIN_ROWS} are needed."
        )
    if sizes.min() < MIN_CLASS_SIZE:
        raise InputError(
            f"{path}: label: class {sizes.idxmin()} has {sizes.min()} sequence among the {rows}; "
            f"at least {MIN_CLASS_SIZE} of each class are needed. Classes found: {found}."
        )
    unknown = table.loc[~table["label"].isin(sizes.index), "label"]
    if len(unknown):
        raise InputError(
            f"{path}: label: class {unknown.iloc[0]} has no row marked train, so no model can know "
            f"it. Mark some of its {(unknown == unknown.iloc[0]).sum():,} rows train, or remove "
            "them."
        )
