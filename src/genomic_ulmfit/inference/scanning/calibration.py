"""How many calls chance would make: a threshold from DNA without promoters.

The background is made up base after base from how often each base follows which in the genome
itself (a first-order Markov chain: it keeps base and dinucleotide composition and nothing else,
like a dinucleotide shuffle; Altschul & Erickson 1985, Mol. Biol. Evol. 2:526). It is scanned
like the genome, and what is called in it is called by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from genomic_ulmfit.dna.alphabet import AMBIGUOUS, Codes
from genomic_ulmfit.dna.genome import Contig
from genomic_ulmfit.inference.scanning.calls import suppress
from genomic_ulmfit.inference.scanning.scan import Interval, ScanSettings, ScoredPiece, scan
from genomic_ulmfit.models.classifier import Classifier

CHANCE_CALLS = 20.0
"""Calls by chance that the default threshold lets pass, per million bases, both strands."""

BACKGROUND = 500_000
"""Bases of background, at most; a smaller genome gets five times its length."""

SHORTEST_BACKGROUND = 100_000


@dataclass(frozen=True)
class Calibration:
    """The best calls of background DNA.

    Parameters
    ----------
    n_bases : int
        Of background.
    log_odds : tuple of float
        Of calls on both strands, best first; more than the default threshold lets pass.
    seed : int
    """

    n_bases: int
    log_odds: tuple[float, ...]
    seed: int

    def threshold(self, per_mbp: float = CHANCE_CALLS) -> float:
        """Return the log-odds that chance exceeds `per_mbp` times per million bases.

        Where calls must lie so far apart that there is no room for so many, all pass.
        """
        allowed = int(per_mbp * self.n_bases / 1e6)
        if allowed >= len(self.log_odds):
            return min(self.log_odds, default=0.0)
        passes, fails = self.log_odds[max(0, allowed - 1)], self.log_odds[allowed]
        if passes > fails:
            return (passes + fails) / 2
        # Equal ones all fail.
        return float(np.nextafter(np.float32(fails), np.float32(np.inf)))

    def expected(self, threshold: float) -> float:
        """Return how many calls of at least these log-odds chance makes per million bases."""
        return sum(score >= threshold for score in self.log_odds) / self.n_bases * 1e6


def calibrate(
    model: Classifier,
    contigs: Sequence[Contig],
    settings: ScanSettings,
    min_distance: int,
    seed: int = 0,
    report: Callable[[int, int], None] = lambda *_: None,
) -> Calibration:
    """Scan background DNA.

    Parameters
    ----------
    model : Classifier
    contigs : sequence of Contig
        What is to be scanned; the background is like all of it together.
    settings : ScanSettings
        The background is scanned in dense mode whatever the mode is: exactly, it would take
        longer than most genomes' regions of interest.
    min_distance : int
        Between calls, as in the scan.
    seed : int
        Of the background.
    report : callable
        Told how many bases of background are scanned, and of how many.

    Returns
    -------
    Calibration
    """
    settings = replace(settings, mode="dense")
    n_bases = 5 * sum(len(contig) for contig in contigs)
    n_bases = max(SHORTEST_BACKGROUND, min(BACKGROUND, n_bases), 2 * settings.window)
    background = Contig("background", background_codes(contigs, n_bases, seed))
    kept = round(10 * CHANCE_CALLS * n_bases / 1e6) + 1
    best: list[float] = []
    pieces: list[ScoredPiece] = []
    report(0, n_bases)
    for piece in scan(model, [Interval(background, 0, n_bases)], settings):
        pieces.append(piece)
        report(piece.end, n_bases)
    for strand in (1, -1):
        anchors = np.concatenate([piece.strands[strand].anchors for piece in pieces])
        log_odds = np.concatenate([piece.strands[strand].log_odds for piece in pieces])
        chosen = suppress(anchors, log_odds, min_distance, limit=kept)
        best += log_odds[chosen].tolist()
    return Calibration(n_bases, tuple(sorted(best, reverse=True)[:kept]), seed)


def background_codes(contigs: Sequence[Contig], n_bases: int, seed: int) -> Codes:
    """Draw bases from the first-order Markov chain of some contigs.

    Parameters
    ----------
    contigs : sequence of Contig
    n_bases : int
    seed : int

    Returns
    -------
    numpy.ndarray of uint8, shape (n_bases,)
    """
    counts = np.ones((4, 4))
    for contig in contigs:
        pairs = contig.codes[:-1].astype(np.intp) * 5 + contig.codes[1:]
        both = np.bincount(pairs, minlength=25).reshape(-1, 5)[:AMBIGUOUS, :AMBIGUOUS]
        # Genes lie on both strands, and so do the pairs of the other strand.
        counts += both + both[::-1, ::-1].T
    chances = np.cumsum(counts / counts.sum(1, keepdims=True), axis=1)
    draws = np.random.default_rng(seed).random(n_bases)
    # For each base that may stand before, what would follow; then only to be looked up.
    following = [
        np.minimum(np.searchsorted(row, draws, side="right"), 3).tolist() for row in chances
    ]
    codes = bytearray(n_bases)
    base = 0
    for place in range(n_bases):
        base = codes[place] = following[base][place]
    return np.frombuffer(bytes(codes), dtype=np.uint8)
