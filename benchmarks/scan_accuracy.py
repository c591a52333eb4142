"""How well a scan finds transcription start sites (TSS) that training has not seen.

    python benchmarks/scan_accuracy.py --encoder e-coli --out scan_accuracy.json
    python benchmarks/scan_accuracy.py --model tss-model --downstream 140 --regions tss.test.bed
    python benchmarks/scan_accuracy.py --encoder none --preset tiny --simulated 400

Trains a classifier on windows around the TSS marked train against background windows of both
strands (as `genomic-ulmfit data promoters --framing tss --negatives background --context 256
--downstream 21 --tss-name train`), scans the genome, and scores against the TSS marked test, strand
by strand, at +/- 50 bases; calls at training TSS are left out. Beside it stand four plain scanners,
trained on these windows, their calls 50 bases apart like ours: random places, the start of each
gene by the room before it, a matrix of the -35 and -10 boxes, and logistic regression on one-hot
bases. Test TSS that lie far from every training TSS, of either strand, are also scored apart:
windows of the others overlap windows that were learnt from.

With --regions all TSS in these intervals are test and all others train, whatever they are marked,
only these intervals are scanned and scored, and no window with a base in them is learnt from (as
`data promoters --protocol stretches`, which writes such a file).

Data: --genome and --tss, genomes/NC_000913.3.gbk.gz and external/NC_000913.3_tss.bed in
$GENOMIC_ULMFIT_DATA (default ../shared) if not given; or a simulated genome, a fifth of whose TSS
are test.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from ending import ended
from genomic_ulmfit.data.promoters import PROMOTER, tss_table
from genomic_ulmfit.data.splits import TRAIN
from genomic_ulmfit.data.stretches import HeldOutStretch, split_by_stretches
from genomic_ulmfit.dna.alphabet import Codes
from genomic_ulmfit.dna.genome import Contig, Genome
from genomic_ulmfit.dna.readers import read_genome
from genomic_ulmfit.dna.simulate import simulate_genome
from genomic_ulmfit.evaluation.baselines import OneHotRegression
from genomic_ulmfit.evaluation.scan_baselines import (
    Places,
    PromoterMatrix,
    gene_starts,
    one_hot_scores,
    random_places,
)
from genomic_ulmfit.evaluation.scan_scores import ScanScores, score_calls
from genomic_ulmfit.evaluation.scan_sites import Site, read_truth
from genomic_ulmfit.files import write_json
from genomic_ulmfit.inference.scanning.calls import suppress
from genomic_ulmfit.inference.scanning.regions import read_regions
from genomic_ulmfit.inference.scanning.scan import Interval, make_settings, scan, whole_genome
from genomic_ulmfit.models.classifier import Classifier
from genomic_ulmfit.models.config import preset
from genomic_ulmfit.models.pretrained import encoder_folder
from genomic_ulmfit.models.store import load_classifier, load_language_model
from genomic_ulmfit.reports.numbers import interval, number
from genomic_ulmfit.training.by_labels import train_by_labels
from genomic_ulmfit.training.classifier_setup import (
    choose_recipe,
    classifier_config,
    encode_all,
    targets_of,
)

MIN_DISTANCE = 50
FAR = (50, 200)
"""Bases; test TSS further than this from any training TSS are scored apart."""
STEP = 2
MATRIX = "boxes (matrix)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--encoder", help="language-model folder or name, or none")
    what.add_argument(
        "--model",
        type=Path,
        help="classifier that `train` has made of windows cut in this way, with the same "
        "--upstream and --downstream; only the plain scanners are trained here then",
    )
    parser.add_argument("--preset", default="small", help="size where the encoder is none")
    data = Path(os.environ.get("GENOMIC_ULMFIT_DATA", "../shared"))
    parser.add_argument(
        "--genome",
        type=Path,
        default=data / "genomes" / "NC_000913.3.gbk.gz",
        help="annotated genome of one contig",
    )
    parser.add_argument(
        "--tss",
        type=Path,
        default=data / "external" / "NC_000913.3_tss.bed",
        help="BED of TSS of that genome, each named train or test",
    )
    parser.add_argument("--simulated", type=int, metavar="GENES", help="make up a genome instead")
    parser.add_argument("--upstream", type=int, default=60, help="bases before the TSS")
    parser.add_argument("--downstream", type=int, default=21, help="bases from the TSS on")
    parser.add_argument("--context", type=int, default=256, help="bases known on either side")
    parser.add_argument("--head", default="auto", help="auto, probe or position, as in train")
    parser.add_argument("--regions", type=Path, metavar="BED", help="test intervals")
    parser.add_argument("--tolerance", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON to write")
    arguments = parser.parse_args()

    genome, sites = load(arguments)
    (contig,) = genome.contigs
    intervals = whole_genome(genome)
    if arguments.regions:
        intervals = read_regions(arguments.regions, genome)
        sites = [s._replace(name="test" if is_in(intervals, s) else "train") for s in sites]
    train = [site for site in sites if site.name == "train"]
    table = training_table(genome, sites, intervals, arguments)
    labels = table["label"].tolist()
    print(f"training: {sum(labels):,} TSS, {len(labels) - sum(labels):,} other windows", flush=True)

    test = [site for site in sites if site.name == "test"]
    # Of training TSS in what is scanned, neither right nor wrong.
    others = [] if arguments.regions else train

    # Random regression models before the network: they need seconds.
    found = dict(plain_scanners(contig, intervals, train, table, arguments))
    model = load_classifier(arguments.model) if arguments.model else train_model(table, arguments)
    found["genomic-ulmfit"] = scan_with(model, intervals, arguments)

    results = {
        name: score_calls(
            calls, test, others=others, tolerance=arguments.tolerance, seed=arguments.seed
        )
        for name, calls in found.items()
    }
    apart: dict[int, dict[str, ScanScores]] = {}
    for least in FAR:
        far = [site for site in test if distance_to(site, train) > least]
        if not far:
            print(f"no test TSS lies more than {least} bases from every training TSS")
            continue
        chosen = set(far)
        near = [site for site in test if site not in chosen]
        apart[least] = {
            name: score_calls(
                calls,
                far,
                others=[*others, *near],
                tolerance=arguments.tolerance,
                seed=arguments.seed,
            )
            for name, calls in found.items()
        }
    columns = ["scanner", "calls", f"AUPRC, all {len(test):,} test TSS (95 % interval)"]
    columns += [
        f"of the {next(iter(scores.values())).n_truth:,} more than {least} bases from training TSS"
        for least, scores in apart.items()
    ]
    columns += ["best F1", "AUPRC over the matrix's"]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for name, scores in results.items():
        of_matrix = results[MATRIX].auprc.value
        ratio = f"{(scores.auprc.value or 0) / of_matrix:.2f}" if of_matrix else ""
        cells = [name, f"{scores.n_calls:,}", with_interval(scores)]
        cells += [with_interval(of_far[name]) for of_far in apart.values()]
        print(f"| {' | '.join(cells)} | {number(scores.best_f1)} | {ratio} |")
    n_bases = sum(part.end - part.start for part in intervals)
    print(f"test TSS: {len(test):,}; in {n_bases:,} bases of {contig.name}")
    if arguments.out is not None:
        write_json(arguments.out, report(results, apart, arguments, contig))


def distance_to(site: Site, others: list[Site]) -> int:
    """Return how far the nearest of other sites is, on either strand."""
    return min(abs(site.position - other.position) for other in others)


def with_interval(scores: ScanScores) -> str:
    value, low, high = scores.auprc
    return "" if value is None else f"{number(value)} {interval(low, high)}".rstrip()


def load(arguments: argparse.Namespace) -> tuple[Genome, list[Site]]:
    """Return a genome of one contig and its TSS, each named train or test."""
    if arguments.simulated:
        genome = simulate_genome(arguments.simulated, arguments.seed)
        (contig,) = genome.contigs
        print(f"SIMULATED GENOME {contig.name}: the numbers say nothing about real bacteria")
        test = np.random.default_rng(arguments.seed).random(len(contig.tss)) < 0.2
        return genome, [
            Site(contig.name, position, strand, name="test" if held_out else "train")
            for (position, strand), held_out in zip(contig.tss, test, strict=True)
        ]
    return read_genome(arguments.genome), read_truth(arguments.tss)


def training_table(
    genome: Genome, sites: list[Site], intervals: list[Interval], arguments: argparse.Namespace
) -> pd.DataFrame:
    """Cut windows around training TSS, and what a scan meets besides TSS, near no test TSS."""
    by_stretch = arguments.regions is not None
    with tempfile.TemporaryDirectory() as folder:
        bed = Path(folder) / "sites.bed"
        bed.write_text(
            "".join(
                f"{site.contig}\t{site.position}\t{site.position + 1}\t{site.name}\t0\t"
                f"{'+' if site.strand > 0 else '-'}\n"
                for site in sites
            )
        )
        table = tss_table(
            genome,
            bed,
            "background",
            arguments.upstream,
            arguments.downstream,
            arguments.seed,
            arguments.context,
            name=None if by_stretch else "train",
        )
    if not by_stretch:
        return table
    held_out = [HeldOutStretch(part.contig.name, part.start, part.end) for part in intervals]
    table = split_by_stretches(table, held_out)
    return table[table["split"] == TRAIN].reset_index(drop=True)


def is_in(intervals: list[Interval], site: Site) -> bool:
    """Tell whether a site of the genome's one contig lies in one of some intervals."""
    return any(part.start <= site.position < part.end for part in intervals)


