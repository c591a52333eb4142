"""Batches: every sequence where it belongs, padding where nothing is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genomic_ulmfit.data import batches
from genomic_ulmfit.data.batches import Batch, ShuffledBatches, TokenizedSequences
from genomic_ulmfit.data.readings import Readings
from genomic_ulmfit.dna.alphabet import AMBIGUOUS, Codes, reverse_complement
from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.errors import InputError

TOKENIZER = KmerTokenizer(3, 2)

lengths = st.lists(st.integers(3, 30), min_size=1, max_size=40)


def random_codes(sizes: list[int], seed: int = 0) -> list[Codes]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 4, size).astype(np.uint8) for size in sizes]


def sequences_of(sizes: list[int]) -> TokenizedSequences:
    return TokenizedSequences.of(random_codes(sizes), TOKENIZER)


def check(batch: Batch, codes: list[Codes]) -> None:
    """Compare with the sequences one by one."""
    rows = batch.rows.tolist()
    tokens = [TOKENIZER.tokenize(codes[row]).tolist() for row in rows]
    longest = max(map(len, tokens))
    assert batch.lengths.tolist() == [len(t) for t in tokens]
    assert batch.tokens.shape == (longest, len(rows))
    for column, expected in zip(batch.tokens.T.tolist(), tokens, strict=True):
        assert column == expected + [TOKENIZER.unknown] * (longest - len(expected))
    most = max(len(codes[row]) for row in rows)
    assert batch.codes.shape == (len(rows), most)
    for found, row in zip(batch.codes.tolist(), rows, strict=True):
        assert found == codes[row].tolist() + [AMBIGUOUS] * (most - len(codes[row]))


@given(lengths, st.data())
def test_a_batch_holds_its_sequences_padded_at_the_end(
    sizes: list[int], data: st.DataObject
) -> None:
    codes = random_codes(sizes)
    rows = data.draw(st.lists(st.integers(0, len(sizes) - 1), min_size=1, max_size=8))
    batch = TokenizedSequences.of(codes, TOKENIZER).batch(np.array(rows))
    assert batch.rows.tolist() == rows
    check(batch, codes)


@given(lengths, st.integers(1, 12))
def test_in_order_of_length_gives_each_once_shortest_first(sizes: list[int], size: int) -> None:
    codes = random_codes(sizes)
    sequences = TokenizedSequences.of(codes, TOKENIZER)
    assert len(sequences) == len(sizes)
    seen: list[int] = []
    for batch in sequences.in_order_of_length(size):
        check(batch, codes)
        assert len(batch.rows) == min(size, len(sizes) - len(seen))
        seen += batch.rows.tolist()
    assert sorted(seen) == list(range(len(sizes)))
    n_tokens = [len(TOKENIZER.tokenize(codes[row])) for row in seen]
    assert n_tokens == sorted(n_tokens)


@given(lengths, st.integers(1, 12), st.integers(1, 200))
def test_a_long_sequence_does_not_make_many_short_ones_as_long(
    sizes: list[int], size: int, most: int
) -> None:
    codes = random_codes(sizes)
    seen: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "MOST_BASES", most)
        for batch in TokenizedSequences.of(codes, TOKENIZER).in_order_of_length(size):
            check(batch, codes)
            assert len(batch.rows) == 1 or batch.codes.numel() <= most
            seen += batch.rows.tolist()
    assert sorted(seen) == list(range(len(sizes)))


@given(lengths, st.integers(1, 12))
def test_without_padding_lengths_do_not_mix(sizes: list[int], size: int) -> None:
    codes = random_codes(sizes)
    seen: list[int] = []
    for batch in TokenizedSequences.of(codes, TOKENIZER).in_order_of_length(size, pad=False):
        check(batch, codes)
        assert len({len(codes[row]) for row in batch.rows.tolist()}) == 1
        seen += batch.rows.tolist()
    assert sorted(seen) == list(range(len(sizes)))
    assert [len(codes[row]) for row in seen] == sorted(sizes)


@given(lengths)
def test_readings_stand_behind_each_other(sizes: list[int]) -> None:
    codes = random_codes(sizes)
    rows = np.arange(len(sizes))
    together = TokenizedSequences.of(codes, TOKENIZER, Readings(True, 2)).batch(rows)
    once = TokenizedSequences.of(codes, TOKENIZER).batch(rows)
    readings = [
        [np.append(strand[phase:], [AMBIGUOUS] * phase).astype(np.uint8) for strand in strands]
        for strands in (codes, [reverse_complement(sequence) for sequence in codes])
        for phase in (0, 1)
    ]
    parts = [TokenizedSequences.of(one, TOKENIZER).batch(rows).tokens for one in readings]
    assert together.tokens.tolist() == torch.cat(parts, 1).tolist()
    assert together.lengths.tolist() == once.lengths.tolist()
    assert together.codes.tolist() == once.codes.tolist()


def test_nothing_gives_no_batches() -> None:
    assert list(TokenizedSequences.of([], TOKENIZER).in_order_of_length(4)) == []


@given(lengths.filter(lambda sizes: len(sizes) > 1), st.integers(2, 12), st.integers(0, 3))
def test_shuffled_batches_give_each_once_an_epoch(sizes: list[int], size: int, seed: int) -> None:
    codes = random_codes(sizes)
    batches = ShuffledBatches(TokenizedSequences.of(codes, TOKENIZER), size, seed)
    for _ in range(2):
        epoch = list(batches)
        assert len(epoch) == len(batches)
        for batch in epoch:
            check(batch, codes)
            assert 2 <= len(batch.rows) <= size, "batch norm needs two"
        seen = [row for batch in epoch for row in batch.rows.tolist()]
        assert len(set(seen)) == len(seen)
        left_out = len(sizes) - len(seen)
        assert left_out == (len(sizes) % min(size, len(sizes)) == 1)


def rows_of_epochs(sizes: list[int], seed: int, epochs: int = 3) -> list[list[int]]:
    batches = ShuffledBatches(sequences_of(sizes), 8, seed)
    return [[row for batch in batches for row in batch.rows.tolist()] for _ in range(epochs)]


def test_the_seed_decides_and_epochs_differ() -> None:
    sizes = [20] * 50
    epochs = rows_of_epochs(sizes, seed=1)
    assert epochs == rows_of_epochs(sizes, seed=1)
    assert epochs != rows_of_epochs(sizes, seed=2)
    assert epochs[0] != epochs[1] != epochs[2]


def test_batches_are_mixed_where_lengths_tell_classes_apart() -> None:
    # Short ones of one class, long ones of the other: batch norm has to see both at once.
    sizes = [20] * 160 + [60] * 160
    shares = [
        float((batch.rows < 160).float().mean())
        for batch in ShuffledBatches(sequences_of(sizes), 32, 0)
    ]
    assert len(shares) == 10
    assert 0.15 < min(shares) < max(shares) < 0.85


def test_no_row_is_left_out_of_every_epoch() -> None:
    sizes = [*range(10, 42), 200]
    epochs = rows_of_epochs(sizes, seed=0, epochs=20)
    assert {len(rows) for rows in epochs} == {32}
    assert set().union(*epochs) == set(range(33))


def test_a_sequence_shorter_than_a_kmer_is_refused() -> None:
    with pytest.raises(InputError, match="has 2 bases; at least 3 are needed"):
        sequences_of([5, 2])
