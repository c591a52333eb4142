"""From a model and a genome file to tracks, calls and a summary."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genomic_ulmfit.dna.genome import Contig, Genome
from genomic_ulmfit.dna.readers import read_genome
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import require_another, require_writable, write_json
from genomic_ulmfit.inference.calibration import CHANCE_CALLS, Calibration, calibrate
from genomic_ulmfit.inference.calls import Call, call_sites, kind_of, write_bed, write_gff3
from genomic_ulmfit.inference.regions import Region, densest_region, read_regions
from genomic_ulmfit.inference.scan import (
    Mode,
    ScanSettings,
    ScoredPiece,
    StrandScores,
    make_settings,
    n_windows,
    scan,
    whole_genome,
)
from genomic_ulmfit.inference.tracks import TRACKS, Spool, spans_of, track_kind
from genomic_ulmfit.models.classifier import Classifier
from genomic_ulmfit.models.store import load_classifier, read_config

STRANDS = {1: "plus", -1: "minus"}
"""Strand -> its word in the names of files."""

Report = Callable[[str, int, int], None]
"""Told what is being done, how many bases are done, and of how many."""


@dataclass(frozen=True, eq=False)
class ScanResult:
    """What a scan found.

    Parameters
    ----------
    genome : Genome
    settings : ScanSettings
    threshold : float
        Least log-odds of a call.
    calls : tuple of Call
        In genome order.
    densest : Region
        Where they are densest.
    summary : dict
        Everything in numbers, JSON-able.
    notes : tuple of str
        What was left out or is worth knowing, one sentence each.
    """

    genome: Genome
    settings: ScanSettings
    threshold: float
    calls: tuple[Call, ...]
    densest: Region
    summary: dict[str, Any]
    notes: tuple[str, ...]


def output_path(out: str | Path, suffix: str) -> Path:
    """Return the path of one of a scan's files: `suffix` behind the prefix ``--out``."""
    return Path(f"{out}{suffix}")


