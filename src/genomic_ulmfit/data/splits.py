"""Dividing labelled sequences into train, validation and test, and measuring what leaks.

Two protocols: `split_strict` keeps homologous sequences together, `split_seed` repeats the
seed's protocol, leak included, so that its published numbers can be compared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from genomic_ulmfit.data.homology import (
    clusters,
    homology_chains,
    homology_graph,
    intervals,
    kmer_index,
    maximal_independent_set,
    overlap_graph,
)
from genomic_ulmfit.data.promoters import OTHER, PROMOTER
from genomic_ulmfit.errors import InputError

TRAIN, VALID, TEST = SPLITS = ("train", "valid", "test")

TEST_SHARE = 0.15
VALID_SHARE = 0.075
SMALL_TEST = 1200

SEED_TEST = 415
SEED_VALID = 375
SEED_CLASS_SIZE = 4000
"""Sequences in the smaller class from which on the seed's counts are used unscaled."""


@dataclass(frozen=True)
class HeldOut:
    """How much of one held-out split can be found in train.

    Parameters
    ----------
    n : int
        Sequences in the split.
    homologous : int
        Of these, how many share a 15-mer with a train sequence, on either strand.
    overlapping : int
        Of these, how many share a position of a contig with a train window; 0 where the table
        has no coordinates.
    leaking : int
        How many do either.
    """

    n: int
    homologous: int
    overlapping: int
    leaking: int

    @property
    def share(self) -> float:
        """Leaking sequences as a share of the split, 0 to 1; 0 for an empty split."""
        return self.leaking / self.n if self.n else 0.0


@dataclass(frozen=True)
class Leakage:
    """What test and validation share with train."""

    test: HeldOut
    valid: HeldOut

    @property
    def total(self) -> int:
        """Number of leaking sequences in test and validation together."""
        return self.test.leaking + self.valid.leaking


def leakage(table: pd.DataFrame) -> Leakage:
    """Measure how much of test and validation can be found in train.

    It looks words and positions up in train directly, without the graph or the clusters that
    the splits are made from, so that it is a check on them.

    Parameters
    ----------
    table : pandas.DataFrame
        With columns sequence and split; coordinates as in
        `genomic_ulmfit.data.promoters.promoter_table` are used where they are there.

    Returns
    -------
    Leakage
    """
    split = table["split"].to_numpy()
    in_train = split == TRAIN
    homologous = shares_word_with_train(table)

    overlapping = np.zeros(len(table), dtype=bool)
    if _has_coordinates(table):
        owners, begins, stops = intervals(*_coordinates(table))
        of_train = in_train[owners]
        order = np.argsort(begins[of_train])
        train_begins = begins[of_train][order]
        # Of the train intervals that begin before a window stops, one overlaps it if and only
        # if the one that reaches furthest does.
        reach = np.concatenate([[-1], np.maximum.accumulate(stops[of_train][order])])
        covered = reach[np.searchsorted(train_begins, stops)] > begins
        overlapping[owners[covered]] = True

    def held_out(name: str) -> HeldOut:
        rows = split == name
        return HeldOut(
            n=int(rows.sum()),
            homologous=int((rows & homologous).sum()),
            overlapping=int((rows & overlapping).sum()),
            leaking=int((rows & (homologous | overlapping)).sum()),
        )

    return Leakage(test=held_out(TEST), valid=held_out(VALID))


