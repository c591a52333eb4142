"""Unions of intervals against sets of bases."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from genomic_ulmfit.dna.intervals import merged

intervals = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda pair: (pair[0], sum(pair)))
)


@given(intervals)
def test_a_union_holds_the_same_bases_and_has_gaps(given_intervals: list[tuple[int, int]]) -> None:
    union = merged(given_intervals)
    bases = {base for start, end in given_intervals for base in range(start, end)}
    assert [base for start, end in union for base in range(start, end)] == sorted(bases)
    assert all(start < end for start, end in union)
    assert all(before[1] < after[0] for before, after in pairwise(union))
