"""How this project runs Lightning: a trainer without chatter, and its progress bar."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import time
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import lightning as L
import rich.progress
import torch
from lightning.pytorch.callbacks import Callback
from torch import nn

from genomic_ulmfit.console import plain_console
from genomic_ulmfit.progress import Lines, time_left

PRECISIONS = {"bf16": "bf16-mixed", "fp32": "32-true"}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence Lightning's notes on hardware and data loaders while the block runs."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning.*")
            warnings.filterwarnings("ignore", message=".*lr_scheduler.step.*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def make_trainer(precision: str, **options: Any) -> L.Trainer:
    """Return a Lightning trainer with this project's defaults; `options` override them."""
    defaults: dict[str, Any] = {
        "precision": PRECISIONS[precision],
        "accelerator": "auto",
        "devices": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_model_summary": False,
        "enable_progress_bar": False,
        "gradient_clip_val": 1.0,
        "num_sanity_val_steps": 0,
    }
    with quiet():
        return L.Trainer(**{**defaults, **options})


class Task(L.LightningModule):
    """What a task of this project does as others do: clip its gradients.

    In mixed precision Lightning refuses to clip for optimizers that take their whole step in one
    kernel, as `adamw` does.
    """

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Scale gradients down to the trainer's norm if theirs is larger."""
        if gradient_clip_val:
            trained = [p for group in optimizer.param_groups for p in group["params"]]
            nn.utils.clip_grad_norm_(trained, gradient_clip_val)


def adamw(parameters: Iterable[Any], **options: Any) -> torch.optim.AdamW:
    """Return AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) as one kernel a parameter.

    Written as one operation after the other it passes over weights a dozen times, which at a few
    thousand tokens a step is a fifteenth of the time of training (docs/performance.md).

    Parameters
    ----------
    parameters : iterable of Parameter, or of parameter groups
    **options
        As `torch.optim.AdamW` takes them. Gradients are clipped by `Task`.

    Returns
    -------
    torch.optim.AdamW
    """
    return torch.optim.AdamW(parameters, fused=True, **options)


def one_cycle(
    optimizer: torch.optim.Optimizer, rates: list[float], total_steps: int, warm_up: float
) -> dict[str, Any]:
    """Return Lightning's entry for a one-cycle schedule (Smith 2018, arXiv:1803.09820).

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
    rates : list of float
        Peak learning rate of each of its parameter groups.
    total_steps : int
        Batches to train on.
    warm_up : float
        Share of them in which the rate rises, and momentum falls from .8 to .7.

    Returns
    -------
    dict
    """
    # PyTorch divides by the number of warm-up steps less one: it must not be exactly one.
    if warm_up * total_steps == 1:
        warm_up *= 1.01
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=rates,
        total_steps=total_steps,
        pct_start=warm_up,
        base_momentum=0.7,
        max_momentum=0.8,
    )
    return {"scheduler": schedule, "interval": "step"}


def fit(trainer: L.Trainer, *arguments: Any, **options: Any) -> None:
    """Run `trainer.fit` quietly; an interrupt comes out as `KeyboardInterrupt`.

    Ctrl-C, or SIGTERM from a scheduler, takes effect when the step under way is done, so that a
    checkpoint saved then is of whole steps; a second one takes effect at once.
    """
    stop = _StopBetweenSteps()
    handler = signal.getsignal(signal.SIGINT)
    # Python lets only the main thread take signals. A job that was told to ignore Ctrl-C (nohup)
    # goes on ignoring it.
    take = (
        handler not in (None, signal.SIG_IGN)
        and threading.current_thread() is threading.main_thread()
    )
    trainer.callbacks.append(stop)  # type: ignore[attr-defined]
    try:
        if take:
            signal.signal(signal.SIGINT, stop.ask)
        with quiet():
            trainer.fit(*arguments, **options)
    except SystemExit:
        # Lightning answers Ctrl-C with `sys.exit(1)`, which would look like a failure of ours.
        raise KeyboardInterrupt from None
    finally:
        trainer.callbacks.remove(stop)  # type: ignore[attr-defined]
        if take:
            signal.signal(signal.SIGINT, handler)
    if stop.asked or trainer.interrupted:
        raise KeyboardInterrupt