def plain_scanners(
    contig: Contig,
    intervals: list[Interval],
    train: list[Site],
    table: pd.DataFrame,
    arguments: argparse.Namespace,
) -> Iterator[tuple[str, list[Site]]]:
    n_random = len(contig) // MIN_DISTANCE
    yield "random places", called(intervals, random_places(contig, n_random, arguments.seed))

    yield "gene starts", called(intervals, gene_starts(contig, usual_leader(contig, train)))

    positives = table["sequence"][table["label"] == PROMOTER].tolist()
    matrix = PromoterMatrix.fit(positives, arguments.upstream)
    yield (
        "boxes (matrix)",
        called(
            intervals,
            {
                strand: forward(contig, strand, score_all(matrix, contig, strand))
                for strand in (1, -1)
            },
        ),
    )

    regression = OneHotRegression(arguments.seed)
    regression.fit(table["sequence"].tolist(), table["label"].tolist())
    yield (
        "one-hot regression",
        called(
            intervals,
            {
                strand: forward(
                    contig,
                    strand,
                    one_hot_scores(regression, strand_of(contig, strand), arguments.upstream, STEP),
                )
                for strand in (1, -1)
            },
        ),
    )


def usual_leader(contig: Contig, train: list[Site]) -> int:
    """Return the median distance from a training TSS to the start codon behind it."""
    starts = {
        1: np.array(sorted(gene.start for gene in contig.genes if gene.strand > 0)),
        -1: np.array(sorted(gene.end - 1 for gene in contig.genes if gene.strand < 0)),
    }
    distances = []
    for site in train:
        ahead = (starts[site.strand] - site.position) * site.strand
        ahead = ahead[(ahead >= 0) & (ahead <= 300)]
        distances += [ahead.min()] if len(ahead) else []
    return int(np.median(distances))


