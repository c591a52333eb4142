"""What a scan says of itself: its summary in parts, and what a user should know."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from genomic_ulmfit.dna.genome import Genome
from genomic_ulmfit.inference.log_odds import probability
from genomic_ulmfit.inference.scanning.calibration import CHANCE_CALLS, Calibration
from genomic_ulmfit.inference.scanning.calls import Call
from genomic_ulmfit.inference.scanning.regions import Region
from genomic_ulmfit.inference.scanning.scan import ScanSettings, n_windows
from genomic_ulmfit.inference.scanning.scan_files import output_path
from genomic_ulmfit.models.classifier import Classifier


def notes_on_tracks(has_track: Mapping[str, bool]) -> Iterator[str]:
    """Say which strand ("plus", "minus") has no track."""
    for word, there in has_track.items():
        if not there:
            yield f"No window of the {word} strand has a score; it has no track."


def notes_on_page(out: Path) -> Iterator[str]:
    """Say that a page of an earlier scan lies beside the files of this one."""
    if (page := output_path(out, ".html")).exists():
        yield f"{page} is not of this scan; genomic-ulmfit view makes it anew."


def notes_on_settings(
    model: Classifier,
    settings: ScanSettings,
    genome: Genome,
    counts: Mapping[str, int],
    calibration: Calibration | None,
    training: Mapping[str, Any],
    known_anchor: int | None,
) -> Iterator[str]:
    """Say what a user should know of how the scan was made."""
    if training.get("simulated") and not genome.simulated:
        yield "The model was trained on SIMULATED sequences, and knows nothing of real DNA."
    if calibration is not None and settings.mode == "exact":
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
    if known_anchor is None:
        yield (
            "The model does not know where in its windows a site lies, so calls are named by "
            f"the middle, base {settings.anchor} of {settings.window}. If the windows were cut "
            "with the site elsewhere, say so: --anchor."
        )
    stride = model.config.encoder.tokenizer.stride
    if settings.step > (stride if model.config.context else 1):
        off = settings.step // 2
        yield (
            f"A window is scored every {settings.step} bases: sites in between are seen "
            f"{'a base' if off == 1 else f'up to {off} bases'} off, which a model of start codons "
            "does not forgive. --step 1 scores every base."
        )
    if n_short := _n_short(genome, settings):
        yield (
            f"{n_short:,} of {len(genome.contigs):,} contigs were not scanned: they are "
            f"shorter than a window of {settings.window} bases."
        )
    if counts["not_scored"]:
        yield (
            f"{counts['not_scored']:,} windows have no score: more than a tenth of their bases "
            "is ambiguous."
        )


def _n_short(genome: Genome, settings: ScanSettings) -> int:
    """Return how many contigs are shorter than a window."""
    return sum(not n_windows(contig, settings) for contig in genome.contigs)


def genome_summary(
    genome: Genome, path: str | Path, settings: ScanSettings
) -> dict[str, str | int | bool]:
    """Say which genome was scanned, enough to know it again."""
    return {
        "name": genome.name,
        "file": Path(path).name,
        "simulated": genome.simulated,
        "contigs": len(genome.contigs),
        "contigs_shorter_than_a_window": _n_short(genome, settings),
        "bases": genome.n_bases,
        "genes": genome.n_genes,
        "sha256": genome.sha256(),
    }


def calls_summary(calls: Sequence[Call], densest: Region, n_bases: int) -> dict[str, Any]:
    """Count calls in the bases that were scanned."""
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


def threshold_summary(least: float, calibration: Calibration | None) -> dict[str, Any]:
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
    return {
        "probability": round(float(probability(least)), 6),
        "log_odds": log_odds,
        **from_chance,
    }
