"""Two bits a base: what goes in comes out, from memory and from a mapped file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genomic_ulmfit.dna.alphabet import Codes, encode
from genomic_ulmfit.dna.packing import PackedBases, pack
from genomic_ulmfit.errors import InputError

texts = st.lists(st.integers(0, 3), max_size=200).map(lambda codes: np.array(codes, np.uint8))


@given(texts, st.data())
def test_any_stretch_comes_out_as_it_went_in(codes: Codes, data: st.DataObject) -> None:
    packed = pack(codes)
    assert len(packed) == -(-len(codes) // 4)
    start = data.draw(st.integers(0, len(codes)))
    length = data.draw(st.integers(0, len(codes) - start))
    read = PackedBases(packed).read(start, length)
    assert read.dtype == np.uint8
    assert np.array_equal(read, codes[start : start + length])


def test_the_first_base_is_in_the_highest_bits() -> None:
    assert pack(encode("ACGTT")).tolist() == [0b00_01_10_11, 0b11_00_00_00]


def test_ambiguous_bases_are_refused() -> None:
    with pytest.raises(ValueError, match="ambiguous"):
        pack(encode("ACGTN"))


def test_a_mapped_file_reads_the_same_though_its_memory_is_given_back(tmp_path: Path) -> None:
    codes = np.random.default_rng(0).integers(0, 4, 1_000_000).astype(np.uint8)
    (tmp_path / "bases").write_bytes(pack(codes).tobytes())
    mapped = PackedBases.open(tmp_path / "bases")
    assert len(mapped) == 1_000_000
    stretches = np.random.default_rng(1).integers(0, 999_000, 50)
    for start in [0, 999_100, *stretches.tolist()]:
        assert np.array_equal(mapped.read(start, 900), codes[start : start + 900])
    with pytest.raises(ValueError, match="read-only"):
        mapped.packed[0] = 1


@pytest.mark.parametrize(("start", "length"), [(-1, 4), (3, 6), (9, 0), (2, -1)])
def test_a_stretch_outside_of_the_text_is_refused(start: int, length: int) -> None:
    with pytest.raises(InputError, match="outside of its text of 8 bases"):
        PackedBases(pack(encode("ACGTACGT"))).read(start, length)


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="memory is told by /proc")
def test_reading_a_whole_file_does_not_fill_memory_with_it(tmp_path: Path) -> None:
    path = tmp_path / "bases"
    path.write_bytes(bytes(40_000_000))
    mapped = PackedBases.open(path)
    starts = np.arange(0, len(mapped), 50_000)
    for start in np.random.default_rng(0).permutation(starts).tolist():
        mapped.read(start, 50_000)
    lines = Path("/proc/self/smaps").read_text().splitlines()
    mapping = next(number for number, line in enumerate(lines) if line.endswith(str(path)))
    resident = next(line for line in lines[mapping:] if line.startswith("Rss:"))
    assert int(resident.split()[1]) < 500, "kB"