def strand_of(contig: Contig, strand: int) -> Codes:
    codes = contig.window(0, len(contig), strand)
    assert codes is not None
    return codes


def score_all(matrix: PromoterMatrix, contig: Contig, strand: int) -> Places:
    scores = matrix.score(strand_of(contig, strand))
    return Places(np.arange(len(scores)), scores)


def forward(contig: Contig, strand: int, places: Places) -> Places:
    """Turn places in a strand's own coordinates into those of the forward strand."""
    if strand > 0:
        return places
    return Places(len(contig) - 1 - places.positions[::-1], places.scores[::-1])


def called(intervals: list[Interval], places: dict[int, Places]) -> list[Site]:
    """Suppress neighbours; no threshold, for the curve is over all of them."""
    calls = []
    for strand, (all_positions, all_scores) in places.items():
        for contig, start, end in intervals:
            inside = (all_positions >= start) & (all_positions < end) & np.isfinite(all_scores)
            positions, scores = all_positions[inside], all_scores[inside]
            for index in suppress(positions, scores, MIN_DISTANCE):
                calls.append(Site(contig.name, int(positions[index]), strand, float(scores[index])))
    return calls


def train_model(table: pd.DataFrame, arguments: argparse.Namespace) -> Classifier:
    encoder = (
        None
        if arguments.encoder == "none"
        else load_language_model(encoder_folder(arguments.encoder))
    )
    architecture = encoder.encoder.config if encoder else preset(arguments.preset)
    codes = encode_all(table, arguments.context)
    config = classifier_config(
        codes, table["label"].to_numpy(), architecture, "auto", arguments.context
    )
    recipe = choose_recipe(len(codes), config, encoder, arguments.head)
    model, _ = train_by_labels(
        codes,
        targets_of(table["label"], config),
        config,
        recipe,
        encoder=encoder,
        seed=arguments.seed,
    )
    return model


def scan_with(
    model: Classifier, intervals: list[Interval], arguments: argparse.Namespace
) -> list[Site]:
    settings = make_settings(model, anchor=arguments.upstream, step=STEP)
    pieces = list(scan(model, intervals, settings))
    return called(
        intervals,
        {
            strand: Places(
                *(np.concatenate([piece.strands[strand][i] for piece in pieces]) for i in (0, 1))
            )
            for strand in (1, -1)
        },
    )


def report(
    results: dict[str, ScanScores],
    apart: dict[int, dict[str, ScanScores]],
    arguments: argparse.Namespace,
    contig: Contig,
) -> dict[str, object]:
    settings = {
        key: str(value) if isinstance(value, Path) else value
        for key, value in vars(arguments).items()
    }
    return {
        "contig": contig.name,
        "settings": settings,
        "scanners": {name: scores.to_dict() for name, scores in results.items()},
        "far_from_training": {
            str(least): {name: scores.to_dict() for name, scores in of_far.items()}
            for least, of_far in apart.items()
        },
    }


if __name__ == "__main__":
    sys.exit(ended(lambda _: main(), resumes=False))
