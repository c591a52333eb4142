"""Dinucleotide shuffling against counting, and against every shuffle there is."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from genomic_ulmfit.data.shuffle import shuffle_dinucleotides
from genomic_ulmfit.dna.alphabet import Codes, decode, encode

DNA = st.lists(st.integers(0, 4), max_size=60).map(lambda codes: np.array(codes, dtype=np.uint8))


def pairs(codes: Codes) -> Counter[tuple[int, int]]:
    return Counter(itertools.pairwise(codes.tolist()))


@given(DNA, st.integers(0, 99))
def test_dinucleotides_and_ends_stay(codes: Codes, seed: int) -> None:
    before = codes.copy()
    shuffled = shuffle_dinucleotides(codes, np.random.default_rng(seed))
    assert pairs(shuffled) == pairs(codes)
    assert sorted(shuffled) == sorted(codes)
    assert shuffled[[0, -1]].tolist() == codes[[0, -1]].tolist() if len(codes) else True
    assert (codes == before).all()
    assert not np.shares_memory(shuffled, codes)


def test_every_shuffle_is_equally_likely() -> None:
    sequence = encode("ACATACGTA")
    possible = {
        decode(np.array(order, dtype=np.uint8))
        for order in itertools.permutations(sequence.tolist())
        if pairs(np.array(order)) == pairs(sequence)
    }
    assert len(possible) > 5
    rng = np.random.default_rng(0)
    n = 400 * len(possible)
    drawn = Counter(decode(shuffle_dinucleotides(sequence, rng)) for _ in range(n))
    assert set(drawn) == possible
    # Chi-squared with len(possible) - 1 degrees of freedom; the seed is fixed.
    statistic = sum((count - 400) ** 2 / 400 for count in drawn.values())
    assert statistic < 3 * len(possible)


def test_long_sequences_lose_their_order() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(4, size=2000).astype(np.uint8)
    assert (shuffle_dinucleotides(codes, rng) == codes).mean() < 0.4