def shares_word_with_train(table: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Tell for each row of a table with a split whether a training row has a 15-mer of it.

    Parameters
    ----------
    table : pandas.DataFrame
        With columns sequence and split.

    Returns
    -------
    numpy.ndarray of bool, shape (len(table),)
        Words count on either strand.
    """
    in_train = table["split"].to_numpy() == TRAIN
    words, owners = kmer_index(table["sequence"])
    known = np.isin(words, words[in_train[owners]])
    found = np.zeros(len(table), dtype=bool)
    found[owners[known]] = True
    return found


def split_strict(
    table: pd.DataFrame,
    seed: int = 0,
    test_share: float = TEST_SHARE,
    valid_share: float = VALID_SHARE,
) -> pd.DataFrame:
    """Divide whole homology clusters at random, with balanced test and validation.

    Two sequences are in one cluster when a chain of shared 15-mers (either strand) or of
    overlapping coordinates joins them. Clusters are visited in random order; each goes to test
    if test still has room for all of it in every class, else to validation under the same
    rule, else to train, where the largest ones end up.

    Parameters
    ----------
    table : pandas.DataFrame
        With columns sequence and label, of any number of classes; coordinates as in
        `genomic_ulmfit.data.promoters.promoter_table` are used where they are there.
        Sequences shorter than 15 bases share no 15-mer with anything.
    seed : int
        The order in which clusters are visited.
    test_share, valid_share : float
        Size of each class in test and validation, as a share of the smallest class, rounded
        up.

    Returns
    -------
    pandas.DataFrame
        A copy in the same order, with columns `split` and `cluster` (numbered from 0); a note
        is added to ``attrs["notes"]`` when test has fewer than 1,200 sequences.

    Raises
    ------
    InputError
        If test or validation cannot be filled without leakage, or nothing is left to train on.
    RuntimeError
        If a leak remains: a defect of this program, caught before the split is used.
    """
    cluster = clusters(_graph(table))
    label, classes = pd.factorize(table["label"], sort=True)
    class_sizes = np.bincount(label)
    quotas = {
        TEST: _share_of(test_share, class_sizes.min()),
        VALID: _share_of(valid_share, class_sizes.min()),
    }
    if sum(quotas.values()) >= class_sizes.min():
        raise InputError(
            f"label: class {classes[int(class_sizes.argmin())]} has {class_sizes.min()} sequences, "
            f"of which {quotas[TEST]} would go to test and {quotas[VALID]} to validation, with "
            "nothing left to train on. Give more sequences of it."
        )

    members = np.zeros((cluster.max() + 1, len(classes)), dtype=np.int64)
    np.add.at(members, (cluster, label), 1)
    room = {name: np.full(len(classes), quota) for name, quota in quotas.items()}
    split_of = np.full(len(members), TRAIN, dtype=object)
    for number in np.random.default_rng(seed).permutation(len(members)):
        for name, left in room.items():
            if (members[number] <= left).all():
                left -= members[number]
                split_of[number] = name
                break
    for name, left in room.items():
        if left.any():
            raise InputError(
                f"{name}: only {quotas[name] - left.max():,} of {quotas[name]:,} sequences of "
                f"class {classes[int(left.argmax())]} can be held out without leakage; the largest "
                f"of {len(members):,} homology clusters holds {members.sum(axis=1).max():,} of "
                f"{len(table):,} sequences. Give more sequences, or less similar ones; "
                "--protocol none holds nothing out."
            )

    result = _with_split(table, split_of[cluster], cluster)
    left_in = leakage(result)
    if left_in.total:
        raise RuntimeError(f"The strict split leaks and is refused: {left_in}.")
    n_test = left_in.test.n
    if n_test < SMALL_TEST:
        _add_note(
            result,
            f"The test has {n_test:,} sequences, fewer than {SMALL_TEST:,}, because the smallest "
            f"class has only {class_sizes.min():,}: expect wide intervals.",
        )
    return result


def split_seed(table: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Repeat the seed's protocol: test and validation from one maximal independent set.

    In the graph of shared 15-mers (coordinates play no part), one maximal independent set is
    drawn. Its first 415 promoters and first 415 negatives in genome order are test, the next
    375 + 375 are validation, and everything else is train, the homologues of held-out
    sequences included: this split leaks, see `leakage`.

    On E. coli K-12 the set has about 6,090 of 8,322 sequences, where the seed reports 7,907 of
    8,371. The reason is not known. Half of our links are between sequences that share a 15-mer
    but no 16-mer; without those the set has about 7,140.

    Parameters
    ----------
    table : pandas.DataFrame
        From `genomic_ulmfit.data.promoters.promoter_table`, in its order.
    seed : int
        Which maximal independent set.

    Returns
    -------
    pandas.DataFrame
        A copy in the same order, with columns `split` and `cluster` (connected components of
        the graph, numbered from 0). Notes in ``attrs["notes"]``: the size of the independent
        set, and the counts where the smaller class has fewer than 4,000 sequences and they are
        scaled down in proportion.

    Raises
    ------
    InputError
        If a class has too few sequences in the independent set, or labels are not 0 and 1.
    """
    if set(table["label"]) != {PROMOTER, OTHER}:
        found = ", ".join(sorted(map(str, set(table["label"]))))
        raise InputError(
            f"label: the seed's protocol is for promoters (1) against other DNA (0), found "
            f"{found or 'nothing'}. Use the strict protocol for other labels."
        )
    smaller = int(table["label"].value_counts().min())
    scale = min(1.0, smaller / SEED_CLASS_SIZE)
    n_test = max(1, int(SEED_TEST * scale))
    n_valid = max(1, int(SEED_VALID * scale))

    graph = homology_graph(table["sequence"])
    independent = maximal_independent_set(graph, seed)
    split = np.full(len(table), TRAIN, dtype=object)
    for label in (PROMOTER, OTHER):
        members = independent[table["label"].to_numpy()[independent] == label]
        if len(members) < n_test + n_valid or smaller <= n_test + n_valid:
            raise InputError(
                f"label: the independent set holds {len(members)} sequences of class {label}, "
                f"and {n_test} for test, {n_valid} for validation and some to train on are "
                "needed. Give a larger genome."
            )
        split[members[:n_test]] = TEST
        split[members[n_test : n_test + n_valid]] = VALID

    result = _with_split(table, split, clusters(graph))
    _add_note(
        result,
        f"The maximal independent set of the seed's protocol holds {len(independent):,} of "
        f"{len(table):,} sequences.",
    )
    if scale < 1:
        _add_note(
            result,
            f"The smaller class has {smaller:,} sequences, so the seed's {SEED_TEST} test and "
            f"{SEED_VALID} validation sequences per class became {n_test} and {n_valid}.",
        )
    return result


def widened(table: pd.DataFrame) -> pd.DataFrame:
    """Return windows as wide as a model with context reads them, for `leakage`.

    Parameters
    ----------
    table : pandas.DataFrame
        With columns before and after, as from `genomic_ulmfit.data.promoters.promoter_table`.

    Returns
    -------
    pandas.DataFrame
        With sequences and coordinates of window and context together.
    """
    context = table["before"].str.len()
    wide = table["before"] + table["sequence"] + table["after"]
    start = (table["start"] - context) % table["contig_length"]
    # On a circle that is shorter than window and context, they are all of it.
    length = np.minimum(wide.str.len(), table["contig_length"])
    return table.assign(sequence=wide, start=start, end=start + length)


def _has_coordinates(table: pd.DataFrame) -> bool:
    return {"contig", "contig_length", "start", "end"} <= set(table.columns)


def _coordinates(table: pd.DataFrame) -> tuple[pd.Series, pd.Series, pd.Series, pd.Series]:
    return table["contig"], table["start"], table["end"], table["contig_length"]


def _graph(table: pd.DataFrame) -> sparse.csr_array:
    graph = homology_chains(table["sequence"])
    if _has_coordinates(table):
        graph = graph + overlap_graph(*_coordinates(table))
    return graph


def _share_of(share: float, size: int) -> int:
    # Rounding first keeps 0.15 * 20 from being a little more than 3.
    return math.ceil(round(share * size, 6))


def _with_split(
    table: pd.DataFrame, split: npt.NDArray[np.object_], cluster: npt.NDArray[np.int32]
) -> pd.DataFrame:
    result = table.assign(split=split.astype(str), cluster=cluster)
    result.attrs["notes"] = list(table.attrs.get("notes", []))
    return result


def _add_note(table: pd.DataFrame, note: str) -> None:
    table.attrs["notes"].append(note)
