"""The seed's three-model table, with baselines, intervals and a split that does not leak.

Every cell (protocol, model, seed) is written to a file of its own when it is done, so that an
interrupted study goes on where it stopped.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import genomic_ulmfit
from genomic_ulmfit.data.promoters import promoter_table
from genomic_ulmfit.data.splits import Leakage, leakage, split_seed, split_strict
from genomic_ulmfit.dna.genome import Genome
from genomic_ulmfit.dna.readers import read_genome
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.evaluation.baselines import BASELINES
from genomic_ulmfit.evaluation.metrics import (
    evaluate_predictions,
    paired_bootstrap_difference,
    paired_difference,
)
from genomic_ulmfit.files import file_sha256, require_writable, write_json
from genomic_ulmfit.models.config import preset as preset_config
from genomic_ulmfit.models.prediction import predict_probabilities
from genomic_ulmfit.models.store import load_language_model
from genomic_ulmfit.reports.report import write_report
from genomic_ulmfit.reports.results import Comparison, StudyResults, json_ready, summarise
from genomic_ulmfit.studies.genome_source import GenomeSource
from genomic_ulmfit.training.finetuning import fine_tune
from genomic_ulmfit.training.finetuning_job import (
    classifier_config,
    encode_all,
    recipe_for,
    targets_of,
)
from genomic_ulmfit.training.pretraining import CHECKPOINT
from genomic_ulmfit.training.pretraining_job import (
    INFORMED_RANDOM,
    PretrainingResult,
    pretrain_genomes,
    read_pretraining_result,
)

PROTOCOLS: dict[str, Callable[..., pd.DataFrame]] = {"strict": split_strict, "seed": split_seed}


@dataclass(frozen=True)
class Network:
    """How one of the network rows is trained: from the encoder or not, under which head."""

    pretrained: bool
    head: str


NETWORKS = {
    "naive": Network(pretrained=False, head="position"),
    "e_coli": Network(pretrained=True, head="position"),
    "e_coli_seed_head": Network(pretrained=True, head="pooling"),
}
COMPARED = (
    ("e_coli", "naive"),
    ("e_coli", "onehot_lr"),
    ("e_coli", "cnn"),
    ("e_coli", "e_coli_seed_head"),
    ("naive", "onehot_lr"),
)
COMPARED_METRICS = ("accuracy", "mcc")


@dataclass(frozen=True)
class _Cell:
    """One trained model on one split."""

    protocol: str
    model: str
    seed: int

    def path(self, out: Path) -> Path:
        return out / "cells" / self.protocol / f"{self.model}-{self.seed}.json"


def reproduce(
    source: GenomeSource,
    out: str | Path,
    *,
    preset: str = "small",
    n_seeds: int = 3,
    first_seed: int = 0,
    command: str = "",
    say: Callable[[str], None] = print,
    progress: bool = True,
) -> StudyResults:
    """Run the study, or what is left of it, and write its report.

    Parameters
    ----------
    source : GenomeSource
        Annotated genome.
    out : path-like
        Folder for everything: the encoder, one file per cell, results, tables, figures, report.
    preset : {"tiny", "small", "paper"}
    n_seeds : int
        Each seed gives another split, other negatives and other trainings.
    first_seed : int
    command : str
        What the user typed, for the report.
    say : callable
        Takes a line about what is going on.
    progress : bool
        Whether to draw progress bars.

    Returns
    -------
    StudyResults
        As written to ``results.json``.

    Raises
    ------
    InputError
        If `out` holds a study with other settings, or the genome cannot be used.
    """
    out = Path(out)
    require_writable(out)
    preset_config(preset)
    if n_seeds < 1:
        raise InputError(f"--seeds: got {n_seeds}, allowed is 1 or more.")
    seeds = list(range(first_seed, first_seed + n_seeds))
    genome = read_genome(source.path)
    genome.require_genes()
    sha256 = file_sha256(source.path)
    _check_settings(out, {"preset": preset, "genome_sha256": sha256})

    encoder_folder = out / "encoder"
    pretraining = _pretrain(source, encoder_folder, preset, first_seed, say, progress)
    # Probed once: a rerun under another load must not come to another answer halfway.
    precision = pretraining.training["precision"]
    tables = _Tables(genome)
    cells = [
        _Cell(protocol, model, seed)
        for protocol in PROTOCOLS
        for seed in seeds
        for model in (*BASELINES, *NETWORKS)
    ]
    done: dict[_Cell, dict[str, Any]] = {}
    for number, cell in enumerate(cells, start=1):
        path = cell.path(out)
        if path.exists():
            done[cell] = json.loads(path.read_text(encoding="utf-8"))
        else:
            say(f"{number}/{len(cells)}: {cell.model}, protocol {cell.protocol}, seed {cell.seed}")
            table = tables.of(cell.protocol, cell.seed)
            done[cell] = _run(cell, table, encoder_folder, preset, precision, progress)
            write_json(path, done[cell])
        say(
            f"{number}/{len(cells)}: {cell.model}, protocol {cell.protocol}, seed {cell.seed}: "
            f"accuracy {done[cell]['row']['accuracy']:.4f}"
        )

    rows = [result["row"] for result in done.values()]
    results: StudyResults = {
        "title": "Promoters and other DNA: what language-model pretraining buys",
        "command": command,
        "version": genomic_ulmfit.__version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "preset": preset,
        "seeds": seeds,
        "genome": {
            "name": genome.name,
            "n_bases": genome.n_bases,
            "n_genes": genome.n_genes,
            "sha256": sha256,
            "simulated": genome.simulated,
            "source": source.source,
        },
        "machine": {
            "cpu": _processor(),
            "cores": len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else (os.cpu_count() or 1),
            "precision": precision,
            "torch": torch.__version__,
        },
        "rows": rows,
        "summary": summarise(rows),
        "comparisons": list(_comparisons(done, seeds)),
        "leakage": {
            protocol: _leakage_facts(leakage(tables.of(protocol, seeds[0])))
            for protocol in PROTOCOLS
        },
        "language_model": {
            "name": "e_coli",
            "epochs": pretraining.training["recipe"]["epochs"],
            **pretraining.report.to_dict(),  # type: ignore[typeddict-item]
            "informed_random_bits_per_base": INFORMED_RANDOM,
            "markov_bits_per_base": pretraining.training["markov_bits_per_base"],
        },
        "curves": [
            {
                "model": cell.model,
                "protocol": cell.protocol,
                "seed": cell.seed,
                "points": result["curve"],
            }
            for cell, result in done.items()
            if result["curve"]
        ],
        "notes": [
            *genome.notes,
            *tables.of("strict", seeds[0]).attrs["notes"],
            "The language model has read the genome, test windows included, but without labels "
            "and except for its held-out regions.",
            "Each seed draws its own split, negatives, weights and batches; the language model "
            "is trained once.",
        ],
    }
    predictions = {
        (model, protocol): [
            (
                np.array(done[_Cell(protocol, model, seed)]["labels"]),
                np.array(done[_Cell(protocol, model, seed)]["probabilities"]),
            )
            for seed in seeds
        ]
        for protocol in PROTOCOLS
        for model in (*BASELINES, *NETWORKS)
    }
    results = json_ready(results)
    write_report(results, predictions, out)
    return results


class _Tables:
    """Labelled tables, one per protocol and seed, made when first asked for."""

    def __init__(self, genome: Genome) -> None:
        self.genome = genome
        self.tables: dict[tuple[str, int], pd.DataFrame] = {}

    def of(self, protocol: str, seed: int) -> pd.DataFrame:
        key = (protocol, seed)
        if key not in self.tables:
            windows = promoter_table(self.genome, seed=seed)
            self.tables[key] = PROTOCOLS[protocol](windows, seed=seed)
        return self.tables[key]


def _pretrain(
    source: GenomeSource,
    folder: Path,
    preset: str,
    seed: int,
    say: Callable[[str], None],
    progress: bool,
) -> PretrainingResult:
    if not (folder / "config.json").exists():
        say("language model of the genome")
        pretrain_genomes(
            [source.path],
            folder,
            preset=preset,
            seed=seed,
            resume=(folder / CHECKPOINT).exists(),
            progress=progress,
        )
    result = read_pretraining_result(folder)
    say(
        f"language model: {result.report.bits_per_base:.4f} bits per base; best Markov model "
        f"{result.best_markov[1]:.4f}"
    )
    return result


def _run(
    cell: _Cell,
    table: pd.DataFrame,
    encoder_folder: Path,
    preset: str,
    precision: str,
    progress: bool,
) -> dict[str, Any]:
    """Train and test one cell."""
    train, valid, test = (table[table["split"] == s] for s in ("train", "valid", "test"))
    start = time.perf_counter()
    curve: list[dict[str, Any]] = []
    if cell.model in BASELINES:
        baseline = BASELINES[cell.model](cell.seed)
        baseline.fit(train["sequence"].tolist(), train["label"].tolist())
        probabilities = baseline.predict_proba(test["sequence"].tolist())
        labels = test["label"].to_numpy()
    else:
        network = NETWORKS[cell.model]
        encoder = load_language_model(encoder_folder) if network.pretrained else None
        codes = encode_all(train)
        config = classifier_config(
            codes, train["label"].to_numpy(), preset_config(preset), network.head
        )
        model, curve = fine_tune(
            codes,
            targets_of(train["label"], config),
            config,
            recipe_for(encoder),
            encoder=encoder,
            valid=(encode_all(valid), targets_of(valid["label"], config)),
            seed=cell.seed,
            precision=precision,
            progress=progress,
        )
        probabilities = predict_probabilities(model, encode_all(test), precision=precision)
        labels = targets_of(test["label"], config)
    seconds = time.perf_counter() - start
    scores = evaluate_predictions(labels, probabilities, ("other", "promoter"))
    metrics = ("accuracy", "precision", "recall", "specificity", "mcc", "auroc", "auprc")
    return json_ready(
        {
            "row": {
                "model": cell.model,
                "protocol": cell.protocol,
                "seed": cell.seed,
                **{name: getattr(scores, name).value for name in metrics},
                "n_test": scores.n,
                "seconds": round(seconds, 1),
            },
            "curve": curve,
            "labels": np.asarray(labels).tolist(),
            "probabilities": np.asarray(probabilities)[:, 1].round(6).tolist(),
        }
    )


def _comparisons(done: dict[_Cell, dict[str, Any]], seeds: list[int]) -> Iterator[Comparison]:
    """Compare models over seeds, and over test sequences."""
    for protocol in PROTOCOLS:
        for a, b in COMPARED:
            left = [done[_Cell(protocol, a, seed)] for seed in seeds]
            right = [done[_Cell(protocol, b, seed)] for seed in seeds]
            for metric in COMPARED_METRICS:
                over_sequences = paired_bootstrap_difference(
                    [np.array(one["labels"]) for one in left],
                    [_two_columns(one) for one in left],
                    [_two_columns(one) for one in right],
                    metric=metric,
                )
                estimates = {"test sequences, paired bootstrap": over_sequences}
                if len(seeds) > 1:
                    estimates["seeds, paired t"] = paired_difference(
                        [one["row"][metric] for one in left],
                        [one["row"][metric] for one in right],
                    )
                for method, (value, low, high) in estimates.items():
                    yield {
                        "a": a,
                        "b": b,
                        "protocol": protocol,
                        "metric": metric,  # type: ignore[typeddict-item]
                        "difference": value,
                        "low": low,
                        "high": high,
                        "method": method,
                    }


def _two_columns(result: dict[str, Any]) -> np.ndarray:
    positive = np.array(result["probabilities"])
    return np.column_stack([1 - positive, positive])


def _leakage_facts(measured: Leakage) -> dict[str, Any]:
    return {
        "n_test": measured.test.n,
        "test_sharing_15mer_with_train": measured.test.homologous,
        "test_overlapping_train": measured.test.overlapping,
        "share": measured.test.share,
    }


def _check_settings(out: Path, settings: dict[str, Any]) -> None:
    """Note the study's settings in `out`, or refuse to mix it with another."""
    path = out / "study.json"
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))
        if found != settings:
            differing = [name for name in settings if found.get(name) != settings[name]]
            raise InputError(
                f"--out: {out} holds a study with another {' and '.join(differing)}; name another "
                "folder, or repeat the command that began it."
            )
    else:
        write_json(path, settings)


def _processor() -> str:
    """Name the processor, as far as the system tells."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
