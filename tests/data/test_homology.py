"""The homology graph against sets of words in plain Python."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from genomic_ulmfit.data.homology import (
    WORD,
    clusters,
    homology_chains,
    homology_graph,
    kmer_index,
    maximal_independent_set,
    overlap_graph,
)
from genomic_ulmfit.errors import InputError


def reverse_complement(sequence: str) -> str:
    return sequence[::-1].translate(str.maketrans("ACGT", "TGCA"))


def words_of(sequence: str, k: int = WORD) -> set[str]:
    words = (sequence[i : i + k] for i in range(len(sequence) - k + 1))
    return {min(word, reverse_complement(word)) for word in words if not set(word) - set("ACGT")}


def shared_words(sequences: list[str], k: int = WORD) -> set[tuple[int, int]]:
    words = [words_of(sequence, k) for sequence in sequences]
    return {
        (i, j) for i, j in itertools.permutations(range(len(sequences)), 2) if words[i] & words[j]
    }


def links(adjacency: sparse.csr_array) -> set[tuple[int, int]]:
    pairs = adjacency.tocoo()
    assert pairs.data.all()
    return set(zip(pairs.row.tolist(), pairs.col.tolist(), strict=True))


def random_dna(length: int, seed: int) -> str:
    return "".join(random.Random(seed).choices("ACGT", k=length))


def other_than(base: str) -> str:
    """A base that extends a match on neither strand."""
    return next(b for b in "ACGT" if b not in (base, reverse_complement(base)))


@settings(deadline=None)
@given(st.lists(st.text("ACGTN", max_size=12), max_size=8), st.integers(1, 6))
def test_graph_equals_brute_force(sequences: list[str], k: int) -> None:
    assert links(homology_graph(sequences, k)) == shared_words(sequences, k)


@settings(deadline=None)
@given(st.data())
def test_graph_equals_brute_force_with_planted_words(data: st.DataObject) -> None:
    sequences = [random_dna(60, seed) for seed in range(5)]
    for _ in range(data.draw(st.integers(0, 4))):
        giver, taker = data.draw(st.permutations(range(5)))[:2]
        length = data.draw(st.integers(13, 18))
        cut = data.draw(st.integers(0, 60 - length))
        place = data.draw(st.integers(0, 60 - length))
        word = sequences[giver][cut : cut + length]
        if data.draw(st.booleans()):
            word = reverse_complement(word)
        sequences[taker] = sequences[taker][:place] + word + sequences[taker][place + length :]
    assert links(homology_graph(sequences)) == shared_words(sequences)


@settings(deadline=None)
@given(st.lists(st.text("ACGTN", max_size=12), max_size=8), st.integers(1, 6))
def test_chains_make_the_clusters_of_the_graph(sequences: list[str], k: int) -> None:
    chains, graph = homology_chains(sequences, k), homology_graph(sequences, k)
    assert clusters(chains).tolist() == clusters(graph).tolist()
    assert links(chains) <= links(graph)


def test_a_word_that_all_hold_makes_as_many_links() -> None:
    sequences = [f"{random_dna(30, seed)}{'ACGGT' * 4}" for seed in range(50)]
    # One for each, and some for words of a few that chance makes.
    assert 2 * 49 <= homology_chains(sequences).nnz < 400
    assert homology_graph(sequences).nnz == 50 * 49


@pytest.mark.parametrize("turn", [lambda word: word, reverse_complement], ids=["sense", "reverse"])
@pytest.mark.parametrize("place", [0, 40, 85], ids=["front", "middle", "end"])
def test_one_shared_15_mer_links(turn, place: int) -> None:
    giver, taker = random_dna(100, 1), random_dna(100, 2)
    taker = taker[:place] + turn(giver[30:45]) + taker[place + 15 :]
    assert links(homology_graph([giver, taker, random_dna(100, 3)])) == {(0, 1), (1, 0)}


@pytest.mark.parametrize("turn", [lambda word: word, reverse_complement], ids=["sense", "reverse"])
def test_fourteen_shared_bases_do_not_link(turn) -> None:
    giver, word = random_dna(100, 1), random_dna(14, 2)
    giver = giver[:30] + word + giver[44:]
    turned = turn(giver[29:45])
    taker = (
        random_dna(40, 3)
        + other_than(turned[0])
        + turned[1:-1]
        + other_than(turned[-1])
        + random_dna(40, 4)
    )
    assert turn(word) in taker
    assert links(homology_graph([giver, taker])) == set()
    assert links(homology_graph([giver, taker], k=14)) == {(0, 1), (1, 0)}


def test_an_ambiguous_base_breaks_a_word() -> None:
    word = random_dna(15, 1)
    broken = word[:7] + "N" + word[8:]
    assert links(homology_graph([word, word, broken, broken])) == {(0, 1), (1, 0)}


def test_neighbours_in_the_list_form_no_word_together() -> None:
    word = random_dna(15, 1)
    assert links(homology_graph([word[:8], word[8:], word])) == set()


def test_index_gives_canonical_words_with_owners() -> None:
    words, owners = kmer_index(["AAC", "GTTN", "A"], k=3)
    assert words.tolist() == [1, 1]
    assert owners.tolist() == [0, 1]


def test_longest_words_do_not_overflow() -> None:
    sequence = "T" * 15 + random_dna(16, 1)
    words, _ = kmer_index([sequence, reverse_complement(sequence), "G" * 31], k=31)
    assert words[0] == words[1] >= 0
    assert words[2] == sum(1 << 2 * i for i in range(31))


@pytest.mark.parametrize("k", [0, 32])
def test_word_length_out_of_range(k: int) -> None:
    with pytest.raises(InputError, match=f"k: got {k}"):
        homology_graph(["ACGT"], k)


@st.composite
def windows(draw: st.DrawFn) -> list[tuple[str, int, int, int]]:
    lengths = {"a": 12, "b": 20, "c": 9}
    rows = []
    for _ in range(draw(st.integers(0, 12))):
        contig = draw(st.sampled_from("abc"))
        start = draw(st.integers(0, lengths[contig] - 1))
        size = draw(st.integers(1, lengths[contig]))
        rows.append((contig, start, start + size, lengths[contig]))
    return rows


@settings(deadline=None)
@given(windows())
def test_overlap_equals_sets_of_positions(rows: list[tuple[str, int, int, int]]) -> None:
    covered = [
        {(contig, position % length) for position in range(start, end)}
        for contig, start, end, length in rows
    ]
    expected = {
        (i, j) for i, j in itertools.permutations(range(len(rows)), 2) if covered[i] & covered[j]
    }
    columns = list(zip(*rows, strict=True)) or [[], [], [], []]
    assert links(overlap_graph(*columns)) == expected


def test_touching_windows_do_not_overlap_and_wrapping_ones_do() -> None:
    graph = overlap_graph(["a"] * 4, [0, 10, 95, 5], [5, 20, 101, 10], [100] * 4)
    assert links(graph) == {(0, 2), (2, 0)}


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, set[tuple[int, int]]]:
    n_nodes = draw(st.integers(1, 12))
    node = st.integers(0, n_nodes - 1)
    edges = draw(st.sets(st.tuples(node, node), max_size=20))
    return n_nodes, {(i, j) for i, j in edges if i != j} | {(j, i) for i, j in edges if i != j}


def adjacency_of(n_nodes: int, edges: set[tuple[int, int]]) -> sparse.csr_array:
    dense = np.zeros((n_nodes, n_nodes), dtype=bool)
    for i, j in edges:
        dense[i, j] = True
    return sparse.csr_array(dense)


@settings(deadline=None)
@given(graphs())
def test_clusters_are_what_can_be_reached(graph: tuple[int, set[tuple[int, int]]]) -> None:
    n_nodes, edges = graph
    labels = clusters(adjacency_of(*graph))
    reached = np.eye(n_nodes, dtype=bool)
    for _ in range(n_nodes):
        for i, j in edges:
            reached[i] |= reached[j]
    assert np.array_equal(labels[:, None] == labels[None, :], reached)
    assert set(labels) == set(range(labels.max() + 1))


@settings(deadline=None)
@given(graphs(), st.integers(0, 5))
def test_independent_set_is_independent_and_maximal(
    graph: tuple[int, set[tuple[int, int]]], seed: int
) -> None:
    n_nodes, edges = graph
    members = set(maximal_independent_set(adjacency_of(*graph), seed).tolist())
    assert not any((i, j) in edges for i in members for j in members)
    for node in set(range(n_nodes)) - members:
        assert any((node, member) in edges for member in members)


def test_independent_set_depends_on_the_seed_only() -> None:
    pairs = adjacency_of(40, {(i, i ^ 1) for i in range(40)})
    first = maximal_independent_set(pairs, 0)
    assert len(first) == 20
    assert np.array_equal(first, np.sort(first))
    assert np.array_equal(first, maximal_independent_set(pairs, 0))
    assert not np.array_equal(first, maximal_independent_set(pairs, 1))
