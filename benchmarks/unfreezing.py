"""Whether fine-tuning the encoder pays, on training rows alone.

    python benchmarks/unfreezing.py NC_000913.3.gbk.gz --framing upstream
    python benchmarks/unfreezing.py table.csv
    python benchmarks/unfreezing.py table.csv --pooling

Takes the windows of an annotated genome that are not marked test, or the rows of a table that are
marked train, and sets a quarter of their homology clusters aside. Prints how well these are told
apart by the probe, by a network whose head alone was trained, by one that was fine-tuned in four
stages, by each beside the probe (logits averaged), by all that the recipe averages, and by
baselines. With --pooling, how well by networks that pool hidden states, in four stages or in one.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import log_loss, roc_auc_score

from genomic_ulmfit.data.homology import clusters, homology_chains
from genomic_ulmfit.data.promoters import FRAMINGS, promoter_table
from genomic_ulmfit.data.splits import split_strict
from genomic_ulmfit.data.tables import read_labelled
from genomic_ulmfit.dna.readers import read_genome
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.evaluation.baselines import BASELINES
from genomic_ulmfit.models.prediction import predict_probabilities
from genomic_ulmfit.models.pretrained import encoder_folder
from genomic_ulmfit.models.store import load_language_model
from genomic_ulmfit.training.by_labels import train_by_labels
from genomic_ulmfit.training.classifier_setup import classifier_config, encode_all, targets_of
from genomic_ulmfit.training.finetuning_recipe import FROZEN, POOLED, PRETRAINED
from genomic_ulmfit.training.recipes import RECIPES, Recipe

Probabilities = npt.NDArray[np.float64]

PROBE = RECIPES[-1][1].probe
TRAINED = {
    "probe": Recipe(PROBE, None),
    "head": Recipe(None, FROZEN),
    "fine-tuned": Recipe(None, PRETRAINED),
}
POOLING = {
    "pooling, in stages": Recipe(None, PRETRAINED),
    "pooling, all layers at once, every phase": Recipe(None, POOLED),
}
TOGETHER = (("probe", "head"), ("probe", "fine-tuned"), ("probe", "head", "cnn"))
"""The CNN among the baselines is the network over bases that the recipe trains."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, metavar="GENOME_OR_TABLE")
    parser.add_argument("--framing", default="upstream", choices=("anchored", "upstream"))
    parser.add_argument("--encoder", default="bacteria")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--most", type=int, default=9000, help="Rows, drawn at random from more.")
    parser.add_argument("--pooling", action="store_true", help="Compare heads that pool.")
    options = parser.parse_args()
    try:
        rows = labelled_rows(options.source, options.framing)
        if len(rows) > options.most:
            rows = rows.sample(options.most, random_state=0)
        learn, scored = set_aside(rows)
        print(f"{len(learn):,} sequences to learn from, {len(scored):,} that are scored\n")
        print("| model | AUROC | accuracy | log loss | seconds |\n|---|---|---|---|---|")
        compare(learn, scored, options.encoder, options.seed, pooling=options.pooling)
    except InputError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    return 0


def labelled_rows(source: Path, framing: str) -> pd.DataFrame:
    """Return rows with labels 0 and 1 that no test looks at."""
    if source.name.endswith((".csv", ".csv.gz", ".tsv", ".tsv.gz")):
        table = read_labelled(source, require_classes=True)
        if set(table["label"]) != {0, 1}:
            raise InputError(f"{source}: labels other than 0 and 1; this compares two classes.")
        return table[table["split"] == "train"] if "split" in table else table
    genome = read_genome(source)
    genome.require_genes()
    window = FRAMINGS[framing]
    table = split_strict(promoter_table(genome, window.upstream, window.downstream, seed=0))
    return table[table["split"] != "test"]


def set_aside(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Divide rows, a quarter of their homology clusters on one side."""
    of_row = (
        rows["cluster"].to_numpy()
        if "cluster" in rows
        else clusters(homology_chains(rows["sequence"]))
    )
    order = np.random.default_rng(1).permutation(np.unique(of_row))
    aside = np.isin(of_row, order[: len(order) // 4])
    return rows[~aside], rows[aside]


def compare(
    learn: pd.DataFrame, scored: pd.DataFrame, encoder: str, seed: int, *, pooling: bool
) -> None:
    """Train and score every model."""
    found: dict[str, Probabilities] = {}
    seconds: dict[str, float] = {}

    def show(name: str) -> None:
        of_model = found[name]
        print(
            f"| {name} | {roc_auc_score(targets, of_model[:, 1]):.4f} "
            f"| {(of_model.argmax(1) == targets).mean():.4f} "
            f"| {log_loss(targets, of_model):.4f} | {seconds[name]:.0f} |",
            flush=True,
        )

    start = load_language_model(encoder_folder(encoder))
    codes = encode_all(learn)
    head = "pooling" if pooling else "auto"
    config = classifier_config(codes, learn["label"].to_numpy(), start.encoder.config, head)
    targets = targets_of(scored["label"], config)
    for name, make in BASELINES.items():
        begun = time.perf_counter()
        baseline = make(seed).fit(learn["sequence"].tolist(), learn["label"].tolist())
        found[name] = normalised(baseline.predict_proba(scored["sequence"].tolist()))
        seconds[name] = time.perf_counter() - begun
        show(name)
    for name, recipe in (POOLING if pooling else TRAINED).items():
        begun = time.perf_counter()
        model, _ = train_by_labels(
            codes,
            targets_of(learn["label"], config),
            config,
            recipe,
            encoder=start,
            seed=seed,
            progress=False,
        )
        found[name] = normalised(predict_probabilities(model, encode_all(scored)))
        seconds[name] = time.perf_counter() - begun
        show(name)
    for names in () if pooling else TOGETHER:
        together = ", ".join(names)
        logits = np.mean([np.log(found[name]) for name in names], axis=0)
        found[together] = normalised(np.exp(logits))
        seconds[together] = sum(seconds[name] for name in names)
        show(together)


def normalised(probabilities: npt.ArrayLike) -> Probabilities:
    """Return rows that sum to 1, none of them quite 0."""
    clipped = np.clip(np.asarray(probabilities, dtype=np.float64), 1e-9, None)
    normal: Probabilities = clipped / clipped.sum(axis=1, keepdims=True)
    return normal


if __name__ == "__main__":
    sys.exit(main())
