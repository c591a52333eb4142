"""Splits and their leakage against Python sets of words and positions."""

from __future__ import annotations

import itertools
import os
import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genomic_ulmfit.data import splits
from genomic_ulmfit.data.homology import homology_graph, maximal_independent_set
from genomic_ulmfit.data.promoters import promoter_table
from genomic_ulmfit.data.splits import (
    TEST_SHARE,
    VALID_SHARE,
    HeldOut,
    Leakage,
    leakage,
    split_seed,
    split_strict,
    widened,
)
from genomic_ulmfit.dna.alphabet import decode
from genomic_ulmfit.dna.genome import Contig, Gene, Genome
from genomic_ulmfit.dna.readers import read_genome
from genomic_ulmfit.errors import InputError

K12 = (
    Path(os.environ.get("GENOMIC_ULMFIT_DATA", Path(__file__).parents[2].parent / "shared"))
    / "genomes"
    / "NC_000913.3.gbk.gz"
)


def reverse_complement(sequence: str) -> str:
    return sequence[::-1].translate(str.maketrans("ACGT", "TGCA"))


def words_of(sequence: str) -> set[str]:
    return {sequence[i : i + 15] for i in range(len(sequence) - 14)}


def words_on_both_strands(sequence: str) -> set[str]:
    return words_of(sequence) | words_of(reverse_complement(sequence))


def positions(table: pd.DataFrame) -> list[set[tuple[str, int]]]:
    if "contig" not in table:
        return [set() for _ in range(len(table))]
    return [
        {(row.contig, place % row.contig_length) for place in range(row.start, row.end)}
        for row in table.itertuples()
    ]


def brute_force(table: pd.DataFrame, *held_out: str, known: str = "train") -> list[HeldOut]:
    """Count what of each held-out split is in a known one, by sets."""
    known_words: set[str] = set()
    known_places: set[tuple[str, int]] = set()
    rows = list(zip(table["sequence"], table["split"], positions(table), strict=True))
    for sequence, split, places in rows:
        if split == known:
            known_words |= words_of(sequence)
            known_places |= places
    counts = []
    for name in held_out:
        shared = [
            (bool(known_words & words_on_both_strands(sequence)), bool(known_places & places))
            for sequence, split, places in rows
            if split == name
        ]
        counts.append(
            HeldOut(
                n=len(shared),
                homologous=sum(word for word, _ in shared),
                overlapping=sum(place for _, place in shared),
                leaking=sum(word or place for word, place in shared),
            )
        )
    return counts


def brute_force_clusters(table: pd.DataFrame, coordinates: bool) -> list[int]:
    """Give each row the smallest row it is joined with, by a chain of any length."""
    words = [words_on_both_strands(sequence) for sequence in table["sequence"]]
    places = positions(table)
    group = list(range(len(table)))
    for i, j in itertools.combinations(range(len(table)), 2):
        if words[i] & words[j] or (coordinates and places[i] & places[j]):
            low, high = sorted((group[i], group[j]))
            group = [low if member == high else member for member in group]
    return group


def same_partition(left: list[int], right: list[int]) -> bool:
    pairs = set(zip(left, right, strict=True))
    return len(pairs) == len(set(left)) == len(set(right))


def random_dna(length: int, source: random.Random) -> str:
    return "".join(source.choices("ACGT", k=length))


def planted_table(n_rows: int, n_planted: int, seed: int) -> pd.DataFrame:
    """40-base sequences with words copied from one to another, and windows of 2 contigs."""
    source = random.Random(seed)
    contig_lengths = {"a": 800 * n_rows, "b": 600}
    rows = []
    for number in range(n_rows):
        contig = "b" if number % 10 == 0 else "a"
        start = source.randrange(contig_lengths[contig])
        rows.append(
            {
                "id": f"s{number}",
                "sequence": random_dna(40, source),
                "label": number % 2,
                "contig": contig,
                "contig_length": contig_lengths[contig],
                "start": start,
                "end": start + source.choice((5, 40, 150)),
            }
        )
    for _ in range(n_planted):
        giver, taker = source.sample(rows, 2)
        size, turned = source.randint(14, 16), source.random() < 0.5
        cut, place = source.randint(0, 40 - size), source.choice((0, 7, 40 - size))
        word = giver["sequence"][cut : cut + size]
        word = reverse_complement(word) if turned else word
        taker["sequence"] = taker["sequence"][:place] + word + taker["sequence"][place + size :]
    return pd.DataFrame(rows)


