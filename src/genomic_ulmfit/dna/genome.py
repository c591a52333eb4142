"""A genome in memory: contigs of base codes, and the genes on them.

Coordinates are 0-based and half-open. On a circular contig a feature that runs over the origin
keeps ``start < length`` and has ``end > length``, so that ``end - start`` is always its span.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np

from genomic_ulmfit.dna.alphabet import Codes, reverse_complement
from genomic_ulmfit.errors import InputError


def site_offset(strand: int, length: int, before: int) -> int:
    """Return how far from a window's first base on the forward strand its site lies.

    Parameters
    ----------
    strand : int
        +1 or -1.
    length : int
        Bases of the window.
    before : int
        Bases of the window before the site, along `strand`.
    """
    return before if strand > 0 else length - 1 - before


@dataclass(frozen=True)
class Gene:
    """A protein-coding region (CDS).

    Parameters
    ----------
    name : str
        Gene symbol, else locus tag, else protein id.
    start, end : int
        Outer bounds, 0-based half-open; `end` exceeds the contig's length over the origin.
    strand : int
        +1 or -1.
    start_known : bool
        False where the annotation leaves the start codon's place open (a fuzzy 5' end).
    locus_tag, product : str
        What else people know it by; empty where the annotation says nothing. They do not make
        one gene another.
    """

    name: str
    start: int
    end: int
    strand: int
    start_known: bool = True
    locus_tag: str = field(default="", compare=False)
    product: str = field(default="", compare=False)

    def __len__(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, eq=False)
class Contig:
    """One molecule or assembled piece of it.

    Parameters
    ----------
    name : str
        Accession or FASTA id.
    codes : numpy.ndarray of uint8, shape (length,)
        Base codes of the forward strand.
    circular : bool
        Whether the end joins the start.
    genes : tuple of Gene
        In order of their start.
    tss : tuple of (int, int)
        Known transcription start sites as (position, strand): simulated genomes have them.
    other_cds : tuple of (int, int)
        Parts of CDS that are no `Gene`, for their locations cannot be told in one: coding, too.
    """

    name: str
    codes: Codes
    circular: bool = False
    genes: tuple[Gene, ...] = ()
    tss: tuple[tuple[int, int], ...] = ()
    other_cds: tuple[tuple[int, int], ...] = ()

    def __len__(self) -> int:
        return len(self.codes)

    def window(self, start: int, end: int, strand: int) -> Codes | None:
        """Cut out ``[start, end)``, read 5' to 3' along `strand`.

        Parameters
        ----------
        start, end : int
            Forward-strand bounds; on a circular contig they may lie outside ``[0, length)``.
        strand : int
            +1 or -1.

        Returns
        -------
        numpy.ndarray of uint8, shape (end - start,), or None
            None where the window leaves a linear contig or is longer than a circular one.
        """
        length = len(self.codes)
        if end - start > length:
            return None
        if start >= 0 and end <= length:
            codes = self.codes[start:end]
        elif self.circular:
            codes = np.take(self.codes, np.arange(start, end), mode="wrap")
        else:
            return None
        return codes if strand > 0 else reverse_complement(codes)


@dataclass(frozen=True, eq=False)
class Genome:
    """A set of contigs read from one file.

    Parameters
    ----------
    name : str
        File name without its suffixes, or accession.
    contigs : tuple of Contig
        In file order.
    notes : tuple of str
        What the reader could not use and left out, one sentence each, with counts.
    simulated : bool
        True when the sequence was made up by `genomic_ulmfit.dna.simulate`.
    """

    name: str
    contigs: tuple[Contig, ...]
    notes: tuple[str, ...] = field(default=())
    simulated: bool = False

    @property
    def n_bases(self) -> int:
        """Total length of all contigs, in bases."""
        return sum(len(contig) for contig in self.contigs)

    @property
    def n_genes(self) -> int:
        """Number of annotated CDS."""
        return sum(len(contig.genes) for contig in self.contigs)

    def as_circular(self) -> Genome:
        """Return the genome with all contigs circular, which FASTA cannot say."""
        return replace(self, contigs=tuple(replace(one, circular=True) for one in self.contigs))

    def sha256(self) -> str:
        """Return a checksum of names and bases: the same for FASTA, GenBank and packed files."""
        digest = hashlib.sha256()
        for contig in self.contigs:
            digest.update(f"{contig.name}\t{len(contig)}\n".encode())
            digest.update(contig.codes.tobytes())
        return digest.hexdigest()

    def require_genes(self) -> None:
        """Raise `InputError` unless at least one CDS is annotated."""
        if self.n_genes == 0:
            raise InputError(
                f"{self.name}: no CDS is annotated. Promoter windows are cut around annotated "
                "CDS starts; give an annotated GenBank file (.gbk, .gbff)."
            )
