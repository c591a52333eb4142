"""Whether the recipe for each number of labels is the right one, by cross-validation on train rows.

    genomic-ulmfit data promoters GENOME --out anchored.csv
    genomic-ulmfit data promoters GENOME --framing upstream --out upstream.csv
    python benchmarks/recipe_validation.py anchored.csv upstream.csv

Rows marked test are not looked at. The others are divided into folds by homology cluster; from all
folds but one, balanced subsets are drawn, each recipe is trained on the same ones, and the fold
left out is scored. Prints mean accuracy and AUROC per recipe and number of labels with the standard
error over folds, what `train` uses for that many labels in bold, and below it the recipe without an
encoder.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from ending import ended
from genomic_ulmfit.data.homology import clusters, homology_chains
from genomic_ulmfit.data.splits import TEST
from genomic_ulmfit.data.tables import read_labelled
from genomic_ulmfit.dna.alphabet import Codes
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models.classifier import ClassifierConfig
from genomic_ulmfit.models.language_model import LanguageModel
from genomic_ulmfit.models.prediction import predict_probabilities
from genomic_ulmfit.models.pretrained import DEFAULT, encoder_folder
from genomic_ulmfit.models.store import load_language_model
from genomic_ulmfit.training.by_labels import train_by_labels, train_without_encoder
from genomic_ulmfit.training.classifier_setup import classifier_config, encode_all, targets_of
from genomic_ulmfit.training.features import States, frozen_states
from genomic_ulmfit.training.probe_fit import fit_head, head_probabilities
from genomic_ulmfit.training.recipes import (
    RECIPES,
    ProbeRecipe,
    Recipe,
    config_by_recipe,
    recipe_by_labels,
)

WITHOUT = "the recipe without an encoder"
CANDIDATES = {
    **{
        f"probe, 3-mers × {share:g}": Recipe(ProbeRecipe(word_share=share), None)
        for share in (1.0, 2.0, 4.0)
    },
    "probe × 1, network and network over bases": RECIPES[-1][1],
}
FEWEST_FOR_NETWORK = 1000
"""Labels; below, a network takes minutes and is far behind (docs/few-labels.md)."""


class Rows(NamedTuple):
    """Labelled windows that no test looks at.

    Parameters
    ----------
    codes : list of numpy.ndarray of uint8
    targets : numpy.ndarray of int, shape (n,)
    folds : numpy.ndarray of int, shape (n,)
    states : numpy.ndarray of float16, shape (n, n_tokens, width)
    config : ClassifierConfig
    encoder : LanguageModel
    """

    codes: list[Codes]
    targets: npt.NDArray[np.intp]
    folds: npt.NDArray[np.intp]
    states: States
    config: ClassifierConfig
    encoder: LanguageModel


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", type=Path, nargs="+", metavar="TABLE")
    parser.add_argument("--encoder", default=DEFAULT)
    parser.add_argument("--sizes", type=int, nargs="+", default=[20, 50, 100, 200, 500, 1000, 3000])
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--subsets", type=int, default=2, help="of each fold, below 1,000 labels")
    options = parser.parse_args()
    return ended(lambda _: validate(options))


def validate(options: argparse.Namespace) -> None:
    for name, least in (("folds", 2), ("subsets", 1)):
        if (got := getattr(options, name)) < least:
            raise InputError(f"--{name}: got {got}, allowed is {least} or more.")
    for path in options.tables:
        rows = read_rows(path, options.encoder, options.folds, options.sizes)
        print(f"\n{path.name}: {len(rows.codes):,} rows, {options.folds} folds\n", flush=True)
        for line in table(rows, options.sizes, options.subsets):
            print(line, flush=True)


def read_rows(path: Path, encoder_name: str, n_folds: int, sizes: list[int]) -> Rows:
    """Read a table's rows that are not marked test, and their hidden states."""
    encoder = load_language_model(encoder_folder(encoder_name))
    k = encoder.encoder.config.tokenizer.k
    found = read_labelled(path, min_length=k, require_classes=True)
    if "split" in found:
        found = found[found["split"] != TEST]
    found = found.reset_index(drop=True)
    of_row = (
        found["cluster"].to_numpy()
        if "cluster" in found
        else clusters(homology_chains(found["sequence"]))
    )
    names, n_rows = np.unique(of_row, return_counts=True)
    # Dealt out at random, the next cluster to the fold with the fewest rows.
    fold_of, filled = {}, np.zeros(n_folds, dtype=int)
    for index in np.random.default_rng(0).permutation(len(names)):
        fold_of[names[index]] = int(filled.argmin())
        filled[fold_of[names[index]]] += n_rows[index]
    codes = encode_all(found)
    labels = found["label"].to_numpy()
    plain = classifier_config(codes, labels, encoder.encoder.config)
    if plain.length is None:
        raise InputError(f"{path}: the sequences are of several lengths; a probe needs one.")
    config = config_by_recipe(plain, RECIPES[0][1])
    targets = targets_of(found["label"], config)
    folds = np.array([fold_of[name] for name in of_row])
    require_enough(path, targets, folds, n_folds, sizes)
    return Rows(
        codes,
        targets,
        folds,
        frozen_states(encoder.encoder, codes, readings=config.readings, progress=True),
        config,
        encoder,
    )


