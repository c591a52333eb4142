"""Reading genomes and sequences from FASTA and GenBank files, plain or gzip-compressed.

What a file is gets decided by its content, never by its name. Line ends may be those of Unix,
Windows or old Macs. Whatever cannot be used is an `InputError`, or, for single annotations in an
otherwise good file, a sentence in `Genome.notes`.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import re
import warnings
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from Bio import SeqIO
from Bio.SeqFeature import ExactPosition, SeqFeature, UnknownPosition
from Bio.SeqIO.FastaIO import SimpleFastaParser
from Bio.SeqRecord import SeqRecord

from genomic_ulmfit.dna.alphabet import encode
from genomic_ulmfit.dna.genome import Contig, Gene, Genome
from genomic_ulmfit.dna.intervals import merged
from genomic_ulmfit.errors import InputError, listed
from genomic_ulmfit.files import GZIP, readable

# How `genomic_ulmfit.dna.simulate` marks what it writes, so that nobody takes it for biology.
SIMULATED_KEYWORD = "genomic-ulmfit simulated genome"
TSS_NOTE = "transcription start site"

_UTF8_MARK = b"\xef\xbb\xbf"
_HEAD = 1 << 16
_SEQUENCE_SUFFIXES = frozenset(
    (".fa", ".fas", ".fasta", ".ffn", ".fna", ".gb", ".gbff", ".gbk", ".genbank", ".seq", ".txt")
)
_LOCUS = re.compile(
    r"^LOCUS +(?P<name>\S.*?) +(?P<length>\d+) +(?P<unit>bp|aa|rc)\b(?P<rest>.*)$", re.MULTILINE
)

_Format = Literal["fasta", "genbank"]


def read_genome(path: str | os.PathLike[str]) -> Genome:
    """Read a genome with whatever annotation it has.

    Letters follow `genomic_ulmfit.dna.alphabet.encode`: lower case is upper case, U is T, an
    IUPAC ambiguity code becomes `AMBIGUOUS`. A FASTA file says nothing about shape or genes: its
    contigs are linear and bare.

    From GenBank, the shape comes from the LOCUS line and a gene from every CDS, pseudogenes
    included. A joined location (frameshift, programmed slippage, an insertion within a
    pseudogene) counts from its first base to its last; one that runs over the origin of a
    circular contig follows the convention of `genomic_ulmfit.dna.genome`. A 5' end that is
    fuzzy (``<``, ``>``, a range), or a ``/codon_start`` other than 1, leaves the start codon's
    place open: ``start_known=False``. A CDS without one usable span (trans-spliced, on both
    strands, between two bases, outside of the contig, on another record, unreadable) is left out
    and counted in `Genome.notes`. A ``misc_feature`` of one base with the ``/note``
    "transcription start site", which is what simulated genomes have, is read into `Contig.tss`.

    Parameters
    ----------
    path : path-like
        FASTA or GenBank, plain or gzip.

    Returns
    -------
    Genome
        Contigs in file order.

    Raises
    ------
    InputError
        If the file is missing, a folder, empty, truncated, no text, of another format, or holds
        a record without sequence, with a repeated id, or with letters that are no nucleotides.
    """
    with _open(path) as (kind, handle):
        if kind == "fasta":
            return Genome(_genome_name(path), tuple(_fasta_contigs(handle, path)))
        return _read_genbank(handle, path)


@contextlib.contextmanager
def _open(path: str | os.PathLike[str]) -> Iterator[tuple[_Format, io.TextIOWrapper]]:
    with readable(path, "FASTA or GenBank file"), contextlib.ExitStack() as stack:
        raw: io.BufferedReader = io.BufferedReader(io.FileIO(path), _HEAD)
        stack.enter_context(raw)
        if raw.peek(2)[:2] == GZIP:
            unzipped = stack.enter_context(gzip.GzipFile(fileobj=raw))
            raw = io.BufferedReader(unzipped, _HEAD)
            stack.enter_context(raw)
        kind = _detect(raw.peek(_HEAD), path)
        # newline=None turns every kind of line end into \n. The replacement character that
        # stands in for a broken one is no nucleotide, so `encode` will report it.
        yield (
            kind,
            stack.enter_context(
                io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline=None)
            ),
        )


def _detect(head: bytes, path: str | os.PathLike[str]) -> _Format:
    head = head.removeprefix(_UTF8_MARK)
    text = head.lstrip()
    if not text:
        raise InputError(f"{path}: the file is empty. Give a FASTA or GenBank file.")
    if re.search(rb"[\x00-\x08\x0e-\x1f]", head):
        raise InputError(
            f"{path}: this is no plain text (binary, UTF-16, or compressed by something other "
            "than gzip). Give FASTA or GenBank as plain text or gzip."
        )
    if text.startswith(b">"):
        return "fasta"
    if re.search(rb"(?:^|[\r\n])LOCUS {2,}\S", head):
        return "genbank"
    first = text.splitlines()[0][:60].decode("utf-8", errors="replace")
    if re.search(rb"[\r\n]>", head):
        raise InputError(
            f"{path}: there is text before the first '>' of this FASTA file: {first!r}. "
            "Remove what comes before the first record."
        )
    raise InputError(
        f"{path}: neither FASTA nor GenBank; it begins with {first!r}. A FASTA file begins with "
        "'>' and a GenBank file with LOCUS."
    )


def _genome_name(path: str | os.PathLike[str]) -> str:
    name = Path(path).name
    if name.lower().endswith(".gz"):
        name = name[:-3]
    stem, suffix = os.path.splitext(name)
    # Only suffixes that name a format: the version of an accession (NC_000913.3) stays.
    return stem if stem and suffix.lower() in _SEQUENCE_SUFFIXES else name


def _fasta_records(
    handle: io.TextIOWrapper, path: str | os.PathLike[str]
) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for number, (title, sequence) in enumerate(SimpleFastaParser(handle), start=1):
        words = title.split(maxsplit=1)
        if not words:
            raise InputError(f"{path}: record {number} has no id after its '>'. Name it.")
        name = words[0]
        _check_new(name, seen, path)
        # Tabs too: the parser takes out spaces only.
        sequence = sequence.replace("\t", "")
        if not sequence:
            raise InputError(
                f"{path}: record {name!r} (number {number}) has no sequence. The file may be "
                "truncated; download it again, or remove the record."
            )
        yield name, sequence


def _fasta_contigs(handle: io.TextIOWrapper, path: str | os.PathLike[str]) -> Iterator[Contig]:
    for name, sequence in _fasta_records(handle, path):
        yield Contig(name, encode(sequence, name=f"{path}: record {name!r}"))


def _check_new(name: str, seen: set[str], path: str | os.PathLike[str]) -> None:
    if name in seen:
        raise InputError(
            f"{path}: two records have the id {name!r}. Ids must differ; rename or remove one."
        )
    seen.add(name)


def _read_genbank(handle: io.TextIOWrapper, path: str | os.PathLike[str]) -> Genome:
    contigs = []
    seen: set[str] = set()
    left_out: dict[str, list[str]] = defaultdict(list)
    complaints: list[str] = []
    simulated = False
    for text in _genbank_texts(handle, path):
        record = _parse_genbank(text, path, complaints)
        # A file without a version says so with a point.
        name = record.id if record.id not in ("", ".", None) else record.name
        _check_new(name, seen, path)
        circular = _is_circular(text, record)
        codes = encode(str(record.seq), name=f"{path}: record {name!r}")
        genes, other_cds = _genes(record, len(codes), circular, left_out)
        contigs.append(Contig(name, codes, circular, genes, _tss(record), other_cds))
        simulated |= SIMULATED_KEYWORD in str(record.annotations.get("keywords"))
    notes = [_left_out_sentence(reason, names) for reason, names in sorted(left_out.items())]
    if complaints:
        notes.append(f"GenBank parser warnings: {len(complaints)}; the first: {complaints[0]}")
    return Genome(_genome_name(path), tuple(contigs), tuple(notes), simulated)


def _genbank_texts(handle: io.TextIOWrapper, path: str | os.PathLike[str]) -> Iterator[str]:
    """Yield the text of one record after the other, up to and with its closing ``//``."""
    lines: list[str] = []
    for line in handle:
        lines.append(line)
        if line.startswith("//") and line.strip() == "//":
            yield "".join(lines)
            lines = []
    # Biopython takes a sequence that stops in its middle for a whole one.
    if any(line.strip() for line in lines):
        raise InputError(
            f"{path}: the file is truncated: its last record does not end with '//'. "
            "Download or copy it again."
        )


