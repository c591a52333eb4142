"""Tracks say for every base what the window there was given; read with another library."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pybigtools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genomic_ulmfit.dna.genome import Contig
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.inference.scanning.scan import ScanSettings, StrandScores
from genomic_ulmfit.inference.scanning.tracks import (
    TRACKS,
    Spool,
    require_track,
    spans_of,
    write_bigwig,
)


def chosen(step: int, anchor: int = 3) -> ScanSettings:
    return ScanSettings(10, anchor, step, 1, "dense", "fp32")


def windows(length: int, circular: bool, strand: int, by: ScanSettings) -> StrandScores:
    """Every window of a strand, on the grid of `scan`; each score tells its anchor."""
    starts = np.arange(0, length if circular else length - by.window + 1, by.step)
    offset = by.anchor if strand > 0 else by.window - 1 - by.anchor
    anchors = np.sort((starts + offset) % length)
    return StrandScores(anchors, (anchors / length).astype(np.float32))


def chance(log_odds: float) -> float:
    return round(1 / (1 + np.exp(-log_odds)), 4)


@settings(max_examples=60)
@given(
    st.integers(10, 60),
    st.booleans(),
    st.sampled_from((1, -1)),
    st.integers(1, 9),
    st.integers(0, 9),
)
def test_each_base_belongs_to_the_anchor_before_it(
    length: int, circular: bool, strand: int, step: int, anchor: int
) -> None:
    by = chosen(step, anchor)
    contig = Contig("c", np.zeros(length, np.uint8), circular)
    scores = windows(length, circular, strand, by)
    starts, ends, values = spans_of(contig, strand, scores, by)
    assert (starts < ends).all()
    assert (starts[1:] >= ends[:-1]).all()
    assert (starts >= 0).all()
    assert (ends <= length).all()
    covered = {
        base: value
        for start, end, value in zip(starts.tolist(), ends.tolist(), values.tolist(), strict=True)
        for base in range(start, end)
    }
    given_at = dict(zip(scores.anchors.tolist(), scores.log_odds.tolist(), strict=True))
    for base in range(length):
        # Walk back along the strand to an anchor; the contig's ends stop the walk, and so does
        # the anchor's first place, where a circle begins.
        place, steps = base, 0
        while place not in given_at and steps < step - 1 and 0 <= place - strand < length:
            place, steps = place - strand, steps + 1
        if place in given_at:
            assert covered[base] == pytest.approx(chance(given_at[place]), abs=1e-6)
        else:
            assert base not in covered
    if circular and step <= 2:
        assert len(covered) >= length - step


@pytest.mark.parametrize("kind", ["bigwig", "bedgraph"])
@pytest.mark.parametrize("strand", [1, -1])
def test_files(tmp_path: Path, kind: str, strand: int) -> None:
    by = chosen(2)
    contigs = [
        Contig("one", np.zeros(101, np.uint8), True),
        Contig("none", np.zeros(5, np.uint8)),
        Contig("two", np.zeros(64, np.uint8)),
    ]
    suffix, write = TRACKS[kind]
    path = tmp_path / f"track{suffix}"
    spool = Spool(tmp_path, contigs)
    assert list(tmp_path.iterdir()) == []
    wanted = {contig.name: np.full(len(contig), np.nan) for contig in contigs}
    for contig in (contigs[0], contigs[2]):
        scores = windows(len(contig), contig.circular, strand, by)
        scores.log_odds[7:12] = np.nan
        spans = spans_of(contig, strand, scores, by)
        for start, end, value in zip(*spans, strict=True):
            wanted[contig.name][start:end] = value
        # In two parts, as pieces of a contig come.
        spool.add(contig, type(spans)(*(column[:9] for column in spans)))
        spool.add(contig, type(spans)(*(column[9:] for column in spans)))
        spool.add(contig, type(spans)(*(column[:0] for column in spans)))
    assert spool.n_bases == sum((~np.isnan(values)).sum() for values in wanted.values())
    with spool:
        write(spool, path)
    assert list(tmp_path.iterdir()) == [path]
    found = {contig.name: np.full(len(contig), np.nan) for contig in contigs}
    if kind == "bigwig":
        file = pybigtools.open(str(path))
        # A contig without any value is not named.
        assert file.chroms() == {"one": 101, "two": 64}
        for contig in (contigs[0], contigs[2]):
            for start, end, value in file.records(contig.name):
                found[contig.name][start:end] = value
    else:
        for line in path.read_text().splitlines():
            name, start, end, value = line.split("\t")
            found[name][int(start) : int(end)] = float(value)
    for name, values in wanted.items():
        assert found[name] == pytest.approx(values, abs=1e-6, nan_ok=True)
        assert np.isnan(values).sum() >= (5 if name == "none" else 9)


def full_spool(folder: Path) -> Spool:
    contig = Contig("c", np.zeros(100_000, np.uint8))
    spool = Spool(folder, [contig])
    by = chosen(2)
    spool.add(contig, spans_of(contig, 1, windows(100_000, False, 1, by), by))
    return spool


FULL = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_tracks import full_spool
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.inference.scanning.tracks import write_bigwig
folder = Path(sys.argv[2])
with full_spool(folder) as spool:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
    try:
        write_bigwig(spool, folder / "t.bw")
    except InputError as error:
        print(error)
        print(list(folder.iterdir()))
"""


@pytest.mark.parametrize("limit", [100, 5_000, 60_000])
def test_a_full_disk(tmp_path: Path, limit: int) -> None:
    command = (sys.executable, "-c", FULL, Path(__file__).parent, tmp_path, limit)
    done = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, timeout=200, check=False
    )
    # Above it there may be what the library says itself.
    assert "t.bw could not be written whole" in done.stdout, done.stderr
    assert "The disk may be full" in done.stdout
    assert done.stdout.endswith("\n[]\n")


def test_an_interrupt_is_not_swallowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with full_spool(tmp_path) as spool:
        plain = spool.lines

        def press() -> Iterator[tuple[str, int, int, float]]:
            for number, line in enumerate(plain()):
                if number == 1000:
                    raise KeyboardInterrupt
                yield line

        monkeypatch.setattr(spool, "lines", press)
        with pytest.raises(KeyboardInterrupt):
            write_bigwig(spool, tmp_path / "t.bw")
    assert list(tmp_path.iterdir()) == []


def test_spans_within_a_stretch(tmp_path: Path) -> None:
    contigs = [Contig(name, np.zeros(300, np.uint8)) for name in ("a", "b", "c")]
    by = chosen(3)
    with Spool(tmp_path, contigs) as spool:
        for contig in (contigs[0], contigs[2]):
            scores = windows(300, False, -1, by)
            for half in (slice(0, 40), slice(40, None)):
                part = StrandScores(*(column[half] for column in scores))
                spool.add(contig, spans_of(contig, -1, part, by))
        before = list(spool.lines())
        for start, end in ((0, 300), (100, 137), (118, 119)):
            expected = [
                (first, last, value)
                for name, first, last, value in before
                if name == "c" and first < end and last > start
            ]
            found = spool.within(contigs[2], start, end)
            assert expected
            assert list(zip(*(column.tolist() for column in found), strict=True)) == expected
            assert not len(spool.within(contigs[1], start, end).starts)
        # Looking at it does not change what is written.
        assert list(spool.lines()) == before


def test_unknown_kind() -> None:
    with pytest.raises(InputError, match="--track: got 'wig', allowed are bigwig, bedgraph"):
        require_track("wig")
    assert set(TRACKS) == {"bigwig", "bedgraph"}
