"""Language-model pretraining, and ULMFiT's second stage: going on from an encoder."""

from __future__ import annotations

import copy
import hashlib
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import lightning as L
import torch
from torch import Tensor, nn

from genomic_ulmfit.data.corpus import Corpus
from genomic_ulmfit.data.streams import HeldOutWindows, TokenStreams
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models.awd_lstm import AWDLSTM
from genomic_ulmfit.models.config import LANGUAGE_MODEL_DROPOUTS, EncoderConfig
from genomic_ulmfit.models.folder import CHECKPOINT
from genomic_ulmfit.models.language_model import LanguageModel
from genomic_ulmfit.models.memory import freed_memory_kept
from genomic_ulmfit.models.precision import settled_precision, training_device
from genomic_ulmfit.training.checkpoints import (
    AtomicCheckpointIO,
    Checkpoints,
    checkpoint_to_resume,
)
from genomic_ulmfit.training.held_out import figures, held_out_sums
from genomic_ulmfit.training.journal import Journal, summed_over_processes, validation_steps
from genomic_ulmfit.training.language_model_task import LanguageModelTask, StepsOfRun
from genomic_ulmfit.training.lightning_setup import Progress, fit, make_trainer
from genomic_ulmfit.training.logs import make_loggers
from genomic_ulmfit.training.pretraining_recipe import PretrainingRecipe
from genomic_ulmfit.training.pretraining_result import LanguageModelReport
from genomic_ulmfit.training.ranks import environment, processes

LOGS = "logs"


@freed_memory_kept()
def pretrain(
    corpus: Corpus,
    folder: str | Path,
    config: EncoderConfig,
    recipe: PretrainingRecipe,
    *,
    seed: int = 0,
    start_from: LanguageModel | None = None,
    resume: bool = False,
    precision: str | None = None,
    devices: int | None = None,
    nodes: int | None = None,
    checkpoint_every: float = 60.0,
    progress: bool = True,
) -> tuple[LanguageModel, LanguageModelReport]:
    """Train a language model on a corpus.

    Parameters
    ----------
    corpus : Corpus
    folder : path-like
        Where the checkpoint is kept while training runs; whoever has saved the model may remove
        it. Logs go into its subfolder ``logs``.
    config : EncoderConfig
        Shape of the encoder; that of `start_from` where one is given.
    recipe : PretrainingRecipe
    seed : int
        Of weights, dropout and text order.
    start_from : LanguageModel, optional
        Go on from this model instead of random weights; it is not changed.
    resume : bool
        Continue from the checkpoint in `folder`.
    precision : {"bf16", "fp32"}, optional
        Probed if not given.
    devices, nodes : int, optional
        Processes per machine and machines; see `processes`. Where they are not started by
        someone else, each further one runs the same command, so this must be a command.
    checkpoint_every : float
        Seconds between checkpoints. One more is saved when training is interrupted.
    progress : bool
        Whether to draw a progress bar on standard error.

    Returns
    -------
    model : LanguageModel
        In evaluation mode, its weights rounded to bfloat16 as they are when it is saved.
    report : LanguageModelReport
        Measured on all held-out regions, with these weights; the same in every process.

    Raises
    ------
    InputError
        If there is nothing to resume, or it was another run.
    """
    folder = Path(folder)
    precision = settled_precision(precision, training_device())
    devices, nodes = processes(devices, nodes)
    if not len(corpus.without_excluded_regions().held_out):
        raise InputError(
            "corpus: the genomes that are trained on have no held-out regions; add one with "
            "several thousand unambiguous bases."
        )
    settings = {
        "recipe": asdict(recipe),
        "architecture": config.to_dict(),
        "seed": seed,
        "start_from": None if start_from is None else _weights_sha256(start_from),
        "text": corpus.sha256,
        "processes": devices * nodes,
        "precision": precision,
    }
    path = folder / CHECKPOINT
    steps_done = checkpoint_to_resume(path, settings) if resume else 0
    L.seed_everything(seed, verbose=False)
    model = LanguageModel(AWDLSTM(config)) if start_from is None else copy.deepcopy(start_from)
    model.train().encoder.dropouts = LANGUAGE_MODEL_DROPOUTS.scaled(recipe.dropout)
    tokenizer = config.tokenizer
    steps_per_epoch = len(TokenStreams(corpus, tokenizer, recipe.streams, recipe.bptt, seed))
    total_steps = max(1, round(recipe.epochs * steps_per_epoch))
    validate_at = validation_steps(total_steps, steps_per_epoch, recipe.streams * recipe.bptt)
    trainer = make_trainer(
        precision,
        max_epochs=1,
        devices=devices,
        num_nodes=nodes,
        plugins=[AtomicCheckpointIO(), *environment()],
        logger=make_loggers(folder / LOGS, Journal.COLUMNS, asdict(recipe), steps_done),
        callbacks=[
            Journal(corpus, validate_at, precision),
            Checkpoints(path, checkpoint_every, total_steps),
            Progress("Language model", progress),
        ],
    )
    place = (trainer.global_rank, trainer.world_size)
    streams = TokenStreams(corpus, tokenizer, recipe.streams, recipe.bptt, seed, *place)
    task = LanguageModelTask(model, recipe, total_steps, settings)
    fit(
        trainer,
        task,
        StepsOfRun(streams, total_steps),
        ckpt_path=path if resume else None,
        weights_only=True,
    )
    for parameter in model.parameters():
        parameter.data.copy_(parameter.data.bfloat16().float())
    windows = HeldOutWindows(corpus, tokenizer, rank=place[0], world_size=place[1])
    model.to(trainer.strategy.root_device)
    sums = held_out_sums(model, windows, len(corpus.genomes), precision)
    sums = summed_over_processes(trainer, sums)
    return model.cpu().eval(), _report(task, corpus, sums)


def _weights_sha256(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for value in model.state_dict().values():
        digest.update(value.cpu().numpy().tobytes())
    return digest.hexdigest()


def _report(task: LanguageModelTask, corpus: Corpus, sums: Tensor) -> LanguageModelReport:
    stride = task.model.encoder.config.tokenizer.stride
    names = [genome.name for genome in corpus.genomes]
    count = Counter(names)
    read: dict[str, dict[str, float]] = {}
    excluded: dict[str, dict[str, float]] = {}
    trained = torch.ones(len(names), dtype=torch.bool)
    trained[list(corpus.excluded)] = False
    for index, name in enumerate(names):
        if sums[index, 2]:
            label = name if count[name] == 1 else f"{name} (genome {index + 1})"
            (read if trained[index] else excluded)[label] = figures(sums[index], stride)
    overall = figures(sums[trained].sum(0), stride)
    return LanguageModelReport(
        loss=overall["loss"],
        accuracy=overall["accuracy"],
        perplexity=overall["perplexity"],
        bits_per_base=overall["bits_per_base"],
        tokens=task.tokens,
        seconds=task.seconds,
        curve=task.curve,
        genomes=read,
        excluded=excluded,
    )
