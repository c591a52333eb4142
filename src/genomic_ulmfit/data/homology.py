"""Which sequences share a word with which: homology without BLAST.

BLAST at word size 15 reports two sequences when they share one 15-mer on either strand, so an
index of 15-mers gives the same graph, exactly and in well under a second for a bacterium.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from scipy import sparse

from genomic_ulmfit.dna.alphabet import AMBIGUOUS, encode
from genomic_ulmfit.errors import InputError

WORD = 15
"""Length of the word that two homologous sequences share, in bases."""

Integers = npt.NDArray[np.int64]


def kmer_index(sequences: Iterable[str], k: int = WORD) -> tuple[Integers, Integers]:
    """List every k-mer of every sequence, the same for both strands.

    Parameters
    ----------
    sequences : iterable of str
        Nucleotide letters.
    k : int
        Bases per word, 1 to 31.

    Returns
    -------
    words : numpy.ndarray of int64, shape (n,)
        The smaller of a k-mer and its reverse complement, each as a base-4 number (2 bits per
        base). k-mers with an ambiguous base are left out.
    owners : numpy.ndarray of int64, shape (n,)
        Index of the sequence that holds the word.
    """
    if not 1 <= k <= 31:
        raise InputError(f"k: got {k}, allowed are 1 to 31.")
    sequences = list(sequences)
    # An N between neighbours is in every k-mer that would span them.
    codes = encode("N".join(sequences), name="sequences")
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    count = max(0, len(codes) - k + 1)
    owners = np.repeat(np.arange(len(lengths)), lengths + 1)[:count]
    forward = np.zeros(count, dtype=np.int64)
    backward = np.zeros(count, dtype=np.int64)
    for offset in range(k):
        bases = codes[offset : offset + count].astype(np.int64)
        forward = forward * 4 + bases
        backward += (3 - bases) << 2 * offset
    ambiguous = np.concatenate([[0], np.cumsum(codes == AMBIGUOUS)])
    known = ambiguous[k : k + count] == ambiguous[:count]
    return np.minimum(forward, backward)[known], owners[known]


def homology_graph(sequences: Iterable[str], k: int = WORD) -> sparse.csr_array:
    """Link sequences that share at least one k-mer on either strand.

    Parameters
    ----------
    sequences : iterable of str
        Nucleotide letters. A sequence shorter than `k` is linked to nothing.
    k : int
        Bases per word, 1 to 31.

    Returns
    -------
    scipy.sparse.csr_array of bool, shape (n_sequences, n_sequences)
        Symmetric adjacency, without self-links.
    """
    sequences = list(sequences)
    words, owners = _shared_words(sequences, k)
    holds = sparse.csr_array(
        (np.ones(len(words), dtype=bool), (owners, words)),
        shape=(len(sequences), words.max(initial=-1) + 1),
    )
    return _without_self_links(holds @ holds.T)


def homology_chains(sequences: Iterable[str], k: int = WORD) -> sparse.csr_array:
    """Link sequences so that `clusters` are those of `homology_graph`, with fewer links.

    Of all that hold a word, each is linked with the first alone. So a word that many hold, as an
    adapter that was not cut off, costs as many links, not their square.

    Parameters
    ----------
    sequences, k
        As in `homology_graph`.

    Returns
    -------
    scipy.sparse.csr_array of bool, shape (n_sequences, n_sequences)
        Symmetric adjacency, without self-links.
    """
    sequences = list(sequences)
    words, owners = _shared_words(sequences, k)
    order = np.argsort(words, kind="stable")
    words, owners = words[order], owners[order]
    begins = np.flatnonzero(np.r_[True, words[1:] != words[:-1]]) if len(words) else words
    firsts = np.repeat(owners[begins], np.diff(np.r_[begins, len(words)]))
    links = sparse.csr_array(
        (np.ones(len(owners), dtype=bool), (firsts, owners)),
        shape=(len(sequences), len(sequences)),
    )
    return _without_self_links(links + links.T)


def _shared_words(sequences: list[str], k: int) -> tuple[Integers, Integers]:
    """Number the words that occur more than once, and return who holds them.

    A word that occurs once links nothing, and nearly all do.
    """
    words, owners = kmer_index(sequences, k)
    _, numbers, carriers = np.unique(words, return_inverse=True, return_counts=True)
    shared = carriers[numbers] > 1
    return numbers[shared], owners[shared]


def overlap_graph(
    contigs: Iterable[str],
    starts: npt.ArrayLike,
    ends: npt.ArrayLike,
    contig_lengths: npt.ArrayLike,
) -> sparse.csr_array:
    """Link windows that share at least one position of a contig, whatever their strand.

    Parameters
    ----------
    contigs : iterable of str, length n
        Name of the contig of each window.
    starts, ends : array-like of int, shape (n,)
        0-based half-open; ``0 <= start < contig_length``. A window over the origin of a
        circular contig has ``end > contig_length`` and reaches position ``end -
        contig_length`` from the front.
    contig_lengths : array-like of int, shape (n,)
        In bases.

    Returns
    -------
    scipy.sparse.csr_array of bool, shape (n, n)
        Symmetric adjacency, without self-links.
    """
    owners, begins, stops = intervals(contigs, starts, ends, contig_lengths)
    n_windows = owners.max(initial=-1) + 1
    order = np.argsort(begins, kind="stable")
    owners, begins, stops = owners[order], begins[order], stops[order]
    # Among intervals in order of their begin, those that overlap one and come after it are
    # the ones that begin before it stops: a run without gaps.
    first = np.arange(len(begins)) + 1
    runs = np.maximum(np.searchsorted(begins, stops) - first, 0)
    left = np.repeat(first - 1, runs)
    right = np.arange(runs.sum()) + np.repeat(first - (np.cumsum(runs) - runs), runs)
    links = sparse.csr_array(
        (np.ones(len(left), dtype=bool), (owners[left], owners[right])),
        shape=(n_windows, n_windows),
    )
    return _without_self_links(links + links.T)


def intervals(
    contigs: Iterable[str],
    starts: npt.ArrayLike,
    ends: npt.ArrayLike,
    contig_lengths: npt.ArrayLike,
) -> tuple[Integers, Integers, Integers]:
    """Lay all contigs end to end and cut windows over an origin in two.

    Parameters are those of `overlap_graph`.

    Returns
    -------
    owners, begins, stops : numpy.ndarray of int64, shape (n_intervals,)
        The window each interval belongs to, and its half-open bounds on one common axis, on
        which intervals of different contigs never overlap.
    """
    _, contig = np.unique(np.array(list(contigs), dtype=str), return_inverse=True)
    begins = np.asarray(starts, dtype=np.int64)
    stops = np.asarray(ends, dtype=np.int64)
    lengths = np.asarray(contig_lengths, dtype=np.int64)
    owners = np.arange(len(contig))
    longest = int(np.maximum(stops, lengths).max(initial=0))
    offset = contig * longest
    over = stops > lengths
    return (
        np.concatenate([owners, owners[over]]),
        np.concatenate([begins + offset, offset[over]]),
        np.concatenate([np.minimum(stops, lengths) + offset, (stops - lengths + offset)[over]]),
    )


def clusters(adjacency: sparse.csr_array) -> npt.NDArray[np.int32]:
    """Number the connected components of a graph.

    Parameters
    ----------
    adjacency : scipy.sparse.csr_array, shape (n, n)
        Symmetric.

    Returns
    -------
    numpy.ndarray of int32, shape (n,)
        Component of each node, counted from 0.
    """
    _, labels = sparse.csgraph.connected_components(adjacency, directed=False)
    return labels


def maximal_independent_set(adjacency: sparse.csr_array, seed: int = 0) -> npt.NDArray[np.intp]:
    """Pick nodes of which no two are linked, until no further node can be added.

    Nodes are visited in random order and taken unless a neighbour was.

    Parameters
    ----------
    adjacency : scipy.sparse.csr_array, shape (n, n)
        Symmetric.
    seed : int
        The order; a graph has many maximal independent sets, of different sizes.

    Returns
    -------
    numpy.ndarray of int, shape (n_members,)
        Node numbers, ascending.
    """
    n_nodes = adjacency.shape[0]
    open_to_all = np.ones(n_nodes, dtype=bool)
    members = np.zeros(n_nodes, dtype=bool)
    for node in np.random.default_rng(seed).permutation(n_nodes):
        if open_to_all[node]:
            members[node] = True
            neighbours = adjacency.indices[adjacency.indptr[node] : adjacency.indptr[node + 1]]
            open_to_all[neighbours] = False
    return np.flatnonzero(members)


def _without_self_links(links: sparse.csr_array) -> sparse.csr_array:
    pairs = links.tocoo()
    other = pairs.row != pairs.col
    return sparse.csr_array(
        (pairs.data[other], (pairs.row[other], pairs.col[other])), shape=pairs.shape
    )
