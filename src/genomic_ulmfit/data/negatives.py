"""Windows that are no promoters: from genes, from between genes, from anywhere, or shuffled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from genomic_ulmfit.data.shuffle import shuffle_dinucleotides
from genomic_ulmfit.dna.alphabet import AMBIGUOUS, Codes
from genomic_ulmfit.dna.genome import Contig, Genome, site_offset

TRIM = 50
"""Bases left out at both ends of a CDS before a negative window is drawn."""


PER_SITE = 4
"""Background windows for each site."""

NEAR = (51, 251)
"""From how many to below how many bases from a site half of the background lies, on its strand: a
scan must call the site and not what stands beside it. None lies nearer."""


class Window(NamedTuple):
    """A stretch of a genome, read along one strand.

    Parameters
    ----------
    name : str
    contig : Contig
    start : int
        On the forward strand, 0-based.
    strand : int
        +1 or -1, the strand that `codes` is read from.
    codes : numpy.ndarray of uint8, shape (length,)
    gene : str
        The CDS it belongs to; empty for none.
    """

    name: str
    contig: Contig
    start: int
    strand: int
    codes: Codes
    gene: str


def coding_windows(
    genome: Genome, length: int, rng: np.random.Generator, avoid: Sequence[Window] = ()
) -> tuple[list[Window], list[str]]:
    """Cut one window at a random place inside each CDS that has room, in sense direction.

    A CDS has room if more than `length` bases are left after `TRIM` are taken from either end.

    Parameters
    ----------
    genome : Genome
    length : int
        In bases.
    rng : numpy.random.Generator
    avoid : sequence of Window
        Windows of `length` bases to keep clear of, on either strand: transcription also starts
        within genes.

    Returns
    -------
    windows : list of Window
        Named ``coding_N``, N being the number of the CDS in genome order.
    notes : list of str
        What was left out, one sentence with a count each.
    """
    windows = []
    short = crowded = unusable = number = 0
    for contig in genome.contigs:
        taken = _covered(contig, avoid, length)
        for gene in contig.genes:
            number += 1
            room = len(gene) - 2 * TRIM - length
            if room <= 0:
                short += 1
                continue
            first = gene.start + TRIM
            within = taken[np.arange(first, first + room + length) % len(contig)]
            before = np.concatenate([[0], np.cumsum(within)])
            free = np.flatnonzero(before[length:] == before[:-length])
            if not len(free):
                crowded += 1
                continue
            start = first + int(free[rng.integers(len(free))])
            codes = contig.window(start, start + length, gene.strand)
            if codes is None or (codes == AMBIGUOUS).any():
                unusable += 1
            else:
                name = f"coding_{number}"
                windows.append(Window(name, contig, start, gene.strand, codes, gene.name))
    notes = []
    if short:
        notes.append(
            f"{short:,} CDS gave no coding window: too short for {length} bases after trimming "
            f"{TRIM} from either end."
        )
    if crowded:
        notes.append(
            f"{crowded:,} CDS gave no coding window: there is no place in them without a "
            "transcription start site."
        )
    if unusable:
        notes.append(
            f"{unusable:,} coding windows were left out: they hold ambiguous bases or leave their "
            "contig."
        )
    return windows, notes


def intergenic_windows(
    genome: Genome, length: int, avoid: Sequence[Window], rng: np.random.Generator
) -> list[Window]:
    """Cut windows from what is covered neither by a CDS nor by given windows, of any strand.

    Every stretch that is left over is cut into as many windows side by side as fit, beginning at
    a random place; each is read from a random strand.

    Parameters
    ----------
    genome : Genome
    length : int
        In bases.
    avoid : sequence of Window
        Windows of `length` bases to keep clear of.
    rng : numpy.random.Generator

    Returns
    -------
    list of Window
        Named ``intergenic_N``, in genome order, without ambiguous bases.
    """
    windows: list[Window] = []
    for contig in genome.contigs:
        covered = (contig.codes == AMBIGUOUS) | _covered(contig, avoid, length)
        for start, end in (*((gene.start, gene.end) for gene in contig.genes), *contig.other_cds):
            covered[np.arange(start, end) % len(contig)] = True
        edges = np.flatnonzero(np.diff(covered, prepend=True, append=True))
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            fitting = (end - start) // length
            first = start + int(rng.integers(end - start - fitting * length + 1))
            for begin in range(first, first + fitting * length, length):
                strand = 1 if rng.random() < 0.5 else -1
                codes = contig.window(begin, begin + length, strand)
                assert codes is not None
                name = f"intergenic_{len(windows) + 1}"
                windows.append(Window(name, contig, begin, strand, codes, ""))
    return windows


def _covered(contig: Contig, windows: Sequence[Window], length: int) -> npt.NDArray[np.bool_]:
    """Tell of each base of a contig whether one of some windows, `length` long, covers it."""
    covered = np.zeros(len(contig), dtype=bool)
    for window in windows:
        if window.contig is contig:
            bases = np.arange(window.start, window.start + length)
            inside = bases[(bases >= 0) & (bases < len(contig))]
            covered[bases % len(contig) if contig.circular else inside] = True
    return covered


def background_windows(
    genome: Genome,
    sites: Sequence[Window],
    avoid: Sequence[Window],
    anchor: int,
    rng: np.random.Generator,
) -> list[Window]:
    """Cut what a scan meets besides its sites: places of both strands, half of them near sites.

    Parameters
    ----------
    genome : Genome
    sites : sequence of Window
        Windows of one length around the sites.
    avoid : sequence of Window
        Windows of that length around all sites that are known, whether they can be cut or not.
    anchor : int
        Bases from a window's first base to its site.
    rng : numpy.random.Generator

    Returns
    -------
    list of Window
        Named ``background_N``, `PER_SITE` (4) for each site, without ambiguous bases and at
        least `NEAR` (51) bases away from every site of their strand in `avoid`. Fewer where a
        genome has no room for so many.
    """
    length = len(sites[0].codes)

    def place(window: Window) -> int:
        return window.start + site_offset(window.strand, length, anchor)

    known: dict[tuple[str, int], list[int]] = {}
    for site in avoid:
        known.setdefault((site.contig.name, site.strand), []).append(place(site))
    taken = {key: np.array(places) for key, places in known.items()}
    bases = np.array([len(contig) for contig in genome.contigs], dtype=np.float64)

    def draw() -> Window | None:
        if rng.random() < 0.5:
            site = sites[int(rng.integers(len(sites)))]
            contig, strand = site.contig, site.strand
            start = site.start + int(rng.choice((-1, 1)) * rng.integers(*NEAR))
        else:
            contig = genome.contigs[int(rng.choice(len(bases), p=bases / bases.sum()))]
            strand = 1 if rng.random() < 0.5 else -1
            start = int(rng.integers(len(contig)))
        codes = contig.window(start, start + length, strand)
        if codes is None or (codes == AMBIGUOUS).any():
            return None
        window = Window("", contig, start, strand, codes, "")
        others = taken.get((contig.name, strand))
        if others is not None:
            distance = np.abs(others - place(window))
            if contig.circular:
                distance = np.minimum(distance % len(contig), -distance % len(contig))
            if distance.min() < NEAR[0]:
                return None
        return window

    windows: list[Window] = []
    # A genome full of sites has no room; to try for ever would not make it.
    for _ in range(50 * PER_SITE * len(sites)):
        if len(windows) == PER_SITE * len(sites):
            break
        window = draw()
        if window is not None:
            windows.append(window._replace(name=f"background_{len(windows) + 1}"))
    return windows


def shuffled_windows(windows: Sequence[Window], rng: np.random.Generator) -> list[Window]:
    """Shuffle each window's sequence, all dinucleotides kept.

    Returns
    -------
    list of Window
        Named ``shuffled_N``, N counting from 1. Contig, start and strand stay those of the
        window, so that a split which keeps overlapping windows together keeps these two together.
    """
    return [
        window._replace(
            name=f"shuffled_{number}", codes=shuffle_dinucleotides(window.codes, rng), gene=""
        )
        for number, window in enumerate(windows, start=1)
    ]
