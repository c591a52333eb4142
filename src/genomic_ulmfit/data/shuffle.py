"""Shuffling DNA so that every pair of neighbouring bases stays as frequent as it was."""

from __future__ import annotations

import numpy as np

from genomic_ulmfit.dna.alphabet import AMBIGUOUS, Codes


def shuffle_dinucleotides(codes: Codes, rng: np.random.Generator) -> Codes:
    """Return a random sequence with the same counts of bases and of dinucleotides.

    Every such sequence is equally likely, the one given included; the first and the last base
    stay.

    Parameters
    ----------
    codes : numpy.ndarray of uint8, shape (length,)
        Ambiguous bases count as a fifth base.
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray of uint8, shape (length,)

    Notes
    -----
    Altschul & Erickson 1985, Molecular Biology and Evolution 2:526-538. A sequence is a walk
    over bases in which each dinucleotide is an edge; another walk over the same edges is drawn.
    """
    if len(codes) < 4:
        return codes.copy()  # Two fixed ends leave nothing to move.
    edges = [codes[1:][codes[:-1] == base] for base in range(AMBIGUOUS + 1)]
    last = int(codes[-1])
    exits = _last_exits(edges, last, rng)
    for base, successors in enumerate(edges):
        if base in exits:
            rest = np.delete(successors, exits[base])
            edges[base] = np.append(rng.permutation(rest), successors[exits[base]])
        else:
            edges[base] = rng.permutation(successors)

    shuffled = np.empty_like(codes)
    used = [0] * len(edges)
    base = int(codes[0])
    for position in range(len(codes)):
        shuffled[position] = base
        if position < len(codes) - 1:
            used[base] += 1
            base = int(edges[base][used[base] - 1])
    return shuffled


def _last_exits(edges: list[Codes], last: int, rng: np.random.Generator) -> dict[int, int]:
    """Draw for every base but the last one which of its edges the walk is to leave it by last.

    A walk uses up all edges if and only if these exits lead from every base to the last one.
    Drawing until they do gives every fitting choice the same chance.
    """
    bases = [base for base, successors in enumerate(edges) if len(successors) and base != last]
    while True:
        exits = {base: int(rng.integers(len(edges[base]))) for base in bases}
        if all(_arrives(base, last, edges, exits) for base in bases):
            return exits


def _arrives(base: int, last: int, edges: list[Codes], exits: dict[int, int]) -> bool:
    for _ in edges:
        base = int(edges[base][exits[base]])
        if base == last:
            return True
    return False