def _parse_genbank(text: str, path: str | os.PathLike[str], complaints: list[str]) -> SeqRecord:
    locus = _LOCUS.search(text)
    name = locus["name"] if locus else "?"
    if locus and locus["unit"] == "aa":
        raise InputError(
            f"{path}: record {name!r} is a protein (GenPept). Give the nucleotide record."
        )
    if not re.search(r"^ORIGIN.*\n\s*\d+ +\S", text, re.MULTILINE):
        raise InputError(
            f"{path}: record {name!r} has no sequence: nothing under ORIGIN, or only a CONTIG "
            "line. Download the full record (at NCBI: GenBank (full), rettype=gbwithparts)."
        )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            record = SeqIO.read(io.StringIO(text), "genbank")
        except (ValueError, AssertionError, LookupError) as error:
            raise InputError(
                f"{path}: record {name!r} cannot be read as GenBank: "
                f"{' '.join(str(error).split())[:200]}. Download or export it again."
            ) from error
    if locus and int(locus["length"]) != len(record):
        raise InputError(
            f"{path}: record {name!r} declares {locus['length']} bases on its LOCUS line but has "
            f"{len(record)}. The file is damaged; download or export it again."
        )
    complaints += [" ".join(str(warning.message).split()) for warning in caught]
    return record


