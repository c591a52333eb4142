"""How this project runs Lightning: a trainer without chatter, and its progress bar."""

from __future__ import annotations

import contextlib
import logging
import signal
import warnings
from collections.abc import Iterator
from typing import Any

import lightning as L
import rich.progress
from lightning.pytorch.callbacks import Callback
from rich.console import Console

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


def fit(trainer: L.Trainer, *arguments: Any, **options: Any) -> None:
    """Run `trainer.fit` quietly; an interrupt comes out as `KeyboardInterrupt`.

    Lightning answers Ctrl-C with `sys.exit(1)`, which would look like a failure of ours.
    """
    handler = signal.getsignal(signal.SIGINT)
    try:
        with quiet():
            trainer.fit(*arguments, **options)
    except SystemExit:
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from None
    if trainer.interrupted:
        raise KeyboardInterrupt


class Progress(Callback):
    """A Rich progress bar on standard error, with the running loss and the time left.

    Parameters
    ----------
    description : str
        What is being trained.
    show : bool
        Without it, nothing is drawn.
    """

    def __init__(self, description: str, show: bool = True) -> None:
        self.description = description
        self.show = show
        self.bar: rich.progress.Progress | None = None

    def on_train_start(self, trainer: L.Trainer, task: L.LightningModule) -> None:
        """Draw the bar."""
        if not self.show:
            return
        self.bar = rich.progress.Progress(
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(),
            rich.progress.MofNCompleteColumn(),
            rich.progress.TextColumn("{task.fields[figures]}"),
            rich.progress.TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self.bar.start()
        self.line = self.bar.add_task(
            self.description,
            total=int(trainer.estimated_stepping_batches),
            completed=trainer.global_step,
            figures="",
        )

    def on_train_batch_end(self, trainer: L.Trainer, task: L.LightningModule, *_: Any) -> None:
        """Move the bar."""
        if self.bar is not None:
            figures = " ".join(
                f"{name} {float(value):.3f}" for name, value in trainer.progress_bar_metrics.items()
            )
            self.bar.update(self.line, completed=trainer.global_step, figures=figures)

    def on_train_end(self, trainer: L.Trainer, task: L.LightningModule) -> None:
        """Leave the finished bar standing."""
        self._stop()

    def on_exception(
        self, trainer: L.Trainer, task: L.LightningModule, exception: BaseException
    ) -> None:
        """Give the terminal back."""
        self._stop()

    def _stop(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None
