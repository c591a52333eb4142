"""Checkpoints that a process may be killed at any moment of, and that know their run."""

from __future__ import annotations

import io
import time
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.plugins.io import TorchCheckpointIO

from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import atomic_path
from genomic_ulmfit.training.lightning_setup import StoppedBetweenSteps

RECIPE = "--preset, or the version of genomic-ulmfit"

ARGUMENTS = {
    "recipe": RECIPE,
    "architecture": RECIPE,
    "epochs": "--epochs",
    "seed": "--seed",
    "start_from": "--from",
    "text": "genomes, --hold-out or --cut-windows",
    "precision": "--precision",
    "processes": "--devices or --nodes",
}
"""Settings of a run, and the arguments that they come from."""

OWN = "genomic_ulmfit"
"""Where a checkpoint holds what Lightning does not know of."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint so that there is always a whole one.

    Lightning's own writes to the system's folder for temporary files and copies from there: who
    is killed while it copies is left with half a file, and without the one before.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write `checkpoint` beside `path`, then give it that name."""
        # Written to memory first: PyTorch turns a full disk into an error without a reason.
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        with atomic_path(path) as temporary:
            temporary.write_bytes(buffer.getbuffer())


class Checkpoints(Callback):
    """Saves between training steps: now and then, after the last, and when asked to stop.

    Lightning's `ModelCheckpoint` also saves in the middle of a step that failed. From such a
    checkpoint a run would go on differently.

    Parameters
    ----------
    path : pathlib.Path
        Overwritten each time.
    every : float
        Seconds between checkpoints.
    total_steps : int
    """

    def __init__(self, path: Path, every: float, total_steps: int) -> None:
        self.path = path
        self.every = every
        self.total_steps = total_steps

    def on_train_start(self, trainer: L.Trainer, task: L.LightningModule) -> None:
        """Remove what a process that was killed while writing has left."""
        self.saved_at = time.monotonic()
        if trainer.is_global_zero:
            for leftover in self.path.parent.glob(f".{self.path.stem}-*{self.path.suffix}"):
                leftover.unlink()

    def on_train_batch_end(self, trainer: L.Trainer, task: L.LightningModule, *_: Any) -> None:
        """Save if it is time; all processes do, or none."""
        due = (
            time.monotonic() - self.saved_at >= self.every
            or trainer.global_step == self.total_steps
        )
        if trainer.strategy.reduce_boolean_decision(due, all=False):
            self._save(trainer)

    def on_exception(
        self, trainer: L.Trainer, task: L.LightningModule, exception: BaseException
    ) -> None:
        """Save when training stops between two steps."""
        if isinstance(exception, StoppedBetweenSteps):
            self._save(trainer)

    def _save(self, trainer: L.Trainer) -> None:
        trainer.save_checkpoint(self.path)
        # The logs reach as far as the checkpoint: what comes later is logged again.
        for logger in trainer.loggers:
            logger.save()
        self.saved_at = time.monotonic()


def checkpoint_to_resume(path: Path, settings: dict[str, Any]) -> int:
    """Check that `path` holds a checkpoint of a run with these settings.

    Parameters
    ----------
    path : pathlib.Path
    settings : dict
        What must not change between the parts of a run; ``processes`` is their number.

    Returns
    -------
    int
        Steps done.

    Raises
    ------
    InputError
        If there is nothing to resume, or it was another run.
    """
    found, steps = _settings_and_steps(path)
    differing = [name for name, value in settings.items() if found.get(name) != value]
    if differing == ["processes"]:
        raise InputError(
            f"--resume: {path} is of a run of {found.get('processes', 1)} processes, and this is "
            f"one of {settings['processes']}. Use the same --devices and --nodes."
        )
    if differing == ["precision"] and "precision" in found:
        raise InputError(
            f"--resume: {path} is of a run in {found['precision']}, and this is one in "
            f"{settings['precision']}. Leave --precision out to go on as it began."
        )
    if differing:
        if "start_from" in differing:
            differing = [name for name in differing if name != "architecture"]
        told = dict.fromkeys(_as_told(name, found.get(name), settings[name]) for name in differing)
        raise InputError(
            f"--resume: {path} is of a run with other settings: {'; '.join(told)}. Repeat the "
            "command that was interrupted; to begin anew, name another folder with --out, without "
            "--resume."
        )
    return steps


def _as_told(name: str, before: Any, now: Any) -> str:
    """Return by which argument of the command a setting that differs was set."""
    changed = ""
    if name == "recipe" and isinstance(before, dict):
        fields = [field for field in {**before, **now} if before.get(field) != now.get(field)]
        if fields == ["epochs"]:
            name, before, now = "epochs", before.get("epochs"), now.get("epochs")
    if name in ("epochs", "seed"):
        changed = f" (it was {before}, now {now})"
    return ARGUMENTS.get(name, name) + changed


def precision_to_resume(path: Path) -> str | None:
    """Return the precision of the run that `path` is a checkpoint of, if it says.

    Raises
    ------
    InputError
        If there is nothing to resume.
    """
    settings, _ = _settings_and_steps(path)
    precision: str | None = settings.get("precision")
    return precision


def _settings_and_steps(path: Path) -> tuple[dict[str, Any], int]:
    if not path.is_file():
        raise InputError(
            f"--resume: no checkpoint in {path.parent}. Start without --resume, or name "
            "the folder of the interrupted run."
        )
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        found, steps = saved[OWN]["settings"], int(saved["global_step"])
    except (EOFError, LookupError, OSError, RuntimeError, TypeError, UnpicklingError, ValueError):
        raise InputError(
            f"--resume: {path} is damaged or no checkpoint of a language model. Remove it "
            "and start without --resume."
        ) from None
    return found, steps
