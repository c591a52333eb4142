"""The plain ways to find transcription start sites (TSS) along a genome.

Each gives a score to places of a strand, 5' to 3'; the caller suppresses neighbours and
compares with known sites, as for any scan. They learn from training sequences alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from genomic_ulmfit.dna.alphabet import AMBIGUOUS, Codes, encode
from genomic_ulmfit.dna.genome import Contig
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.evaluation.baselines import OneHotRegression

_SCORE = npt.NDArray[np.float64]

MINUS_35, MINUS_10 = "TTGACA", "TATAAT"
"""Consensus of the boxes that sigma 70 binds (Hawley & McClure 1983, NAR 11:2237)."""

SPACERS = range(15, 20)
"""Bases between the boxes."""

GAPS = range(4, 11)
"""Bases between the −10 box and the TSS."""

ROUNDS = 10
_PSEUDO = 1.0


class Places(NamedTuple):
    """Scored places of one strand.

    Parameters
    ----------
    positions : numpy.ndarray of int, shape (n,)
        On the forward strand, ascending.
    scores : numpy.ndarray of float, shape (n,)
    """

    positions: npt.NDArray[np.int64]
    scores: _SCORE


def random_places(contig: Contig, n: int, seed: int) -> dict[int, Places]:
    """Draw `n` places of either strand, and a score for each, at random.

    Parameters
    ----------
    contig : Contig
    n : int
        Per strand.
    seed : int

    Returns
    -------
    dict of int to Places
        By strand.
    """
    rng = np.random.default_rng(seed)
    n = min(n, len(contig))
    return {
        strand: Places(np.sort(rng.choice(len(contig), n, replace=False)), rng.random(n))
        for strand in (1, -1)
    }


def gene_starts(contig: Contig, upstream: int) -> dict[int, Places]:
    """Call a TSS `upstream` bases before each gene, the surer the more room is before it.

    A gene close behind another one of its strand is likely transcribed with it (an operon) and
    has no TSS of its own; the score is the distance to the end of whatever gene lies before.

    Parameters
    ----------
    contig : Contig
        Annotated.
    upstream : int
        Bases from the TSS to the start codon, such as the median in training.

    Returns
    -------
    dict of int to Places
        By strand; the score is in bases, and negative where genes overlap.
    """
    length = len(contig)
    found: dict[int, list[tuple[int, float]]] = {1: [], -1: []}
    for strand in (1, -1):
        # In the strand's own coordinates; genes of both strands take room.
        spans = sorted(
            (gene.start, gene.end, gene.strand)
            if strand > 0
            else (length - gene.end, length - gene.start, gene.strand)
            for gene in contig.genes
        )
        before = max((end for _, end, _ in spans), default=0) - length if contig.circular else 0
        for start, end, of_gene in spans:
            place = start - upstream
            if of_gene == strand and (contig.circular or place >= 0):
                place %= length
                position = place if strand > 0 else length - 1 - place
                found[strand].append((position, float(start - before)))
            before = max(before, end)
    return {
        strand: Places(
            np.array([position for position, _ in sorted(pairs)], dtype=np.int64),
            np.array([score for _, score in sorted(pairs)], dtype=np.float64),
        )
        for strand, pairs in found.items()
    }


@dataclass(frozen=True, eq=False)
class PromoterMatrix:
    """Position weight matrices of the −35 and −10 boxes, and how far apart things stand.

    Parameters
    ----------
    minus_35, minus_10 : numpy.ndarray of float, shape (6, 5)
        Log-odds of each base against the background; 0 for an ambiguous one.
    spacer : numpy.ndarray of float, shape (len(SPACERS),)
        Log-odds of each spacer against all being alike.
    gap : numpy.ndarray of float, shape (len(GAPS),)
        The same of the bases between the −10 box and the TSS.
    """

    minus_35: _SCORE
    minus_10: _SCORE
    spacer: _SCORE
    gap: _SCORE

    @classmethod
    def fit(cls, sequences: Sequence[str], tss: int) -> PromoterMatrix:
        """Learn from sequences around known TSS.

        The boxes' places are not known: starting from the consensus, each sequence's best
        places are found and the matrices counted there, `ROUNDS` times over (hard EM).

        Parameters
        ----------
        sequences : sequence of str
            All of one length.
        tss : int
            Index of the TSS in each.

        Returns
        -------
        PromoterMatrix
        """
        first = tss - GAPS[-1] - 2 * len(MINUS_10) - SPACERS[-1]
        if first < 0 or len({len(sequence) for sequence in sequences}) != 1:
            raise InputError(
                f"sequences: must have one length and at least {tss - first} bases before the TSS."
            )
        codes = np.stack([encode(sequence) for sequence in sequences])
        shares = np.bincount(codes.ravel(), minlength=5)[:AMBIGUOUS] + _PSEUDO
        background = np.log(shares / shares.sum())
        matrix = cls(
            _consensus(MINUS_35),
            _consensus(MINUS_10),
            np.zeros(len(SPACERS)),
            np.zeros(len(GAPS)),
        )
        for _ in range(ROUNDS):
            gaps, spacers = matrix._best_places(codes, tss)
            ten = tss - np.array(GAPS)[gaps] - len(MINUS_10)
            thirty_five = ten - np.array(SPACERS)[spacers] - len(MINUS_35)
            matrix = cls(
                _log_odds(_boxes(codes, thirty_five), background),
                _log_odds(_boxes(codes, ten), background),
                _relative(spacers, len(SPACERS)),
                _relative(gaps, len(GAPS)),
            )
        return matrix

    def _best_places(
        self, codes: Codes, tss: int
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Return indices into `GAPS` and `SPACERS` for each sequence, shape (n,) each."""
        totals = self._totals(codes)
        # Axes: gaps, spacers, sequences.
        pairs = np.stack([totals[..., tss - gap - len(MINUS_10)] for gap in GAPS])
        pairs += self.gap[:, None, None]
        best = pairs.reshape(-1, len(codes)).argmax(axis=0)
        gaps, spacers = np.divmod(best, len(SPACERS))
        return gaps, spacers

    def _totals(self, codes: Codes) -> _SCORE:
        """Score both boxes with the −10 box at each place, shape (spacers, ..., length)."""
        size = len(MINUS_10)
        ten = _slide(self.minus_10, codes)
        thirty_five = _slide(self.minus_35, codes)
        totals = np.full((len(SPACERS), *codes.shape), -np.inf)
        for row, (spacer, weight) in enumerate(zip(SPACERS, self.spacer, strict=True)):
            shift = spacer + size
            totals[row, ..., shift : ten.shape[-1]] = (
                ten[..., shift:] + thirty_five[..., : ten.shape[-1] - shift] + weight
            )
        return totals

    def score(self, codes: Codes) -> _SCORE:
        """Score every base of a strand as a TSS: its best pair of boxes.

        Parameters
        ----------
        codes : numpy.ndarray of uint8, shape (length,)
            5' to 3'.

        Returns
        -------
        numpy.ndarray of float, shape (length,)
            Log-odds; minus infinity where no pair of boxes fits in before.
        """
        boxes = self._totals(codes).max(axis=0)
        scores = np.full(len(codes), -np.inf)
        for gap, weight in zip(GAPS, self.gap, strict=True):
            shift = gap + len(MINUS_10)
            np.maximum(scores[shift:], boxes[:-shift] + weight, out=scores[shift:])
        return scores


