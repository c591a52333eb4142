"""From two BED files to how well the calls of one agree with the known sites of the other."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from genomic_ulmfit.dna.bed import read_bed
from genomic_ulmfit.evaluation.scan_scores import ScanScores, score_calls
from genomic_ulmfit.evaluation.scan_sites import (
    read_calls,
    read_truth,
    require_in_order,
    scanned,
    select,
)


class ScoredCalls(NamedTuple):
    """What came out, and what a reader of it should know, one sentence each."""

    scores: ScanScores
    notes: tuple[str, ...]


def evaluate_calls(
    calls: str | Path,
    truth: str | Path,
    *,
    tolerance: int = 50,
    truth_name: str | None = None,
    regions: str | Path | None = None,
    seed: int = 0,
) -> ScoredCalls:
    """Compare called promoters with known sites.

    Parameters
    ----------
    calls : path-like
        BED, as for `read_calls`.
    truth : path-like
        BED, as for `read_truth`.
    tolerance : int
        Bases a call may be away from its site.
    truth_name : str, optional
        Name of the known sites that count; all do if not given.
    regions : path-like, optional
        BED; only what lies in its intervals is looked at.
    seed : int
        Of the bootstrap.

    Returns
    -------
    ScoredCalls

    Raises
    ------
    InputError
        If a file cannot be read, an argument is not allowed, or there is nothing to compare.
    """
    require_in_order(calls, truth)
    compared = select(
        read_calls(calls),
        read_truth(truth),
        name=truth_name,
        regions=None if regions is None else read_bed(regions),
    )
    scores = score_calls(
        compared.calls, compared.truth, others=compared.others, tolerance=tolerance, seed=seed
    )
    notes = [*compared.notes, *scores.notes]
    looked_at = scanned(calls)
    if looked_at.simulated:
        notes.append("SIMULATED GENOME: these scores say nothing about real DNA.")
    if regions is None and looked_at.regions is not None:
        notes.append(
            f"The scan looked at the regions of {looked_at.regions} alone, and sites elsewhere "
            "count as missed; leave them out with --regions."
        )
    if regions is None and compared.others:
        notes.append(
            "Calls count wherever they lie, but sites of one name alone: so precision, F1 and "
            "AUPRC are lower than they would be if all sites counted. Where these sites were "
            "chosen by place, --regions confines calls to it."
        )
    return ScoredCalls(scores, tuple(notes))
