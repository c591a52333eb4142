"""Files of vectors: NumPy arrays and Parquet, written as vectors come and whole or not at all."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import atomic_path
from genomic_ulmfit.inference.embed import Vectors

Write = Callable[[Sequence[str], Vectors], None]
"""Takes ids and vectors of some more rows."""

SUFFIXES = (".npy", ".parquet")


def require_vector_file(path: Path) -> None:
    """Check that `vector_file` can write a file of this name, before any work.

    Raises
    ------
    InputError
        If the suffix is neither .npy nor .parquet, or pyarrow is missing for the latter.
    """
    if path.suffix not in SUFFIXES:
        raise InputError(
            f"--out: {path.name} ends in {path.suffix or 'no suffix'}; allowed are "
            f"{' and '.join(SUFFIXES)}."
        )
    if path.suffix == ".parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError:
            raise InputError(
                "--out: Parquet needs pyarrow, which is not installed. Install it (pip install "
                "pyarrow), or name a file that ends in .npy."
            ) from None


def ids_file(path: Path) -> Path:
    """Return the name of the table of ids that stands beside an .npy file."""
    return path.with_suffix(".ids.csv")


@contextlib.contextmanager
def vector_file(path: str | Path, width: int) -> Iterator[Write]:
    """Open a file of vectors that grows by a chunk at a time and appears when it is complete.

    Parameters
    ----------
    path : path-like
        An .npy file is an array of float32, shape (n, width); the ids of its rows go into
        `ids_file`, a CSV with one column, `id`. A .parquet file has the columns `id` and
        `embedding`, a list of `width` float32.
    width : int

    Yields
    ------
    callable
        Takes ids and vectors of some more rows.

    Raises
    ------
    InputError
        As `require_vector_file`.
    """
    path = Path(path)
    require_vector_file(path)
    if path.suffix == ".parquet":
        with atomic_path(path) as temporary, _parquet(temporary, width) as write:
            yield write
        return
    with (
        atomic_path(path) as temporary,
        # The ids take their name first: vectors are never without them.
        atomic_path(ids_file(path)) as temporary_ids,
        open(temporary_ids, "w", encoding="utf-8", newline="") as ids,
        _npy(temporary, width, ids) as write,
    ):
        yield write


@contextlib.contextmanager
def _npy(path: Path, width: int, ids: TextIO) -> Iterator[Write]:
    table = csv.writer(ids, lineterminator="\n")
    table.writerow(["id"])
    rows = 0

    def header(handle: Any) -> None:
        handle.seek(0)
        shown = {"descr": "<f4", "fortran_order": False, "shape": (rows, width)}
        # NumPy leaves room in it for any number of rows, so that it can be written again.
        np.lib.format.write_array_header_1_0(handle, shown)

    with open(path, "wb") as handle:
        header(handle)

        def write(names: Sequence[str], vectors: Vectors) -> None:
            nonlocal rows
            handle.write(np.ascontiguousarray(vectors, dtype="<f4").tobytes())
            table.writerows([name] for name in names)
            rows += len(names)

        yield write
        header(handle)


@contextlib.contextmanager
def _parquet(path: Path, width: int) -> Iterator[Write]:
    import pyarrow
    import pyarrow.parquet

    vector = pyarrow.list_(pyarrow.float32(), width)
    schema = pyarrow.schema([("id", pyarrow.string()), ("embedding", vector)])
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:

        def write(names: Sequence[str], vectors: Vectors) -> None:
            flat = pyarrow.array(np.ascontiguousarray(vectors).ravel())
            columns = [
                pyarrow.array(names, pyarrow.string()),
                pyarrow.FixedSizeListArray.from_arrays(flat, width),
            ]
            writer.write_table(pyarrow.table(columns, schema=schema))

        yield write
