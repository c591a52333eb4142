"""Tokens, fine-tuning, frozen features, and the commands `predict` and `scan`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from genomic_ulmfit.dna.alphabet import decode, encode
from genomic_ulmfit.models.awd_lstm import AWDLSTM
from genomic_ulmfit.models.classifier import Classifier
from genomic_ulmfit.models.config import preset
from genomic_ulmfit.models.language_model import LanguageModel
from genomic_ulmfit.models.precision import best_precision
from genomic_ulmfit.models.prediction import predict_probabilities
from genomic_ulmfit.models.pretrained import DEFAULT
from genomic_ulmfit.models.store import save_classifier
from genomic_ulmfit.training.by_labels import train_by_labels
from genomic_ulmfit.training.classifier_setup import (
    choose_encoder,
    classifier_config,
    encode_all,
    load_start,
    targets_of,
)
from genomic_ulmfit.training.features import frozen_states
from genomic_ulmfit.training.finetuning_recipe import PRETRAINED
from genomic_ulmfit.training.recipes import RECIPES, Recipe, config_by_recipe
from speed_rows import material
from speed_rows.commands import Ran, run_command, write_fasta
from speed_rows.row import Bench, Measurement, Row, rates

ANCHOR = 100


def tokenise(bench: Bench) -> Measurement:
    tokenizer = preset(bench.size).tokenizer
    codes = material.genome(bench).contigs[0].codes

    def work() -> float:
        tokenizer.tokenize(codes)
        return float(len(codes))

    return Measurement(rates(work, bench.repeats(9)), f"{len(codes):,} bases, one thread")


def training(bench: Bench, *, whole: bool) -> Measurement:
    """Train on all training windows of the genome.

    `whole` is what `genomic-ulmfit train` does with that many labels, perhaps with a probe beside
    the network; else a network is fine-tuned and nothing more.
    """
    table = material.promoters(bench)
    train, test = (table[table["split"] == part] for part in ("train", "test"))
    network = PRETRAINED
    if bench.quick:
        start, architecture = LanguageModel(AWDLSTM(preset(bench.size))), preset(bench.size)
        stages = tuple(replace(stage, min_steps=0) for stage in network.stages)
        network = replace(network, stages=stages)
    else:
        start, architecture = load_start(choose_encoder(DEFAULT, None), None)
    codes, precision = encode_all(train), best_precision()
    config = classifier_config(codes, train["label"].to_numpy(), architecture)
    targets = targets_of(train["label"], config)
    begun = time.perf_counter()
    model, _ = train_by_labels(
        codes,
        targets,
        config,
        None if whole else Recipe(None, network),
        encoder=start,
        precision=precision,
        progress=False,
    )
    seconds = time.perf_counter() - begun
    calls = predict_probabilities(model, encode_all(test), precision=precision).argmax(1)
    accuracy = float(np.mean(calls == targets_of(test["label"], config)))
    return Measurement(
        [seconds],
        f"{precision}, {len(train):,} sequences; accuracy {accuracy:.4f} on "
        f"{len(test):,} of the strict split",
        {"accuracy": accuracy, "n_train": len(train), "n_test": len(test)},
    )


def features(bench: Bench, size: str) -> Measurement:
    encoder = AWDLSTM(preset(size)).eval()
    count = 16 if bench.quick else 2048 if size == "small" else 512
    codes, precision = material.windows(bench, count), best_precision()

    def work() -> float:
        frozen_states(encoder, codes, precision=precision)
        return float(count * material.WINDOW)

    return Measurement(
        rates(work, bench.repeats(5)), f"{precision}, windows of {material.WINDOW} bases"
    )


def classifier_folder(bench: Bench) -> Path:
    """Write a classifier with random weights: speed does not depend on what it has learnt."""
    folder = bench.scratch / "classifier"
    if not folder.exists():
        write_classifier(folder, bench.size)
    return folder


def write_classifier(folder: Path, size: str) -> None:
    """Write one of the shape that `train` makes of thousands of windows."""
    torch.manual_seed(0)
    windows = [encode(material.random_letters(material.WINDOW, seed)) for seed in (0, 1)]
    config = classifier_config(windows, ["other", "promoter"], preset(size))
    config = config_by_recipe(config, RECIPES[-1][1])
    config = replace(config, with_probe=True, with_motifs=True)
    save_classifier(Classifier(config), folder, "Random weights.", {"anchor": ANCHOR})


def predicting(bench: Bench) -> Measurement:
    count = 50 if bench.quick else 10_000
    records = [
        (f"window_{number}", decode(codes))
        for number, codes in enumerate(material.windows(bench, count))
    ]
    fasta = write_fasta(bench.scratch / "windows.fasta", records)
    return command_rate(
        bench,
        count * material.WINDOW,
        lambda out: run_command("predict", classifier_folder(bench), fasta, "--out", out / "p.csv"),
        f"{count:,} sequences of {material.WINDOW} bases",
    )


def scanning(bench: Bench, mode: str) -> Measurement:
    size = {"dense": 1_000_000, "exact": 10_000}[mode] // (100 if bench.quick else 1)
    size = max(size, 1000)
    fasta = write_fasta(
        bench.scratch / f"{mode}.fasta", [("contig", material.random_letters(size))]
    )
    return command_rate(
        bench,
        size,
        # With the threshold given: calibrating it takes as long for a short genome as for a long.
        lambda out: run_command(
            "scan",
            classifier_folder(bench),
            fasta,
            *("--mode", mode, "--threshold", 0.99, "--out", out / mode),
        ),
        f"{size:,} bases of made-up DNA, both strands, threshold given",
    )


def command_rate(bench: Bench, bases: int, run: Callable[[Path], Ran], note: str) -> Measurement:
    """Time a whole command, from its start to its end."""
    out = bench.scratch / "out"
    out.mkdir(exist_ok=True)
    ran = [run(out) for _ in range(1 if bench.quick else 3)]
    megabytes = max(one.megabytes for one in ran)
    return Measurement(
        [bases / one.seconds for one in ran],
        f"whole command: {note}; peak memory {megabytes:,.0f} MB",
        {"peak_megabytes": megabytes, "cpu_seconds": [one.cpu_seconds for one in ran]},
    )


def rows(bench: Bench) -> list[Row]:
    return [
        Row("tokenise", "DNA to 5-mer tokens", "bp/s", tokenise),
        Row(
            "fine-tune",
            f"ULMFiT fine-tuning of a promoter classifier, `{bench.size}`, all stages",
            "s",
            lambda bench: training(bench, whole=False),
        ),
        Row(
            "train",
            f"what `genomic-ulmfit train` trains from as many labels, `{bench.size}`",
            "s",
            lambda bench: training(bench, whole=True),
        ),
        *(
            Row(
                f"features-{size}",
                f"frozen-feature extraction, `{size}`",
                "bp/s",
                lambda bench, size=size: features(bench, size),
            )
            for size in bench.sizes
        ),
        Row("predict", f"`genomic-ulmfit predict`, `{bench.size}`", "bp/s", predicting),
        *(
            Row(
                f"scan-{mode}",
                f"`genomic-ulmfit scan --mode {mode}`, `{bench.size}`",
                "bp/s",
                lambda bench, mode=mode: scanning(bench, mode),
            )
            for mode in ("dense", "exact")
        ),
    ]
