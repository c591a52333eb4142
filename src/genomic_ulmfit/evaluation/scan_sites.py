"""Called promoters and known transcription start sites (TSS): reading and choosing them."""

from __future__ import annotations

import bisect
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from genomic_ulmfit.dna.bed import Bed, BedLine, read_bed, site_position, thick_base
from genomic_ulmfit.dna.intervals import merged
from genomic_ulmfit.errors import InputError, listed

_LOG_ODDS = "logOdds"


class Site(NamedTuple):
    """A place on a strand (+1 or -1), 0-based, with the score of a call or the name of a TSS."""

    contig: str
    position: int
    strand: int
    score: float = 0.0
    name: str = ""


def read_calls(path: str | os.PathLike[str]) -> list[Site]:
    """Read called promoters from BED.

    Parameters
    ----------
    path : path-like
        At least six columns. A call stands at its thick part if that is one base, else in the
        middle of its interval. Its score is the column that a header names ``logOdds`` (our
        own files: 1,000 steps of the fifth column cannot tell good calls apart), else the
        fifth.

    Raises
    ------
    InputError
        If the file cannot be read, or a line has no strand or no score.
    """
    bed = read_bed(path)
    column = bed.columns.index(_LOG_ODDS) if _LOG_ODDS in bed.columns else 4
    return [_call(line, column, path) for line in bed.lines]


def _call(line: BedLine, column: int, path: str | os.PathLike[str]) -> Site:
    strand = _strand(line, path)
    try:
        score = float(line.fields[column])
    except ValueError:
        score = float("nan")
    if not np.isfinite(score):
        raise InputError(
            f"{path}, line {line.number}: the score (column {column + 1}) is "
            f"{line.fields[column]!r}; a number is needed."
        )
    place = thick_base(line)
    return Site(
        line.contig, (line.start + line.end) // 2 if place is None else place, strand, score
    )


def read_truth(path: str | os.PathLike[str]) -> list[Site]:
    """Read known sites from BED, placed as by `site_position`, with their names and no score."""
    return [
        Site(line.contig, site_position(line), _strand(line, path), name=line.fields[3])
        for line in _lines(read_bed(path), path)
    ]


def require_in_order(calls: str | os.PathLike[str], truth: str | os.PathLike[str]) -> None:
    """Check that it is not the truth alone that a scan wrote: then the two change places."""
    if _LOG_ODDS in read_bed(truth).columns and _LOG_ODDS not in read_bed(calls).columns:
        raise InputError(
            f"{truth}: is what a scan wrote, and {calls} is not. Calls come first: evaluate-scan "
            f"{truth} {calls}"
        )


class Scanned(NamedTuple):
    """What a scan looked at.

    Parameters
    ----------
    regions : str or None
        Name of the BED file that it was confined to; None for a whole genome.
    simulated : bool
        Whether the genome is made up.
    """

    regions: str | None
    simulated: bool


def scanned(calls: str | os.PathLike[str]) -> Scanned:
    """Return what a scan looked at, from the summary beside its calls, as far as there is one.

    Parameters
    ----------
    calls : path-like
        The scan's calls.
    """
    try:
        bed = Path(calls).with_suffix("") if Path(calls).suffix == ".gz" else Path(calls)
        summary = json.loads(bed.with_suffix(".json").read_text(encoding="utf-8"))
        regions = summary["settings"]["regions"]
        simulated = summary.get("genome", {}).get("simulated")
    except (AttributeError, OSError, ValueError, KeyError, TypeError):
        return Scanned(None, False)
    return Scanned(regions if isinstance(regions, str) else None, simulated is True)


def _lines(bed: Bed, path: str | os.PathLike[str]) -> tuple[BedLine, ...]:
    if not bed.lines:
        raise InputError(f"{path}: holds no known site. Give a BED file with at least one.")
    return bed.lines


def _strand(line: BedLine, path: str | os.PathLike[str]) -> int:
    if line.strand is None:
        raise InputError(
            f"{path}, line {line.number}: has no strand. Calls and known sites are compared "
            "strand by strand: six columns are needed, the sixth + or -."
        )
    return line.strand