def _is_circular(text: str, record: SeqRecord) -> bool:
    # Biopython drops the shape where it has to guess at a LOCUS line with odd columns.
    locus = _LOCUS.search(text)
    if locus:
        return "circular" in locus["rest"].lower().split()
    return bool(record.annotations.get("topology") == "circular")


def _genes(
    record: SeqRecord, length: int, circular: bool, left_out: dict[str, list[str]]
) -> tuple[tuple[Gene, ...], tuple[tuple[int, int], ...]]:
    """Return CDS, and the parts of those that are left out, as far as they are on the contig."""
    genes = []
    others: list[tuple[int, int]] = []
    for number, feature in enumerate(
        (feature for feature in record.features if feature.type == "CDS"), start=1
    ):
        name = _gene_name(feature, number)
        span = _span(feature, length, circular)
        if isinstance(span, str):
            left_out[span].append(name)
            others += _parts_on_contig(feature, length)
            continue
        start, end = span
        five_prime = feature.location.parts[0]
        fuzzy_end = five_prime.start if feature.location.strand > 0 else five_prime.end
        start_known = (
            isinstance(fuzzy_end, ExactPosition)
            and feature.qualifiers.get("codon_start", ["1"])[0] == "1"
        )
        labels = (_qualifier(feature, name) for name in ("locus_tag", "product"))
        genes.append(Gene(name, start, end, feature.location.strand, start_known, *labels))
    return tuple(sorted(genes, key=lambda gene: (gene.start, gene.end))), tuple(merged(others))


def _parts_on_contig(feature: SeqFeature, length: int) -> Iterator[tuple[int, int]]:
    for part in [] if feature.location is None else feature.location.parts:
        if not part.ref and not any(
            isinstance(position, UnknownPosition) for position in (part.start, part.end)
        ):
            yield max(int(part.start), 0), min(int(part.end), length)


def _gene_name(feature: SeqFeature, number: int) -> str:
    found = (_qualifier(feature, name) for name in ("gene", "locus_tag", "protein_id"))
    return next(filter(None, found), f"CDS {number}")


def _qualifier(feature: SeqFeature, name: str) -> str:
    """Return the first value of a qualifier that says something, else nothing."""
    return next((str(value) for value in feature.qualifiers.get(name, ()) if value), "")


def _span(feature: SeqFeature, length: int, circular: bool) -> tuple[int, int] | str:
    """Return the outer bounds of a CDS, or why it has none."""
    location = feature.location
    if location is None or any(
        isinstance(position, UnknownPosition)
        for part in location.parts
        for position in (part.start, part.end)
    ):
        return "location unreadable"
    if any(part.ref for part in location.parts):
        return "location on another record"
    # Over parts on both strands Biopython gives None.
    if location.strand not in (1, -1) or "trans_splicing" in feature.qualifiers:
        return "trans-spliced or on both strands"
    # Parts come 5' to 3' along the gene; turn them into forward-strand order.
    parts = location.parts[:: location.strand]
    starts = [int(part.start) for part in parts]
    ends = [int(part.end) for part in parts]
    if min(starts) < 0 or max(ends) > length:
        return "location outside of the contig"
    if any(start >= end for start, end in zip(starts, ends, strict=True)):
        return "location between two bases"
    steps_back = [i for i in range(1, len(starts)) if starts[i] < starts[i - 1]]
    if not steps_back:
        return starts[0], max(ends)
    if circular and len(steps_back) == 1:
        turn = steps_back[0]
        end = max([*ends[:turn], *(end + length for end in ends[turn:])])
        # Parts written in the wrong order step back too, but then the way over the origin is
        # the long way round.
        if end - starts[0] < max(ends) - min(starts):
            return starts[0], end
    return "parts out of order"


def _left_out_sentence(reason: str, names: list[str]) -> str:
    return f"{len(names)} CDS left out, {reason}: {listed(names)}."


def _tss(record: SeqRecord) -> tuple[tuple[int, int], ...]:
    sites = [
        (int(feature.location.start), feature.location.strand)
        for feature in record.features
        if feature.type == "misc_feature"
        and TSS_NOTE in feature.qualifiers.get("note", ())
        and feature.location is not None
        and len(feature.location) == 1
        and feature.location.strand in (1, -1)
    ]
    return tuple(sorted(sites))
