"""What a GenBank file says of a gene beside its name: locus tag and product, to search by."""

from __future__ import annotations

import gzip
import os
import re
from pathlib import Path
from typing import NamedTuple

from genomic_ulmfit.dna.genome import Contig, Gene

_RECORD = re.compile(r"^(?=LOCUS )", re.MULTILINE)
_VERSION = re.compile(r"^VERSION +(\S+)", re.MULTILINE)
_NAME = re.compile(r"^LOCUS +(\S+)", re.MULTILINE)
_CDS = re.compile(r"^ {5}CDS +(.*(?:\n {21}.*)*)", re.MULTILINE)
_TEXT = re.compile(r'/(locus_tag|product)="((?:[^"]|"")*)"')


class Label(NamedTuple):
    """Empty where the file says nothing."""

    locus_tag: str = ""
    product: str = ""


class Labels:
    """Labels of the genes of a genome file.

    `genomic_ulmfit.dna.readers` keeps of a gene what models need. People know genes by more
    than that, and this reads it from the same CDS features.

    Parameters
    ----------
    path : path-like
        A file that `read_genome` has read; of FASTA, all labels are empty.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._labels: dict[tuple[str, int, int], Label] = {}
        raw = Path(path).read_bytes()
        if raw.startswith(b"\x1f\x8b"):
            raw = gzip.decompress(raw)
        text = raw.decode("utf-8-sig", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
        for record in _RECORD.split(text)[1:]:
            named = _VERSION.search(record) or _NAME.search(record)
            for feature in _CDS.finditer(record):
                location, _, qualifiers = feature[1].partition("/")
                found = {
                    key: re.sub(r"\s+", " ", value).replace('""', '"')
                    for key, value in reversed(_TEXT.findall("/" + qualifiers))
                }
                label = Label(found.get("locus_tag", ""), found.get("product", ""))
                bases = [int(number) for number in re.findall(r"\d+", location)]
                for key in ((named[1], a, b) for a in bases for b in bases) if named else ():
                    self._labels.setdefault(key, label)

    def of(self, contig: Contig, gene: Gene) -> Label:
        """Return the label of a gene, found by its outer bounds."""
        end = gene.end if gene.end <= len(contig) else gene.end - len(contig)
        return self._labels.get((contig.name, gene.start + 1, end), Label())
