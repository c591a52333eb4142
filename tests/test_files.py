"""Text files that are written as it comes: gzipped by name, whole or not there."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import advice, atomic_path, claimed, open_text, read_text, write_text

TEXT = "id,label\n" + "ä,1\r\n" * 10_000


@pytest.mark.parametrize("name", ["a.csv", "gz", "a.gz.csv", "a.csv.gz", "A.CSV.GZ"])
def test_the_name_says_whether_it_is_gzipped(tmp_path: Path, name: str) -> None:
    path = tmp_path / "made" / name
    written = []
    for pieces in ([TEXT], TEXT.splitlines(keepends=True)):
        with open_text(path) as file:
            for piece in pieces:
                file.write(piece)
        written.append(path.read_bytes())
    raw, again = written
    assert raw == again
    zipped = name.lower().endswith(".gz")
    assert (gzip.decompress(raw) if zipped else raw).decode() == TEXT
    assert [one.name for one in path.parent.iterdir()] == [name]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_half_of_it_is_not_left(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("old")

    def stopped() -> None:
        with open_text(path) as file:
            file.write(TEXT)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert [one.read_text() for one in tmp_path.iterdir()] == ["old"]


def test_a_name_as_long_as_names_can_be(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 251 + ".csv")
    with atomic_path(path) as temporary:
        temporary.write_text("whole")
    assert path.read_text() == "whole"


def test_a_name_like_the_one_given_is_offered(tmp_path: Path) -> None:
    (tmp_path / "promoters.csv").touch()
    near, far = tmp_path / "promotors.csv", tmp_path / "twenty.csv"
    assert advice(near) == f"Did you mean {tmp_path / 'promoters.csv'}?"
    with pytest.raises(InputError, match=r"promotors.csv: there is no such file. Did you mean"):
        read_text(near, "table")
    assert advice(far) == advice(tmp_path / "no" / "twenty.csv") == "Check the path."


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "there" / "table.csv", tmp_path / "link.csv"
    link.symlink_to(target)
    write_text(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_name_that_is_no_text_can_be_told(tmp_path: Path) -> None:
    write_text(tmp_path / "card.md", "table \udcff.csv")
    assert (tmp_path / "card.md").read_text() == "table \\udcff.csv"


def test_a_folder_is_claimed_by_one_process(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom genomic_ulmfit.files import claimed\n"
        "with claimed(sys.argv[1], '--out'): print('mine')"
    )

    def other() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, str(tmp_path / "new")]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    with claimed(tmp_path / "new", "--out"):
        refused = other()
    assert "--out: another run is writing to" in refused.stderr
    assert other().stdout == "mine\n"
    assert list((tmp_path / "new").iterdir()) == []
