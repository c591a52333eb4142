"""From a model and a genome file to tracks, calls and a summary."""

from __future__ import annotations

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
from genomic_ulmfit.inference.log_odds import log_odds_of
from genomic_ulmfit.inference.scanning.calibration import calibrate
from genomic_ulmfit.inference.scanning.call_files import kind_of, write_bed, write_gff3
from genomic_ulmfit.inference.scanning.calls import Call, call_sites
from genomic_ulmfit.inference.scanning.regions import Region, densest_region, read_regions
from genomic_ulmfit.inference.scanning.scan import (
    Interval,
    Mode,
    ScanSettings,
    ScoredPiece,
    StrandScores,
    make_settings,
    n_windows,
    scan,
    whole_genome,
)
from genomic_ulmfit.inference.scanning.scan_files import (
    STRANDS,
    all_suffixes,
    output_path,
    track_suffix,
)
from genomic_ulmfit.inference.scanning.scan_summary import (
    calls_summary,
    genome_summary,
    notes_on_page,
    notes_on_settings,
    notes_on_tracks,
    threshold_summary,
)
from genomic_ulmfit.inference.scanning.tracks import TRACKS, Spool, require_track, spans_of
from genomic_ulmfit.models.folder import read_config
from genomic_ulmfit.models.store import load_classifier
from genomic_ulmfit.progress import Report


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
    require_track(track)
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
    genome, intervals = _what_to_scan(genome_path, regions, circular, settings)
    total = sum(interval.end - interval.start for interval in intervals)

    begun = time.monotonic()
    calibration = None
    if threshold is None:
        calibration = calibrate(
            model,
            [contig for contig in genome.contigs if n_windows(contig, settings)],
            settings,
            min_distance,
            seed,
            lambda done, of: report("Calibrating on background DNA", done, of),
        )
        least = calibration.threshold()
    else:
        least = log_odds_of(threshold)
    calibrated = time.monotonic()
    with ExitStack() as while_scanning:
        out.parent.mkdir(parents=True, exist_ok=True)
        tracks = {
            strand: while_scanning.enter_context(Spool(out.parent, genome.contigs))
            for strand in STRANDS
        }
        caller = _Caller(least, min_distance)
        report("Scanning", 0, total)
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
        written = while_scanning.enter_context(_in_place_of_the_last(out))
        for strand, spool in tracks.items():
            if spool.n_bases:
                written.append(output_path(out, track_suffix(strand, track)))
                TRACKS[track].write(spool, written[-1])
        class_name = model.config.classes[settings.target]
        kind = kind_of(class_name)
        write_bed(calls, kind, settings, output_path(out, ".bed"))
        write_gff3(calls, kind, genome.contigs, settings, output_path(out, ".gff3"))
        seconds = time.monotonic() - calibrated
        has_track = {STRANDS[strand]: bool(spool.n_bases) for strand, spool in tracks.items()}
        notes = (
            *genome.notes,
            *notes_on_tracks(has_track),
            *notes_on_settings(
                model, settings, genome, counts, calibration, config["training"], known_anchor
            ),
        )
        summary = {
            "genome": genome_summary(genome, genome_path, settings),
            "model": {
                "folder": Path(model_folder).resolve().name,
                "sha256": config["sha256"],
                "class": class_name,
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
            "threshold": threshold_summary(least, calibration),
            "bases_scanned": total,
            "windows": counts,
            "tracks": has_track,
            **calls_summary(calls, densest, total),
            "seconds_of_calibration": None if calibration is None else calibrated - begun,
            "seconds": seconds,
            "bases_per_second": total / seconds,
            "notes": notes,
        }
        write_json(output_path(out, ".json"), summary)
    # Not in the summary, where it would be untrue as soon as the page is made anew.
    told = (*notes, *notes_on_page(out))
    return ScanResult(genome, settings, least, tuple(calls), densest, summary, told)


def _what_to_scan(
    genome_path: str | Path, regions: str | Path | None, circular: bool, settings: ScanSettings
) -> tuple[Genome, list[Interval]]:
    """Read a genome, and which of its anchors are asked about."""
    genome = read_genome(genome_path)
    if circular:
        genome = genome.as_circular()
    if not any(n_windows(contig, settings) for contig in genome.contigs):
        longest = max(map(len, genome.contigs))
        raise InputError(
            f"{genome_path}: no contig is as long as a window of {settings.window} bases; the "
            f"longest has {longest}."
        )
    intervals = whole_genome(genome) if regions is None else read_regions(regions, genome)
    return genome, [interval for interval in intervals if n_windows(interval.contig, settings)]


def _usable_prefix(out: str | Path, read: Sequence[str | Path | None]) -> Path:
    """Return ``--out`` as a path, if files can be written there and none is one that is read."""
    given, out = str(out), Path(out)
    if out.is_dir() or given.endswith(("/", os.sep)):
        raise InputError(f"--out: {out} is a folder; give a prefix for file names, as {out}/scan.")
    require_writable(out.parent)
    for suffix in all_suffixes():
        require_another(output_path(out, suffix), *read)
    return out


@contextmanager
def _in_place_of_the_last(out: Path) -> Iterator[list[Path]]:
    """Give a list of files to write instead of those of a scan made under this name before.

    None of that stays to be taken for one of this. If the block raises, what is on the list is
    removed, too: tracks and calls without a summary look like a whole scan.
    """
    for suffix in all_suffixes():
        output_path(out, suffix).unlink(missing_ok=True)
    written = [output_path(out, suffix) for suffix in (".bed", ".gff3", ".json")]
    try:
        yield written
    except BaseException:
        for path in written:
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
