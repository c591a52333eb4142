"""Calls as BED and GFF3."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from urllib.parse import quote

from genomic_ulmfit.dna.genome import Contig
from genomic_ulmfit.files import write_text
from genomic_ulmfit.inference.scanning.calls import Call
from genomic_ulmfit.inference.scanning.scan import ScanSettings
from genomic_ulmfit.models.target_class import is_negative

BED_COLUMNS = (
    "chrom",
    "chromStart",
    "chromEnd",
    "name",
    "score",
    "strand",
    "thickStart",
    "thickEnd",
    "itemRgb",
    "blockCount",
    "blockSizes",
    "blockStarts",
    "logOdds",
    "gene",
    "geneDistance",
)
"""BED12, and three columns of our own behind it, where genome browsers expect such."""

_COLOUR = {1: "0,114,178", -1: "213,94,0"}

_FEATURES = {
    "attenuator": "attenuator",
    "operator": "operator",
    "oric": "origin_of_replication",
    "origin_of_replication": "origin_of_replication",
    "rbs": "ribosome_entry_site",
    "ribosome_binding_site": "ribosome_entry_site",
    "riboswitch": "riboswitch",
    "shine-dalgarno": "Shine_Dalgarno_sequence",
    "terminator": "terminator",
}
"""What stretches of bacterial DNA are called, and their terms of the Sequence Ontology."""

_SAYS_NOTHING = re.compile(r"[+-]?\d+(\.\d+)?|true|yes|pos(itives?)?|\+")
"""Names of classes that do not tell what is looked for."""


class Kind(NamedTuple):
    """What is called, in the words of files.

    Parameters
    ----------
    name : str
        Of a call, before its number: letters, digits and ``_.+-`` alone.
    feature : str
        A term of the Sequence Ontology.
    """

    name: str
    feature: str


def kind_of(class_name: str) -> Kind:
    """Return what to call the sites of a class.

    Parameters
    ----------
    class_name : str
        Of the model. One that says nothing, such as 1 or positive, stands for promoters, which
        this program's own tables label so.

    Returns
    -------
    Kind
        Whose feature is ``sequence_feature``, the most general term, for what has no other here.
    """
    name = re.sub(r"[^\w.+-]+", "_", class_name).strip("_")
    says_nothing = not name or bool(_SAYS_NOTHING.fullmatch(name.lower()))
    if is_negative(class_name):
        return Kind(f"class_{name}" if says_nothing else name, "sequence_feature")
    if says_nothing:
        name = "promoter"
    if "promoter" in name.lower():
        return Kind(name, "promoter")
    return Kind(name, _FEATURES.get(name.lower(), "sequence_feature"))


def write_bed(
    calls: Iterable[Call], kind: Kind, settings: ScanSettings, path: str | os.PathLike[str]
) -> None:
    """Write calls as BED12 with three further columns, named in a first line of comment.

    An entry is the window, its thick part the anchor, its score a thousand times the
    probability. Entries are in the order of their starts. BED has no way to cross the origin of
    a circular contig: of such a window the part with the anchor is written.

    Parameters
    ----------
    calls : iterable of Call
        Those of a contig together.
    kind : Kind
    settings : ScanSettings
    path : path-like
    """
    lines = ["#" + "\t".join(BED_COLUMNS)]
    for name, call in _named(calls, kind, settings):
        start, end = call.window(settings)
        start, end = max(0, start), min(len(call.contig), end)
        lines.append(
            "\t".join(
                map(
                    str,
                    (
                        call.contig.name,
                        start,
                        end,
                        name,
                        round(1000 * call.probability),
                        "+" if call.strand > 0 else "-",
                        call.anchor,
                        call.anchor + 1,
                        _COLOUR[call.strand],
                        1,
                        end - start,
                        0,
                        f"{call.log_odds:.4f}",
                        call.gene.name.replace("\t", " ") if call.gene else ".",
                        "." if call.distance is None else call.distance,
                    ),
                )
            )
        )
    write_text(path, "\n".join(lines) + "\n")


def write_gff3(
    calls: Iterable[Call],
    kind: Kind,
    contigs: Sequence[Contig],
    settings: ScanSettings,
    path: str | os.PathLike[str],
) -> None:
    """Write calls as GFF3 features of the type that `kind` says.

    Positions are 1-based. A window over the origin of a circular contig ends beyond the
    contig's length, as the format wants it, and the contig is marked ``Is_circular``.

    Parameters
    ----------
    calls : iterable of Call
        Those of a contig together.
    kind : Kind
    contigs : sequence of Contig
        All that were scanned.
    settings : ScanSettings
    path : path-like
    """
    lines = ["##gff-version 3"]
    for contig in contigs:
        lines.append(f"##sequence-region {_escaped(contig.name)} 1 {len(contig)}")
    for contig in contigs:
        if contig.circular:
            name = _escaped(contig.name)
            columns = (name, "genomic-ulmfit", "region", "1", str(len(contig)), ".", ".", ".")
            lines.append("\t".join((*columns, f"ID={name};Is_circular=true")))
    contigs_of = {contig.name: number for number, contig in enumerate(contigs)}
    features: list[tuple[int, int, str]] = []
    for name, call in _named(calls, kind, settings):
        start, end = call.window(settings)
        if start < 0:
            start, end = start + len(call.contig), end + len(call.contig)
        attributes = {
            "ID": name,
            "Name": name,
            "anchor": str(call.anchor + 1),
            "log_odds": f"{call.log_odds:.4f}",
        }
        if call.gene is not None:
            attributes |= {"gene": call.gene.name, "gene_distance": str(call.distance)}
        columns = (
            _escaped(call.contig.name),
            "genomic-ulmfit",
            kind.feature,
            str(start + 1),
            str(end),
            f"{call.probability:.6f}",
            "+" if call.strand > 0 else "-",
            ".",
        )
        text = ";".join(f"{key}={_escaped(value)}" for key, value in attributes.items())
        features.append((contigs_of[call.contig.name], start, "\t".join((*columns, text))))
    lines += [line for _, _, line in sorted(features)]
    write_text(path, "\n".join(lines) + "\n")


def _named(calls: Iterable[Call], kind: Kind, settings: ScanSettings) -> list[tuple[str, Call]]:
    """Number calls in the order of where their windows begin, which indexers of BED ask for.

    A window over the origin of a circular contig counts as beginning at its first base.
    """
    contigs: dict[str, int] = {}

    def place(call: Call) -> tuple[int, int, int]:
        number = contigs.setdefault(call.contig.name, len(contigs))
        return number, max(0, call.window(settings)[0]), call.anchor

    return [(f"{kind.name}_{i}", call) for i, call in enumerate(sorted(calls, key=place), start=1)]


def _escaped(text: str) -> str:
    # What GFF3 gives a meaning to (# and > at the beginning of a line), and white space.
    return quote(text, safe="!\"$'()*+-./:<?@[\\]^_`{|}~")
