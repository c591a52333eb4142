"""The seed's three-model table, with baselines, intervals and a split that does not leak."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import genomic_ulmfit
from genomic_ulmfit.data.splits import Leakage, leakage
from genomic_ulmfit.dna.readers import read_genome
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.evaluation.baselines import BASELINES
from genomic_ulmfit.evaluation.estimates import paired_difference
from genomic_ulmfit.evaluation.metrics import paired_bootstrap_difference
from genomic_ulmfit.files import file_sha256, require_writable
from genomic_ulmfit.models.config import preset as preset_config
from genomic_ulmfit.models.pretrained import PretrainedEncoder
from genomic_ulmfit.reports.names import WITHOUT_ENCODER
from genomic_ulmfit.reports.numbers import duration, json_ready
from genomic_ulmfit.reports.reproduction.report import write_report
from genomic_ulmfit.reports.reproduction.results import (
    Comparison,
    Curve,
    Machine,
    StudyResults,
    summarise,
)
from genomic_ulmfit.studies.cells import (
    NETWORKS,
    PROTOCOLS,
    Cell,
    Tables,
    run_cell,
    seconds_left,
)
from genomic_ulmfit.studies.encoders import (
    Encoders,
    choose_encoders,
    language_model_facts,
    trained_encoder,
)
from genomic_ulmfit.studies.genome_source import GenomeSource
from genomic_ulmfit.studies.kept import kept
from genomic_ulmfit.studies.settings import settle
from genomic_ulmfit.training.classifier_card import described
from genomic_ulmfit.training.recipes import recipe_by_labels

COMPARED = (
    ("ensemble", "e_coli"),
    ("ensemble", "naive"),
    ("ensemble", WITHOUT_ENCODER),
    ("ensemble", "onehot_lr"),
    ("ensemble", "cnn"),
    ("ensemble", "ensemble_seed_head"),
    ("ensemble_seed_head", "e_coli_seed_head"),
    ("e_coli", "naive"),
    ("e_coli", WITHOUT_ENCODER),
    ("e_coli", "onehot_lr"),
    ("e_coli", "cnn"),
    ("e_coli", "e_coli_seed_head"),
    ("naive", "onehot_lr"),
)
COMPARED_METRICS = ("accuracy", "mcc")

QUICK_MODELS = (*BASELINES, WITHOUT_ENCODER, "naive", "e_coli", "ensemble")


def reproduce(
    source: GenomeSource,
    out: str | Path,
    *,
    preset: str = "small",
    n_seeds: int | None = None,
    first_seed: int = 0,
    protocol: str = "both",
    quick: bool = False,
    pretrain: bool = False,
    ensemble: str | Path | None = None,
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
        Folder for everything: an encoder trained on the genome, one file per cell, results,
        tables, figures, report.
    preset : {"tiny", "small", "paper"}
    n_seeds : int, optional
        Each seed gives another split, other negatives and other trainings. 3 if not given, 1
        if `quick`.
    first_seed : int
    protocol : {"both", "strict", "seed"}
    quick : bool
        Strict protocol only, without the seed's head, and with the shipped encoders whatever the
        genome.
    pretrain, ensemble
        As in `choose_encoders`.
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
        If `out` holds a study with other settings, or the genome or encoder cannot be used.
    """
    out = Path(out)
    require_writable(out)
    preset_config(preset)
    if n_seeds is None:
        n_seeds = 1 if quick else 3
    if n_seeds < 1:
        raise InputError(f"--seeds: got {n_seeds}, allowed is 1 or more.")
    if protocol not in ("both", *PROTOCOLS):
        raise InputError(
            f"--protocol: got {protocol!r}, allowed are both, {' and '.join(PROTOCOLS)}."
        )
    if quick and protocol == "seed":
        raise InputError(
            "--protocol seed: --quick looks at the strict protocol alone; leave one of them out."
        )
    seeds = list(range(first_seed, first_seed + n_seeds))
    genome = read_genome(source.path)
    genome.require_genes()
    sha256 = file_sha256(source.path)
    chosen = choose_encoders(
        genome, sha256, preset, quick=quick, pretrain=pretrain, ensemble=ensemble
    )
    precision = settle(
        out,
        {
            "preset": preset,
            "genome_sha256": sha256,
            "quick": quick,
            "encoders": _names_of(chosen),
        },
    )

    encoders = {
        row: encoder or trained_encoder(source, out / "encoder", preset, precision, say, progress)
        for row, encoder in chosen.items()
    }
    language_models = [
        language_model_facts(row, encoder, genome, sha256) for row, encoder in encoders.items()
    ]
    for facts in language_models:
        say(
            f"{facts['name']}: starts from {facts['encoder']}, {facts['bits_per_base']:.4f} bits "
            "per base of held-out sequence"
        )
    if "ensemble" not in encoders:
        say(f"no ensemble rows: no ensemble encoder of preset {preset} is at hand (--ensemble)")
    protocols = ["strict"] if quick else [protocol] if protocol in PROTOCOLS else list(PROTOCOLS)
    models = [
        model
        for model in (*BASELINES, WITHOUT_ENCODER, *NETWORKS)
        if (model not in NETWORKS or NETWORKS[model].encoder in (None, *encoders))
        and (model in QUICK_MODELS or not quick)
    ]
    tables = Tables(genome)
    cells = [
        Cell(protocol, model, seed) for protocol in protocols for seed in seeds for model in models
    ]
    done = _run_cells(cells, tables, encoders, out, preset, precision, say, progress)
    rows = [result["row"] for result in done.values()]
    results: StudyResults = {
        "title": "Promoters and other DNA: what language-model pretraining buys"
        + (" (quick run)" if quick else ""),
        "command": command,
        "version": genomic_ulmfit.__version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "preset": preset,
        "quick": quick,
        "seeds": seeds,
        "genome": {
            "name": genome.name,
            "n_bases": genome.n_bases,
            "n_genes": genome.n_genes,
            "sha256": sha256,
            "simulated": genome.simulated,
            "source": source.source,
        },
        "machine": _machine(precision),
        "rows": rows,
        "summary": summarise(rows),
        "comparisons": list(_comparisons(done, protocols, models, seeds)),
        "leakage": {
            protocol: _leakage_facts(leakage(tables.of(protocol, seeds[0])))
            for protocol in protocols
        },
        "language_models": language_models,
        "curves": _curves(done),
        "notes": [
            *genome.notes,
            *tables.of(protocols[0], seeds[0]).attrs["notes"],
            *_how_models_are_made(tables.of(protocols[0], seeds[0])),
        ],
    }
    results = json_ready(results)
    write_report(results, _predictions(done, protocols, models, seeds), out)
    return results


