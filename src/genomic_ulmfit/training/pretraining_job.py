"""From genome files to a folder that holds a language model and says what it is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from genomic_ulmfit.data.corpus import Corpus, build_corpus
from genomic_ulmfit.dna.readers import read_genome
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import file_sha256, require_writable
from genomic_ulmfit.models.config import preset as preset_config
from genomic_ulmfit.models.markov import markov_report
from genomic_ulmfit.models.precision import best_precision
from genomic_ulmfit.models.store import load_language_model, save_language_model
from genomic_ulmfit.training.pretraining import (
    CHECKPOINT,
    RECIPES,
    LanguageModelReport,
    pretrain,
)

INFORMED_RANDOM = 2.0
"""Bits per base when all four bases are equally likely."""

MARKOV_ORDERS = (2, 5, 8, 11)


@dataclass(frozen=True)
class PretrainingResult:
    """What `pretrain_genomes` measured.

    Parameters
    ----------
    report : LanguageModelReport
        On held-out regions.
    markov : dict of int to float
        Bits per base of Markov models, by order: same training text, same held-out regions.
    training : dict
        Everything else that goes into the model's `config.json`: data, recipe, precision.
    """

    report: LanguageModelReport
    markov: dict[int, float]
    training: dict[str, Any]

    @property
    def best_markov(self) -> tuple[int, float]:
        """Order and bits per base of the best Markov model."""
        return min(self.markov.items(), key=lambda item: item[1])


def pretrain_genomes(
    genomes: Sequence[str | Path],
    out: str | Path,
    *,
    preset: str = "small",
    epochs: int | None = None,
    seed: int = 0,
    start_from: str | Path | None = None,
    resume: bool = False,
    precision: str | None = None,
    progress: bool = True,
) -> PretrainingResult:
    """Train a language model on genome files and write its folder.

    Parameters
    ----------
    genomes : sequence of path-like
        FASTA or GenBank files.
    out : path-like
        Model folder to write.
    preset : {"tiny", "small", "paper"}
        Size and recipe; the size is that of `start_from` where one is given.
    epochs : int, optional
        Passes over the training text; the preset's number if not given.
    seed : int
    start_from : path-like, optional
        Language model to go on from (ULMFiT's second stage).
    resume : bool
        Continue an interrupted run in `out`.
    precision : {"bf16", "fp32"}, optional
        Probed if not given.
    progress : bool
        Whether to draw a progress bar.

    Returns
    -------
    PretrainingResult

    Raises
    ------
    InputError
        If `out` holds a finished model already, or an argument cannot be used.
    """
    config, recipe = preset_config(preset), RECIPES[preset]
    if epochs is not None:
        if epochs < 1:
            raise InputError(f"--epochs: got {epochs}, allowed is 1 or more.")
        recipe = replace(recipe, epochs=epochs)
    out = Path(out)
    require_writable(out)
    if (out / CHECKPOINT).exists() and not resume:
        raise InputError(
            f"--out: {out} holds an interrupted run; add --resume to continue it, or name another "
            "folder."
        )
    if (out / "config.json").exists():
        raise InputError(f"--out: {out} holds a finished model already; name another folder.")
    start = None
    if start_from is not None:
        start = load_language_model(start_from)
        config = start.encoder.config
    loaded = [read_genome(path) for path in genomes]
    corpus = build_corpus(loaded)
    precision = precision or best_precision()
    model, report = pretrain(
        corpus,
        out,
        config,
        recipe,
        seed=seed,
        start_from=start,
        resume=resume,
        precision=precision,
        progress=progress,
    )
    markov = markov_report(corpus.train, corpus.held_out, orders=MARKOV_ORDERS)
    training: dict[str, Any] = {
        "genomes": [
            {
                "name": genome.name,
                "file": Path(path).name,
                "sha256": file_sha256(path),
                "n_bases": genome.n_bases,
                "simulated": genome.simulated,
            }
            for path, genome in zip(genomes, loaded, strict=True)
        ],
        "train_bases": corpus.n_train,
        "held_out_bases": corpus.n_held_out,
        "preset": preset,
        "recipe": recipe.__dict__,
        "seed": seed,
        "start_from": None if start_from is None else str(Path(start_from).name),
        "precision": precision,
        "report": report.to_dict(),
        "markov_bits_per_base": {str(order): bits for order, bits in markov.items()},
    }
    result = PretrainingResult(report, markov, training)
    save_language_model(model, out, _card(result, corpus), training)
    # Not before the model is safe: a full disk must not cost the training.
    (out / CHECKPOINT).unlink(missing_ok=True)
    return result


def read_pretraining_result(folder: str | Path) -> PretrainingResult:
    """Return what was measured when the language model in `folder` was trained."""
    training = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))["training"]
    markov = {int(order): bits for order, bits in training["markov_bits_per_base"].items()}
    return PretrainingResult(LanguageModelReport(**training["report"]), markov, training)


def _card(result: PretrainingResult, corpus: Corpus) -> str:
    report, training = result.report, result.training
    order, markov = result.best_markov
    data = "\n".join(
        f"- {g['name']} ({g['n_bases']:,} bp; `{g['file']}`, sha256 `{g['sha256']}`)"
        + (" — SIMULATED" if g["simulated"] else "")
        for g in training["genomes"]
    )
    recipe = "\n".join(f"- {name}: {value}" for name, value in training["recipe"].items())
    start = training["start_from"]
    return f"""# Language model of DNA (AWD-LSTM, preset `{training["preset"]}`)

## Data
{data}

{corpus.n_train:,} bases of training text, {corpus.n_held_out:,} bases held out in contiguous
regions; text is read on both strands.

## Recipe
{recipe}
- seed: {training["seed"]}
- precision: {training["precision"]}
- started from: {start or "random weights"}
- trained on {report.tokens:,} tokens in {report.seconds / 60:.1f} minutes

## Results on the held-out regions, both strands
| model | bits per base |
|---|---|
| this language model | {report.bits_per_base:.4f} |
| best Markov model (order {order}), same training text | {markov:.4f} |
| informed random | {INFORMED_RANDOM:.4f} |

Loss {report.loss:.4f} nats per token, accuracy {report.accuracy:.4f}, perplexity
{report.perplexity:.3f}.

## Use and limits
A starting point for classifiers of DNA from the same or related organisms. It has read whole
genomes, so windows that a classifier is later tested on may have been part of its text
(without labels). It says nothing about eukaryotes.
"""
