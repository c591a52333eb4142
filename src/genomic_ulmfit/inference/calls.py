"""Calls, of promoters or whatever a model looks for: the best windows, none close to another."""

from __future__ import annotations

import bisect
import math
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from genomic_ulmfit.dna.genome import Contig, Gene
from genomic_ulmfit.files import write_text
from genomic_ulmfit.inference.scan import Places, ScanSettings, Scores

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

_SAYS_NOTHING = re.compile(r"[+-]?\d+(\.\d+)?|true|yes|pos(itives?)?|\+")
"""Names of classes that do not tell what is looked for."""

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
        # By tanh, which does not overflow.
        return 0.5 + 0.5 * math.tanh(0.5 * self.log_odds)

    def window(self, settings: ScanSettings) -> tuple[int, int]:
        """Return the window's bounds; on a circular contig they may lie outside of it."""
        before = settings.anchor if self.strand > 0 else settings.window - 1 - settings.anchor
        return self.anchor - before, self.anchor - before + settings.window


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
        Whose feature is ``sequence_feature``, the most general term, for what is no promoter.
    """
    name = re.sub(r"[^\w.+-]+", "_", class_name).strip("_")
    if not name or _SAYS_NOTHING.fullmatch(name.lower()):
        name = "promoter"
    return Kind(name, "promoter" if "promoter" in name.lower() else "sequence_feature")


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
        if self.circular:
            # A gene that starts just before the origin, seen from just behind it.
            index = bisect.bisect_left(self.starts, place + self.length - WITHIN_GENE)
            if index < len(self.starts):
                return self.genes[index], self.starts[index] - self.length - place
        index = bisect.bisect_left(self.starts, place - WITHIN_GENE)
        if index < len(self.starts):
            return self.genes[index], self.starts[index] - place
        if self.circular and self.genes:
            return self.genes[0], self.starts[0] + self.length - place
        return None, None


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
    # What GFF3 gives a meaning to, and white space.
    return quote(text, safe="!\"#$'()*+-./:<>?@[\\]^_`{|}~")