def scan_genome(
    model_folder: str | Path,
    genome_path: str | Path,
    out: str | Path,
    *,
    window: int | None = None,
    anchor: int | None = None,
    step: int | None = None,
    target: str | None = None,
    mode: Mode | None = None,
    threshold: float | None = None,
    min_distance: int = 50,
    track: str = "bigwig",
    regions: str | Path | None = None,
    circular: bool = False,
    seed: int = 0,
    precision: str | None = None,
    report: Report = lambda *_: None,
) -> ScanResult:
    """Scan a genome and write tracks, calls (BED, GFF3) and summary (JSON).

    Files appear under their names when they are whole: the tracks when everything is scanned,
    the summary last.

    Parameters
    ----------
    model_folder : path-like
        Classifier.
    genome_path : path-like
        FASTA or GenBank.
    out : path-like
        Prefix of the files to write.
    window, anchor, step, target, mode, precision
        See `make_settings`. Without `anchor`, the one that the model was trained with is used
        where its folder tells, else the middle. Without `mode`, it is dense.
    threshold : float, optional
        Least probability of a call; calibrated on background DNA if not given.
    min_distance : int
        Bases between calls of one strand, at least.
    track : {"bigwig", "bedgraph"}
    regions : path-like, optional
        BED; only windows whose anchor lies in one of its intervals are scanned.
    circular : bool
        Take all contigs for circular, which a FASTA file cannot say.
    seed : int
        Of the background DNA.
    report : callable
        Told about progress.

    Returns
    -------
    ScanResult

    Raises
    ------
    InputError
        If an argument or file cannot be used, or no contig is as long as a window.
    """
    suffix, write_track = track_kind(track)
    out = _usable_prefix(out, (genome_path, regions, model_folder))
    if threshold is not None and not 0 <= threshold <= 1:
        raise InputError(f"--threshold: got {threshold}, allowed is a probability, 0 to 1.")
    if min_distance < 1:
        raise InputError(f"--min-distance: got {min_distance}, allowed is 1 or more.")
    model = load_classifier(model_folder)
    config = read_config(model_folder)
    known_anchor = config["training"].get("anchor") if anchor is None else anchor
    settings = make_settings(
        model,
        window=window,
        anchor=known_anchor,
        step=step,
        target=target,
        mode=mode or "dense",
        precision=precision,
    )
    genome = read_genome(genome_path)
    if circular:
        genome = genome.as_circular()
    contigs = [contig for contig in genome.contigs if n_windows(contig, settings)]
    n_short = len(genome.contigs) - len(contigs)
    if not contigs:
        longest = max(map(len, genome.contigs))
        raise InputError(
            f"{genome_path}: no contig is as long as a window of {settings.window} bases; the "
            f"longest has {longest}."
        )
    intervals = whole_genome(genome) if regions is None else read_regions(regions, genome)
    intervals = [i for i in intervals if n_windows(i.contig, settings)]
    total = sum(interval.end - interval.start for interval in intervals)

    begun = time.monotonic()
    calibration = None
    if threshold is None:
        calibration = calibrate(
            model,
            contigs,
            settings,
            min_distance,
            seed,
            lambda done, of: report("Calibrating on background DNA", done, of),
        )
        least = calibration.threshold()
    else:
        least = _log_odds(threshold)
    calibrated = time.monotonic()
    notes = list(genome.notes)
    with ExitStack() as spools:
        out.parent.mkdir(parents=True, exist_ok=True)
        tracks = {
            strand: spools.enter_context(Spool(out.parent, genome.contigs)) for strand in STRANDS
        }
        caller = _Caller(least, min_distance)
        counts = _scan_into(
            tracks,
            caller,
            scan(model, intervals, settings),
            settings,
            lambda done: report("Scanning", done, total),
        )
        calls = caller.finish()
        if not counts["scored"]:
            raise InputError(
                f"{genome_path if regions is None else regions}: no window has a score. Too many "
                "bases are ambiguous, or the regions lie so near the ends of contigs that no "
                "window has its anchor there."
            )
        report("Writing", total, total)
        densest = densest_region(tracks, intervals, calls)
        written = [output_path(out, ending) for ending in (".bed", ".gff3", ".json")]
        # Of a scan that was made under this name before, no file stays to be taken for one of
        # this; without a summary what is left is no scan.
        for ending in _endings():
            output_path(out, ending).unlink(missing_ok=True)
        spools.enter_context(_removed_if_stopped(written))
        for strand, word in STRANDS.items():
            if tracks[strand].n_bases:
                written.append(output_path(out, f".{word}{suffix}"))
                write_track(tracks[strand], written[-1])
            else:
                notes.append(f"No window of the {word} strand has a score; it has no track.")
        seconds = time.monotonic() - calibrated
        kind = kind_of(model.config.classes[settings.target])
        write_bed(calls, kind, settings, written[0])
        write_gff3(calls, kind, genome.contigs, settings, written[1])
        notes += _notes(
            model,
            settings,
            calibrated=calibration is not None,
            knows_anchor=known_anchor is not None,
            n_contigs=len(genome.contigs),
            n_short=n_short,
            n_not_scored=counts["not_scored"],
        )
        if (page := output_path(out, ".html")).exists():
            notes.append(f"{page} is not of this scan; genomic-ulmfit view makes it anew.")
        summary = {
            "genome": {
                "name": genome.name,
                "file": Path(genome_path).name,
                "simulated": genome.simulated,
                "contigs": len(genome.contigs),
                "contigs_shorter_than_a_window": n_short,
                "bases": genome.n_bases,
                "genes": genome.n_genes,
                "sha256": genome.sha256(),
            },
            "model": {
                "folder": Path(model_folder).resolve().name,
                "sha256": config["sha256"],
                "class": model.config.classes[settings.target],
            },
            "settings": {
                "mode": settings.mode,
                "window": settings.window,
                "anchor": settings.anchor,
                "step": settings.step,
                "min_distance": min_distance,
                "precision": settings.precision,
                "regions": None if regions is None else Path(regions).name,
                "circular": circular,
            },
            "threshold": _threshold_summary(least, calibration),
            "bases_scanned": total,
            "windows": counts,
            **_calls_summary(calls, densest, total),
            "seconds_of_calibration": calibrated - begun,
            "seconds": seconds,
            "bases_per_second": total / seconds,
            "notes": notes,
        }
        write_json(written[2], summary)
    return ScanResult(genome, settings, least, tuple(calls), densest, summary, tuple(notes))


def _usable_prefix(out: str | Path, read: Sequence[str | Path | None]) -> Path:
    """Return ``--out`` as a path, if files can be written there and none is one that is read."""
    given, out = str(out), Path(out)
    if out.is_dir() or given.endswith(("/", os.sep)):
        raise InputError(f"--out: {out} is a folder; give a prefix for file names, as {out}/scan.")
    require_writable(out.parent)
    for ending in _endings():
        require_another(output_path(out, ending), *read)
    return out


def _endings() -> list[str]:
    """Return how the names of a scan's files end, the summary first, tracks of either kind."""
    tracks = [f".{word}{suffix}" for word in STRANDS.values() for suffix, _ in TRACKS.values()]
    return [".json", ".bed", ".gff3", ".png", *tracks]


@contextmanager
def _removed_if_stopped(paths: list[Path]) -> Iterator[None]:
    """Leave no part of a scan behind: tracks and calls without a summary look like a whole one."""
    try:
        yield
    except BaseException:
        for path in paths:
            path.unlink(missing_ok=True)
        raise


