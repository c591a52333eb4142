"""Held-out stretches against sets of bases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genomic_ulmfit.data.stretches import (
    HeldOutStretch,
    held_out_stretches,
    split_by_stretches,
    write_stretches,
)
from genomic_ulmfit.dna.bed import read_bed
from genomic_ulmfit.dna.genome import Contig
from genomic_ulmfit.errors import InputError


def contigs(*lengths: int) -> list[Contig]:
    return [Contig(f"c{i}", np.zeros(n, np.uint8)) for i, n in enumerate(lengths)]


@given(st.lists(st.integers(1, 600), min_size=1, max_size=6), st.integers(0, 9))
def test_each_base_is_held_out_by_one_seed_of_five(lengths: list[int], seed: int) -> None:
    genome = contigs(*lengths)
    bases = [
        (stretch.contig, place)
        for of_seed in range(seed, seed + 5)
        for stretch in held_out_stretches(genome, of_seed)
        for place in range(stretch.start, stretch.end)
    ]
    assert len(bases) == len(set(bases)) == sum(lengths)
    assert held_out_stretches(genome, seed) == held_out_stretches(genome, seed + 5)


def test_how_long_stretches_are() -> None:
    assert held_out_stretches(contigs(1_000_000), 1) == [
        HeldOutStretch("c0", start, start + 40_000) for start in range(40_000, 1_000_000, 200_000)
    ]
    last = [held_out_stretches(contigs(4_641_652), seed)[-1] for seed in (0, 1)]
    assert last == [("c0", 4_500_000, 4_600_000), ("c0", 4_600_000, 4_641_652)]


@st.composite
def cut(draw: st.DrawFn) -> tuple[pd.DataFrame, list[HeldOutStretch]]:
    """Windows on two contigs, over their ends, too, as on a circle; and any stretches."""
    lengths = [draw(st.integers(8, 40)) for _ in range(2)]
    rows = []
    for number in range(draw(st.integers(1, 30))):
        contig = draw(st.integers(0, 1))
        start = draw(st.integers(0, lengths[contig] - 1))
        size, context = draw(st.integers(1, 4)), draw(st.integers(0, 2))
        rows.append(
            {
                "id": str(number),
                "label": number % 2,
                "contig": f"c{contig}",
                "contig_length": lengths[contig],
                "start": start,
                "end": start + size,
                "sequence": "A" * size,
                "before": "A" * context,
                "after": "A" * context,
            }
        )
    stretches = []
    for contig, length in enumerate(lengths):
        bounds = sorted(draw(st.sets(st.integers(0, length), max_size=6)))
        pairs = zip(bounds[::2], bounds[1::2], strict=False)
        stretches += [HeldOutStretch(f"c{contig}", start, end) for start, end in pairs]
    return pd.DataFrame(rows), stretches


@given(cut())
def test_splits_as_sets_of_bases_say(given_: tuple[pd.DataFrame, list[HeldOutStretch]]) -> None:
    table, stretches = given_
    held_out = {(s.contig, place) for s in stretches for place in range(s.start, s.end)}
    wanted = {}
    for row in table.itertuples():
        context = len(row.before)
        bases = {
            (row.contig, place % row.contig_length)
            for place in range(row.start - context, row.end + context)
        }
        if bases <= held_out:
            wanted[row.id] = "test"
        elif not bases & held_out:
            wanted[row.id] = "train"
    both = {(table["label"][int(name)], split) for name, split in wanted.items()}
    if len(both) < 2 * table["label"].nunique():
        with pytest.raises(
            InputError, match=r"^--protocol stretches: no window of class [01] lies"
        ):
            split_by_stretches(table, stretches)
        return
    found = split_by_stretches(table, stretches)
    assert dict(zip(found["id"], found["split"], strict=True)) == wanted
    assert list(found.index) == list(range(len(wanted)))
    left_out = len(table) - len(wanted)
    assert [note.split()[0] for note in found.attrs["notes"]] == [str(left_out)] * bool(left_out)


def test_they_are_read_as_bed(tmp_path: Path) -> None:
    write_stretches(
        [HeldOutStretch("c 1", 0, 5), HeldOutStretch("c2", 7, 9)], tmp_path / "test.bed"
    )
    lines = read_bed(tmp_path / "test.bed").lines
    assert [(line.contig, line.start, line.end) for line in lines] == [("c 1", 0, 5), ("c2", 7, 9)]