tables = st.builds(
    planted_table, n_rows=st.just(60), n_planted=st.integers(0, 10), seed=st.integers(0, 10**6)
)


@settings(max_examples=25, deadline=None)
@given(tables, st.integers(0, 3))
def test_leakage_equals_brute_force(table: pd.DataFrame, seed: int) -> None:
    table["split"] = np.random.default_rng(seed).choice(["train", "valid", "test"], len(table))
    measured = leakage(table)
    assert [measured.test, measured.valid] == brute_force(table, "test", "valid")
    assert measured.total == measured.test.leaking + measured.valid.leaking


def two_sequences(first: str, second: str, **coordinates: list[object]) -> pd.DataFrame:
    return pd.DataFrame({"sequence": [first, second], "split": ["train", "test"], **coordinates})


@pytest.mark.parametrize("turned", [False, True], ids=["sense", "reverse"])
@pytest.mark.parametrize("place", [0, 20, 45], ids=["front", "middle", "end"])
def test_one_shared_15_mer_is_a_leak(place: int, turned: bool) -> None:
    source = random.Random(0)
    known, held_out = random_dna(60, source), random_dna(60, source)
    word = reverse_complement(known[:15]) if turned else known[:15]
    held_out = held_out[:place] + word + held_out[place + 15 :]
    found = leakage(two_sequences(known, held_out))
    assert found.test == HeldOut(n=1, homologous=1, overlapping=0, leaking=1)
    assert found.test.share == 1.0
    assert found.valid == HeldOut(n=0, homologous=0, overlapping=0, leaking=0)
    assert found.valid.share == 0.0


def test_fourteen_shared_bases_are_no_leak() -> None:
    word = random_dna(14, random.Random(1))
    assert leakage(two_sequences(f"GG{word}GG", f"TT{word}TT")).total == 0
    assert leakage(two_sequences(f"GG{word}GG", f"GT{word}GT")).total == 1


@pytest.mark.parametrize(
    ("train", "test", "overlap"),
    [
        ((0, 10), (10, 20), 0),
        ((0, 10), (9, 19), 1),
        ((95, 105), (5, 15), 0),
        ((96, 106), (5, 15), 1),
    ],
)
def test_overlap_with_train(train: tuple[int, int], test: tuple[int, int], overlap: int) -> None:
    bounds = {"start": [train[0], test[0]], "end": [train[1], test[1]]}
    for first, second, expected in (("a", "a", overlap), ("a", "b", 0)):
        table = two_sequences(
            "A" * 10, "C" * 10, contig=[first, second], contig_length=[100, 100], **bounds
        )
        assert leakage(table).test.overlapping == expected


@settings(max_examples=25, deadline=None)
@given(tables, st.integers(0, 3))
def test_strict_keeps_clusters_whole_and_leaks_nothing(table: pd.DataFrame, seed: int) -> None:
    before = table.copy()
    result = split_strict(table, seed)
    assert table.equals(before)
    assert result[list(table.columns)].equals(table)
    assert [found.leaking for found in brute_force(result, "test", "valid")] == [0, 0]
    assert [found.leaking for found in brute_force(result, "valid", known="test")] == [0]
    assert same_partition(result["cluster"].tolist(), brute_force_clusters(table, True))
    assert (result.groupby("cluster")["split"].nunique() == 1).all()
    sizes = result.groupby(["split", "label"]).size()
    # 30 per class: 15 % are 4.5 and 7.5 % are 2.25, rounded up.
    assert [sizes["test", 0], sizes["test", 1]] == [5, 5]
    assert [sizes["valid", 0], sizes["valid", 1]] == [3, 3]


