"""Training text and held-out regions: every base once, nothing on both sides."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from genomic_ulmfit.data import corpus as corpus_module
from genomic_ulmfit.data.corpus import (
    HELD_OUT_SHARE,
    PIECE,
    SHORTEST_PIECE,
    HeldOutWindows,
    TokenStreams,
    build_corpus,
)
from genomic_ulmfit.dna.alphabet import AMBIGUOUS, Codes, reverse_complement
from genomic_ulmfit.dna.genome import Contig, Genome
from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.errors import InputError

TOKENIZER = KmerTokenizer(5, 2)


def random_genome(sizes: list[int], ambiguous: list[int] | None = None, seed: int = 0) -> Genome:
    rng = np.random.default_rng(seed)
    text = rng.integers(0, 4, sum(sizes)).astype(np.uint8)
    for position in ambiguous or []:
        text[position % len(text)] = AMBIGUOUS
    parts = np.split(text, np.cumsum(sizes)[:-1])
    return Genome("g", tuple(Contig(f"c{i}", part) for i, part in enumerate(parts)))


def places(pieces: list[Codes], genome: Genome) -> list[tuple[int, int, int]]:
    """Find pieces by their letters, as (contig, start, end): random text repeats no 50 bases."""
    texts = [contig.codes.tobytes() for contig in genome.contigs]
    found = []
    for piece in pieces:
        raw = piece.tobytes()
        hits = [
            (number, at, at + len(raw))
            for number, text in enumerate(texts)
            if (at := text.find(raw)) >= 0
        ]
        assert len(hits) == 1
        found += hits
    return found


@settings(max_examples=60)
@given(
    st.lists(st.integers(60, 3000), min_size=1, max_size=6),
    st.lists(st.integers(0, 20_000), max_size=12),
    st.sampled_from([0.05, 0.1, 0.3]),
)
def test_each_base_is_trained_on_or_held_out_or_in_a_scrap(
    sizes: list[int], ambiguous: list[int], share: float
) -> None:
    genome = random_genome(sizes, ambiguous)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus_module, "PIECE", 400)
        patch.setattr(corpus_module, "HELD_OUT_REGION", 200)
        try:
            corpus = build_corpus([genome], share)
        except InputError:
            reject()
    taken = [np.zeros(size, dtype=int) for size in sizes]
    for contig, start, end in places(corpus.train + corpus.held_out, genome):
        assert end - start >= SHORTEST_PIECE
        taken[contig][start:end] += 1
    assert max(int(marks.max()) for marks in taken) == 1
    assert all(len(piece) <= 400 for piece in corpus.train)
    for contig, marks in zip(genome.contigs, taken, strict=True):
        assert not marks[contig.codes == AMBIGUOUS].any()
        left = (marks == 0) & (contig.codes != AMBIGUOUS)
        for is_left, run in itertools.groupby(left):
            # Scraps lie between two cuts: an ambiguous base, a region's edge, a contig's end.
            assert not is_left or len(list(run)) < 2 * SHORTEST_PIECE
    assert corpus.n_train == sum(map(len, corpus.train))
    assert corpus.n_held_out == sum(map(len, corpus.held_out))


def test_held_out_regions_are_long_even_and_few() -> None:
    genome = random_genome([700_000])
    corpus = build_corpus([genome])
    assert corpus.n_held_out / genome.n_bases == pytest.approx(HELD_OUT_SHARE, rel=0.001)
    assert corpus.n_train + corpus.n_held_out == genome.n_bases
    regions = places(corpus.held_out, genome)
    assert len(regions) == 3
    for _, start, end in regions:
        assert 11_000 < end - start < 13_000
    gaps = np.diff([start for _, start, _ in regions])
    assert gaps.max() - gaps.min() <= 1
    assert max(map(len, corpus.train)) <= PIECE
    assert min(map(len, corpus.train)) > PIECE / 2, "pieces are even, not a long run's leftovers"


def test_the_same_genomes_give_the_same_text_and_each_is_held_out_from() -> None:
    genomes = [random_genome([5_000], seed=1), random_genome([3_000, 4_000], seed=2)]
    corpus, again = build_corpus(genomes), build_corpus(genomes)
    for one, other in zip(
        corpus.train + corpus.held_out, again.train + again.held_out, strict=True
    ):
        assert np.array_equal(one, other)
    alone = [build_corpus([genome]) for genome in genomes]
    assert corpus.n_held_out == sum(one.n_held_out for one in alone)
    assert corpus.n_train == sum(one.n_train for one in alone)


def test_too_little_text_is_refused() -> None:
    for genome in (
        random_genome([60]),
        random_genome([3_000], ambiguous=list(range(0, 3_000, 20))),
    ):
        with pytest.raises(InputError, match="g: too little unambiguous sequence"):
            build_corpus([genome])


def pieces_of(sizes: list[int], seed: int = 0) -> list[Codes]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 4, size).astype(np.uint8) for size in sizes]


def columns(streams: TokenStreams) -> tuple[torch.Tensor, list[bool]]:
    """Join one epoch's windows; each must begin with the row that the one before ended with."""
    rows: list[torch.Tensor] = []
    starts = []
    for window, fresh in streams:
        assert window.dtype == torch.int64
        assert 2 <= len(window) <= streams.bptt + 1
        assert window.shape[1] == streams.streams
        if rows:
            assert torch.equal(window[0], rows[-1])
            rows += list(window[1:])
        else:
            rows += list(window)
        starts.append(fresh)
    return torch.stack(rows), starts


