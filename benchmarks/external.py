"""Promoters of any number of species through one recipe, beside the baselines.

    python benchmarks/external.py ../shared/external --out external

DIR holds CSV files with the columns sequence, label and split (train, test). Nothing is tuned for
any of them. The row "bases" is the same recipe without an encoder. Prints a table and writes
external.json; an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models.pretrained import DEFAULT
from genomic_ulmfit.studies.external import external


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--out", type=Path, default=Path("external"))
    parser.add_argument("--encoder", default=DEFAULT)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    notes = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        results = external(
            options.folder,
            options.out,
            encoder=options.encoder,
            seed=options.seed,
            say=notes.print,
        )
    except InputError as error:
        notes.print(f"Error: {error}", markup=False, soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        notes.print("Stopped. The same command continues where it stopped.")
        return 130
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
        gains = {dataset["best_baseline"]: dataset["auroc_gain_over_best_baseline"]}
        if dataset["auroc_gain_over_bases"]:
            gains["bases"] = dataset["auroc_gain_over_bases"]
        listed = ", ".join(
            f"over {other} {gain['value']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]"
            for other, gain in gains.items()
        )
        shared = dataset["test_sharing_15mer_with_train"]
        console.print(
            f"{dataset['name']}: AUROC of the encoder's row {listed}; {shared:,} of "
            f"{dataset['n_test']:,} test rows share a 15-mer with a training row."
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
