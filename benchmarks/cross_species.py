"""Train on each species of a folder, test on all of them.

    python benchmarks/cross_species.py ../shared/external --out external

Shares what it trains with benchmarks/external.py, given the same --out. Prints AUROC with a row per
training species and writes cross_species_MODEL.json and a heat map.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

import species
from ending import ended
from genomic_ulmfit.evaluation.baselines import BASELINES
from genomic_ulmfit.reports.names import WITHOUT_ENCODER_EXTERNAL
from genomic_ulmfit.studies.cross_species import cross_species
from genomic_ulmfit.studies.external import ENCODER


def main() -> int:
    parser = species.options(__doc__)
    parser.add_argument(
        "--model", choices=(ENCODER, WITHOUT_ENCODER_EXTERNAL, *BASELINES), default=ENCODER
    )
    given = parser.parse_args()
    return ended(lambda say: compare(given, say))


def compare(given: argparse.Namespace, say: Callable[[str], None]) -> None:
    results = cross_species(
        given.folder, given.out, encoder=given.encoder, model=given.model, seed=given.seed, say=say
    )
    shown = Table("AUROC: trained on", *results["names"])
    for name, row in zip(results["names"], results["auroc"], strict=True):
        shown.add_row(name, *("-" if value is None else f"{value:.3f}" for value in row))
    Console(highlight=False).print(shown)


if __name__ == "__main__":
    sys.exit(main())