def distinct_table(labels: list[object], seed: int = 0) -> pd.DataFrame:
    source = random.Random(seed)
    return pd.DataFrame({"sequence": [random_dna(40, source) for _ in labels], "label": labels})


def test_strict_depends_on_the_seed_only() -> None:
    table = distinct_table([0, 1] * 30)
    first = split_strict(table, 0)
    assert first.equals(split_strict(table, 0))
    assert not first.equals(split_strict(table, 1))


def test_strict_takes_any_labels_and_balances_by_the_smallest() -> None:
    result = split_strict(distinct_table(["x"] * 20 + ["y"] * 100 + ["z"] * 40))
    sizes = result.groupby(["split", "label"]).size()
    assert [sizes["test", label] for label in "xyz"] == [3, 3, 3]
    assert [sizes["valid", label] for label in "xyz"] == [2, 2, 2]
    assert [sizes["train", label] for label in "xyz"] == [15, 95, 35]


def test_strict_puts_a_cluster_too_large_for_the_quota_into_train() -> None:
    table = distinct_table([0, 1] * 40)
    shared = "ACGTTGCATTACGGA"
    table.loc[:19, "sequence"] = shared + table.loc[:19, "sequence"].str[15:]
    for seed in range(5):
        result = split_strict(table, seed)
        assert set(result["split"][:20]) == {"train"}
        assert result["cluster"][:20].nunique() == 1


def test_strict_says_when_the_test_is_small() -> None:
    table = distinct_table([0, 1] * 30)
    table.attrs["notes"] = ["Said before."]
    assert split_strict(table).attrs["notes"] == [
        "Said before.",
        "The test has 10 sequences, fewer than 1,200, because the smallest class has only 30: "
        "expect wide intervals.",
    ]
    assert table.attrs["notes"] == ["Said before."]


def test_strict_refuses_when_one_cluster_holds_everything() -> None:
    table = distinct_table([0, 1] * 30)
    table["sequence"] = "ACGTTGCATTACGGA" + table["sequence"].str[15:]
    with pytest.raises(InputError, match=r"test: only 0 of 5 .* largest of 1 homology clusters"):
        split_strict(table)


def test_strict_refuses_a_class_with_nothing_left_for_train() -> None:
    with pytest.raises(InputError, match="class b has 2 sequences"):
        split_strict(distinct_table(["a"] * 30 + ["b"] * 2))


def test_strict_refuses_a_split_with_leakage(monkeypatch: pytest.MonkeyPatch) -> None:
    table = distinct_table([0, 1] * 30)
    table["sequence"] = "ACGTTGCATTACGGA" + table["sequence"].str[15:]
    monkeypatch.setattr(splits, "clusters", lambda graph: np.arange(graph.shape[0]))
    with pytest.raises(RuntimeError, match="leaks and is refused"):
        split_strict(table)


@pytest.mark.parametrize(
    ("share", "size", "count"),
    [(0.15, 4003, 601), (0.15, 20, 3), (0.075, 40, 3), (0.075, 4003, 301), (0.07, 100, 7)],
)
def test_shares_are_rounded_up_but_not_by_rounding_errors(
    share: float, size: int, count: int
) -> None:
    assert splits._share_of(share, size) == count


def test_seed_follows_the_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splits, "SEED_CLASS_SIZE", 60)
    monkeypatch.setattr(splits, "SEED_TEST", 10)
    monkeypatch.setattr(splits, "SEED_VALID", 8)
    table = planted_table(120, 60, seed=3)
    result = split_seed(table, seed=5)

    members = maximal_independent_set(homology_graph(table["sequence"]), 5).tolist()
    expected = ["train"] * 120
    for label in (0, 1):
        of_label = [member for member in members if table["label"][member] == label]
        for member in of_label[:10]:
            expected[member] = "test"
        for member in of_label[10:18]:
            expected[member] = "valid"
    assert result["split"].tolist() == expected
    assert same_partition(result["cluster"].tolist(), brute_force_clusters(table, False))
    assert not same_partition(result["cluster"].tolist(), brute_force_clusters(table, True))
    assert result.attrs["notes"] == [
        f"The maximal independent set of the seed's protocol holds {len(members)} of 120 sequences."
    ]
    assert brute_force(result, "valid", known="test")[0].homologous == 0
    assert brute_force(result, "test")[0].homologous > 0


