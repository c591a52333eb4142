"""Made-up results of a study, with what each test needs to vary."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import (
    average_precision_score,
    matthews_corrcoef,
    precision_score,
    recall_score,
    roc_auc_score,
)

from genomic_ulmfit.reports.reproduction.results import summarise

SHIFTS = {
    "naive": 3.0,
    "e_coli_seed_head": 3.5,
    "e_coli": 4.4,
    "words": 4.1,
    "onehot_lr": 3.9,
    "kmer_lr": 1.8,
    "cnn": 3.8,
}
ENSEMBLE_SHIFTS = {"ensemble_seed_head": 4.2, "ensemble": 4.7}


def _row(model: str, protocol: str, seed: int, labels: Any, values: Any) -> dict[str, Any]:
    called = (values > 0.5).astype(int)
    return {
        "model": model,
        "protocol": protocol,
        "seed": seed,
        "accuracy": float((called == labels).mean()),
        "precision": float(precision_score(labels, called)),
        "recall": float(recall_score(labels, called)),
        "specificity": float(recall_score(1 - labels, 1 - called)),
        "mcc": float(matthews_corrcoef(labels, called)),
        "auroc": float(roc_auc_score(labels, values)),
        "auprc": float(average_precision_score(labels, values)),
        "n_test": len(labels),
        "seconds": 0.3 if model.endswith("_lr") else 400.0 + 10 * seed,
    }


def _curve(model: str, protocol: str, seed: int) -> dict[str, Any]:
    pretrained = model.startswith(("e_coli", "ensemble"))
    stages = ["head", "last", "two", "all"] if pretrained else ["all"]
    points = []
    for epoch in range(1, 13):
        points.append(
            {
                "step": epoch * 20,
                "epoch": float(epoch),
                "stage": stages[min((epoch - 1) // 3, len(stages) - 1)],
                "train_loss": (0.7 if protocol == "strict" else 0.8) * math.exp(-epoch / 5) + 0.06,
                "valid_loss": 0.65 * math.exp(-epoch / 4) + 0.08 + 0.005 * seed,
                "valid_accuracy": 0.97
                - 0.4 * math.exp(-epoch / 3)
                - (0.002 if protocol == "strict" else 0.006) * seed,
            }
        )
    return {"model": model, "protocol": protocol, "seed": seed, "points": points}


def _language_model(genome: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "e_coli",
        "encoder": "encoder",
        "sha256": "e" * 64,
        "shipped": False,
        "genomes": [{name: genome[name] for name in ("name", "n_bases", "simulated")}],
        "has_read_genome": True,
        "windows_cut": 0,
        "epochs": 4,
        "tokens": 16_700_000,
        "seconds": 790.0,
        "loss": 2.578,
        "accuracy": 0.162,
        "perplexity": math.exp(2.578),
        "bits_per_base": 2.578 / (2 * math.log(2)),
        "bits_per_base_on_genome": 2.578 / (2 * math.log(2)),
        "informed_random_bits_per_base": 2.0,
        "markov_bits_per_base": {"2": 1.958, "5": 1.931, "11": 1.915},
        "curve": [
            {
                "tokens": 400_000 * step,
                "train_loss": 2.60 + 0.35 * math.exp(-step / 6),
                "valid_loss": 2.575 + 0.25 * math.exp(-step / 8) if step % 10 == 0 else None,
            }
            for step in range(1, 42)
        ],
    }


def _ensemble_language_model() -> dict[str, Any]:
    """The shipped one, of three real genomes."""
    read = [("NC_000913.3", 4_641_652), ("NC_000964.3", 4_215_606), ("NC_002516.2", 6_264_404)]
    own = {"name": read[0][0], "n_bases": read[0][1], "simulated": False}
    return _language_model(own) | {
        "name": "ensemble",
        "encoder": "bacteria",
        "sha256": "b" * 64,
        "shipped": True,
        "genomes": [{"name": n, "n_bases": bases, "simulated": False} for n, bases in read],
        "epochs": 1.5,
        "loss": 2.55,
        "bits_per_base": 2.55 / (2 * math.log(2)),
        "bits_per_base_on_genome": 1.8,
        "markov_bits_per_base": {"2": 1.96, "11": 1.93},
    }


def _study(
    seeds: tuple[int, ...] = (0, 1, 2),
    ensemble: bool = False,
    quick: bool = False,
    **genome: Any,
) -> tuple[Any, Any]:
    rows, predictions = [], {}
    shifts = {**SHIFTS, **(ENSEMBLE_SHIFTS if ensemble else {})}
    rivals = [
        ("e_coli", other, difference)
        for other, difference in (("naive", 0.051), ("onehot_lr", 0.011), ("cnn", 0.015))
    ]
    if ensemble:
        rivals = [("ensemble", other, 0.004 + d) for _, other, d in rivals] + rivals
        rivals.insert(0, ("ensemble", "e_coli", 0.004))
    facts = {
        "name": "NC_000913.3",
        "n_bases": 4_641_652,
        "n_genes": 4319,
        "sha256": "0123456789abcdef" * 4,
        "simulated": False,
        "source": "a file given by --genome",
        **genome,
    }
    for protocol, n_test in (("strict", 1200), ("seed", 830)):
        for model, shift in shifts.items():
            runs = []
            for seed in seeds:
                rng = np.random.default_rng([seed, len(model), n_test])
                labels = np.arange(n_test) % 2
                logits = (shift + 0.15 * rng.standard_normal()) * (
                    labels - 0.5
                ) + rng.standard_normal(n_test)
                values = 1 / (1 + np.exp(-shift * logits))
                runs.append((labels, values))
                rows.append(_row(model, protocol, seed, labels, values))
            predictions[model, protocol] = runs
    comparisons = [
        {
            "a": one,
            "b": other,
            "protocol": protocol,
            "metric": metric,
            "difference": difference,
            "low": difference - reach,
            "high": difference + reach,
            "method": method,
        }
        for protocol in ("strict", "seed")
        for one, other, difference in rivals
        for metric in ("accuracy", "mcc")
        for method, reach in (
            ("test sequences, paired bootstrap", 0.009),
            ("seeds, paired t", 0.013),
        )
    ]
    results = {
        "title": "Promoters of one genome, with and without pretraining",
        "command": "genomic-ulmfit reproduce --genome genome.gbk --out results --seeds 3",
        "version": "0.1.0",
        "created": "2025-01-02T03:04:05+00:00",
        "preset": "small",
        "quick": quick,
        "seeds": list(seeds),
        "genome": facts,
        "machine": {"cpu": "a processor", "cores": 2, "precision": "bf16", "torch": "2.8.0"},
        "rows": rows,
        "summary": summarise(rows),
        "comparisons": comparisons,
        "leakage": {
            "strict": {"test_sharing_15mer_with_train": 0, "n_test": 1200, "share": 0.0},
            "seed": {"test_sharing_15mer_with_train": 83, "n_test": 830, "share": 0.1},
        },
        "language_models": [
            _language_model(facts),
            *([_ensemble_language_model()] if ensemble else []),
        ],
        "curves": [
            _curve(model, protocol, seed)
            for model in ("naive", "e_coli", "e_coli_seed_head", "cnn", *list(shifts)[6:])
            for protocol in ("strict", "seed")
            for seed in seeds
        ],
        "notes": ["Two genes were left out: their start codon is not known."],
    }
    return results, predictions


@pytest.fixture(scope="session")
def make_study() -> Callable[..., tuple[Any, Any]]:
    """Make (results, predictions); keywords beyond the named replace facts of the genome."""
    return _study


@pytest.fixture(scope="session")
def study() -> tuple[Any, Any]:
    """Three seeds on a real genome; not to be changed."""
    return _study()


@pytest.fixture(scope="session")
def ensemble_study() -> tuple[Any, Any]:
    """The same with the ensemble's rows; not to be changed."""
    return _study(ensemble=True)


@pytest.fixture(scope="session")
def simulated_study() -> tuple[Any, Any]:
    """Two seeds on a simulated genome; not to be changed."""
    return _study(seeds=(0, 1), name="simulated-0", simulated=True)


@pytest.fixture(scope="session")
def single_study() -> tuple[Any, Any]:
    """One seed on a real genome; not to be changed."""
    return _study(seeds=(0,))
