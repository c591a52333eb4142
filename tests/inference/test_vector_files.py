"""Files of vectors: they grow by chunks, and are whole or not there."""

from __future__ import annotations

import csv
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest

from genomic_ulmfit.errors import InputError
from genomic_ulmfit.inference.vector_files import ids_file, vector_file


def test_an_array_grows_by_chunks(tmp_path: Path) -> None:
    path = tmp_path / "made" / "vectors.npy"
    rng = np.random.default_rng(0)
    parts = [rng.standard_normal((n, 3)).astype(np.float32) for n in (1, 5, 2)]
    names = [["a,b"], ['say "x"', "", "d", "two\nlines", "ä"], ["g", "a,b"]]
    with vector_file(path, 3) as write:
        for some, vectors in zip(names, parts, strict=True):
            write(some, vectors)
        assert not path.exists()
    np.testing.assert_array_equal(np.load(path, mmap_mode="r"), np.concatenate(parts))
    with open(ids_file(path), encoding="utf-8", newline="") as handle:
        assert [row["id"] for row in csv.DictReader(handle)] == [
            *itertools.chain.from_iterable(names)
        ]
    assert sorted(one.name for one in path.parent.iterdir()) == ["vectors.ids.csv", "vectors.npy"]


def test_nothing_is_left_of_half_an_array(tmp_path: Path) -> None:
    def stopped() -> None:
        with vector_file(tmp_path / "v.npy", 2) as write:
            write(["a"], np.zeros((1, 2), np.float32))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rows", [0, 9, 10**6, 10**15])
def test_the_header_has_room_for_any_number_of_rows(tmp_path: Path, rows: int) -> None:
    def size(n: int) -> int:
        path = tmp_path / "header"
        with open(path, "wb") as handle:
            shown = {"descr": "<f4", "fortran_order": False, "shape": (n, 768)}
            np.lib.format.write_array_header_1_0(handle, shown)
        return path.stat().st_size

    assert size(rows) == size(0)


def test_parquet(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "v.parquet"
    vectors = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    with vector_file(path, 3) as write:
        write(["a", "b"], vectors[:2])
        write(["c", "a", ""], vectors[2:])
    table = parquet.read_table(path)
    assert table.column_names == ["id", "embedding"]
    assert table["id"].to_pylist() == ["a", "b", "c", "a", ""]
    np.testing.assert_array_equal(np.array(table["embedding"].to_pylist(), np.float32), vectors)
    assert [one.name for one in tmp_path.iterdir()] == ["v.parquet"]


def test_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        pytest.raises(InputError, match=r"ends in \.csv; allowed are \.npy and \.parquet"),
        vector_file(tmp_path / "a.csv", 2),
    ):
        pass
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with (
        pytest.raises(InputError, match="needs pyarrow, which is not installed"),
        vector_file(tmp_path / "a.parquet", 2),
    ):
        pass
    assert not list(tmp_path.iterdir())