class _Caller:
    """Gathers the scores above a threshold and calls contig after contig."""

    def __init__(self, threshold: float, min_distance: int) -> None:
        self.calls: list[Call] = []
        self.threshold = threshold
        self.min_distance = min_distance
        self.contig: Contig | None = None
        self.candidates: dict[int, list[StrandScores]] = {}

    def add(self, contig: Contig, strand: int, scores: StrandScores) -> None:
        if contig is not self.contig:
            self.finish()
            self.contig = contig
        above = scores.log_odds >= self.threshold
        self.candidates.setdefault(strand, []).append(
            StrandScores(scores.anchors[above], scores.log_odds[above])
        )

    def finish(self) -> list[Call]:
        """Call the sites of the contig at hand; return those of all so far, in genome order."""
        if self.contig is None:
            return self.calls
        called = [
            call
            for strand, parts in self.candidates.items()
            for call in call_sites(
                self.contig,
                strand,
                np.concatenate([part.anchors for part in parts]),
                np.concatenate([part.log_odds for part in parts]),
                threshold=self.threshold,
                min_distance=self.min_distance,
            )
        ]
        self.calls += sorted(called, key=lambda call: (call.anchor, -call.strand))
        self.candidates = {}
        return self.calls


def _scan_into(
    tracks: Mapping[int, Spool],
    caller: _Caller,
    pieces: Iterable[ScoredPiece],
    settings: ScanSettings,
    report: Callable[[int], None],
) -> dict[str, int]:
    """Put pieces of a scan where they belong; return how many windows have a score, or none."""
    counts = {"scored": 0, "not_scored": 0}
    done = 0
    for piece in pieces:
        for strand, scores in piece.strands.items():
            tracks[strand].add(piece.contig, spans_of(piece.contig, strand, scores, settings))
            unknown = int(np.isnan(scores.log_odds).sum())
            counts["not_scored"] += unknown
            counts["scored"] += len(scores.log_odds) - unknown
            caller.add(piece.contig, strand, scores)
        done += piece.end - piece.start
        report(done)
    return counts


def _log_odds(probability: float) -> float:
    if probability in (0, 1):
        return math.inf if probability else -math.inf
    return math.log(probability / (1 - probability))


def _notes(
    model: Classifier,
    settings: ScanSettings,
    *,
    calibrated: bool,
    knows_anchor: bool,
    n_contigs: int,
    n_short: int,
    n_not_scored: int,
) -> Iterator[str]:
    """Say what a user should know of how the scan was made."""
    if calibrated and settings.mode == "exact":
        yield (
            "The threshold is calibrated in dense mode; this model's scores in exact mode may "
            "run a little higher or lower."
        )
    if settings.mode == "dense" and not model.config.context:
        yield (
            "The model was trained without context and here knows what stands around a "
            "window: its scores differ somewhat from those of predict. --mode exact gives "
            "the same for each window, but takes a hundred times as long or more."
        )
    if not knows_anchor:
        yield (
            "The model does not know where in its windows a site lies, so calls are named by "
            f"the middle, base {settings.anchor} of {settings.window}. If the windows were cut "
            "with the site elsewhere, say so: --anchor."
        )
    if settings.step > 1 and not model.config.context:
        yield (
            f"A window is scored every {settings.step} bases: sites in between are seen a base "
            "off, which a model of start codons does not forgive. --step 1 scores every base."
        )
    if n_short:
        yield (
            f"{n_short:,} of {n_contigs:,} contigs were not scanned: they are "
            f"shorter than a window of {settings.window} bases."
        )
    if n_not_scored:
        yield (
            f"{n_not_scored:,} windows have no score: more than a tenth of their bases "
            "is ambiguous."
        )


def _calls_summary(calls: Sequence[Call], densest: Region, n_bases: int) -> dict[str, Any]:
    return {
        "calls": {
            "all": len(calls),
            "plus": sum(call.strand > 0 for call in calls),
            "minus": sum(call.strand < 0 for call in calls),
            "per_mbp": len(calls) / n_bases * 1e6,
        },
        "densest_region": {
            "contig": densest.contig.name,
            "start": densest.start,
            "end": densest.end,
            "calls": len(densest.calls),
        },
    }


def _threshold_summary(least: float, calibration: Calibration | None) -> dict[str, Any]:
    """Say what a call needs, and how many calls chance would make."""
    from_chance: dict[str, Any] = {"expected_calls_by_chance_per_mbp": None, "calibration": None}
    if calibration is not None:
        from_chance = {
            "expected_calls_by_chance_per_mbp": calibration.expected(least),
            "calibration": {
                "method": "first-order Markov background, dense mode",
                "bases": calibration.n_bases,
                "allowed_per_mbp": CHANCE_CALLS,
                "seed": calibration.seed,
            },
        }
    # JSON has no infinity.
    log_odds = least if math.isfinite(least) else None
    probability = round(0.5 + 0.5 * math.tanh(0.5 * least), 6)
    return {"probability": probability, "log_odds": log_odds, **from_chance}
