"""BED files as they come: comments, gzip, Windows line ends, and lines that are no intervals."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from genomic_ulmfit.dna.bed import read_bed
from genomic_ulmfit.errors import InputError


@pytest.mark.parametrize("zipped", [False, True])
def test_intervals(tmp_path: Path, zipped: bool) -> None:
    text = "browser hide all\r\ntrack name=a\r\n#c\ts\te\r\nchr 1\t5\t9\r\n\r\nb\t0\t0\r\n"
    path = tmp_path / "x.bed"
    path.write_bytes(gzip.compress(text.encode()) if zipped else text.encode())
    bed = read_bed(path)
    found = [(line.contig, line.start, line.end, line.number) for line in bed.lines]
    assert found == [("chr 1", 5, 9, 4), ("b", 0, 0, 6)]
    assert bed.columns == ("c", "s", "e")


def test_contigs_named_like_headers(tmp_path: Path) -> None:
    path = tmp_path / "x.bed"
    path.write_text("track1\t5\t9\nbrowserling 3 4\n")
    assert [line.contig for line in read_bed(path).lines] == ["track1", "browserling"]


def test_names_of_columns_only_where_they_fit(tmp_path: Path) -> None:
    path = tmp_path / "x.bed"
    path.write_text("#a\tb\tc\tlogOdds\nchr\t5\t9\n")
    assert read_bed(path).columns == ()


@pytest.mark.parametrize(
    "line", ["chr\t5", "chr\tx\t9", "chr\t9\t5", "chr\t-1\t5", "chr\t1.5\t5", "just text"]
)
def test_no_interval(tmp_path: Path, line: str) -> None:
    path = tmp_path / "x.bed"
    path.write_text(f"chr\t1\t2\n{line}\n")
    with pytest.raises(InputError, match="line 2: not a BED interval"):
        read_bed(path)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        read_bed(tmp_path / "none")
    with pytest.raises(InputError, match="this is a folder"):
        read_bed(tmp_path)
    (tmp_path / "cut").write_bytes(gzip.compress(b"chr\t1\t2\n" * 99)[:-9])
    with pytest.raises(InputError, match="truncated or damaged"):
        read_bed(tmp_path / "cut")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a text file"):
        read_bed(tmp_path / "binary")


def test_a_coordinate_too_long_to_be_one(tmp_path: Path) -> None:
    path = tmp_path / "a.bed"
    path.write_text(f"c1\t1\t{'9' * 5000}\n")
    with pytest.raises(InputError, match="line 1: not a BED interval"):
        read_bed(path)


@pytest.mark.parametrize(
    ("fields", "strand"), [("n\t0\t+", 1), ("n\t0\t-", -1), ("n\t0\t.", None), ("n", None)]
)
def test_strands(fields: str, strand: int | None, tmp_path: Path) -> None:
    path = tmp_path / "a.bed"
    path.write_text(f"c1\t1\t2\t{fields}\n")
    assert read_bed(path).lines[0].strand == strand