def one_hot_scores(model: OneHotRegression, codes: Codes, anchor: int, step: int) -> Places:
    """Score windows along a strand with logistic regression on which base stands where.

    Parameters
    ----------
    model : OneHotRegression
        Fitted, two classes.
    codes : numpy.ndarray of uint8, shape (length,)
        5' to 3'.
    anchor : int
        Index of the TSS in a window.
    step : int
        Bases between windows.

    Returns
    -------
    Places
        In the strand's own coordinates: the TSS of each window and its log-odds.
    """
    regression = model.model_.best_estimator_[-1]
    # One column of 0 more, for ambiguous bases.
    weights = np.pad(regression.coef_.reshape(model.length_, 4), ((0, 0), (0, 1)))
    scores = _slide(weights, codes)[::step] + float(regression.intercept_[0])
    return Places(anchor + step * np.arange(len(scores), dtype=np.int64), scores)


def _slide(matrix: _SCORE, codes: Codes) -> _SCORE:
    """Sum a matrix, shape (size, 5), over every stretch, shape (..., length - size + 1)."""
    n = codes.shape[-1] - len(matrix) + 1
    total = np.zeros((*codes.shape[:-1], n))
    for place, weights in enumerate(matrix):
        total += weights[codes[..., place : place + n]]
    return total


def _boxes(codes: Codes, starts: npt.NDArray[np.integer]) -> Codes:
    """Cut six bases from each sequence, shape (n, 6)."""
    return np.take_along_axis(codes, starts[:, None] + np.arange(len(MINUS_10)), axis=1)


def _consensus(letters: str) -> _SCORE:
    """Return a matrix that counts matches to a consensus."""
    return np.eye(5)[encode(letters)]


def _log_odds(codes: Codes, background: _SCORE) -> _SCORE:
    """Return log-odds of the bases in aligned sites, shape (n, size), as (size, 5)."""
    counts = np.stack([np.bincount(column, minlength=5)[:AMBIGUOUS] for column in codes.T])
    shares = (counts + _PSEUDO) / (counts + _PSEUDO).sum(axis=1, keepdims=True)
    return np.pad(np.log(shares) - background, ((0, 0), (0, 1)))


def _relative(indices: npt.NDArray[np.intp], n: int) -> _SCORE:
    """Return the logarithm of how often each of `n` outcomes came, against all alike."""
    counts = np.bincount(indices, minlength=n) + _PSEUDO
    logs: _SCORE = np.log(counts / counts.sum() * n)
    return logs
