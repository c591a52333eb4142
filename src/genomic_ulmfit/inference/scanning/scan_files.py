"""The files of a scan: their names, and reading them back, checked against each other."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pybigtools

from genomic_ulmfit.dna.bed import BedLine, read_bed
from genomic_ulmfit.dna.genome import Genome
from genomic_ulmfit.dna.readers import read_genome
from genomic_ulmfit.errors import InputError, listed
from genomic_ulmfit.inference.scanning.call_files import BED_COLUMNS
from genomic_ulmfit.inference.scanning.tracks import TRACKS, Spans

_SPAN = np.dtype([("start", np.int64), ("end", np.int64), ("value", np.float32)])
_BEDGRAPH = {"contig": "str", "starts": "int64", "ends": "int64", "values": "float32"}

STRANDS = {1: "plus", -1: "minus"}
"""Strand -> its word in the names of files."""

Tracks = Mapping[int, Mapping[str, Spans]]
"""Strand -> contig -> its scored bases; a contig without any is missing."""


@dataclass(frozen=True)
class CalledSite:
    """One line of a scan's BED file.

    Parameters
    ----------
    contig : str
    anchor : int
    strand : int
    name : str
    log_odds : float
    gene : str
        Nearest gene downstream; empty if there is none.
    distance : int or None
        Bases from the anchor to that gene's start.
    """

    contig: str
    anchor: int
    strand: int
    name: str
    log_odds: float
    gene: str
    distance: int | None


@dataclass(frozen=True, eq=False)
class ScanFiles:
    """A scan, as its files tell it.

    Parameters
    ----------
    prefix : Path
        What the scan was given as ``--out``.
    summary : dict
        Settings and counts.
    genome : Genome
    calls : tuple of CalledSite
        In genome order.
    tracks : mapping
        See `Tracks`.
    """

    prefix: Path
    summary: dict[str, Any]
    genome: Genome
    calls: tuple[CalledSite, ...]
    tracks: Tracks


def output_path(out: str | os.PathLike[str], suffix: str) -> Path:
    """Return the path of one of a scan's files: `suffix` behind the prefix ``--out``."""
    return Path(f"{os.fspath(out)}{suffix}")


def track_suffix(strand: int, kind: str) -> str:
    """Return how the name of a strand's track ends that is of a kind in `TRACKS`."""
    return f".{STRANDS[strand]}{TRACKS[kind].suffix}"


def all_suffixes() -> list[str]:
    """Return how the names of a scan's files end, the summary first, tracks of either kind."""
    tracks = [track_suffix(strand, kind) for strand in STRANDS for kind in TRACKS]
    return [".json", ".bed", ".gff3", ".png", *tracks]


def find_scan(place: str | os.PathLike[str]) -> Path:
    """Return the prefix of a scan's files.

    Parameters
    ----------
    place : path-like
        The prefix itself, one of the files or the page made of them, or a folder that holds one
        scan.

    Raises
    ------
    InputError
        If there is no scan, or more than one.
    """
    place = Path(place)
    for ending in (*all_suffixes(), ".html"):
        if place.is_file() and place.name.endswith(ending):
            place = place.with_name(place.name.removesuffix(ending))
    if not place.is_dir():
        if not output_path(place, ".json").is_file():
            raise InputError(
                f"{place}: there is no scan of this name, as {place}.json does not exist; a scan "
                "that still runs writes it at its end. Give what scan was given as --out, or the "
                "folder it wrote to."
            )
        return place
    found = [
        path.with_suffix("") for path in sorted(place.glob("*.json")) if _is_summary(_json(path))
    ]
    if not found:
        raise InputError(f"{place}: there is no scan in this folder. Make one: genomic-ulmfit scan")
    if len(found) > 1:
        raise InputError(
            f"{place}: there are {len(found)} scans in this folder; name one: {listed(found, 4)}"
        )
    return found[0]


