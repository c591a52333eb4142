"""Streams of tokens: the windows of an eager reading of the whole text, a piece at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genomic_ulmfit.data.corpus import (
    CONTIG_TYPE,
    PIECE_TYPE,
    RUN_TYPE,
    Corpus,
    CorpusGenome,
    Table,
)
from genomic_ulmfit.data.streams import HeldOutWindows, TokenStreams
from genomic_ulmfit.dna.alphabet import Codes, reverse_complement
from genomic_ulmfit.dna.packing import PackedBases, pack
from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.errors import InputError

TOKENIZER = KmerTokenizer(5, 2)

Window = tuple[torch.Tensor, bool]


def pieces_of(sizes: list[int], seed: int = 0) -> list[Codes]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 4, size).astype(np.uint8) for size in sizes]


def corpus_of(
    train: list[Codes], held_out: list[Codes] | None = None, genomes: list[int] | None = None
) -> Corpus:
    """Make a corpus of just these pieces; `genomes` are those of the held-out regions."""
    texts = [*train, *(held_out or [])]
    lengths = np.array([len(text) for text in texts])
    rows = np.zeros(len(texts), dtype=PIECE_TYPE)
    rows["start"], rows["length"] = np.cumsum(lengths) - lengths, lengths
    if genomes:
        rows["genome"][len(train) :] = genomes
    described = CorpusGenome("g", (), "", "", int(lengths.sum()), False)
    return Corpus(
        (described,) * (1 + max(genomes or [0])),
        PackedBases(pack(np.concatenate(texts))),
        np.zeros(0, dtype=CONTIG_TYPE),
        np.zeros(0, dtype=RUN_TYPE),
        rows[: len(train)],
        rows[len(train) :],
        "",
    )


def eager_windows(
    pieces: list[Codes], tokenizer: KmerTokenizer, streams: int, bptt: int, seed: int, epoch: int
) -> list[Window]:
    """The slow reference: tokenize everything, join, cut into streams, cut into windows."""
    rng = np.random.default_rng([seed, epoch])
    parts = []
    for index in rng.permutation(len(pieces)):
        piece = pieces[index]
        if rng.random() < 0.5:
            piece = reverse_complement(piece)
        parts.append(tokenizer.tokenize(piece, int(rng.integers(tokenizer.stride))))
    shortest = sum(tokenizer.n_tokens(len(p), tokenizer.stride - 1) for p in pieces)
    length = shortest // streams
    text = torch.from_numpy(np.concatenate(parts)[: streams * length].astype(np.int64))
    text = text.reshape(streams, length).T
    return [(text[at : at + bptt + 1], at == 0) for at in range(0, length - 1, bptt)]


def assert_same(windows: list[Window], expected: list[Window]) -> None:
    for (window, fresh), (wanted, wanted_fresh) in zip(windows, expected, strict=True):
        assert window.dtype == torch.int64
        assert torch.equal(window, wanted)
        assert fresh == wanted_fresh


@settings(max_examples=50)
@given(
    st.lists(st.integers(50, 400), min_size=1, max_size=8),
    st.integers(1, 8),
    st.integers(1, 60),
    st.integers(0, 3),
    st.sampled_from([(5, 2), (3, 3), (1, 1), (7, 5)]),
)
def test_windows_are_those_of_an_eager_reading(
    sizes: list[int], n_streams: int, bptt: int, seed: int, k_stride: tuple[int, int]
) -> None:
    pieces, tokenizer = pieces_of(sizes), KmerTokenizer(*k_stride)
    try:
        streams = TokenStreams(corpus_of(pieces), tokenizer, n_streams, bptt, seed)
    except InputError:
        assert sum(sizes) // tokenizer.stride < 3 * n_streams
        return
    for epoch in range(3):
        expected = eager_windows(pieces, tokenizer, n_streams, bptt, seed, epoch)
        assert len(streams) == len(expected)
        assert streams.epoch == epoch
        assert_same(list(streams), expected)


@pytest.mark.parametrize("world_size", [2, 3, 6])
def test_ranks_together_read_what_one_process_reads(world_size: int) -> None:
    corpus = corpus_of(pieces_of([300] * 6))
    whole = TokenStreams(corpus, TOKENIZER, 12, 10, 3)
    ranks = [TokenStreams(corpus, TOKENIZER, 12, 10, 3, r, world_size) for r in range(world_size)]
    for _ in range(2):
        parts = [list(rank) for rank in ranks]
        joined = [
            (torch.cat([window for window, _ in step], dim=1), step[0][1])
            for step in zip(*parts, strict=True)
        ]
        assert parts[0][0][0].shape == (11, 12 // world_size)
        assert_same(joined, list(whole))


def test_streams_that_ranks_cannot_share_are_refused() -> None:
    with pytest.raises(InputError, match="12 cannot be shared evenly by 5 processes"):
        TokenStreams(corpus_of(pieces_of([300])), TOKENIZER, 12, 10, 0, 1, 5)


def test_an_epoch_reads_a_piece_when_it_comes_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = corpus_of(pieces_of([400] * 30))
    read: list[int] = []
    plain = Corpus.codes

    def counted(self: Corpus, piece: Any) -> Codes:
        read.append(int(piece["start"]))
        return plain(self, piece)

    monkeypatch.setattr(Corpus, "codes", counted)
    streams = TokenStreams(corpus, TOKENIZER, 3, 10, seed=0)
    windows = iter(streams)
    next(windows)
    assert len(read) == 3, "one piece for each stream"
    for _ in windows:
        pass
    assert len(set(read)) == 30
    assert len(read) <= 30 + 3, "pieces on which two streams meet are read by both"


def test_strand_phase_and_order_are_drawn_anew() -> None:
    pieces = pieces_of([200] * 12)
    streams = TokenStreams(corpus_of(pieces), TOKENIZER, 1, 50, seed=0)
    readings = {
        (number, strand, phase): TOKENIZER.tokenize(codes, phase).tolist()[:5]
        for number, piece in enumerate(pieces)
        for strand, codes in enumerate((piece, reverse_complement(piece)))
        for phase in range(2)
    }
    orders, drawn = [], set()
    for _ in range(6):
        rows = [row for window, _ in streams for row in window[1:, 0].tolist()]
        found = sorted(
            (position, key)
            for key, start in readings.items()
            for position in range(len(rows))
            if rows[position : position + 4] == start[1:]
        )
        orders.append([key[0] for _, key in found])
        drawn |= {key[1:] for _, key in found}
    assert len({tuple(order) for order in orders}) == 6
    assert drawn == {(0, 0), (0, 1), (1, 0), (1, 1)}


@pytest.mark.parametrize("stop", [1, 5, 22, 23, 24, 30])
@pytest.mark.parametrize(("rank", "world_size"), [(0, 1), (1, 2)])
def test_a_saved_position_is_continued_exactly(stop: int, rank: int, world_size: int) -> None:
    def fresh() -> TokenStreams:
        corpus = corpus_of(pieces_of([300] * 6))
        return TokenStreams(corpus, TOKENIZER, 4, 10, 3, rank, world_size)

    def endless(streams: TokenStreams) -> Iterator[Window]:
        while True:
            yield from streams

    reference = fresh()
    assert len(reference) == 23
    expected = list(itertools.islice(endless(reference), 50))
    interrupted = fresh()
    list(itertools.islice(endless(interrupted), stop))
    resumed = fresh()
    resumed.load_state_dict(interrupted.state_dict())
    assert_same(list(itertools.islice(endless(resumed), 50 - stop)), expected[stop:])


def test_too_short_a_text_for_the_streams_is_refused() -> None:
    corpus = corpus_of(pieces_of([100]))
    TokenStreams(corpus, TOKENIZER, 24, 10, seed=0)
    with pytest.raises(InputError, match="48 tokens are too few for 25 parallel streams"):
        TokenStreams(corpus, TOKENIZER, 25, 10, seed=0)


@settings(max_examples=40)
@given(
    st.lists(st.integers(5, 300), min_size=1, max_size=7),
    st.integers(1, 60),
    st.integers(1, 9),
    st.integers(1, 4),
)
def test_each_held_out_token_but_the_first_is_scored_once_on_both_strands(
    sizes: list[int], bptt: int, columns: int, world_size: int
) -> None:
    regions = pieces_of(sizes)
    corpus = corpus_of([], regions, genomes=list(range(len(sizes))))
    expected = sorted(
        (number, TOKENIZER.tokenize(strand).tolist())
        for number, region in enumerate(regions)
        for strand in (region, reverse_complement(region))
        if len(region) > TOKENIZER.k + 1
    )
    texts: list[tuple[int, list[int]]] = []
    for rank in range(world_size):
        windows = HeldOutWindows(
            corpus, TOKENIZER, bptt, columns=columns, rank=rank, world_size=world_size
        )
        read = list(windows)
        assert len(read) == len(windows)
        assert all(window.shape[1] <= columns for window, _, _ in read)
        texts += _read_texts(read)
    assert sorted(text for text in texts if len(text[1]) > 1) == expected


def _read_texts(
    windows: list[tuple[torch.Tensor, bool, torch.Tensor]],
) -> list[tuple[int, list[int]]]:
    """Join the windows of each group; return (genome, tokens before the padding) by column."""
    groups: list[list[torch.Tensor]] = []
    genomes: list[torch.Tensor] = []
    for window, fresh, genome in windows:
        assert window.dtype == genome.dtype == torch.int64
        if fresh:
            groups.append([window])
            genomes.append(genome)
        else:
            assert torch.equal(window[0], groups[-1][-1][-1])
            assert torch.equal(genome, genomes[-1])
            groups[-1].append(window[1:])
    texts = []
    for group, genome in zip(groups, genomes, strict=True):
        for number, column in zip(genome.tolist(), torch.cat(group).T.tolist(), strict=True):
            tokens = [token for token in column if token != TOKENIZER.unknown]
            assert column == tokens + [TOKENIZER.unknown] * (len(column) - len(tokens))
            texts.append((number, tokens))
    return texts


def test_streams_of_similar_length_are_read_together() -> None:
    sizes = [100, 3_000] * 10
    windows = HeldOutWindows(corpus_of([], pieces_of(sizes)), TOKENIZER, 5_000, columns=20)
    lengths = [len(window) for window, _, _ in windows]
    assert lengths == [TOKENIZER.n_tokens(3_000), TOKENIZER.n_tokens(100)]


def chosen_regions(corpus: Corpus, max_bases: int) -> Table:
    """Find by their tokens which regions are read."""
    windows = HeldOutWindows(corpus, TOKENIZER, 10_000, max_bases=max_bases)
    read = {tuple(tokens) for _, tokens in _read_texts(list(windows))}
    return corpus.held_out[
        [tuple(TOKENIZER.tokenize(corpus.codes(row)).tolist()) in read for row in corpus.held_out]
    ]


def test_few_bases_are_of_many_genomes_and_from_all_over_each() -> None:
    genomes = np.repeat(np.arange(8), 16).tolist()
    corpus = corpus_of([], pieces_of([100] * 128), genomes)
    first_of_each = chosen_regions(corpus, 899)
    assert sorted(first_of_each["genome"].tolist()) == list(range(8))
    half = chosen_regions(corpus, 400)["genome"]
    assert np.diff(half).tolist() == [2, 2, 2], "every other genome"
    four_of_each = chosen_regions(corpus, 3_200)
    for genome in range(8):
        places = np.flatnonzero(genomes == np.int64(genome))
        starts = corpus.held_out["start"][places]
        taken = four_of_each["start"][four_of_each["genome"] == genome]
        assert np.diff(np.searchsorted(starts, taken)).tolist() == [4, 4, 4]
    assert len(chosen_regions(corpus, 1)) == 1, "never nothing"
    assert len(chosen_regions(corpus, 12_800)) == 128


def test_no_held_out_text_gives_no_windows() -> None:
    corpus = corpus_of(pieces_of([300]))
    for max_bases in (None, 1_000):
        windows = HeldOutWindows(corpus, TOKENIZER, max_bases=max_bases)
        assert len(windows) == 0
        assert list(windows) == []