def require_enough(
    path: Path,
    targets: npt.NDArray[np.intp],
    folds: npt.NDArray[np.intp],
    n_folds: int,
    sizes: list[int],
) -> None:
    """Check that every fold has every class, and the others enough rows to draw from."""
    counts = np.zeros((n_folds, targets.max() + 1), dtype=int)
    np.add.at(counts, (folds, targets), 1)
    if not counts.all():
        raise InputError(
            f"--folds: got {n_folds}, but {path} has too few clusters for all classes to be in "
            "each. Give fewer."
        )
    n_classes = counts.shape[1]
    most = int((counts.sum(axis=0) - counts).min()) * n_classes
    for size in sizes:
        if not 2 * n_classes <= size <= most:
            raise InputError(
                f"--sizes: got {size}; of {path}, allowed are {2 * n_classes} to {most:,}, which "
                f"is what {n_folds - 1} of {n_folds} folds hold of each class."
            )


def table(rows: Rows, sizes: list[int], subsets: int) -> Iterator[str]:
    """Yield the lines of a table with a row per recipe."""
    header = ["recipe", *(f"{size:,}" for size in sizes)]
    yield "| " + " | ".join(header) + " |"
    yield "|---" * len(header) + "|"
    for name in (*CANDIDATES, WITHOUT):
        cells = []
        for size in sizes:
            few = size < FEWEST_FOR_NETWORK
            recipe = CANDIDATES.get(name)
            if recipe is not None and recipe.network is not None and few:
                cells.append("–")
                continue
            scores = np.array(
                [
                    score(rows, fold, recipe, size, subsets if few else 1)
                    for fold in range(rows.folds.max() + 1)
                ]
            )
            error = scores.std(axis=0, ddof=1) / len(scores) ** 0.5
            text = ", ".join(
                f"{mean:.4f} ± {of_mean:.4f}"
                for mean, of_mean in zip(scores.mean(axis=0), error, strict=True)
            )
            chosen = recipe == recipe_by_labels(size, pretrained=True, one_length=True)
            cells.append(f"**{text}**" if chosen else text)
        yield "| " + " | ".join([name, *cells]) + " |"


def score(
    rows: Rows, fold: int, recipe: Recipe | None, size: int, subsets: int
) -> tuple[float, float]:
    """Return accuracy and AUROC on a fold, means over subsets of the others."""
    scored = np.flatnonzero(rows.folds == fold)
    others = np.flatnonzero(rows.folds != fold)
    classes = np.unique(rows.targets)
    found = []
    for seed in range(subsets):
        rng = np.random.default_rng((fold, seed))
        orders = [rng.permutation(others[rows.targets[others] == label]) for label in classes]
        each = size // len(classes)
        drawn = np.concatenate([order[:each] for order in orders])
        chances = probabilities(rows, drawn, scored, recipe, seed)
        wanted = rows.targets[scored]
        of_class = chances[:, 1] if len(classes) == 2 else chances
        auroc = roc_auc_score(wanted, of_class, multi_class="ovr")
        found.append((float((chances.argmax(1) == wanted).mean()), float(auroc)))
    accuracy, auroc = np.mean(found, axis=0)
    return float(accuracy), float(auroc)


def probabilities(
    rows: Rows,
    drawn: npt.NDArray[np.intp],
    scored: npt.NDArray[np.intp],
    recipe: Recipe | None,
    seed: int,
) -> npt.NDArray[np.float64]:
    codes, targets = [rows.codes[i] for i in drawn], rows.targets[drawn]
    asked = [rows.codes[i] for i in scored]
    n_classes = len(rows.config.classes)
    if recipe is None:
        return train_without_encoder(codes, targets, n_classes, seed=seed).predict_proba(asked)
    if recipe.network is None:
        assert recipe.probe is not None
        head = fit_head(
            codes,
            targets,
            n_classes,
            recipe.probe,
            rows.states[drawn].__getitem__,
            frames=rows.config.frames,
            seed=seed,
        )
        return head_probabilities(head, asked, rows.states[scored])
    model, _ = train_by_labels(
        codes,
        targets,
        rows.config,
        recipe,
        encoder=rows.encoder,
        states=rows.states[drawn],
        seed=seed,
        progress=False,
    )
    return np.asarray(predict_probabilities(model, asked), dtype=np.float64)


if __name__ == "__main__":
    sys.exit(main())
