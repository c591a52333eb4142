"""How well a scan finds transcription start sites (TSS) that training has not seen.

    python benchmarks/scan_accuracy.py --encoder runs/ecoli --out scan_accuracy.json
    python benchmarks/scan_accuracy.py --encoder none --preset tiny --simulated 400

Trains a classifier on windows around the TSS marked train against windows at random places of
both strands, scans the genome, and scores against the TSS marked test, strand by strand, at +/- 50
bases; calls at training TSS are left out. Beside it stand four plain scanners, trained on the same
windows, their calls 50 bases apart like ours: random places, the start of each gene by the room
before it, a matrix of the -35 and -10 boxes, and logistic regression on one-hot bases.

Data: genomes/NC_000913.3.gbk.gz and external/NC_000913.3_tss.bed in $GENOMIC_ULMFIT_DATA (default
../shared), or a simulated genome, a fifth of whose TSS are test.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from genomic_ulmfit.dna.alphabet import AMBIGUOUS, Codes, decode
from genomic_ulmfit.dna.genome import Contig
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
from genomic_ulmfit.evaluation.scan_scores import ScanScores, Site, read_truth, score_calls
from genomic_ulmfit.files import write_json
from genomic_ulmfit.inference.calls import suppress
from genomic_ulmfit.inference.scan import Interval, make_settings, scan
from genomic_ulmfit.models.classifier import Classifier
from genomic_ulmfit.models.config import preset
from genomic_ulmfit.models.store import load_language_model
from genomic_ulmfit.training.finetuning import fine_tune
from genomic_ulmfit.training.finetuning_job import classifier_config, recipe_for

MIN_DISTANCE = 50
STEP = 2
NEAR_SHARE, NEAR = 0.5, (51, 251)
"""Share of negatives that lie so many bases from a TSS on its strand: what a scan must not call."""
MATRIX = "boxes (matrix)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoder", required=True, help="language-model folder, or none")
    parser.add_argument("--preset", default="small", help="size where the encoder is none")
    parser.add_argument("--simulated", type=int, metavar="GENES", help="make up a genome instead")
    parser.add_argument("--upstream", type=int, default=60, help="bases before the TSS")
    parser.add_argument("--downstream", type=int, default=21, help="bases from the TSS on")
    parser.add_argument("--negatives", type=int, default=4, help="windows per TSS")
    parser.add_argument("--positives", type=int, help="use so many training TSS only")
    parser.add_argument("--head-only", action="store_true", help="train the head, not the encoder")
    parser.add_argument("--region", type=int, nargs=2, metavar=("START", "END"))
    parser.add_argument("--tolerance", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON to write")
    arguments = parser.parse_args()

    contig, sites = load(arguments)
    rng = np.random.default_rng(arguments.seed)
    train = [site for site in sites if site.name == "train"]
    if arguments.positives is not None:
        chosen = rng.choice(len(train), min(arguments.positives, len(train)), replace=False)
        shown = [train[i] for i in np.sort(chosen)]
    else:
        shown = train
    windows, labels = training_windows(contig, train, shown, arguments, rng)
    print(f"training: {sum(labels):,} TSS, {len(labels) - sum(labels):,} other windows")

    start, end = arguments.region or (0, len(contig))
    inside = [site for site in sites if start <= site.position < end]
    test = [site for site in inside if site.name == "test"]
    others = [site for site in inside if site.name == "train"]

    # Random regression models before the network: they need seconds.
    found = dict(plain_scanners(contig, (start, end), train, shown, windows, labels, arguments))
    model = train_model(windows, labels, arguments)
    found["genomic-ulmfit"] = scan_with(model, contig, (start, end), arguments)

    results = {
        name: score_calls(
            calls, test, others=others, tolerance=arguments.tolerance, seed=arguments.seed
        )
        for name, calls in found.items()
    }
    print("| scanner | calls | AUPRC (95 % interval) | best F1 | AUPRC over the matrix's |")
    print("|---|---|---|---|---|")
    for name, scores in results.items():
        value, low, high = scores.auprc
        ratio = value / results[MATRIX].auprc.value
        print(
            f"| {name} | {scores.n_calls:,} | {value:.3f} ({low:.3f} to {high:.3f}) | "
            f"{scores.best_f1:.3f} | {ratio:.2f} |"
        )
    print(f"test TSS: {len(test):,}; region {start:,} to {end:,} of {contig.name}")
    if arguments.out is not None:
        write_json(arguments.out, report(results, arguments, contig))


def load(arguments: argparse.Namespace) -> tuple[Contig, list[Site]]:
    """Return the contig and its TSS, each named train or test."""
    if arguments.simulated:
        (contig,) = simulate_genome(arguments.simulated, arguments.seed).contigs
        print(f"SIMULATED GENOME {contig.name}: the numbers say nothing about real bacteria")
        test = np.random.default_rng(arguments.seed).random(len(contig.tss)) < 0.2
        return contig, [
            Site(contig.name, position, strand, name="test" if held_out else "train")
            for (position, strand), held_out in zip(contig.tss, test, strict=True)
        ]
    data = Path(os.environ.get("GENOMIC_ULMFIT_DATA", "../shared"))
    (contig,) = read_genome(data / "genomes" / "NC_000913.3.gbk.gz").contigs
    return contig, read_truth(data / "external" / "NC_000913.3_tss.bed")


def training_windows(
    contig: Contig,
    train: list[Site],
    shown: list[Site],
    arguments: argparse.Namespace,
    rng: np.random.Generator,
) -> tuple[list[Codes], list[int]]:
    """Cut windows around TSS, and at places of either strand away from all training TSS."""
    windows = [cut(contig, site.position, site.strand, arguments) for site in shown]
    labels = [1] * len(windows)
    known = {
        strand: np.array(sorted(s.position for s in train if s.strand == strand))
        for strand in (1, -1)
    }
    while len(labels) < len(shown) * (1 + arguments.negatives):
        if rng.random() < NEAR_SHARE:
            site = shown[int(rng.integers(len(shown)))]
            strand = site.strand
            place = site.position + int(rng.choice([1, -1]) * rng.integers(*NEAR))
        else:
            strand, place = int(rng.choice([1, -1])), int(rng.integers(len(contig)))
        if np.abs(known[strand] - place).min() > arguments.tolerance:
            windows.append(cut(contig, place, strand, arguments))
            labels.append(0)
    usable = [w is not None and not (w == AMBIGUOUS).any() for w in windows]
    return (
        [w for w, good in zip(windows, usable, strict=True) if good],
        [y for y, good in zip(labels, usable, strict=True) if good],
    )


def cut(contig: Contig, tss: int, strand: int, arguments: argparse.Namespace) -> Codes | None:
    length = arguments.upstream + arguments.downstream
    begin = tss - (arguments.upstream if strand > 0 else arguments.downstream - 1)
    return contig.window(begin, begin + length, strand)


def plain_scanners(
    contig: Contig,
    region: tuple[int, int],
    train: list[Site],
    shown: list[Site],
    windows: list[Codes],
    labels: list[int],
    arguments: argparse.Namespace,
) -> Iterator[tuple[str, list[Site]]]:
    n_random = len(contig) // MIN_DISTANCE
    yield "random places", called(contig, region, random_places(contig, n_random, arguments.seed))

    yield "gene starts", called(contig, region, gene_starts(contig, usual_leader(contig, shown)))

    letters = [decode(window) for window in windows]
    positives = [s for s, label in zip(letters, labels, strict=True) if label]
    matrix = PromoterMatrix.fit(positives, arguments.upstream)
    yield (
        "boxes (matrix)",
        called(
            contig,
            region,
            {
                strand: forward(contig, strand, score_all(matrix, contig, strand))
                for strand in (1, -1)
            },
        ),
    )

    regression = OneHotRegression(arguments.seed)
    regression.fit(letters, labels)
    yield (
        "one-hot regression",
        called(
            contig,
            region,
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


def usual_leader(contig: Contig, shown: list[Site]) -> int:
    """Return the median distance from a training TSS to the start codon behind it."""
    starts = {
        1: np.array(sorted(gene.start for gene in contig.genes if gene.strand > 0)),
        -1: np.array(sorted(gene.end - 1 for gene in contig.genes if gene.strand < 0)),
    }
    distances = []
    for site in shown:
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


def called(contig: Contig, region: tuple[int, int], places: dict[int, Places]) -> list[Site]:
    """Suppress neighbours; no threshold, for the curve is over all of them."""
    calls = []
    for strand, (positions, scores) in places.items():
        inside = (positions >= region[0]) & (positions < region[1]) & np.isfinite(scores)
        positions, scores = positions[inside], scores[inside]
        for index in suppress(positions, scores, MIN_DISTANCE):
            calls.append(Site(contig.name, int(positions[index]), strand, float(scores[index])))
    return calls


def train_model(
    windows: list[Codes], labels: list[int], arguments: argparse.Namespace
) -> Classifier:
    encoder = None if arguments.encoder == "none" else load_language_model(arguments.encoder)
    architecture = encoder.encoder.config if encoder else preset(arguments.preset)
    recipe = recipe_for(encoder)
    if arguments.head_only:
        recipe = replace(recipe, stages=recipe.stages[:1])
    config = classifier_config(windows, labels, architecture)
    model, _ = fine_tune(
        windows, np.array(labels), config, recipe, encoder=encoder, seed=arguments.seed
    )
    return model


def scan_with(
    model: Classifier, contig: Contig, region: tuple[int, int], arguments: argparse.Namespace
) -> list[Site]:
    settings = make_settings(model, anchor=arguments.upstream, step=STEP)
    pieces = list(scan(model, [Interval(contig, *region)], settings))
    return called(
        contig,
        region,
        {
            strand: Places(
                *(np.concatenate([piece.strands[strand][i] for piece in pieces]) for i in (0, 1))
            )
            for strand in (1, -1)
        },
    )


def report(
    results: dict[str, ScanScores], arguments: argparse.Namespace, contig: Contig
) -> dict[str, object]:
    settings = {
        key: str(value) if isinstance(value, Path) else value
        for key, value in vars(arguments).items()
    }
    return {
        "contig": contig.name,
        "settings": settings,
        "scanners": {name: scores.to_dict() for name, scores in results.items()},
    }


if __name__ == "__main__":
    main()
