"""Train on one species, test on the others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from genomic_ulmfit.evaluation.metrics import evaluate_predictions
from genomic_ulmfit.files import write_json
from genomic_ulmfit.reports.cross_species import draw_heat_map
from genomic_ulmfit.studies.external import ENCODER, METRICS, Bench


def cross_species(
    folder: str | Path,
    out: str | Path,
    *,
    encoder: str | Path,
    model: str = ENCODER,
    seed: int = 0,
    say: Callable[[str], None] = print,
    progress: bool = True,
) -> dict[str, Any]:
    """Train a model on each table of a folder and test it on all of them.

    Parameters
    ----------
    folder, out, encoder, seed, say, progress
        As in `genomic_ulmfit.studies.external.external`, with which it shares its cells: what has
        been trained there is not trained again.
    model : str
        "encoder", "bases" (the same recipe without one) or the name of a baseline.

    Returns
    -------
    dict
        As written to ``cross_species_MODEL.json``, beside a heat map of AUROC as PNG and SVG:
        names, and for each metric a matrix with a row per training set and a column per test
        set; null where lengths or classes differ, or the model does not take such sequences.
    """
    bench = Bench.of(folder, out, encoder, seed, progress)
    names = [dataset.name for dataset in bench.datasets]
    matrices: dict[str, list[list[float | None]]] = {name: [] for name in METRICS}
    for trained in bench.datasets:
        probabilities: dict[str, Any] = {}
        if model in trained.models:
            probabilities = bench.cell(trained, model, bench.datasets, say)["probabilities"]
        else:
            say(f"{trained.name}: {model} takes sequences of one length; its row stays empty.")
        rows: dict[str, list[float | None]] = {name: [] for name in METRICS}
        for tested in bench.datasets:
            predicted = probabilities.get(tested.name) if tested.takes(trained) else None
            if predicted is None:
                for row in rows.values():
                    row.append(None)
                continue
            result = evaluate_predictions(
                tested.test_targets, np.array(predicted), [str(c) for c in tested.classes]
            )
            for name, row in rows.items():
                row.append(getattr(result, name).value)
        for name, row in rows.items():
            matrices[name].append(row)
    results = {
        **bench.facts(),
        "model": model,
        "names": names,
        "n_test": [len(dataset.test) for dataset in bench.datasets],
        **matrices,
    }
    write_json(Path(out) / f"cross_species_{model}.json", results)
    draw_heat_map(results).save(Path(out) / "figures")
    return results
