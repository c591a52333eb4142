"""Does the one-pass scan say what encoding each window by itself says?

    python benchmarks/scan_agreement.py MODEL GENOME --spots 20 --length 2000 --anchor 100

Scans evenly spaced spots of a genome, both strands, in dense and in exact mode. Printed are the
rank correlation of all windows' scores, and how many promoters called in one mode are called in
the other (within 10 bases, same strand), each mode calling its best N, N being how many `--per-mbp`
gives.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace

import numpy as np
from scipy.stats import spearmanr

from ending import ended
from genomic_ulmfit.dna.readers import read_genome
from genomic_ulmfit.evaluation.scan_scores import score_calls
from genomic_ulmfit.evaluation.scan_sites import Site
from genomic_ulmfit.inference.scanning.calls import suppress
from genomic_ulmfit.inference.scanning.scan import (
    Interval,
    ScanSettings,
    StrandScores,
    make_settings,
    scan,
)
from genomic_ulmfit.models.classifier import Classifier
from genomic_ulmfit.models.store import load_classifier

NEAR = 10
MIN_DISTANCE = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("genome")
    parser.add_argument("--spots", type=int, default=20)
    parser.add_argument("--length", type=int, default=2000, help="bases of each")
    parser.add_argument("--anchor", type=int)
    parser.add_argument("--per-mbp", type=float, default=1000, help="calls of each mode")
    arguments = parser.parse_args()

    model = load_classifier(arguments.model)
    settings = make_settings(model, anchor=arguments.anchor)
    contig = max(read_genome(arguments.genome).contigs, key=len)
    starts = np.linspace(0, len(contig) - arguments.length, arguments.spots).astype(int)
    spots = [Interval(contig, int(start), int(start) + arguments.length) for start in starts]
    n_bases = arguments.spots * arguments.length
    n_calls = round(arguments.per_mbp * n_bases / 1e6)

    scores, calls = {}, {}
    for mode in ("dense", "exact"):
        begun = time.process_time()
        chosen = replace(settings, mode=mode)
        by_strand = scan_spots(model, spots, chosen)
        seconds = time.process_time() - begun
        scores[mode] = np.concatenate([by_strand[strand].log_odds for strand in (1, -1)])
        calls[mode] = best_calls(by_strand, n_calls)
        print(f"{mode}: {n_bases / seconds:,.0f} bases per CPU second, both strands")
    known = ~np.isnan(scores["exact"])
    correlation = spearmanr(scores["dense"][known], scores["exact"][known]).statistic
    overlap = score_calls(calls["dense"], calls["exact"], tolerance=NEAR)
    print(f"windows: {known.sum():,} in {arguments.spots} spots of {arguments.length:,} bases")
    print(f"Spearman's rank correlation: {correlation:.4f}")
    print(f"calls of both modes alike, of the best {n_calls}: {overlap.recall.value:.3f}")


def scan_spots(
    model: Classifier, spots: list[Interval], settings: ScanSettings
) -> dict[int, StrandScores]:
    pieces = list(scan(model, spots, settings))
    return {
        strand: StrandScores(
            np.concatenate([piece.strands[strand].anchors for piece in pieces]),
            np.concatenate([piece.strands[strand].log_odds for piece in pieces]),
        )
        for strand in (1, -1)
    }


def best_calls(by_strand: dict[int, StrandScores], n_calls: int) -> list[Site]:
    calls = []
    for strand, (anchors, log_odds) in by_strand.items():
        ranked = np.nan_to_num(log_odds, nan=-np.inf)
        for index in suppress(anchors, ranked, MIN_DISTANCE, limit=n_calls):
            calls.append(Site("contig", int(anchors[index]), strand, float(log_odds[index])))
    return sorted(calls, key=lambda call: -call.score)[:n_calls]


if __name__ == "__main__":
    sys.exit(ended(lambda _: main(), resumes=False))
