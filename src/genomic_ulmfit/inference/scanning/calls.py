"""Calls, of promoters or whatever a model looks for: the best windows, none close to another."""

from __future__ import annotations

import bisect
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genomic_ulmfit.dna.genome import Contig, Gene
from genomic_ulmfit.inference.log_odds import probability
from genomic_ulmfit.inference.scanning.scan import Places, ScanSettings, Scores

WITHIN_GENE = 15
"""Bases that an anchor may lie behind a start codon and still be called upstream of the gene."""


@dataclass(frozen=True, eq=False)
class Call:
    """One called site.

    Parameters
    ----------
    contig : Contig
    anchor : int
        Base of the site, on the forward strand.
    strand : int
    log_odds : float
    gene : Gene or None
        The nearest gene downstream on the same strand.
    distance : int or None
        Bases from the anchor to the first base of that gene's start codon.
    """

    contig: Contig
    anchor: int
    strand: int
    log_odds: float
    gene: Gene | None = None
    distance: int | None = None

    @property
    def probability(self) -> float:
        """Of the class that was scanned for."""
        return float(probability(self.log_odds))

    def window(self, settings: ScanSettings) -> tuple[int, int]:
        """Return the window's bounds; on a circular contig they may lie outside of it."""
        start = self.anchor - settings.offset(self.strand)
        return start, start + settings.window


def suppress(
    anchors: Places,
    scores: npt.NDArray[np.floating],
    min_distance: int,
    *,
    circle: int | None = None,
    limit: int | None = None,
) -> npt.NDArray[np.intp]:
    """Keep the best-scoring places no two of which are close together.

    From the best score down, a place is kept unless one that was kept before lies within less
    than `min_distance` bases of it (greedy non-maximum suppression). Of equal scores the first
    in position goes first. What is kept above a threshold does not depend on what lies below.

    Parameters
    ----------
    anchors : numpy.ndarray of int, shape (n,)
        Ascending, within one strand of one contig.
    scores : numpy.ndarray of float, shape (n,)
    min_distance : int
        Bases.
    circle : int, optional
        Length of a circular contig, whose end and start are neighbours.
    limit : int, optional
        Stop when so many have been kept.

    Returns
    -------
    numpy.ndarray of int
        Indices of the places kept, best first.
    """
    kept: list[int] = []
    taken: list[int] = []
    for index in np.argsort(-scores, kind="stable").tolist():
        anchor = int(anchors[index])
        place = bisect.bisect(taken, anchor)
        close = place < len(taken) and taken[place] - anchor < min_distance
        close = close or (place > 0 and anchor - taken[place - 1] < min_distance)
        if circle is not None and taken:
            close = close or taken[0] + circle - anchor < min_distance
            close = close or anchor + circle - taken[-1] < min_distance
        if close:
            continue
        taken.insert(place, anchor)
        kept.append(index)
        if len(kept) == limit:
            break
    return np.array(kept, dtype=np.intp)


def call_sites(
    contig: Contig,
    strand: int,
    anchors: Places,
    log_odds: Scores,
    *,
    threshold: float,
    min_distance: int,
) -> list[Call]:
    """Call the sites of one strand.

    Parameters
    ----------
    contig : Contig
    strand : int
    anchors : numpy.ndarray of int, shape (n,)
        Ascending.
    log_odds : numpy.ndarray of float32, shape (n,)
        NaN where there is no score.
    threshold : float
        Least log-odds of a call.
    min_distance : int
        Bases between two calls, at least.

    Returns
    -------
    list of Call
        In order of position, each with its nearest downstream gene.
    """
    chosen = log_odds >= threshold
    anchors, log_odds = anchors[chosen], log_odds[chosen]
    circle = len(contig) if contig.circular else None
    kept = np.sort(suppress(anchors, log_odds, min_distance, circle=circle))
    find = _GeneFinder(contig, strand)
    return [
        Call(contig, int(anchors[i]), strand, float(log_odds[i]), *find(int(anchors[i])))
        for i in kept
    ]


class _GeneFinder:
    """Finds the nearest gene downstream of a place."""

    def __init__(self, contig: Contig, strand: int) -> None:
        self.length, self.strand = len(contig), strand
        self.circular = contig.circular
        genes = [gene for gene in contig.genes if gene.strand == strand]
        # In the strand's own coordinates, so that downstream is always upwards.
        starts = [
            gene.start if strand > 0 else (self.length - gene.end) % self.length for gene in genes
        ]
        order = np.argsort(starts, kind="stable")
        self.genes = [genes[i] for i in order]
        self.starts = [starts[i] for i in order]

    def __call__(self, anchor: int) -> tuple[Gene | None, int | None]:
        place = anchor if self.strand > 0 else self.length - 1 - anchor
        index = bisect.bisect_left(self.starts, place)
        # The next start downstream, and the last one just behind the place.
        found = [self._distance(ahead, place) for ahead in (index, index - 1)]
        near = [(abs(d), i, d) for i, d in enumerate(found) if d is not None and d >= -WITHIN_GENE]
        if not near:
            return None, None
        _, back, distance = min(near)
        return self.genes[(index - back) % len(self.genes)], distance

    def _distance(self, index: int, place: int) -> int | None:
        """Return how far from a place a start lies; once round a circle, or None."""
        if 0 <= index < len(self.starts):
            return self.starts[index] - place
        if not (self.circular and self.starts):
            return None
        around = self.length if index >= len(self.starts) else -self.length
        return self.starts[index % len(self.starts)] + around - place