@dataclass(frozen=True)
class Compared:
    """What of two files is compared.

    Parameters
    ----------
    calls, truth, others : tuple of Site
        For `score_calls`.
    notes : tuple of str
        What was left out, one sentence each.
    """

    calls: tuple[Site, ...]
    truth: tuple[Site, ...]
    others: tuple[Site, ...]
    notes: tuple[str, ...]


def select(
    calls: Sequence[Site],
    truth: Sequence[Site],
    *,
    name: str | None = None,
    regions: Bed | None = None,
) -> Compared:
    """Choose which calls and known sites count.

    Parameters
    ----------
    calls, truth : sequence of Site
    name : str, optional
        Only known sites of this name count; the others are neither right nor wrong.
    regions : Bed, optional
        Only what lies in its intervals is looked at.

    Returns
    -------
    Compared

    Raises
    ------
    InputError
        If no known site is left, or calls and truth have no contig in common.
    """
    notes = []
    named = {site.contig for site in truth}
    if calls and not named & {call.contig for call in calls}:
        raise InputError(
            f"The calls are on contigs named {listed(sorted({call.contig for call in calls}))}, "
            f"the truth on {listed(sorted(named))}: none in common. Rename the contigs in one of "
            "the files; they must have the names that the scanned genome has."
        )
    elsewhere = [call for call in calls if call.contig not in named]
    if elsewhere:
        notes.append(
            f"{len(elsewhere):,} calls are on contigs without any known site "
            f"({listed(sorted({call.contig for call in elsewhere}))}) and were left out."
        )
        calls = [call for call in calls if call.contig in named]
    called = {call.contig for call in calls}
    every, truth = len(truth), _each_once(truth, name)
    if len(truth) < every:
        notes.append(f"{every - len(truth):,} known sites are listed twice or more and count once.")
    if regions is not None:
        inside = _Regions(regions)
        calls = [call for call in calls if call in inside]
        truth = [site for site in truth if site in inside]
    counted = [site for site in truth if name is None or site.name == name]
    if not counted:
        if not truth:
            raise InputError(f"--regions: none of {every:,} known sites lies in them.")
        raise InputError(
            f"--truth-name: got {name!r}, but none of {len(truth):,} known sites"
            f"{' in the regions' if regions else ''} has this name; names found are "
            f"{listed(sorted({site.name for site in truth}))}."
        )
    unseen = [site for site in counted if site.contig not in called]
    if unseen and called:
        notes.append(
            f"{len(unseen):,} known sites are on contigs without any call "
            f"({listed(sorted({site.contig for site in unseen}))}) and count as missed."
        )
    others = [site for site in truth if name is not None and site.name != name]
    if others:
        notes.append(
            f"{len(others):,} known sites do not count (their name is not {name!r}); calls at "
            "them are neither right nor wrong."
        )
    return Compared(tuple(calls), tuple(counted), tuple(others), tuple(notes))


def _each_once(sites: Sequence[Site], name: str | None) -> list[Site]:
    """Return every place once; of several names that it has, the one that counts."""
    places: dict[tuple[str, int, int], Site] = {}
    for site in sites:
        place = (site.contig, site.position, site.strand)
        if place not in places or site.name == name:
            places[place] = site
    return list(places.values())


class _Regions:
    """Tells whether a site lies in one of some intervals, whatever their strand."""

    def __init__(self, bed: Bed) -> None:
        spans: dict[str, list[tuple[int, int]]] = {}
        for line in bed.lines:
            spans.setdefault(line.contig, []).append((line.start, line.end))
        self.spans = {name: merged(of_contig) for name, of_contig in spans.items()}

    def __contains__(self, site: Site) -> bool:
        spans = self.spans.get(site.contig, [])
        index = bisect.bisect_right(spans, site.position, key=lambda span: span[0]) - 1
        return index >= 0 and site.position < spans[index][1]