def read_scan(prefix: Path, genome_path: str | os.PathLike[str] | None = None) -> ScanFiles:
    """Read a scan's summary, calls and tracks, and the genome that was scanned.

    Parameters
    ----------
    prefix : Path
        From `find_scan`.
    genome_path : path-like, optional
        Without it, a file of the name that the summary has is looked for beside the scan and in
        the current folder.

    Raises
    ------
    InputError
        If a file is missing or damaged, or they are not of the same scan.
    """
    path = output_path(prefix, ".json")
    summary = _json(path)
    if not _is_summary(summary):
        raise InputError(f"{path}: not the summary of a scan. Scan the genome again.")
    if genome_path is None:
        genome_path = _recorded_genome(summary["genome"]["file"], prefix)
    genome = read_genome(genome_path)
    told = summary["genome"]
    for what, wanted, found in (
        ("contigs", told["contigs"], len(genome.contigs)),
        ("bases", told["bases"], genome.n_bases),
        ("genes", told["genes"], genome.n_genes),
    ):
        if wanted != found:
            raise InputError(
                f"{genome_path}: not the genome that was scanned: it has {found:,} {what}, but "
                f"{path} says {wanted:,} ({told['file']}). Give that file: --genome"
            )
    # Older summaries have none.
    if told.get("sha256") not in (None, genome.sha256()):
        raise InputError(
            f"{genome_path}: not the genome that was scanned: its contigs have other names or "
            f"bases than those of {told['file']}, which {path} is of. Give that file: --genome"
        )
    if summary["settings"].get("circular"):
        genome = genome.as_circular()
    lengths = {contig.name: len(contig) for contig in genome.contigs}
    calls = _read_calls(output_path(prefix, ".bed"), lengths)
    if len(calls) != summary["calls"]["all"]:
        raise InputError(
            f"{prefix}.bed has {len(calls):,} calls, but {path} says {summary['calls']['all']:,}: "
            "they are not of the same scan. Scan the genome again."
        )
    tracks = {
        # Older summaries do not say.
        strand: _read_track(prefix, strand, lengths)
        if summary.get("tracks", {word: 1})[word]
        else {}
        for strand, word in STRANDS.items()
    }
    return ScanFiles(prefix, summary, genome, calls, tracks)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None


def _is_summary(value: Any) -> bool:
    """Tell whether a JSON file is a scan's summary, with all that is read from it."""
    wanted: dict[str, dict[str, type | tuple[type, ...]]] = {
        "genome": {
            "name": str,
            "file": str,
            "simulated": bool,
            "contigs": int,
            "bases": int,
            "genes": int,
        },
        "model": {"folder": str, "class": str},
        "settings": {"mode": str, "window": int, "anchor": int, "step": int},
        "threshold": {
            "probability": (int, float),
            "expected_calls_by_chance_per_mbp": (int, float, type(None)),
        },
        "calls": {"all": int},
        "densest_region": {"contig": str, "start": int, "end": int},
    }
    return (
        isinstance(value, dict)
        and all(
            isinstance(value.get(part), dict)
            and all(
                key in value[part] and isinstance(value[part][key], kind)
                for key, kind in keys.items()
            )
            for part, keys in wanted.items()
        )
        and isinstance(value.get("bases_scanned"), int)
        and isinstance(value.get("notes"), list)
        and all(isinstance(note, str) for note in value["notes"])
        and 0 <= value["settings"]["anchor"] < value["settings"]["window"]
        and value["settings"]["step"] > 0
    )


def _recorded_genome(name: str, prefix: Path) -> Path:
    for folder in (prefix.parent, Path()):
        if (folder / name).is_file():
            return folder / name
    raise InputError(
        f"{prefix}: the genome that was scanned, {name}, lies neither beside the scan nor in the "
        "current folder. Say where it is: --genome"
    )


