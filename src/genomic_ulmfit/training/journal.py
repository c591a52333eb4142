"""Measuring how pretraining goes, and writing it down."""

from __future__ import annotations

import math
import time
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from genomic_ulmfit.data.corpus import Corpus
from genomic_ulmfit.data.streams import HeldOutWindows
from genomic_ulmfit.training.held_out import held_out_sums
from genomic_ulmfit.training.language_model_task import LanguageModelTask

LOG_EVERY = 10
"""Steps between lines of the logs."""

VALIDATION_BASES = 250_000
"""Held-out bases that are read, on both strands, while training runs."""

VALIDATION_SHARE = 0.05
VALIDATION_TOKENS = 4_000_000
"""Within an epoch, validation comes after this share of the run and so many tokens at least."""


class Journal(Callback):
    """Measures how training goes, and writes it down.

    Validation is done here and not by Lightning's loop: it is over before a checkpoint is saved,
    so no run is ever resumed in the middle of it.

    Parameters
    ----------
    corpus : Corpus
    validate_at : frozenset of int
        Steps.
    precision : {"bf16", "fp32"}
    """

    COLUMNS = ("tokens", "loss", "learning_rate", "tokens_per_second", "valid_loss")

    def __init__(self, corpus: Corpus, validate_at: frozenset[int], precision: str) -> None:
        self.corpus = corpus
        self.validate_at = validate_at
        self.precision = precision

    def on_train_start(self, trainer: L.Trainer, task: L.LightningModule) -> None:
        """Choose the held-out text to look at."""
        assert isinstance(task, LanguageModelTask)
        self.windows = HeldOutWindows(
            self.corpus.without_excluded_regions(),
            task.model.encoder.config.tokenizer,
            max_bases=VALIDATION_BASES,
            rank=trainer.global_rank,
            world_size=trainer.world_size,
        )
        self.step_ended = self.line_ended = time.perf_counter()
        self.tokens_at_line = task.tokens

    def on_train_batch_end(self, trainer: L.Trainer, task: L.LightningModule, *_: Any) -> None:
        """Write a line when one is due."""
        assert isinstance(task, LanguageModelTask)
        step = trainer.global_step
        if step % LOG_EVERY == 0 or step in self.validate_at or step == task.total_steps:
            self._write_line(trainer, task, step)
        now = time.perf_counter()
        task.seconds += now - self.step_ended
        self.step_ended = now

    def _write_line(self, trainer: L.Trainer, task: LanguageModelTask, step: int) -> None:
        line: dict[str, float] = {"tokens": task.tokens, "loss": task.mean_running_loss()}
        seconds = time.perf_counter() - self.line_ended
        line["tokens_per_second"] = (task.tokens - self.tokens_at_line) / seconds
        line["learning_rate"] = trainer.optimizers[0].param_groups[0]["lr"]
        task.log("loss", line["loss"], prog_bar=True, logger=False)
        if step in self.validate_at:
            sums = held_out_sums(
                task.model, self.windows, len(self.corpus.genomes), self.precision
            ).sum(0)
            sums = summed_over_processes(trainer, sums)
            line["valid_loss"] = float(sums[0] / sums[2])
            task.log("valid_loss", line["valid_loss"], prog_bar=True, logger=False)
            point = {"tokens": task.tokens, "train_loss": line["loss"]}
            task.curve.append({**point, "valid_loss": line["valid_loss"]})
        task.log("tokens/s", line["tokens_per_second"], prog_bar=True, logger=False)
        for logger in trainer.loggers:
            logger.log_metrics(line, step)
        self.line_ended = time.perf_counter()
        self.tokens_at_line = task.tokens


def validation_steps(total: int, per_epoch: int, tokens_per_step: int) -> frozenset[int]:
    """Choose when to validate: after every epoch, in long epochs more often, and at the end.

    Parameters
    ----------
    total : int
        Steps of the run.
    per_epoch : int
        Steps that an epoch would have.
    tokens_per_step : int

    Returns
    -------
    frozenset of int
        Steps, counted from 1, after which to validate.
    """
    spacing = max(VALIDATION_SHARE * total, VALIDATION_TOKENS / tokens_per_step)
    parts = max(1, int(per_epoch / spacing))
    n_points = math.ceil(total / per_epoch * parts)
    steps = {round(point * per_epoch / parts) for point in range(1, n_points + 1)}
    return frozenset({step for step in steps if 0 < step < total} | {total})


def summed_over_processes(trainer: L.Trainer, sums: Tensor) -> Tensor:
    """Add up what the processes have each summed over their share of the text."""
    if trainer.world_size == 1:
        return sums
    device = trainer.strategy.root_device
    return trainer.strategy.reduce(sums.to(device), reduce_op="sum").cpu()
