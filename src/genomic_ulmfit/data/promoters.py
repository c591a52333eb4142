"""Labelled windows of a genome: promoters against other DNA, in three framings of the task.

`anchored` and `upstream` are cut at annotated start codons, as in the seed's protocol; `tss` is
cut at transcription start sites (TSS), which genome annotation does not hold and a BED file
brings.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from genomic_ulmfit.data.homology import WORD
from genomic_ulmfit.data.negatives import (
    PER_SITE,
    Window,
    background_windows,
    coding_windows,
    intergenic_windows,
    shuffled_windows,
)
from genomic_ulmfit.dna.alphabet import AMBIGUOUS, Codes, decode
from genomic_ulmfit.dna.bed import BedLine, read_bed, site_position
from genomic_ulmfit.dna.genome import Contig, Genome, site_offset
from genomic_ulmfit.errors import InputError, listed

PROMOTER = 1
OTHER = 0

COLUMNS = (
    "id",
    "sequence",
    "label",
    "contig",
    "contig_length",
    "start",
    "end",
    "strand",
    "gene",
    "framing",
    "anchor",
)

NEGATIVES = ("cds", "intergenic", "shuffled", "background")

LONGEST = 100_000
"""Bases before and behind a site, at most."""


@dataclass(frozen=True)
class Framing:
    """Where a promoter window lies around its anchor.

    Parameters
    ----------
    upstream : int
        Bases before the anchor, which is the first base of the start codon or the TSS.
    downstream : int
        Bases from the anchor on; a negative number ends the window before it.
    """

    upstream: int
    downstream: int


FRAMINGS = {
    "anchored": Framing(100, 50),
    "upstream": Framing(100, -12),
    "tss": Framing(60, 20),
}
"""The windows -100..+50 and -100..-12 of a start codon (the second holds neither the codon nor
the Shine-Dalgarno sequence before it), and -60..+20 of a TSS."""


def promoter_table(
    genome: Genome, upstream: int = 100, downstream: int = 50, seed: int = 0, context: int = 0
) -> pd.DataFrame:
    """Cut windows at gene starts and as long windows from inside genes, all in sense direction.

    A positive is the window from `upstream` bases before to `downstream` bases after the CDS
    start. A negative is one window of the same length at a random place inside a CDS, see
    `genomic_ulmfit.data.negatives.coding_windows`.

    Parameters
    ----------
    genome : Genome
        With annotated CDS.
    upstream : int
        Bases before the first base of the start codon, at least 0.
    downstream : int
        Bases from the first base of the start codon on. Negative values end the window before
        the start codon: 100 and -12 give the 88 bases -100..-12.
    seed : int
        Where the negatives lie.
    context : int
        Bases on either side of each window to write down beside it.

    Returns
    -------
    pandas.DataFrame
        One row per window: all positives, then all negatives, each in genome order. Columns:

        - id: ``promoter_N`` or ``coding_N``, N being the number of the CDS in genome order;
        - sequence: upper-case A, C, G, T;
        - label: `PROMOTER` (1) or `OTHER` (0);
        - contig, contig_length: its name and its length in bases;
        - start, end: 0-based half-open on the forward strand. ``0 <= start < contig_length``;
          a window over the origin of a circular contig has ``end > contig_length``;
        - strand: ``+`` or ``-``, the strand that `sequence` is read from;
        - gene: the name of the CDS;
        - framing: "anchored" if the window reaches the start codon, else "upstream";
        - anchor: bases from the window's first base to the start codon or TSS, which may lie
          behind the window; the same in every row;
        - before, after, if context is asked for: the bases on either side of the window, on its
          strand.

        ``table.attrs["notes"]`` lists what was left out, one sentence with a count each.

    Raises
    ------
    InputError
        If no CDS is annotated, the window is too short to check it for homology, or no window
        of either kind can be cut.

    Notes
    -----
    Windows and the 50-base trim follow the ULMFiT notebooks this package reproduces; ours
    differ in that a window over the origin of a circular contig is kept.
    """
    genome.require_genes()
    length = _length(upstream, downstream)
    rng = np.random.default_rng(seed)
    positives: list[Window] = []
    open_start = off_edge = ambiguous = number = 0
    for contig in genome.contigs:
        for gene in contig.genes:
            number += 1
            if not gene.start_known:
                open_start += 1
                continue
            first = gene.start if gene.strand > 0 else gene.end - 1
            start = first - site_offset(gene.strand, length, upstream)
            codes = contig.window(start, start + length, gene.strand)
            if codes is None:
                off_edge += 1
            elif (codes == AMBIGUOUS).any():
                ambiguous += 1
            else:
                name = f"promoter_{number}"
                positives.append(Window(name, contig, start, gene.strand, codes, gene.name))
    negatives, negative_notes = coding_windows(genome, length, rng)

    notes = []
    if open_start:
        notes.append(
            f"{open_start:,} CDS gave no promoter window: the annotation leaves their start open."
        )
    if off_edge:
        notes.append(
            f"{off_edge:,} CDS gave no promoter window: it would run off the end of its contig."
        )
    notes += _ambiguous_note(ambiguous)
    notes += negative_notes
    for kind, windows in (("promoter", positives), ("coding", negatives)):
        if not windows:
            raise InputError(
                f"{genome.name}: none of {genome.n_genes:,} CDS gives a {kind} window. "
                + " ".join(notes)
            )
    framing = "anchored" if downstream > 0 else "upstream"
    return _table(positives, negatives, framing, upstream, context, notes)


def tss_table(
    genome: Genome,
    bed: str | os.PathLike[str],
    negatives: str = "cds",
    upstream: int = 60,
    downstream: int = 20,
    seed: int = 0,
    context: int = 0,
    name: str | None = None,
) -> pd.DataFrame:
    """Cut windows at transcription start sites and as long windows that are none.

    Parameters
    ----------
    genome : Genome
        With annotated CDS, if `negatives` is "cds" or "intergenic".
    bed : path-like
        Transcription start sites, placed as by `site_position`. A site listed twice counts once.
    negatives : {"cds", "intergenic", "shuffled", "background"}
        From inside CDS, clear of positives (`coding_windows`), from stretches that neither a CDS
        nor a positive covers (`intergenic_windows`), or each positive with its dinucleotides
        shuffled (`shuffled_windows`): no more than there are positives, drawn at random. Or what
        a scan meets besides TSS (`background_windows`): four for each positive.
    upstream, downstream : int
        Bases before the TSS, and from the TSS on.
    seed : int
        Of the negatives.
    context : int
        Bases on either side of each window to write down beside it.
    name : str, optional
        Only sites of this name (column 4) become positives. Negatives keep away from all.

    Returns
    -------
    pandas.DataFrame
        As from `promoter_table`. Positives are ``tss_N``, N being the line in the BED file; their
        `gene` is empty. `framing` is "tss".

    Raises
    ------
    InputError
        If `negatives` is none of the four, the BED file cannot be used or does not fit the
        genome, or there are no windows of one kind.
    """
    if negatives not in NEGATIVES:
        raise InputError(f"--negatives: got {negatives!r}, allowed are {', '.join(NEGATIVES)}.")
    if negatives in ("cds", "intergenic") and not genome.n_genes:
        raise InputError(
            f"--negatives {negatives}: {genome.name} has no annotated CDS, by which these windows "
            "are cut. Give an annotated GenBank file (.gbk, .gbff), or take --negatives background "
            "or shuffled, which need none."
        )
    length = _length(upstream, downstream)
    rng = np.random.default_rng(seed)
    every, notes = _windows_at_sites(genome, bed, upstream, length, name)
    sites = [window for window in every if window.name]
    others: list[Window] = []
    if sites:
        others, negative_notes = _negatives(negatives, genome, sites, every, upstream, rng)
        notes += negative_notes
    for kind, windows in (("promoter", sites), (negatives, others)):
        if not windows:
            raise InputError(
                f"{genome.name}, {bed}: no {kind} window can be cut. {' '.join(notes)}"
            )
    wanted = len(sites) * (PER_SITE if negatives == "background" else 1)
    if len(others) < wanted:
        notes.append(
            f"Only {len(others):,} {negatives} windows can be cut for {len(sites):,} promoters."
        )
    return _table(sites, _thinned(others, wanted, rng), "tss", upstream, context, notes)


def _windows_at_sites(
    genome: Genome, bed: str | os.PathLike[str], upstream: int, length: int, named: str | None
) -> tuple[list[Window], list[str]]:
    """Cut a window at each site of a BED file; also say which sites gave none.

    Of these the window has no name: negatives keep away from it all the same.
    """
    contigs = {contig.name: contig for contig in genome.contigs}
    found: dict[tuple[str, int, int], Window] = {}
    names: set[str] = set()
    seen: set[tuple[str, int, int]] = set()
    repeated = off_edge = ambiguous = of_others = 0
    for line in read_bed(bed).lines:
        contig, strand = _checked_site(line, bed, genome, contigs)
        start = site_position(line) - site_offset(strand, length, upstream)
        codes = contig.window(start, start + length, strand)
        place, name = (contig.name, start, strand), f"tss_{line.number}"
        names.add(line.fields[3])
        if named not in (None, line.fields[3]):
            of_others += 1
            name = ""
        elif place in seen:
            repeated += 1
            continue
        elif codes is None:
            off_edge += 1
            name = ""
        elif (codes == AMBIGUOUS).any():
            ambiguous += 1
            name = ""
        if named in (None, line.fields[3]):
            seen.add(place)
        if name or place not in found:
            nothing = contig.codes[:0]
            window = Window(name, contig, start, strand, nothing if codes is None else codes, "")
            found[place] = window
    if named is not None and named not in names:
        raise InputError(
            f"--tss-name: got {named!r}, but no site in {bed} has this name; names found are "
            f"{listed(sorted(names))}."
        )
    notes = []
    if of_others:
        notes.append(
            f"{of_others:,} TSS have another name than {named!r}: they are no promoters here, and "
            "other windows keep away from them."
        )
    if repeated:
        notes.append(f"{repeated:,} TSS were listed before and count once.")
    if off_edge:
        notes.append(f"{off_edge:,} TSS gave no window: it would run off the end of its contig.")
    return list(found.values()), notes + _ambiguous_note(ambiguous)


def _checked_site(
    line: BedLine, bed: str | os.PathLike[str], genome: Genome, contigs: Mapping[str, Contig]
) -> tuple[Contig, int]:
    """Return the contig of a site, and its strand as +1 or -1."""
    place = f"{bed}, line {line.number}"
    if line.contig not in contigs:
        raise InputError(
            f"{place}: contig {line.contig!r} is not in {genome.name}, which has "
            f"{listed(contigs)}. Give the BED file of this genome, with names as they are there."
        )
    if line.strand is None:
        found = f"is {line.fields[5]!r}" if len(line.fields) > 5 else "is missing"
        raise InputError(
            f"{place}: a TSS needs its strand, + or -, in column 6, which {found}. Name and score "
            "before it, columns 4 and 5, may be any, such as tss and 0."
        )
    contig = contigs[line.contig]
    if line.end == line.start or line.end > len(contig):
        raise InputError(
            f"{place}: {line.start}-{line.end} is no place on {contig.name}, which has "
            f"{len(contig):,} bases. Starts count from 0 in BED, and ends are one behind the last "
            "base: a site at base 1 of a contig is 0-1."
        )
    return contig, line.strand


def _negatives(
    kind: str,
    genome: Genome,
    sites: Sequence[Window],
    avoid: Sequence[Window],
    anchor: int,
    rng: np.random.Generator,
) -> tuple[list[Window], list[str]]:
    """Cut windows of one kind that are no known sites; also say what gave none."""
    length = len(sites[0].codes)
    if kind == "cds":
        return coding_windows(genome, length, rng, avoid=avoid)
    if kind == "intergenic":
        return intergenic_windows(genome, length, avoid, rng), []
    if kind == "shuffled":
        return shuffled_windows(sites, rng), []
    return background_windows(genome, sites, avoid, anchor, rng), []


def _thinned(windows: list[Window], most: int, rng: np.random.Generator) -> list[Window]:
    """Return `most` of the windows, drawn at random, in their order."""
    if len(windows) <= most:
        return windows
    return [windows[i] for i in np.sort(rng.permutation(len(windows))[:most])]


def _length(upstream: int, downstream: int) -> int:
    if not 0 <= upstream <= LONGEST:
        raise InputError(f"--upstream: got {upstream}, allowed are 0 to {LONGEST:,} bases.")
    if abs(downstream) > LONGEST:
        raise InputError(
            f"downstream: got {downstream}, allowed are {-LONGEST:,} to {LONGEST:,} bases."
        )
    length = upstream + downstream
    if length < WORD:
        raise InputError(
            f"upstream, downstream: {upstream} and {downstream} give windows of {length} bases; "
            f"at least {WORD} are needed to tell homologous sequences apart."
        )
    return length


def _ambiguous_note(count: int) -> list[str]:
    if not count:
        return []
    return [f"{count:,} promoter windows were left out: they hold ambiguous bases."]


def _table(
    positives: Sequence[Window],
    negatives: Sequence[Window],
    framing: str,
    anchor: int,
    context: int,
    notes: list[str],
) -> pd.DataFrame:
    if context < 0:
        raise InputError(f"--context: got {context}, allowed are 0 and more bases.")
    rows = []
    alone = 0
    for label, windows in ((PROMOTER, positives), (OTHER, negatives)):
        for window in windows:
            before, after = _around(window, context)
            if before is None or after is None:
                alone += 1
                continue
            start = window.start % len(window.contig)
            row = (
                window.name,
                decode(window.codes),
                label,
                window.contig.name,
                len(window.contig),
                start,
                start + len(window.codes),
                "+" if window.strand > 0 else "-",
                window.gene,
                framing,
                anchor,
            )
            rows.append((*row, decode(before), decode(after)) if context else row)
    if alone:
        notes = [
            *notes,
            f"{alone:,} windows were left out: their contig has less than {context} bases on one "
            "side of them.",
        ]
    table = pd.DataFrame(rows, columns=[*COLUMNS, *(("before", "after") if context else ())])
    for label, kind in ((PROMOTER, "promoter"), (OTHER, "other")):
        if context and not (table["label"] == label).any():
            raise InputError(
                f"--context: got {context}, but no {kind} window has so many bases on either side "
                "of it. Give less, or a genome of longer contigs."
            )
    table.attrs["notes"] = notes
    return table


def _around(window: Window, context: int) -> tuple[Codes | None, Codes | None]:
    """Return the bases before and behind a window on its strand; None where a contig ends."""
    if not context:
        return window.codes[:0], window.codes[:0]
    cut = window.contig.window
    end = window.start + len(window.codes)
    left = cut(window.start - context, window.start, window.strand)
    right = cut(end, end + context, window.strand)
    return (left, right) if window.strand > 0 else (right, left)