class StoppedBetweenSteps(KeyboardInterrupt):
    """Training was asked to stop, and every process has done the same whole steps."""


class _StopBetweenSteps(Callback):
    """Turns a signal into `StoppedBetweenSteps` after the step in which it came."""

    def __init__(self) -> None:
        self.asked = False

    def ask(self, *_: Any) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def on_train_start(self, trainer: L.Trainer, task: L.LightningModule) -> None:
        # Lightning's own handler, which it takes back itself when training ends, makes one process
        # wait for the others wherever they are.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self.ask)

    def on_train_batch_end(self, trainer: L.Trainer, task: L.LightningModule, *_: Any) -> None:
        # Any process may have got the signal; they stop after the same step.
        if trainer.strategy.reduce_boolean_decision(self.asked, all=False):
            raise StoppedBetweenSteps


class Progress(Callback):
    """Shows how training goes on standard error.

    On a terminal this is a bar with the running loss and the time left; in a file (a log of a
    background job) it is a line at the start, now and then (`Lines`) and after each epoch.

    Parameters
    ----------
    description : str
        What is being trained.
    show : bool
        Without it, nothing is shown.
    """

    LOOK_EVERY = 0.5
    """Seconds between looks at the figures: on a GPU each look waits for the step to end."""

    def __init__(self, description: str, show: bool = True) -> None:
        self.description = description
        self.show = show
        self.console = plain_console(stderr=True)
        self.bar: rich.progress.Progress | None = None

    def on_train_start(self, trainer: L.Trainer, task: L.LightningModule) -> None:
        """Draw the bar."""
        self.total = int(trainer.estimated_stepping_batches)
        self.first = trainer.global_step
        self.start = self.last_look = time.monotonic()
        self.lines = Lines()
        self.show &= trainer.is_global_zero
        if not self.show:
            return
        if not self.console.is_terminal:
            # Else the last stage of fine-tuning, by far the longest, begins in silence.
            step = f"step {self.first:,} of {self.total:,}"
            self.console.print(f"{self.description}: {step}", soft_wrap=True)
            return
        self.bar = rich.progress.Progress(
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(),
            rich.progress.MofNCompleteColumn(),
            rich.progress.TextColumn("{task.fields[figures]}"),
            rich.progress.TimeRemainingColumn(),
            console=self.console,
        )
        self.bar.start()
        self.line = self.bar.add_task(
            self.description, total=self.total, completed=self.first, figures=""
        )

    def on_train_batch_end(self, trainer: L.Trainer, task: L.LightningModule, *_: Any) -> None:
        """Move the bar, or write a line when one is due."""
        now = time.monotonic()
        if self.bar is not None:
            self.bar.update(self.line, completed=trainer.global_step)
            if now - self.last_look >= self.LOOK_EVERY:
                self.last_look = now
                self.bar.update(self.line, figures=_figures(trainer))
        elif self.lines.due():
            self._write_line(trainer)

    def on_train_epoch_end(self, trainer: L.Trainer, task: L.LightningModule) -> None:
        """Write the epoch's line where there is no bar."""
        if self.show and self.bar is None:
            self._write_line(trainer)

    def on_train_end(self, trainer: L.Trainer, task: L.LightningModule) -> None:
        """Leave the finished bar standing."""
        if self.bar is not None:
            self.bar.update(self.line, figures=_figures(trainer))
        self._stop()

    def on_exception(
        self, trainer: L.Trainer, task: L.LightningModule, exception: BaseException
    ) -> None:
        """Give the terminal back."""
        self._stop()

    def _write_line(self, trainer: L.Trainer) -> None:
        if not self.show:
            return
        self.lines.written()
        step = trainer.global_step
        left = time_left(self.start, step - self.first, self.total - self.first)
        self.console.print(
            f"{self.description}: step {step:,} of {self.total:,}, {_figures(trainer)}, {left}",
            soft_wrap=True,
        )

    def _stop(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


def _figures(trainer: L.Trainer) -> str:
    return " ".join(
        f"{name} {float(value):{',.0f' if value >= 1000 else '.4f'}}"
        for name, value in trainer.progress_bar_metrics.items()
    )
