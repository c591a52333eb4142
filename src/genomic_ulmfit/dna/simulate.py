"""Bacterial-like annotated genomes that are made up, so that calls can be scored against truth.

A genome is a ring of transcription units on both strands. Each unit, read 5' to 3', is

    intergenic DNA, −35 box, spacer, −10 box, discriminator, TSS, 5' UTR with a Shine-Dalgarno
    site, gene, [gap with a Shine-Dalgarno site, gene, …], 3' intergenic DNA

so that only the first gene of an operon has a promoter of its own. Motifs are drawn from position
weight matrices and are as degenerate as real ones. Not simulated: overlapping genes, RNA genes,
regulation, terminators, repeats and homology between genes.
"""

from __future__ import annotations

import bisect
import os
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from Bio.Seq import Seq
from Bio.SeqFeature import (
    AfterPosition,
    BeforePosition,
    CompoundLocation,
    ExactPosition,
    SeqFeature,
    SimpleLocation,
)
from Bio.SeqRecord import SeqRecord

from genomic_ulmfit.dna.alphabet import BASES, Codes, decode, encode, reverse_complement
from genomic_ulmfit.dna.genome import Contig, Gene, Genome
from genomic_ulmfit.dna.readers import SIMULATED_KEYWORD, TSS_NOTE
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import open_text, write_text

_T = TypeVar("_T")

# Counted in E. coli K-12 MG1655 (NC_000913.3, 4,319 CDS): uses per 1,000 sense codons in the
# order AAA, AAC, AAG, AAT, ACA, … TTT, with the stop codons TAA, TAG and TGA at 0.
_CODON_USE = np.array(
    [
        [33.8, 21.7, 10.3, 17.6, 7.0, 23.5, 14.5, 8.9],
        [2.1, 16.1, 1.2, 8.8, 4.3, 25.3, 25.1, 30.6],
        [15.4, 9.8, 29.1, 13.0, 8.5, 5.5, 23.5, 7.0],
        [3.6, 22.2, 5.5, 21.1, 3.9, 11.2, 53.3, 11.1],
        [39.8, 19.2, 17.9, 32.3, 20.3, 25.7, 34.0, 15.3],
        [7.9, 29.9, 11.1, 24.9, 10.9, 15.4, 26.2, 18.4],
        [0, 12.3, 0, 16.2, 7.1, 8.7, 9.0, 8.5],
        [0, 6.5, 15.4, 5.2, 13.9, 16.7, 13.7, 22.4],
    ]
).ravel()
_CODON_TABLE = np.cumsum(_CODON_USE / _CODON_USE.sum())
_START_CODONS = (("ATG", "GTG", "TTG"), (0.90, 0.08, 0.02))
_STOP_CODONS = (("TAA", "TGA", "TAG"), (0.64, 0.29, 0.07))

# Base after base (rows: from A, C, G, T) in the 300 bases upstream of K-12's genes, counted
# outside of any CDS and along the gene's strand.
_INTERGENIC = np.array(
    [
        [0.345, 0.181, 0.173, 0.301],
        [0.309, 0.216, 0.219, 0.256],
        [0.268, 0.264, 0.214, 0.254],
        [0.241, 0.192, 0.209, 0.358],
    ]
)
_BACKGROUND = np.array([0.291, 0.208, 0.202, 0.299])
_FIRST_BASE = np.cumsum(_BACKGROUND)[:3].tolist()
_NEXT_BASE = np.cumsum(_INTERGENIC, axis=1)[:, :3].tolist()

# Share of the consensus base at each position of 263 E. coli promoters: Harley and Reynolds
# (1987), Nucleic Acids Res. 15:2343, as tabulated in J. Bacteriol. 180:594 (1998), table 3. The
# spacer (92 % at 17 ± 1) and the TSS (75 % at 7 ± 1 bases behind the −10 box) follow them too.
_MINUS_35 = (("T", 0.78), ("T", 0.82), ("G", 0.68), ("A", 0.58), ("C", 0.51), ("A", 0.55))
_MINUS_10 = (("T", 0.82), ("A", 0.90), ("T", 0.52), ("A", 0.59), ("A", 0.49), ("T", 0.89))
_SPACER = ((15, 16, 17, 18, 19), (0.04, 0.20, 0.52, 0.20, 0.04))
_DISCRIMINATOR = ((4, 5, 6, 7, 8), (0.125, 0.20, 0.35, 0.20, 0.125))
_TSS_BASE = np.array([0.50, 0.08, 0.33, 0.09])

