"""Promoters of any number of species through one recipe, beside the baselines.

    python benchmarks/external.py ../shared/external --out external

DIR holds CSV files with the columns sequence, label and split (train, test). Nothing is tuned for
any of them. The row "bases" is the same recipe without an encoder. Prints a table and writes
external.json and external.md; an interrupted run goes on where it stopped, and one with more files
in DIR trains on those alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

import species
from ending import ended
from genomic_ulmfit.studies.external import external


def main() -> int:
    given = species.options(__doc__).parse_args()
    return ended(lambda say: compare(given, say))


def compare(given: argparse.Namespace, say: Callable[[str], None]) -> None:
    results = external(given.folder, given.out, encoder=given.encoder, seed=given.seed, say=say)
    shown = Table("data set", "model", title=f"encoder: {results['encoder']['name']}")
    for column in ("AUROC", "95 % interval", "no shared 15-mer", "MCC", "accuracy", "seconds"):
        shown.add_column(column, justify="right")
    for dataset in results["datasets"]:
        for place, (model, scores) in enumerate(dataset["models"].items()):
            auroc, alone = scores["auroc"], scores["auroc_unshared"]["value"]
            shown.add_row(
                f"{dataset['name']} ({dataset['n_train']:,} + {dataset['n_test']:,})"
                if place == 0
                else "",
                model,
                f"{auroc['value']:.3f}",
                f"[{auroc['low']:.3f}, {auroc['high']:.3f}]",
                "–" if alone is None else f"{alone:.3f}",
                f"{scores['mcc']['value']:.3f}",
                f"{scores['accuracy']['value']:.3f}",
                f"{sum(scores['seconds'].values()):.0f}",
            )
        shown.add_section()
    console = Console(highlight=False, soft_wrap=True)
    console.print(shown)
    for dataset in results["datasets"]:
        listed = "; ".join(
            f"over {other} "
            + ", ".join(
                f"{name} {gain['value']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]"
                for name, gain in gains.items()
            )
            for other, gains in dataset["gains"].items()
        )
        shared = dataset["test_sharing_15mer_with_train"]
        console.print(
            f"{dataset['name']}: the encoder's row {listed}; {shared:,} of "
            f"{dataset['n_test']:,} test rows share a 15-mer with a training row."
        )


if __name__ == "__main__":
    sys.exit(main())