def _read_calls(path: Path, lengths: Mapping[str, int]) -> tuple[CalledSite, ...]:
    bed = read_bed(path)
    if bed.columns != BED_COLUMNS:
        raise InputError(f"{path}: not the calls of a scan; its first line must name the columns.")
    return tuple(_call(line, path, lengths) for line in bed.lines)


def _call(line: BedLine, path: Path, lengths: Mapping[str, int]) -> CalledSite:
    of = dict(zip(BED_COLUMNS, line.fields, strict=True))
    strand = line.strand
    try:
        anchor, log_odds = int(of["thickStart"]), float(of["logOdds"])
        distance = None if of["geneDistance"] == "." else int(of["geneDistance"])
    except ValueError:
        strand = None
    if strand is None or not math.isfinite(log_odds):
        raise InputError(f"{path}, line {line.number}: not a call. Scan the genome again.")
    if line.contig not in lengths or not 0 <= anchor < lengths[line.contig]:
        raise InputError(
            f"{path}, line {line.number}: the genome has no base {anchor + 1:,} of contig "
            f"{line.contig!r}; the calls are of another scan, or --genome is another genome."
        )
    gene = "" if distance is None else of["gene"]
    return CalledSite(line.contig, anchor, strand, of["name"], log_odds, gene, distance)


def _read_track(prefix: Path, strand: int, lengths: Mapping[str, int]) -> dict[str, Spans]:
    """Read the track of one strand, whichever of the two kinds it is."""
    word = STRANDS[strand]
    paths = [output_path(prefix, track_suffix(strand, kind)) for kind in TRACKS]
    there = [path for path in paths if path.exists()]
    if not there:
        raise InputError(
            f"{prefix}: the track of the {word} strand is missing ({' or '.join(map(str, paths))})."
            " Scan the genome again, or copy all of a scan's files."
        )
    if len(there) > 1:
        raise InputError(
            f"{prefix}: there are two tracks of the {word} strand, {' and '.join(map(str, there))}"
            "; they cannot both be of this scan. Remove the one that is not."
        )
    (path,) = there
    track = _read_bigwig(path) if path.suffix == ".bw" else _read_bedgraph(path)
    if not track:
        raise InputError(f"{path}: has no scores. Scan the genome again.")
    for name, spans in track.items():
        beyond = name not in lengths or spans.ends[-1] > lengths[name]
        if beyond or spans.starts[0] < 0 or (spans.starts[1:] < spans.ends[:-1]).any():
            raise InputError(
                f"{path}: its contig {name!r} does not fit the genome; the track is of another "
                "scan, or --genome is another genome."
            )
        if not ((spans.values >= 0) & (spans.values <= 1)).all():
            raise InputError(f"{path}: has values that are no probabilities, 0 to 1.")
    return track


def _read_bigwig(path: Path) -> dict[str, Spans]:
    try:
        reader = pybigtools.open(str(path))
        tables = {name: np.fromiter(reader.records(name), _SPAN) for name in reader.chroms()}
    except Exception as error:
        # Its errors have no common ancestor; whatever it is, the file cannot be used.
        raise InputError(
            f"{path}: cannot be read as bigWig ({' '.join(str(error).split())[:200]}). Scan the "
            "genome again."
        ) from error
    return {
        name: Spans(table["start"], table["end"], table["value"])
        for name, table in tables.items()
        if len(table)
    }


def _read_bedgraph(path: Path) -> dict[str, Spans]:
    try:
        table = pd.read_csv(
            path,
            sep="\t",
            header=None,
            names=list(_BEDGRAPH),
            dtype=_BEDGRAPH,
            keep_default_na=False,
            quoting=3,
        )
    except ValueError as error:
        raise InputError(
            f"{path}: cannot be read as bedGraph ({' '.join(str(error).split())[:200]}). Scan the "
            "genome again."
        ) from error
    return {
        str(name): Spans(*(part[column].to_numpy() for column in Spans._fields))
        for name, part in table.groupby("contig", sort=False)
    }
