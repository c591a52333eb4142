"""Classifiers on the frozen encoders of several language models, on the same splits.

    genomic-ulmfit pretrain corpus --out all --epochs 0.08
    genomic-ulmfit pretrain corpus --out no-relatives --epochs 0.08 --hold-out 'Escherichia*' ...
    python benchmarks/what_was_learnt.py NC_000913.3.gbk.gz all no-relatives --out learnt

Tells what was learnt about bacteria from what was learnt about a species: each ENCODER is a folder
that `pretrain` wrote, and on each stands what `train` makes of the strict split of GENOME, while
the encoder stays as it is. Prints accuracy, and the difference from the first ENCODER over the same
seeds; writes results.json. An interrupted run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ending import ended
from genomic_ulmfit.dna.readers import read_genome
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.evaluation.estimates import mean_interval, paired_difference
from genomic_ulmfit.files import require_writable, write_json
from genomic_ulmfit.models.precision import best_precision
from genomic_ulmfit.models.pretrained import PretrainedEncoder, read_encoder
from genomic_ulmfit.reports.numbers import interval, number
from genomic_ulmfit.studies.cells import Cell, Tables, run_cell
from genomic_ulmfit.studies.settings import recipe_sha256


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("genome", type=Path, metavar="GENOME")
    parser.add_argument("encoders", nargs="+", metavar="ENCODER")
    parser.add_argument("--out", type=Path, default=Path("learnt"))
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    return ended(lambda say: compare(options, say))


def compare(options: argparse.Namespace, say: Callable[[str], None]) -> None:
    require_writable(options.out)
    genome = read_genome(options.genome)
    genome.require_genes()
    encoders = [read_encoder(name) for name in options.encoders]
    if len({encoder.name for encoder in encoders}) < len(encoders):
        raise InputError("ENCODER: two folders of one name cannot be told apart; rename one.")
    tables = Tables(genome)
    rows = [
        score(encoder, seed, tables, options.out, say)
        for seed in range(options.seeds)
        for encoder in encoders
    ]
    results = [summary(encoder, encoders[0], genome.name, rows) for encoder in encoders]
    write_json(options.out / "results.json", {"genome": genome.name, "encoders": results})
    show(results)


def score(
    encoder: PretrainedEncoder, seed: int, tables: Tables, out: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    """Return the scores of one encoder with one seed, computed if they are not there yet."""
    cells = out / "cells" / tables.genome.sha256()[:12] / recipe_sha256()[:12]
    path = cells / f"{encoder.name}-{encoder.sha256[:12]}-{seed}.json"
    if not path.exists():
        cell = Cell("strict", "ensemble", seed)
        result = run_cell(
            cell,
            tables.of(cell.protocol, seed),
            encoder,
            preset=encoder.training["preset"],
            precision=best_precision(),
            progress=False,
        )
        write_json(path, {**result["row"], "model": encoder.name})
    row: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    say(f"{encoder.name}, seed {seed}: accuracy {row['accuracy']:.4f}")
    return row


def summary(
    encoder: PretrainedEncoder, first: PretrainedEncoder, genome: str, rows: list[dict[str, Any]]
) -> dict[str, Any]:
    """Gather what is known of an encoder: its training, its scores, its distance to the first."""

    def over_seeds(metric: str, name: str) -> list[float]:
        return [row[metric] for row in rows if row["model"] == name]

    report = encoder.training["report"]
    return {
        "encoder": encoder.name,
        "tokens": report["tokens"],
        "genomes": len(encoder.genomes),
        "windows_cut": (encoder.training.get("cut_windows") or {}).get("n_windows", 0),
        "bits_per_base": encoder.bits_per_base(genome),
        "n_test": next(row["n_test"] for row in rows),
        "accuracy": over_seeds("accuracy", encoder.name),
        "mean": {
            metric: mean_interval(over_seeds(metric, encoder.name))
            for metric in ("accuracy", "mcc")
        },
        "difference": None
        if encoder is first
        else paired_difference(
            over_seeds("accuracy", encoder.name), over_seeds("accuracy", first.name)
        ),
    }


def show(results: list[dict[str, Any]]) -> None:
    table = Table()
    table.add_column("encoder", no_wrap=True)
    for column in (
        "genomes",
        "M tokens",
        "bits per base",
        "accuracy",
        "95 % interval",
        "MCC",
        "difference in accuracy",
    ):
        table.add_column(column, justify="right", overflow="fold")
    for row in results:
        accuracy, low, high = row["mean"]["accuracy"]
        difference = row["difference"]
        table.add_row(
            row["encoder"],
            str(row["genomes"]),
            f"{row['tokens'] / 1e6:.1f}",
            "" if row["bits_per_base"] is None else f"{row['bits_per_base']:.3f}",
            f"{accuracy:.4f}",
            interval(low, high),
            f"{row['mean']['mcc'][0]:.4f}",
            ""
            if difference is None
            else f"{number(difference[0], 4, sign=True)} {interval(*difference[1:], sign=True)}",
        )
    Console(highlight=False).print(table)


if __name__ == "__main__":
    sys.exit(main())