@settings(max_examples=60)
@given(
    st.lists(st.integers(50, 400), min_size=1, max_size=8),
    st.integers(1, 8),
    st.integers(1, 20),
    st.integers(0, 3),
)
def test_an_epoch_reads_every_piece_once_in_one_of_its_readings(
    sizes: list[int], n_streams: int, bptt: int, seed: int
) -> None:
    pieces = pieces_of(sizes)
    streams = TokenStreams(pieces, TOKENIZER, n_streams, bptt, seed)
    for _ in range(2):
        n_windows = len(streams)
        text, starts = columns(streams)
        assert starts == [True] + [False] * (n_windows - 1)
        flat = text.T.reshape(-1).tolist()
        # The streams are even; what does not fit is fewer tokens than phases and streams take.
        whole = sum(TOKENIZER.n_tokens(size) for size in sizes)
        assert whole - len(pieces) - n_streams < len(flat) <= whole
        unread = dict(enumerate(pieces))
        at = 0
        while at < len(flat):
            at += _reading_at(flat[at:], unread)
        assert sum(map(len, unread.values())) // 2 <= n_streams + len(pieces)


def _reading_at(text: list[int], unread: dict[int, Codes]) -> int:
    """Take off the piece that the text begins with; return its tokens."""
    for number, piece in unread.items():
        for strand in (piece, reverse_complement(piece)):
            for phase in range(TOKENIZER.stride):
                reading = TOKENIZER.tokenize(strand, phase).tolist()
                # The last piece may be cut off where the streams end.
                if reading[: len(text)] == text[: len(reading)]:
                    del unread[number]
                    return min(len(reading), len(text))
    raise AssertionError("the text is no reading of a piece that was not read yet")


def test_strand_phase_and_order_are_drawn_anew() -> None:
    pieces = pieces_of([200] * 12)
    streams = TokenStreams(pieces, TOKENIZER, 1, 50, seed=0)
    readings = {
        (number, strand, phase): TOKENIZER.tokenize(codes, phase).tolist()[:5]
        for number, piece in enumerate(pieces)
        for strand, codes in enumerate((piece, reverse_complement(piece)))
        for phase in range(2)
    }
    orders, drawn = [], set()
    for _ in range(6):
        flat = columns(streams)[0][:, 0].tolist()
        found = sorted(
            (flat.index(start[0]), key)
            for key, start in readings.items()
            if any(flat[i : i + 5] == start for i in range(len(flat)))
        )
        orders.append([key[0] for _, key in found])
        drawn |= {key[1:] for _, key in found}
    assert len({tuple(order) for order in orders}) == 6
    assert drawn == {(0, 0), (0, 1), (1, 0), (1, 1)}


def epochs_of(seed: int, n: int = 3) -> list[torch.Tensor]:
    streams = TokenStreams(pieces_of([300] * 6), TOKENIZER, 4, 10, seed)
    return [columns(streams)[0] for _ in range(n)]


def test_epochs_are_reproducible_and_differ() -> None:
    first, again, other = epochs_of(0), epochs_of(0), epochs_of(1)
    for one, same, different in zip(first, again, other, strict=True):
        assert torch.equal(one, same)
        assert not torch.equal(one, different)
    assert not torch.equal(first[0], first[1])


@pytest.mark.parametrize("stop", [1, 5, 22, 23, 24, 30])
def test_a_saved_position_is_continued_exactly(stop: int) -> None:
    def fresh() -> TokenStreams:
        return TokenStreams(pieces_of([300] * 6), TOKENIZER, 4, 10, seed=3)

    def endless(streams: TokenStreams) -> Iterator[tuple[torch.Tensor, bool]]:
        while True:
            yield from streams

    reference = fresh()
    assert len(reference) == 23
    expected = list(itertools.islice(endless(reference), 50))
    interrupted = fresh()
    list(itertools.islice(endless(interrupted), stop))
    resumed = fresh()
    resumed.load_state_dict(interrupted.state_dict())
    rest = list(itertools.islice(endless(resumed), 50 - stop))
    for (window, start), (wanted, wanted_start) in zip(rest, expected[stop:], strict=True):
        assert torch.equal(window, wanted)
        assert start == wanted_start


def test_too_short_a_text_for_the_streams_is_refused() -> None:
    TokenStreams(pieces_of([100]), TOKENIZER, 24, 10, seed=0)
    with pytest.raises(InputError, match="48 tokens are too few for 25 parallel streams"):
        TokenStreams(pieces_of([100]), TOKENIZER, 25, 10, seed=0)


@settings(max_examples=60)
@given(st.lists(st.integers(5, 300), min_size=1, max_size=5), st.integers(1, 60))
def test_each_held_out_token_but_the_first_is_scored_once_on_both_strands(
    sizes: list[int], bptt: int
) -> None:
    regions = pieces_of(sizes)
    texts = [
        TOKENIZER.tokenize(strand).tolist()
        for region in regions
        for strand in (region, reverse_complement(region))
    ]
    scored: list[list[int]] = [[] for _ in texts]
    given_: list[list[int]] = [[] for _ in texts]
    windows = HeldOutWindows(regions, TOKENIZER, bptt)
    n_windows = 0
    for window, fresh in windows:
        assert fresh == (n_windows == 0)
        n_windows += 1
        for column in range(len(texts)):
            for before, target in itertools.pairwise(window[:, column].tolist()):
                if target != TOKENIZER.unknown:
                    given_[column].append(before)
                    scored[column].append(target)
    assert n_windows == len(windows)
    assert scored == [text[1:] for text in texts]
    assert given_ == [text[:-1] for text in texts]
