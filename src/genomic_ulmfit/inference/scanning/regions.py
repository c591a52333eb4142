"""Parts of a genome: those that a scan is confined to, and the one in which calls are densest."""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from genomic_ulmfit.dna.bed import read_bed
from genomic_ulmfit.dna.genome import Contig, Genome
from genomic_ulmfit.dna.intervals import merged
from genomic_ulmfit.errors import InputError, listed
from genomic_ulmfit.inference.scanning.calls import Call
from genomic_ulmfit.inference.scanning.scan import Interval
from genomic_ulmfit.inference.scanning.tracks import Spans, Spool

SHOWN = 20_000
"""Bases of the region in which calls are densest, at most."""


@dataclass(frozen=True, eq=False)
class Region:
    """A stretch of a contig with everything that a picture of it shows.

    Parameters
    ----------
    contig : Contig
    start, end : int
    strands : dict of int to Spans
        Probabilities of windows, as in the tracks, that have bases within.
    calls : tuple of Call
        Calls whose anchors lie within.
    """

    contig: Contig
    start: int
    end: int
    strands: dict[int, Spans]
    calls: tuple[Call, ...]


def read_regions(path: str | Path, genome: Genome) -> list[Interval]:
    """Read the intervals of a BED file that are to be scanned.

    Parameters
    ----------
    path : path-like
        BED. Its strands, names and scores do not matter.
    genome : Genome

    Returns
    -------
    list of Interval
        In genome order, those that touch joined.

    Raises
    ------
    InputError
        If the file cannot be read, has no interval, names a contig that the genome has not, or
        leaves one.
    """
    contigs = {contig.name: contig for contig in genome.contigs}
    spans: dict[str, list[tuple[int, int]]] = {name: [] for name in contigs}
    for line in read_bed(path).lines:
        if line.contig not in contigs:
            raise InputError(
                f"--regions: {path}, line {line.number}: there is no contig {line.contig!r} in "
                f"the genome; it has {listed(contigs)}."
            )
        if line.end > len(contigs[line.contig]):
            raise InputError(
                f"--regions: {path}, line {line.number}: ends at {line.end:,}, but contig "
                f"{line.contig} has {len(contigs[line.contig]):,} bases."
            )
        spans[line.contig].append((line.start, line.end))
    intervals = [
        Interval(contigs[name], start, end)
        for name, of_one in spans.items()
        for start, end in merged(of_one)
    ]
    if not intervals:
        raise InputError(f"--regions: {path} has no interval that holds a base.")
    return intervals


def densest_region(
    tracks: Mapping[int, Spool], intervals: Sequence[Interval], calls: Sequence[Call]
) -> Region:
    """Find the `SHOWN` bases with the most calls, and what the tracks hold of them.

    Parameters
    ----------
    tracks : mapping of int to Spool
        Of each strand.
    intervals : sequence of Interval
        What was scanned.
    calls : sequence of Call
        In genome order.

    Returns
    -------
    Region
        Within one interval; the first one's start if there are no calls.
    """
    anchors: dict[str, list[int]] = {}
    for call in calls:
        anchors.setdefault(call.contig.name, []).append(call.anchor)
    best, most = (intervals[0], intervals[0].start), 0
    margin = SHOWN // 40
    for interval in intervals:
        of_contig = anchors.get(interval.contig.name, [])
        last = bisect.bisect_left(of_contig, interval.end)
        for first in range(bisect.bisect_left(of_contig, interval.start), last):
            beyond = of_contig[first] + SHOWN - margin
            count = bisect.bisect_left(of_contig, beyond, hi=last) - first
            if count > most:
                best, most = (interval, of_contig[first]), count
    interval, first = best
    length = min(SHOWN, interval.end - interval.start)
    # The first call a little away from the edge.
    start = max(interval.start, min(first - margin, interval.end - length))
    shown = Interval(interval.contig, start, start + length)
    strands = {strand: spool.within(*shown) for strand, spool in tracks.items()}
    inside_shown = tuple(
        call
        for call in calls
        if call.contig is shown.contig and shown.start <= call.anchor < shown.end
    )
    return Region(*shown, strands, inside_shown)