def _how_models_are_made(table: pd.DataFrame) -> Iterator[str]:
    """Say what stands behind the rows, for one table with a split."""
    n_train = int((table["split"] == "train").sum())
    pretrained, naive = (
        described(recipe_by_labels(n_train, pretrained=start, one_length=True), pretrained=start)
        for start in (True, False)
    )
    yield (
        "Each seed draws its own split, negatives, weights and batches; a language model is "
        "trained once and is the same for all."
    )
    yield (
        f"Pretrained models are what `train` makes of {n_train:,} labels: {pretrained}. The "
        "encoder is left as it is. The recipe without an encoder is what of this needs none, its "
        f"probe one of the bases alone. The naive model is {naive}. Models with the seed's head "
        "are what `train --head pooling` makes: pooled hidden states, the encoder fine-tuned."
    )


def _run_cells(
    cells: Sequence[Cell],
    tables: Tables,
    encoders: dict[str, PretrainedEncoder],
    out: Path,
    preset: str,
    precision: str,
    say: Callable[[str], None],
    progress: bool,
) -> dict[Cell, dict[str, Any]]:
    """Read the cells that are there and run the others, each of which is kept when it is done."""

    def make(number: int, cell: Cell) -> dict[str, Any]:
        say(f"{number}/{len(cells)}: {cell}")
        network = NETWORKS.get(cell.model)
        return run_cell(
            cell,
            tables.of(cell.protocol, cell.seed),
            encoders[network.encoder] if network and network.encoder else None,
            preset=preset,
            precision=precision,
            progress=progress,
        )

    done: dict[Cell, dict[str, Any]] = {}
    for number, cell in enumerate(cells, start=1):
        done[cell] = kept(cell.path(out), partial(make, number, cell))
        told = f"accuracy {done[cell]['row']['accuracy']:.4f}"
        # Most of what is ahead may be there already, after an interruption.
        left = seconds_left(done, [one for one in cells[number:] if not one.path(out).exists()])
        if left:
            told += f"; about {duration(left)} left"
        say(f"{number}/{len(cells)}: {cell}: {told}")
    return done


def _curves(done: dict[Cell, dict[str, Any]]) -> list[Curve]:
    """Return the training curves; a probe and the baselines have none."""
    return [
        {
            "model": cell.model,
            "protocol": cell.protocol,
            "seed": cell.seed,
            "points": result["curve"],
        }
        for cell, result in done.items()
        if result["curve"]
    ]


def _predictions(
    done: dict[Cell, dict[str, Any]],
    protocols: Sequence[str],
    models: Sequence[str],
    seeds: Sequence[int],
) -> dict[tuple[str, str], list[tuple[np.ndarray, np.ndarray]]]:
    """Return labels and probabilities of the test sequences, seed by seed."""
    return {
        (model, protocol): [
            (np.array(result["labels"]), np.array(result["probabilities"]))
            for result in (done[Cell(protocol, model, seed)] for seed in seeds)
        ]
        for protocol in protocols
        for model in models
    }


def _machine(precision: str) -> Machine:
    counted = hasattr(os, "sched_getaffinity")  # Not on macOS and Windows.
    return {
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)) if counted else os.cpu_count() or 1,
        "precision": precision,
        "torch": torch.__version__,
    }


def _names_of(encoders: Encoders) -> dict[str, dict[str, str | None]]:
    return {
        row: {
            "name": "trained on the genome" if encoder is None else encoder.name,
            "sha256": None if encoder is None else encoder.sha256,
        }
        for row, encoder in encoders.items()
    }


def _comparisons(
    done: dict[Cell, dict[str, Any]],
    protocols: Sequence[str],
    models: Sequence[str],
    seeds: Sequence[int],
) -> Iterator[Comparison]:
    """Compare models over seeds, and over test sequences."""
    for protocol in protocols:
        for a, b in COMPARED:
            if a not in models or b not in models:
                continue
            left = [done[Cell(protocol, a, seed)] for seed in seeds]
            right = [done[Cell(protocol, b, seed)] for seed in seeds]
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


def _processor() -> str:
    """Name the processor, as far as the system tells."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