# Set so that the best match to AGGAGG at these distances is as good as before K-12's start codons
# (on average 3.9 of 6 bases in both), and best kept in the middle, GGAG.
_SHINE_DALGARNO = (("A", 0.50), ("G", 0.60), ("G", 0.75), ("A", 0.70), ("G", 0.65), ("G", 0.45))
_SD_TO_START = ((5, 6, 7, 8, 9), (0.15, 0.22, 0.28, 0.20, 0.15))

_MEAN_OPERON = 1.65
# Lengths are log-normal: median, standard deviation of the logarithm, bounds. Genes in codons, as
# in K-12 (median 837 bases); the others in bases.
_GENE = (267, 0.65, (30, 2500))
_BEFORE_PROMOTER = (90, 0.7, (20, 600))
_UTR = (40, 0.6, (22, 300))
_AFTER_UNIT = (60, 0.6, (10, 300))
_MEAN_SLACK_IN_OPERON = 15
_SHORTEST_LEADER = len(_SHINE_DALGARNO) + max(_SD_TO_START[0])


@dataclass(frozen=True)
class _Unit:
    """One transcription unit in its own 5' to 3' coordinates."""

    codes: Codes
    tss: int
    genes: tuple[tuple[int, int], ...]


def simulate_genome(n_genes: int = 1000, seed: int = 0) -> Genome:
    """Make up a circular bacterial-like genome with genes and known TSS.

    Parameters
    ----------
    n_genes : int
        Number of protein-coding genes, at least 1. A gene takes about 1,200 bases, what lies
        around it included.
    seed : int
        The same seed gives the same genome, at least 0.

    Returns
    -------
    Genome
        One circular contig, with `simulated` True, genes in order of their start, and one TSS
        for each transcription unit.

    Raises
    ------
    InputError
        If an argument is below its bound.
    """
    if n_genes < 1:
        raise InputError(f"genes: got {n_genes}, at least 1 is needed.")
    if seed < 0:
        raise InputError(f"seed: got {seed}, allowed is 0 or more.")
    rng = np.random.default_rng(seed)
    pieces: list[Codes] = []
    genes: list[Gene] = []
    tss: list[tuple[int, int]] = []
    offset = 0
    while len(genes) < n_genes:
        size = min(int(rng.geometric(1 / _MEAN_OPERON)), n_genes - len(genes))
        unit = _unit(rng, size)
        length = len(unit.codes)
        strand = 1 if rng.random() < 0.5 else -1
        spans = unit.genes if strand > 0 else [(length - b, length - a) for a, b in unit.genes]
        for start, end in sorted(spans):
            name = f"sim{len(genes) + 1:04d}"
            genes.append(Gene(name, offset + start, offset + end, strand))
        tss.append((offset + (unit.tss if strand > 0 else length - 1 - unit.tss), strand))
        pieces.append(unit.codes if strand > 0 else reverse_complement(unit.codes))
        offset += length
    name = f"SIM_{seed}"
    contig = Contig(name, np.concatenate(pieces), circular=True, genes=tuple(genes), tss=tuple(tss))
    return Genome(name, (contig,), simulated=True)


def write_genbank(genome: Genome, path: str | os.PathLike[str]) -> None:
    """Write a genome as GenBank that `genomic_ulmfit.dna.readers.read_genome` reads back.

    A TSS becomes a ``misc_feature`` of one base with the note "transcription start site". A
    simulated genome is marked as such in KEYWORDS and COMMENT.

    Parameters
    ----------
    genome : Genome
        What to write; ambiguous bases become N.
    path : path-like
        File to write, atomically; with the suffix ``.gz`` it is compressed.
    """
    records = [_record(contig, genome.simulated) for contig in genome.contigs]
    with open_text(path) as file:
        for record in records:
            file.write(record.format("genbank"))


def write_tss(genome: Genome, path: str | os.PathLike[str]) -> None:
    """Write a genome's transcription start sites as six-column BED, one base each, atomically.

    Parameters
    ----------
    genome : Genome
    path : path-like
    """
    lines = [
        f"{contig.name}\t{site}\t{site + 1}\ttss_{number}\t0\t{'+' if strand > 0 else '-'}\n"
        for contig in genome.contigs
        for number, (site, strand) in enumerate(sorted(contig.tss), start=1)
    ]
    write_text(path, "".join(lines))


