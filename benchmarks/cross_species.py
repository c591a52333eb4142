"""Train on each species of a folder, test on all of them.

    python benchmarks/cross_species.py ../shared/external --out external

Shares what it trains with benchmarks/external.py, given the same --out. Prints AUROC with a row per
training species and writes cross_species_MODEL.json and a heat map.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from genomic_ulmfit.errors import InputError
from genomic_ulmfit.evaluation.baselines import BASELINES
from genomic_ulmfit.models.pretrained import DEFAULT
from genomic_ulmfit.studies.cross_species import cross_species
from genomic_ulmfit.studies.external import ENCODER


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--out", type=Path, default=Path("external"))
    parser.add_argument("--encoder", default=DEFAULT)
    parser.add_argument("--model", choices=(ENCODER, *BASELINES), default=ENCODER)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    notes = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        results = cross_species(
            options.folder,
            options.out,
            encoder=options.encoder,
            model=options.model,
            seed=options.seed,
            say=notes.print,
        )
    except InputError as error:
        notes.print(f"Error: {error}", markup=False, soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        notes.print("Stopped. The same command continues where it stopped.")
        return 130
    shown = Table("AUROC: trained on", *results["names"])
    for name, row in zip(results["names"], results["auroc"], strict=True):
        shown.add_row(name, *("-" if value is None else f"{value:.3f}" for value in row))
    Console(highlight=False).print(shown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
