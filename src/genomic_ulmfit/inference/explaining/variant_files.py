"""Variants in files: reading VCF and TSV, and checking them against the sequences they are on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from genomic_ulmfit.dna.alphabet import decode
from genomic_ulmfit.dna.genome import Contig
from genomic_ulmfit.errors import InputError, listed
from genomic_ulmfit.files import read_text

_LETTERS = re.compile(r"[ACGTacgt]+")
_AMBIGUOUS = re.compile(r"[ACGTRYSWKMBDHVN]+", re.IGNORECASE)
_COLUMNS = ("contig", "position", "ref", "alt")


class Variant(NamedTuple):
    """One alternative allele.

    Parameters
    ----------
    contig : str
        Name of the contig or sequence it is on.
    position : int
        Its first base, 0-based.
    id : str
        As in the file; "." without one.
    ref, alt : str
        Bases before and after, upper case.
    place : str
        File and line, for error messages.
    """

    contig: str
    position: int
    id: str
    ref: str
    alt: str
    place: str

    def trimmed(self) -> tuple[int, str, str]:
        """Return position, reference and alternative bases without what both share.

        VCF writes an insertion or deletion with the base before it; that base does not change.
        """
        ref, alt, position = self.ref, self.alt, self.position
        while ref and alt and ref[-1] == alt[-1]:
            ref, alt = ref[:-1], alt[:-1]
        while ref and alt and ref[0] == alt[0]:
            ref, alt, position = ref[1:], alt[1:], position + 1
        return position, ref, alt


def read_variants(path: str | Path) -> tuple[list[Variant], list[str]]:
    """Read variants from VCF, or from a TSV with the columns contig, position, ref and alt.

    Parameters
    ----------
    path : path-like
        Plain or gzipped. Positions count from 1. A TSV may have a column `id`.

    Returns
    -------
    variants : list of Variant
        In the order of the file, one for each alternative allele.
    notes : list of str
        What was left out: lines without an alternative allele (``.``), alleles without bases of
        their own (``*``, ``<DEL>``, breakends), and alleles with ambiguous bases.

    Raises
    ------
    InputError
        If the file is missing, empty, damaged or of another format, or a line cannot be used.
    """
    try:
        text = read_text(path, "VCF or TSV file")
    except InputError as error:
        raise InputError(f"--variants: {error}") from None
    lines = [
        (number, line)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.startswith("##")
    ]
    if not lines:
        raise InputError(f"--variants: {path} is empty. Give VCF or TSV.")
    header = [name.strip().lower() for name in lines[0][1].lstrip("#").split("\t")]
    if lines[0][1].startswith("#CHROM"):
        # Not the names of samples, which may be called REF or ID.
        header = ["contig", "position", "id", "ref", "alt"]
    elif missing := [name for name in _COLUMNS if name not in header]:
        raise InputError(
            f"--variants: {path}, line {lines[0][0]}: neither the header of a VCF (#CHROM, POS, "
            "ID, REF, ALT, separated by tabs) nor that of a TSV with the columns contig, "
            f"position, ref and alt: {missing[0]} is missing."
        )
    variants: list[Variant] = []
    left_out = ambiguous = 0
    for number, line in lines[1:]:
        place = f"--variants: {path}, line {number}"
        fields = line.split("\t")
        if len(fields) < max(header.index(name) for name in _COLUMNS) + 1:
            raise InputError(
                f"{place}: has {len(fields)} columns, but the header has "
                f"{lines[0][1].count(chr(9)) + 1}. Columns are separated by tabs."
            )
        row = dict(zip(header, (field.strip() for field in fields), strict=False))
        if not row["position"].isdecimal() or int(row["position"]) < 1:
            raise InputError(f"{place}: position {row['position']!r} is no whole number from 1 on.")
        if not _AMBIGUOUS.fullmatch(row["ref"]):
            raise InputError(
                f"{place}: reference allele {row['ref'][:30]!r} is not made of A, C, G and T."
            )
        for alt in row["alt"].split(","):
            if alt == "*" or alt[:1] == "." or alt[-1:] == "." or set(alt) & set("<[]"):
                left_out += 1
                continue
            if not _AMBIGUOUS.fullmatch(alt):
                raise InputError(
                    f"{place}: alternative allele {alt[:30]!r} is not made of A, C, G and T."
                )
            if not (_LETTERS.fullmatch(row["ref"]) and _LETTERS.fullmatch(alt)):
                ambiguous += 1
                continue
            ref, alt = row["ref"].upper(), alt.upper()
            if ref == alt:
                raise InputError(f"{place}: reference and alternative allele are both {ref[:30]}.")
            variants.append(
                Variant(
                    row["contig"], int(row["position"]) - 1, row.get("id") or ".", ref, alt, place
                )
            )
    if not variants:
        raise InputError(
            f"--variants: {path} has no variant that spells out its bases as A, C, G and T."
        )
    notes = []
    if left_out:
        notes.append(
            f"{left_out:,} alleles of {Path(path).name} were left out: they do not spell out "
            "their bases ('.', '*', <...> or breakends)."
        )
    if ambiguous:
        notes.append(
            f"{ambiguous:,} alleles of {Path(path).name} were left out: they, or what they "
            "replace, have ambiguous bases."
        )
    return variants, notes


def check_reference(variant: Variant, contigs: Mapping[str, Contig]) -> None:
    """Raise `InputError` unless a variant's reference allele stands where it says."""
    contig = contigs.get(variant.contig)
    if contig is None:
        raise InputError(
            f"{variant.place}: there is no sequence {variant.contig!r}; there are "
            f"{listed(contigs)}."
        )
    end = variant.position + len(variant.ref)
    if end > len(contig):
        raise InputError(
            f"{variant.place}: ends at base {end:,}, but {contig.name} has {len(contig):,}."
        )
    there = decode(contig.codes[variant.position : end])
    if there != variant.ref:
        raise InputError(
            f"{variant.place}: the reference allele is {variant.ref[:30]}, but "
            f"{contig.name} has {there[:30]} at base {variant.position + 1:,}. Is this the genome "
            "that the variants were called against, and do positions count from 1?"
        )
