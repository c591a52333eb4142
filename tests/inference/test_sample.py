"""The sample of a stream of vectors is fair, and its labels are those of its rows."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from genomic_ulmfit.dna.alphabet import decode
from genomic_ulmfit.inference.embed import Embedded
from genomic_ulmfit.inference.sample import Sample, labels_of
from genomic_ulmfit.inference.sequences import read_sequences


def stream(n: int, chunk: int) -> Iterator[Embedded]:
    for start in range(0, n, chunk):
        rows = np.arange(start, min(start + chunk, n))
        yield Embedded([str(r) for r in rows], rows[:, None].astype(np.float32), rows / n, 0)


def test_a_sample_is_fair_and_in_order() -> None:
    counts = np.zeros(20)
    for seed in range(400):
        sample = Sample(5, seed)
        for part in stream(20, 3):
            sample.add(part)
        rows = sample.rows()
        assert sample.seen == 20
        assert len(rows) == 5
        assert (np.diff(rows) > 0).all()
        np.testing.assert_array_equal(sample.vectors()[:, 0], rows)
        np.testing.assert_allclose(sample.gc(), rows / 20)
        counts[rows] += 1
    # 100 expected of each; a standard deviation is 8.7.
    assert counts.min() > 65
    assert counts.max() < 135


def test_a_sample_of_fewer_is_all_of_them() -> None:
    sample = Sample(50, 0)
    for part in stream(20, 7):
        sample.add(part)
    np.testing.assert_array_equal(sample.rows(), np.arange(20))


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
@pytest.mark.parametrize("zipped", [False, True])
def test_labels_are_of_the_rows_asked_for(tmp_path: Path, delimiter: str, zipped: bool) -> None:
    path = tmp_path / "table"
    rows = [["sequence", " label ", "id"], ["ACGTA", "x", "1"], [], ["ACGTC", " y", "2"]]
    rows += [["ACGTG", "x", "3"], ["ACGTT", "z", "4"]]
    text = "\n" + "\n".join(delimiter.join(row) for row in rows) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if zipped else text.encode("utf-8-sig"))
    assert [decode(one.codes)[-1] for one in read_sequences(path)] == list("ACGT")
    assert labels_of(path, np.array([0, 1, 3])) == ["x", "y", "z"]


def test_no_labels(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("sequence\nACGTA\n")
    assert labels_of(path, np.array([0])) is None
    path.write_text(">a label=x\nACGTA\n")
    assert labels_of(path, np.array([0])) is None
    assert labels_of("-", np.array([0])) is None
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    # Opening it again would wait for ever.
    assert labels_of(pipe, np.array([0])) is None
