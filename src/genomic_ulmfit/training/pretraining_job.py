"""From genome files to a folder that holds a language model and says what it is."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genomic_ulmfit.console import note, plain_console
from genomic_ulmfit.data.corpus import Corpus, CorpusGenome, build_corpus
from genomic_ulmfit.data.corpus_folder import is_corpus_folder, open_corpus
from genomic_ulmfit.data.tables import read_labelled
from genomic_ulmfit.dna.alphabet import Codes
from genomic_ulmfit.dna.readers import read_genome
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import claimed, file_sha256
from genomic_ulmfit.models.config import preset as preset_config
from genomic_ulmfit.models.folder import CHECKPOINT, require_no_model
from genomic_ulmfit.models.markov import MarkovModel
from genomic_ulmfit.models.precision import settled_precision, training_device
from genomic_ulmfit.models.pretrained import encoder_folder
from genomic_ulmfit.models.store import load_language_model, save_language_model
from genomic_ulmfit.training.checkpoints import precision_to_resume
from genomic_ulmfit.training.language_model_card import language_model_card
from genomic_ulmfit.training.pretraining import pretrain
from genomic_ulmfit.training.pretraining_recipe import RECIPES
from genomic_ulmfit.training.pretraining_result import (
    LanguageModelReport,
    PretrainingResult,
    with_text_keys,
)
from genomic_ulmfit.training.ranks import is_first, processes

MARKOV_ORDERS = (2, 5, 8, 11)


def pretrain_genomes(
    genomes: Sequence[str | Path],
    out: str | Path,
    *,
    preset: str = "small",
    epochs: float | None = None,
    seed: int = 0,
    start_from: str | Path | None = None,
    hold_out: Sequence[str] = (),
    cut_windows: str | Path | None = None,
    resume: bool = False,
    precision: str | None = None,
    devices: int | None = None,
    nodes: int | None = None,
    command: str | None = None,
    progress: bool = True,
) -> PretrainingResult:
    """Train a language model on genomes and write its folder.

    Parameters
    ----------
    genomes : sequence of path-like
        FASTA or GenBank files, or one corpus folder.
    out : path-like
        Model folder to write.
    preset : {"tiny", "small", "paper"}
        Size and recipe; the size is that of `start_from` where one is given.
    epochs : float, optional
        Passes over the training text; the preset's number if not given.
    seed : int
    start_from : path-like, optional
        Language model to go on from (ULMFiT's second stage).
    hold_out : sequence of str
        Genomes to keep out of training, as `Corpus.without_genomes` takes them.
    cut_windows : path-like, optional
        Labelled table whose test windows are cut out of the training text.
    resume : bool
        Continue an interrupted run in `out`.
    precision : {"bf16", "fp32"}, optional
        That of the run that is resumed, or probed, if not given.
    devices, nodes : int, optional
        As `pretrain` takes them.
    command : str, optional
        What was typed, for the model's card.
    progress : bool
        Whether to draw a progress bar.

    Returns
    -------
    PretrainingResult
        In processes other than the first nothing is written, and `markov` is empty.

    Raises
    ------
    InputError
        If `out` holds a finished model already, or an argument cannot be used.
    """
    if preset not in RECIPES:
        raise InputError(f"--preset: got {preset!r}, allowed are {', '.join(RECIPES)}.")
    config, recipe = preset_config(preset), RECIPES[preset]
    if epochs is not None:
        if not (epochs > 0 and math.isfinite(epochs)):
            raise InputError(f"--epochs: got {epochs:g}, allowed is more than 0.")
        recipe = replace(recipe, epochs=epochs)
    devices, nodes = processes(devices, nodes)
    out = Path(out)
    if (out / CHECKPOINT).exists() and not resume:
        raise InputError(
            f"--out: {out} holds an interrupted run; add --resume to continue it, or name another "
            "folder."
        )
    require_no_model(out)
    start = None
    if start_from is not None:
        start = load_language_model(encoder_folder(start_from))
        config = start.encoder.config
    corpus = _corpus([Path(path) for path in genomes])
    cut: dict[str, Any] | None = None
    if cut_windows is not None:
        corpus, cut = _without_test_windows(corpus, Path(cut_windows))
    if hold_out:
        try:
            corpus = corpus.without_genomes(hold_out)
        except InputError as error:
            raise InputError(f"--hold-out: {error}") from None
    if precision is None and resume:
        precision = precision_to_resume(out / CHECKPOINT)
    precision = settled_precision(precision, training_device())
    with claimed(out, "--out") if is_first() else contextlib.nullcontext():
        require_no_model(out)  # One may have been finished by now.
        model, report = pretrain(
            corpus,
            out,
            config,
            recipe,
            seed=seed,
            start_from=start,
            resume=resume,
            precision=precision,
            devices=devices,
            nodes=nodes,
            progress=progress,
        )
        training: dict[str, Any] = {
            "genomes": _described(corpus, excluded=False),
            "excluded_genomes": _described(corpus, excluded=True),
            "cut_windows": cut,
            "train_bases": corpus.n_train,
            "held_out_bases": corpus.without_excluded_regions().n_held_out,
            "text_sha256": corpus.sha256,
            "preset": preset,
            "recipe": asdict(recipe),
            "seed": seed,
            "start_from": None if start_from is None else Path(start_from).name,
            "precision": precision,
            "processes": devices * nodes,
            "notes": list(corpus.notes),
            "command": command,
            "report": report.to_dict(),
        }
        if not is_first():
            return PretrainingResult(report, {}, training)
        if progress:
            _say("Language model: trained; fitting Markov models on the same text")
        markov, markov_excluded = _markov(corpus, report)
        training["markov_bits_per_base"] = with_text_keys(markov)
        training["markov_excluded"] = {
            name: with_text_keys(bits) for name, bits in markov_excluded.items()
        }
        result = PretrainingResult(report, markov, training, markov_excluded)
        save_language_model(model, out, language_model_card(result), training)
        # Not before the model is safe: a full disk must not cost the training.
        (out / CHECKPOINT).unlink(missing_ok=True)
        return result


def _corpus(paths: Sequence[Path]) -> Corpus:
    folders = [path for path in paths if is_corpus_folder(path)]
    if folders and len(paths) > 1:
        raise InputError(
            f"{folders[0]}: is a corpus folder, and there can be nothing beside it. Build one "
            "corpus of all genomes with genomic-ulmfit data corpus."
        )
    if folders:
        return open_corpus(folders[0])
    for path in paths:
        if path.is_dir():
            raise InputError(
                f"{path}: this folder is no corpus. To learn from the genomes in it, build one: "
                f"genomic-ulmfit data corpus {path} --out corpus"
            )
    corpus = build_corpus([read_genome(path) for path in paths], files=paths)
    if is_first():
        for text in corpus.notes:
            note(text)
    return corpus


def _without_test_windows(corpus: Corpus, path: Path) -> tuple[Corpus, dict[str, Any]]:
    """Cut a table's test windows out; return what is left, and what to note about it."""
    table = read_labelled(path)
    missing = [name for name in ("contig", "start", "end", "split") if name not in table]
    if missing:
        raise InputError(
            f"--cut-windows: {path} has no column {' and no column '.join(missing)}. It takes a "
            "table that genomic-ulmfit data promoters wrote."
        )
    windows = table.loc[table["split"] == "test", ["contig", "start", "end"]]
    if windows.empty:
        raise InputError(f"--cut-windows: {path} has no row of split test.")
    for name in ("start", "end"):
        if not pd.api.types.is_integer_dtype(windows[name]):
            raise InputError(f"--cut-windows: {path}: column {name} must hold whole numbers.")
    try:
        corpus = corpus.without_windows(windows)
    except InputError as error:
        raise InputError(f"--cut-windows: {path}: {str(error).removeprefix('windows: ')}") from None
    note = {"file": path.name, "sha256": file_sha256(path), "n_windows": len(windows)}
    return corpus, note


def _described(corpus: Corpus, *, excluded: bool) -> list[dict[str, Any]]:
    """Return a JSON-able description of the genomes that were trained on, or were not."""
    left_out = set(corpus.excluded)

    def described(genome: CorpusGenome) -> dict[str, Any]:
        return {
            "name": genome.name,
            "file": genome.file,
            "sha256": genome.sha256,
            "n_bases": genome.n_bases,
            "simulated": genome.simulated,
        }

    return [
        described(genome)
        for index, genome in enumerate(corpus.genomes)
        if (index in left_out) == excluded
    ]


def _markov(
    corpus: Corpus, report: LanguageModelReport
) -> tuple[dict[int, float], dict[str, dict[int, float]]]:
    """Score Markov models on the regions that the language model was scored on."""
    model = MarkovModel(max(MARKOV_ORDERS)).fit(corpus.training_text())
    read = corpus.without_excluded_regions().held_out_text()
    bits = model.bits_per_base_by_order(read, MARKOV_ORDERS)
    with_regions = np.intersect1d(corpus.excluded, corpus.held_out["genome"])
    # The report names them in the same order.
    excluded = {
        name: model.bits_per_base_by_order(_regions(corpus, int(index)), MARKOV_ORDERS)
        for name, index in zip(report.excluded, with_regions, strict=True)
    }
    return bits, excluded


def _regions(corpus: Corpus, genome: int) -> Iterator[Codes]:
    return map(corpus.codes, corpus.held_out[corpus.held_out["genome"] == genome])


def _say(text: str) -> None:
    plain_console(stderr=True).print(text)
