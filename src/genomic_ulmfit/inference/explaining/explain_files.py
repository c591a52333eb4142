"""Files of what `explain` found out: tables, arrays, and the names of all of them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from genomic_ulmfit.dna.alphabet import BASES, decode
from genomic_ulmfit.files import atomic_path
from genomic_ulmfit.inference.explaining.explanation import Explanation
from genomic_ulmfit.inference.explaining.profiles import (
    Average,
    Stretch,
    average,
    from_site,
    preferences,
    stretches_of_sequence,
)
from genomic_ulmfit.inference.explaining.variants import EFFECT_COLUMNS, Effect, effect_row
from genomic_ulmfit.inference.log_odds import probability

SUMMARY, PAGE = "explain.json", "report.html"
"""Names of files; the page is the last to be written, and says that all others are there."""

EFFECTS, POSITIONS, STRETCHES = "variants.tsv", "positions.tsv", "stretches.tsv"

LOGOS = "logos"
"""Folder of the pictures of single sequences."""


def write_explanation(out: Path, explanation: Explanation) -> None:
    """Write arrays and tables.

    Parameters
    ----------
    out : pathlib.Path
        Folder, which exists.
    explanation : Explanation
    """
    common = {
        "ids": np.array(explanation.ids),
        "sequences": np.array([decode(window) for window in explanation.windows]),
        "log_odds": explanation.log_odds,
        "probability": probability(explanation.log_odds),
    }
    if (found := explanation.mutagenesis) is not None:
        changed = probability(found.log_odds[:, None, None] + found.effects)
        _write_arrays(
            out / arrays_file("mutagenesis"),
            **common,
            log_odds_difference=found.effects,
            probability_difference=changed - probability(found.log_odds)[:, None, None],
            contributions=explanation.contributions["mutagenesis"],
        )
    if (gradient := explanation.attribution) is not None:
        _write_arrays(
            out / arrays_file("gradient"),
            **common,
            contributions=explanation.contributions["gradient"],
            baseline_log_odds=gradient.baseline,
        )
    if explanation.perturbations:
        arrays: dict[str, Any] = {}
        for one in explanation.perturbations:
            arrays[f"starts_{one.width}"] = one.starts
            arrays[f"log_odds_difference_{one.width}"] = one.effects
        _write_arrays(out / arrays_file("perturbation"), **common, **arrays)
    if explanation.average is not None:
        _write_positions(out / POSITIONS, explanation, explanation.average)
    _write_stretches(out / STRETCHES, explanation)


def arrays_file(method: str) -> str:
    """Return the name of the file of a method's arrays."""
    return f"{method}.npz"


def _write_arrays(path: Path, **arrays: Any) -> None:
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **arrays)


@contextmanager
def _table(path: Path, columns: Sequence[str]) -> Iterator[Callable[[Sequence[object]], object]]:
    """Give what writes a row of a tab-separated table, its header already written."""
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(columns)
        yield table.writerow


def _write_positions(path: Path, explanation: Explanation, found: Average) -> None:
    columns = ["index", "position", "base", "share", "contribution", "low", "high"]
    others = [method for method in explanation.contributions if method != explanation.main]
    columns += [f"contribution_by_{method}" for method in others]
    if explanation.mutagenesis is not None:
        columns += [f"preference_{base}" for base in BASES]
        preferred = preferences(explanation.mutagenesis.effects)
    means = [
        average(explanation.contributions[method], explanation.windows).mean for method in others
    ]
    with _table(path, columns) as write:
        for place, base in enumerate(found.consensus):
            mean, margin = found.mean[place], found.margin[place]
            row = [
                str(place),
                str(from_site(place, explanation.anchor)),
                base,
                _figure(found.shares[place, BASES.index(base)] if base in BASES else np.nan),
                _figure(mean),
                _figure(mean - margin),
                _figure(mean + margin),
                *(_figure(values[place]) for values in means),
            ]
            if explanation.mutagenesis is not None:
                row += [_figure(value) for value in preferred[place]]
            write(row)


def _write_stretches(path: Path, explanation: Explanation) -> None:
    columns = (
        "id",
        "rank",
        "start",
        "end",
        "first",
        "last",
        "bases",
        "contribution",
        "low",
        "high",
    )
    of_each = explanation.contributions[explanation.main]
    with _table(path, columns) as write:

        def write_all(name: str, stretches: Sequence[Stretch]) -> None:
            for rank, stretch in enumerate(stretches, start=1):
                write(
                    [
                        name,
                        rank,
                        stretch.start,
                        stretch.end,
                        from_site(stretch.start, explanation.anchor),
                        from_site(stretch.end - 1, explanation.anchor),
                        stretch.bases,
                        _figure(stretch.contribution),
                        *map(_figure, stretch.interval),
                    ]
                )

        write_all("(average)", explanation.stretches())
        for name, values, window in zip(explanation.ids, of_each, explanation.windows, strict=True):
            write_all(name, stretches_of_sequence(values[: len(window)], window))


def write_effects(path: Path, effects: Sequence[Effect]) -> None:
    """Write the effects of variants, in the order of their file."""
    with _table(path, EFFECT_COLUMNS) as write:
        for effect in effects:
            write(effect_row(effect))


def _figure(value: float) -> str:
    """Return four significant figures; nothing for what is not known."""
    return "" if np.isnan(value) else f"{value:.4g}"
