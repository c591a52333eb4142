"""Language-model pretraining, and ULMFiT's second stage: going on from an encoder."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor
from torch.nn import functional as F

from genomic_ulmfit.data.corpus import Corpus, HeldOutWindows, TokenStreams
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models.awd_lstm import AWDLSTM, State
from genomic_ulmfit.models.config import LANGUAGE_MODEL_DROPOUTS, EncoderConfig
from genomic_ulmfit.models.language_model import LanguageModel, activation_regularisation
from genomic_ulmfit.models.precision import best_precision
from genomic_ulmfit.training.lightning_setup import (
    Progress,
    fit,
    make_trainer,
    one_cycle,
    validate,
)

CHECKPOINT = "last.ckpt"


@dataclass(frozen=True)
class PretrainingRecipe:
    """How a language model is trained.

    Parameters
    ----------
    epochs : int
        Passes over the training text, each on one randomly drawn strand per piece.
    streams : int
        Parallel streams of text: the batch size.
    bptt : int
        Tokens through which gradients flow back.
    learning_rate : float
        Peak of the one-cycle schedule (Smith 2018, arXiv:1803.09820).
    dropout : float
        Multiplier on `LANGUAGE_MODEL_DROPOUTS`.
    weight_decay : float
        AdamW's.
    alpha, beta : float
        Weights of activation and temporal activation regularisation.
    """

    epochs: int
    streams: int = 64
    bptt: int = 100
    learning_rate: float = 5e-3
    dropout: float = 0.3
    weight_decay: float = 0.01
    alpha: float = 0.0
    beta: float = 0.0


RECIPES = {
    "tiny": PretrainingRecipe(epochs=2, streams=16, bptt=50, learning_rate=1e-2, dropout=0.1),
    "small": PretrainingRecipe(epochs=5),
    "paper": PretrainingRecipe(epochs=20, streams=128, learning_rate=3e-3),
}
"""By preset."""


@dataclass(frozen=True)
class LanguageModelReport:
    """What a language model achieves on held-out text.

    Parameters
    ----------
    loss : float
        Cross-entropy in nats per token.
    accuracy : float
        Share of tokens whose new bases are predicted exactly.
    perplexity : float
        exp(loss).
    bits_per_base : float
        loss / ln 2 / stride; 2 is informed random: every base equally likely.
    tokens : int
        Tokens trained on.
    seconds : float
        Training time, validation included.
    curve : list of dict
        ``tokens``, ``train_loss``, ``valid_loss`` after every epoch.
    """

    loss: float
    accuracy: float
    perplexity: float
    bits_per_base: float
    tokens: int
    seconds: float
    curve: list[dict[str, float]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able form."""
        return asdict(self)