def _unit(rng: np.random.Generator, n_genes: int) -> _Unit:
    """Draw one transcription unit, 5' to 3'."""
    parts = [
        _intergenic(rng, _lognormal(rng, *_BEFORE_PROMOTER)),
        _motif(rng, _MINUS_35),
        _intergenic(rng, _pick(rng, _SPACER)),
        _motif(rng, _MINUS_10),
        _intergenic(rng, _pick(rng, _DISCRIMINATOR)),
    ]
    tss = sum(map(len, parts))
    parts.append(rng.choice(4, size=1, p=_TSS_BASE).astype(np.uint8))
    parts.append(_leader(rng, _lognormal(rng, *_UTR)))
    genes = []
    for number in range(n_genes):
        if number:
            slack = int(rng.geometric(1 / (_MEAN_SLACK_IN_OPERON + 1))) - 1
            parts.append(_leader(rng, _SHORTEST_LEADER + slack))
        start = sum(map(len, parts))
        parts.append(_gene(rng))
        genes.append((start, start + len(parts[-1])))
    parts.append(_intergenic(rng, _lognormal(rng, *_AFTER_UNIT)))
    return _Unit(np.concatenate(parts), tss, tuple(genes))


def _leader(rng: np.random.Generator, length: int) -> Codes:
    """Draw the bases before a start codon, a Shine-Dalgarno site among them."""
    site = _motif(rng, _SHINE_DALGARNO)
    gap = _pick(rng, _SD_TO_START)
    before = _intergenic(rng, length - len(site) - gap)
    return np.concatenate([before, site, _intergenic(rng, gap)])


def _gene(rng: np.random.Generator) -> Codes:
    """Draw a coding sequence: start codon, sense codons, stop codon."""
    n_codons = _lognormal(rng, *_GENE)
    codons = np.searchsorted(_CODON_TABLE, rng.random(n_codons - 2), side="right")
    sense = (codons[:, None] >> np.array([4, 2, 0])) & 3
    start, stop = _pick(rng, _START_CODONS), _pick(rng, _STOP_CODONS)
    return np.concatenate([encode(start), sense.ravel().astype(np.uint8), encode(stop)])


def _intergenic(rng: np.random.Generator, length: int) -> Codes:
    """Draw bases from the first-order Markov chain of intergenic DNA."""
    draws = rng.random(length).tolist()
    codes = bytearray()
    table = _FIRST_BASE
    for draw in draws:
        codes.append(bisect.bisect_right(table, draw))
        table = _NEXT_BASE[codes[-1]]
    return np.frombuffer(bytes(codes), dtype=np.uint8)


def _motif(rng: np.random.Generator, consensus: tuple[tuple[str, float], ...]) -> Codes:
    """Draw a motif; what a consensus base leaves is shared out like the background."""
    codes = []
    for letter, share in consensus:
        base = BASES.index(letter)
        weights = np.where(np.arange(4) == base, 0.0, _BACKGROUND)
        weights *= (1 - share) / weights.sum()
        weights[base] = share
        codes.append(rng.choice(4, p=weights))
    return np.array(codes, dtype=np.uint8)


def _pick(rng: np.random.Generator, options: tuple[tuple[_T, ...], tuple[float, ...]]) -> _T:
    values, shares = options
    return values[int(rng.choice(len(values), p=shares))]


def _lognormal(
    rng: np.random.Generator, median: float, spread: float, limits: tuple[int, int]
) -> int:
    return int(np.clip(rng.lognormal(np.log(median), spread), *limits))


def _record(contig: Contig, simulated: bool) -> SeqRecord:
    annotations: dict[str, Any] = {
        "molecule_type": "DNA",
        "topology": "circular" if contig.circular else "linear",
        "data_file_division": "SYN" if simulated else "BCT",
    }
    if simulated:
        annotations["keywords"] = [SIMULATED_KEYWORD]
        annotations["comment"] = "Made up by genomic-ulmfit simulate; no real organism."
    record = SeqRecord(
        Seq(decode(contig.codes)),
        id=contig.name,
        name=contig.name,
        description="simulated bacterial genome" if simulated else contig.name,
        annotations=annotations,
    )
    for gene in contig.genes:
        qualifiers = {"gene": gene.name, "locus_tag": gene.name, "transl_table": "11"}
        location = _location(gene, len(contig))
        record.features.append(SeqFeature(location, type="CDS", qualifiers=qualifiers))
    for position, strand in contig.tss:
        location = SimpleLocation(position, position + 1, strand)
        feature = SeqFeature(location, type="misc_feature", qualifiers={"note": TSS_NOTE})
        record.features.append(feature)
    return record


def _location(gene: Gene, length: int) -> SimpleLocation | CompoundLocation:
    exact = gene.start_known
    start = (ExactPosition if exact or gene.strand < 0 else BeforePosition)(gene.start)
    stop = (gene.end - 1) % length + 1
    end = (ExactPosition if exact or gene.strand > 0 else AfterPosition)(stop)
    if gene.end <= length:
        return SimpleLocation(start, end, gene.strand)
    parts = [SimpleLocation(start, length, gene.strand), SimpleLocation(0, end, gene.strand)]
    return CompoundLocation(parts[:: gene.strand])
