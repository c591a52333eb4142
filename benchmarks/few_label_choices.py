"""What the choices behind the few-label recipe bring, on training rows alone.

    python benchmarks/few_label_choices.py NC_000913.3.gbk.gz --encoders e-coli bacteria

Draws balanced subsets of a framing's training rows and fits the probe of that many labels to them:
without an encoder, and with each encoder reading one strand and both. Scored on rows of other
homology clusters that no subset is drawn from; the test rows of the split are not looked at.
Prints mean accuracy and its standard error over subsets, and AUROC and log loss of the largest.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import log_loss, roc_auc_score

from genomic_ulmfit.data.promoters import FRAMINGS, promoter_table
from genomic_ulmfit.data.readings import Readings
from genomic_ulmfit.data.splits import split_strict
from genomic_ulmfit.dna.alphabet import Codes, encode
from genomic_ulmfit.dna.genome import Genome
from genomic_ulmfit.dna.readers import read_genome
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models.pretrained import encoder_folder
from genomic_ulmfit.models.store import load_language_model
from genomic_ulmfit.training.features import frozen_states
from genomic_ulmfit.training.probe_fit import fit_head, head_probabilities
from genomic_ulmfit.training.recipes import recipe_by_labels

States = npt.NDArray[np.float16]

READINGS = {
    "one strand": Readings(),
    "both strands": Readings(True),
    "both strands, both phases": Readings(True, 2),
}

POOL = 1500
"""Training rows that subsets are drawn from, and rows of other clusters that they are scored on."""


class Part(NamedTuple):
    """Some labelled windows."""

    codes: list[Codes]
    labels: npt.NDArray[np.int_]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("genome", type=Path, metavar="GENOME")
    parser.add_argument("--encoders", nargs="+", default=["e-coli", "bacteria"])
    parser.add_argument(
        "--framings", nargs="+", default=["anchored", "upstream"], choices=("anchored", "upstream")
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[20, 50, 100, 200, 500, 1500])
    parser.add_argument("--subsets", type=int, default=10)
    parser.add_argument("--without-frames", action="store_true", help="of open reading frames")
    options = parser.parse_args()
    options.sizes.sort()
    try:
        if options.sizes[-1] > POOL:
            raise InputError(f"--sizes: got {options.sizes[-1]:,}, allowed are up to {POOL:,}.")
        genome = read_genome(options.genome)
        genome.require_genes()
        print("| framing | features | " + " | ".join(f"{n:,}" for n in options.sizes), end="")
        print(" | AUROC | log loss |\n|---|---|" + "---|" * (len(options.sizes) + 2))
        for framing in options.framings:
            pool, scored = parts(genome, framing)
            for name, of_pool, of_scored in features(options.encoders, pool, scored):
                cells, scores = [], {}
                for size in options.sizes:
                    scores = measure(
                        pool,
                        scored,
                        of_pool,
                        of_scored,
                        size,
                        options.subsets,
                        frames=not options.without_frames,
                    )
                    accuracy = scores["accuracy"]
                    error = accuracy.std(ddof=1) / len(accuracy) ** 0.5 if len(accuracy) > 1 else 0
                    cells.append(f"{accuracy.mean():.4f}" + (f" ± {error:.4f}" if error else ""))
                cells += [f"{scores[metric].mean():.4f}" for metric in ("auroc", "log_loss")]
                print(f"| {framing} | {name} | " + " | ".join(cells) + " |", flush=True)
    except InputError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    return 0


def parts(genome: Genome, framing: str) -> tuple[Part, Part]:
    """Draw the rows to learn from and the rows to score, of different homology clusters."""
    window = FRAMINGS[framing]
    table = promoter_table(genome, window.upstream, window.downstream, seed=0)
    table = split_strict(table, seed=0)
    table = table[table["split"] != "test"]
    clusters = np.random.default_rng(1).permutation(table["cluster"].unique())
    aside = table["cluster"].isin(clusters[: len(clusters) // 4])

    def part(rows: pd.DataFrame) -> Part:
        if len(rows) < POOL:
            raise InputError(
                f"{genome.name}, {framing}: {len(rows):,} windows, but {POOL:,} are drawn. Give a "
                "larger genome."
            )
        drawn = rows.sample(POOL, random_state=0)
        return Part([encode(s) for s in drawn["sequence"]], drawn["label"].to_numpy())

    return part(table[~aside]), part(table[aside])


def features(
    encoders: list[str], pool: Part, scored: Part
) -> Iterator[tuple[str, States | None, States | None]]:
    """Yield a name and the hidden states of both parts; None is none."""
    yield "no encoder", None, None
    for encoder in encoders:
        model = load_language_model(encoder_folder(encoder)).encoder
        for name, readings in READINGS.items():
            states = [
                frozen_states(model, part.codes, readings=readings) for part in (pool, scored)
            ]
            yield f"{encoder}, {name}", states[0], states[1]


def measure(
    pool: Part,
    scored: Part,
    of_pool: States | None,
    of_scored: States | None,
    size: int,
    subsets: int,
    *,
    frames: bool,
) -> dict[str, npt.NDArray[np.float64]]:
    """Fit the probe to subsets of one size; return each score, one value per subset."""
    recipe = recipe_by_labels(size, pretrained=True, one_length=True).probe
    assert recipe is not None
    found: dict[str, list[float]] = {"accuracy": [], "auroc": [], "log_loss": []}
    for seed in range(subsets if size < POOL else 1):
        rows = np.arange(POOL)
        if size < POOL:
            rng = np.random.default_rng(seed)
            rows = np.concatenate(
                [rng.permutation(np.flatnonzero(pool.labels == c))[: size // 2] for c in (0, 1)]
            )
        head = fit_head(
            [pool.codes[row] for row in rows],
            pool.labels[rows],
            2,
            recipe,
            None if of_pool is None else of_pool[rows].__getitem__,
            frames=frames,
        )
        positive = head_probabilities(head, scored.codes, of_scored)[:, 1]
        found["accuracy"].append(float(((positive > 0.5) == scored.labels).mean()))
        found["auroc"].append(float(roc_auc_score(scored.labels, positive)))
        found["log_loss"].append(float(log_loss(scored.labels, positive)))
    return {name: np.array(values) for name, values in found.items()}


if __name__ == "__main__":
    sys.exit(main())