class _LanguageModelTask(L.LightningModule):
    """Truncated back-propagation through time over endless streams."""

    def __init__(
        self,
        model: LanguageModel,
        recipe: PretrainingRecipe,
        total_steps: int,
        settings: dict[str, Any],
    ) -> None:
        super().__init__()
        self.model = model
        self.recipe = recipe
        self.settings = settings
        self.total_steps = total_steps
        self.state: State | None = None
        self.valid_state: State | None = None
        self.sums = torch.zeros(3, dtype=torch.float64)
        self.train_loss = math.nan
        self.tokens = 0
        self.seconds = 0.0
        self.curve: list[dict[str, float]] = []

    def training_step(self, batch: tuple[Tensor, bool], _: int) -> Tensor:
        window, fresh = batch
        state = None if fresh else self.state
        logits, raw, dropped, self.state = self.model(window[:-1], state)
        loss = F.cross_entropy(logits.float().flatten(0, 1), self._targets(window).flatten())
        current = loss.item()
        self.train_loss = (
            current if math.isnan(self.train_loss) else 0.98 * self.train_loss + 0.02 * current
        )
        self.tokens += window[1:].numel()
        self.log("loss", self.train_loss, prog_bar=True)
        return loss + activation_regularisation(raw, dropped, self.recipe.alpha, self.recipe.beta)

    def validation_step(self, batch: tuple[Tensor, bool], _: int) -> None:
        window, fresh = batch
        logits, _, _, self.valid_state = self.model(
            window[:-1], None if fresh else self.valid_state
        )
        scored = window[1:] != self.model.encoder.config.tokenizer.unknown
        logits, targets = logits.float()[scored], self._targets(window)[scored]
        self.sums += torch.tensor(
            [
                F.cross_entropy(logits, targets, reduction="sum").item(),
                (logits.argmax(-1) == targets).sum().item(),
                len(targets),
            ],
            dtype=torch.float64,
        )

    def on_validation_start(self) -> None:
        self.sums = torch.zeros(3, dtype=torch.float64)

    def on_validation_epoch_end(self) -> None:
        loss = (self.sums[0] / self.sums[2]).item()
        self.log("valid_loss", loss, prog_bar=True)
        if self.trainer.state.fn == TrainerFn.FITTING:
            point = {"tokens": self.tokens, "train_loss": self.train_loss, "valid_loss": loss}
            self.curve.append(point)

    def _targets(self, window: Tensor) -> Tensor:
        return window[1:] & (self.model.encoder.config.tokenizer.n_new - 1)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(
            self.parameters(),
            lr=self.recipe.learning_rate,
            betas=(0.8, 0.99),
            weight_decay=self.recipe.weight_decay,
        )
        rates = [self.recipe.learning_rate]
        return {
            "optimizer": optimizer,
            "lr_scheduler": one_cycle(optimizer, rates, self.total_steps, warm_up=0.1),
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        # What the streams had read and which dropout masks came next are part of the state:
        # with them a resumed run repeats what the interrupted one would have done.
        checkpoint["genomic_ulmfit"] = {
            "state": self.state,
            "tokens": self.tokens,
            "seconds": self.seconds,
            "train_loss": self.train_loss,
            "curve": self.curve,
            "rng": torch.get_rng_state(),
            "settings": self.settings,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        saved = checkpoint["genomic_ulmfit"]
        self.state = saved["state"]
        self.tokens = saved["tokens"]
        self.seconds = saved["seconds"]
        self.train_loss = saved["train_loss"]
        self.curve = saved["curve"]
        self._rng = saved["rng"]

    def on_train_start(self) -> None:
        if hasattr(self, "_rng"):
            torch.set_rng_state(self._rng)


class _Clock(Callback):
    """Adds up training time over resumed runs."""

    def on_train_start(self, trainer: L.Trainer, task: L.LightningModule) -> None:
        self.start = time.perf_counter()

    def on_train_batch_end(self, trainer: L.Trainer, task: L.LightningModule, *_: Any) -> None:
        now = time.perf_counter()
        assert isinstance(task, _LanguageModelTask)
        task.seconds += now - self.start
        self.start = now


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
    progress: bool = True,
) -> tuple[LanguageModel, LanguageModelReport]:
    """Train a language model on a corpus.

    Parameters
    ----------
    corpus : Corpus
    folder : path-like
        Where the checkpoint is kept while training runs (about once a minute, and when
        training is interrupted). Whoever has saved the model may remove it.
    config : EncoderConfig
        Shape of the encoder; that of `start_from` where one is given.
    recipe : PretrainingRecipe
    seed : int
        Of weights, dropout and text order.
    start_from : LanguageModel, optional
        Go on from this model instead of random weights.
    resume : bool
        Continue from the checkpoint in `folder`.
    precision : {"bf16", "fp32"}, optional
        Probed if not given.
    progress : bool
        Whether to draw a progress bar on standard error.

    Returns
    -------
    model : LanguageModel
        In evaluation mode.
    report : LanguageModelReport
        Measured on the corpus's held-out regions, both strands.

    Raises
    ------
    InputError
        If there is nothing to resume, or it was another run.
    """
    checkpoint = Path(folder) / CHECKPOINT
    settings = {
        "recipe": asdict(recipe),
        "architecture": config.to_dict(),
        "seed": seed,
        "text": _text_sha256(corpus),
    }
    resume_from = _checkpoint_to_resume(checkpoint, settings) if resume else None
    L.seed_everything(seed, verbose=False)
    model = start_from or LanguageModel(AWDLSTM(config))
    model.encoder.dropouts = LANGUAGE_MODEL_DROPOUTS.scaled(recipe.dropout)
    streams = TokenStreams(corpus.train, config.tokenizer, recipe.streams, recipe.bptt, seed)
    held_out = HeldOutWindows(corpus.held_out, config.tokenizer)
    task = _LanguageModelTask(model, recipe, recipe.epochs * len(streams), settings)
    saver = ModelCheckpoint(
        dirpath=folder,
        filename=checkpoint.stem,
        train_time_interval=timedelta(minutes=1),
        save_on_exception=True,
        enable_version_counter=False,
    )
    trainer = make_trainer(
        precision or best_precision(),
        max_epochs=recipe.epochs,
        callbacks=[saver, _Clock(), Progress("Language model", progress)],
        enable_checkpointing=True,
    )
    fit(trainer, task, streams, held_out, ckpt_path=resume_from, weights_only=True)
    validate(trainer, task, held_out)
    loss = (task.sums[0] / task.sums[2]).item()
    report = LanguageModelReport(
        loss=loss,
        accuracy=(task.sums[1] / task.sums[2]).item(),
        perplexity=math.exp(loss),
        bits_per_base=loss / math.log(2) / config.tokenizer.stride,
        tokens=task.tokens,
        seconds=task.seconds,
        curve=task.curve,
    )
    return model.cpu().eval(), report


def _text_sha256(corpus: Corpus) -> str:
    digest = hashlib.sha256()
    for piece in corpus.train:
        digest.update(piece.tobytes())
    return digest.hexdigest()


def _checkpoint_to_resume(checkpoint: Path, settings: dict[str, Any]) -> Path:
    if not checkpoint.is_file():
        raise InputError(
            f"--resume: no checkpoint in {checkpoint.parent}. Start without --resume, or name "
            "the folder of the interrupted run."
        )
    try:
        saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
        found = saved["genomic_ulmfit"]["settings"]
    except (EOFError, LookupError, RuntimeError, TypeError, UnpicklingError):
        raise InputError(
            f"--resume: {checkpoint} is damaged or no checkpoint of a language model. Remove it "
            "and start without --resume."
        ) from None
    differing = [name for name, value in settings.items() if found.get(name) != value]
    if differing:
        raise InputError(
            f"--resume: {checkpoint} is of a run with other settings: {', '.join(differing)}. "
            "Repeat the command that was interrupted, or start without --resume."
        )
    return checkpoint