def test_seed_scales_down_for_a_small_genome() -> None:
    result = split_seed(distinct_table([1, 0] * 400 + [1] * 50))
    sizes = result.groupby(["split", "label"]).size()
    assert sizes["test", 0] == sizes["test", 1] == 41
    assert sizes["valid", 0] == sizes["valid", 1] == 37
    assert result.attrs["notes"][-1] == (
        "The smaller class has 400 sequences, so the seed's 415 test and 375 validation "
        "sequences per class became 41 and 37."
    )


@pytest.mark.parametrize("labels", [["a", "b"] * 20, [0] * 20, [0, 1, 2] * 10])
def test_seed_is_for_promoters_only(labels: list[object]) -> None:
    with pytest.raises(InputError, match="Use the strict protocol"):
        split_seed(distinct_table(labels))


def test_seed_refuses_an_independent_set_that_is_too_small() -> None:
    table = distinct_table([0, 1] * 30)
    table["sequence"] = "ACGTTGCATTACGGA" + table["sequence"].str[15:]
    with pytest.raises(InputError, match=r"independent set holds [01] sequences of class"):
        split_seed(table)


@pytest.fixture(scope="module")
def e_coli() -> pd.DataFrame:
    if not K12.exists():
        pytest.skip(f"{K12} is not there")
    return promoter_table(read_genome(K12))


def test_strict_on_e_coli_has_no_leak_by_brute_force(e_coli: pd.DataFrame) -> None:
    result = split_strict(e_coli)
    sizes = result.groupby(["split", "label"]).size()
    smaller = int(e_coli["label"].value_counts().min())
    assert TEST_SHARE * smaller <= sizes["test", 0] == sizes["test", 1] == 601
    assert VALID_SHARE * smaller <= sizes["valid", 0] == sizes["valid", 1] == 301
    assert not any("fewer than" in note for note in result.attrs["notes"])
    assert [found.leaking for found in brute_force(result, "test", "valid")] == [0, 0]
    assert [found.leaking for found in brute_force(result, "valid", known="test")] == [0]


def test_seed_on_e_coli_leaks_as_brute_force_says(e_coli: pd.DataFrame) -> None:
    result = split_seed(e_coli)
    sizes = result.groupby(["split", "label"]).size()
    assert sizes["test", 0] == sizes["test", 1] == 415
    assert sizes["valid", 0] == sizes["valid", 1] == 375
    # The seed: 7,907 of 8,371 sequences in the independent set, 6,791 in train.
    print(result.attrs["notes"][-1])
    found = leakage(result)
    assert [found.test, found.valid] == brute_force(result, "test", "valid")
    assert found.test.share > 0.05


@pytest.mark.parametrize("circular", [True, False])
def test_what_context_shares(circular: bool) -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(4, size=12_000).astype(np.uint8)
    genes = tuple(
        Gene(f"g{start}", start, start + 300, 1 if start % 700 else -1)
        for start in range(60, 11_500, 350)
    )
    genome = Genome("made up", (Contig("c", codes, circular, genes),))
    table = split_strict(promoter_table(genome, 100, 50, context=96))
    assert leakage(table).total == 0
    wide = widened(table)
    twice = np.concatenate([codes, codes])
    for row in wide.itertuples():
        assert 0 <= row.start < len(codes)
        there = decode(twice[row.start : row.end])
        assert row.sequence == (there if row.strand == "+" else reverse_complement(there))
    test, valid = brute_force(wide, "test", "valid")
    assert test.leaking > 0
    assert leakage(wide) == Leakage(test, valid)
