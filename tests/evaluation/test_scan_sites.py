"""Calls and known sites: how they are read, and which of them count."""

from __future__ import annotations

from pathlib import Path

import pytest

from genomic_ulmfit.dna.bed import read_bed
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.evaluation.scan_sites import Site, read_calls, read_truth, select


def site(position: int, strand: int = 1, score: float = 0.0, name: str = "") -> Site:
    return Site("c", position, strand, score, name)


def test_files(tmp_path: Path) -> None:
    plain = tmp_path / "plain.bed"
    plain.write_text(
        "track name=x\n# a comment\nc\t10\t11\tx\t7.5\t+\nc\t10\t30\ty\t3\t-\n"
        "c\t100\t200\tz\t900\t+\t160\t161\n\nc\t100\t200\tz\t900\t+\t100\t200\n"
    )
    assert read_calls(plain) == [
        Site("c", 10, 1, 7.5),
        Site("c", 20, -1, 3),
        Site("c", 160, 1, 900),
        Site("c", 150, 1, 900),
    ]
    truth = read_truth(plain)
    assert [s.name for s in truth] == ["x", "y", "z", "z"]
    # A site is its thick base, or the first along its strand, as for data promoters.
    assert [s.position for s in truth] == [10, 29, 160, 100]
    ours = tmp_path / "ours.bed"
    ours.write_text("#chrom\ts\te\tname\tscore\tstrand\tlogOdds\nc\t1\t2\tx\t1000\t+\t9.25\n")
    assert read_calls(ours) == [Site("c", 1, 1, 9.25)]
    ours.write_text("#chrom\ts\te\tname\tscore\tstrand\tlogOdds\n")
    assert read_calls(ours) == []
    for text, message in (
        ("c\t1\t2\tx\t5\n", "line 1: has no strand"),
        ("c\t1\t2\tx\t5\t.\n", "line 1: has no strand"),
        ("c\t1\t2\tx\thigh\t+\n", r"the score \(column 5\) is 'high'"),
        ("c\t1\t2\tx\tnan\t+\n", "a number is needed"),
        ("c\t5\t2\tx\t1\t+\n", "line 1: not a BED interval"),
        ("c 1\n", "line 1: not a BED interval"),
    ):
        plain.write_text(text)
        with pytest.raises(InputError, match=message):
            read_calls(plain)
    plain.write_text("# nothing\n")
    with pytest.raises(InputError, match="holds no known site"):
        read_truth(plain)
    with pytest.raises(InputError, match="there is no such file"):
        read_truth(tmp_path / "none.bed")


def test_sites_listed_twice_count_once() -> None:
    truth = [site(10, name="a"), site(10, name="test"), site(10, -1, name="b"), site(10, name="c")]
    chosen = select([site(10, score=1)], truth)
    assert [(s.position, s.strand) for s in chosen.truth] == [(10, 1), (10, -1)]
    assert chosen.notes == ("2 known sites are listed twice or more and count once.",)
    named = select([site(10, score=1)], truth, name="test")
    assert [s.strand for s in named.truth] == [1]
    assert [s.name for s in named.others] == ["b"]


def test_sites_on_contigs_without_calls_are_missed_and_said() -> None:
    chosen = select([site(10, score=1)], [site(10), Site("plasmid", 7, 1)])
    assert len(chosen.truth) == 2
    assert "1 known sites are on contigs without any call (plasmid)" in chosen.notes[0]


def test_selection(tmp_path: Path) -> None:
    truth = [site(10, name="train"), site(20, name="test"), site(900, name="test")]
    calls = [site(12), site(910), Site("plasmid", 5, 1)]
    chosen = select(calls, truth, name="test")
    assert [s.position for s in chosen.truth] == [20, 900]
    assert [s.position for s in chosen.others] == [10]
    assert [c.position for c in chosen.calls] == [12, 910]
    assert "1 calls are on contigs without any known site (plasmid)" in chosen.notes[0]
    assert "1 known sites do not count (their name is not 'test')" in chosen.notes[1]
    bed = tmp_path / "r.bed"
    bed.write_text("c\t0\t11\nc\t5\t21\nother\t0\t5\n")
    inside = select(calls, truth, regions=read_bed(bed))
    assert [s.position for s in inside.truth] == [10, 20]
    assert [c.position for c in inside.calls] == [12]
    with pytest.raises(InputError, match=r"none of 3 known sites has this name.* test, train\."):
        select(calls, truth, name="valid")
    with pytest.raises(InputError, match="contigs named chr, the truth on c: none in common"):
        select([Site("chr", 5, 1)], truth)
    bed.write_text("x\t0\t5\n")
    with pytest.raises(InputError, match="--regions: none of 3 known sites lies in them"):
        select(calls, truth, regions=read_bed(bed))
    assert select([], truth).calls == ()
