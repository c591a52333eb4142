"""Training a classifier the ULMFiT way (Howard & Ruder 2018, arXiv:1801.06146, section 3.3).

Gradual unfreezing from the top (or one stage of all layers, as the recipe says), learning rates
that fall from layer to layer downwards, and in each stage a one-cycle schedule of rate and
momentum.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import lightning as L
import numpy as np
import numpy.typing as npt
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn
from torch.nn import functional as F

from genomic_ulmfit.data.batches import Batch, ShuffledBatches, TokenizedSequences
from genomic_ulmfit.dna.alphabet import Codes
from genomic_ulmfit.models.classifier import Classifier, ClassifierConfig, apart
from genomic_ulmfit.models.config import CLASSIFIER_DROPOUTS
from genomic_ulmfit.models.language_model import LanguageModel
from genomic_ulmfit.models.precision import autocast, settled_precision, training_device
from genomic_ulmfit.models.prediction import predict_probabilities
from genomic_ulmfit.training.features import CACHE_LIMIT, States
from genomic_ulmfit.training.finetuning_recipe import FineTuningRecipe, Stage
from genomic_ulmfit.training.lightning_setup import (
    Progress,
    Task,
    adamw,
    fit,
    make_trainer,
    one_cycle,
)

MOST_TOKENS = 1 << 18
"""Tokens of a batch, padding and readings included: what backpropagation keeps of each takes some
20 KB at preset `small`. Long sequences are trained on in smaller batches."""

FEWEST_IN_BATCH = 4
"""Sequences, however long: batch norm needs some."""


class _Rounds:
    """Batches gone round several times in each epoch."""

    def __init__(self, batches: ShuffledBatches, rounds: int) -> None:
        self.batches = batches
        self.rounds = rounds

    def __len__(self) -> int:
        return self.rounds * len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        for _ in range(self.rounds):
            yield from self.batches


class _FineTuningTask(Task):
    """One stage."""

    def __init__(
        self,
        model: Classifier,
        recipe: FineTuningRecipe,
        stage: Stage,
        targets: Tensor,
        cache: Tensor | None,
        total_steps: int,
    ) -> None:
        super().__init__()
        self.model = model
        self.recipe = recipe
        self.stage = stage
        self.targets = targets
        self.cache = cache
        self.total_steps = total_steps
        self.losses: list[float] = []

    @property
    def frozen(self) -> int:
        """How many LSTM layers stay as they are."""
        return n_frozen(self.model, self.stage)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        if self.cache is not None:
            rows = columns_of(batch.rows.cpu(), self.model, len(self.targets))
            x = self.cache[: len(batch.tokens), rows].to(batch.tokens.device)
            if x.dtype == torch.float16:
                x = x.float()  # Autocast to bf16 refuses float16.
        else:
            x = frozen_output(self.model, self.frozen, batch.tokens)
        logits = self.model.forward_from(self.frozen, x, batch.lengths, batch.codes)
        targets = self.targets[batch.rows.cpu()].to(logits.device)
        loss = F.cross_entropy(logits.float(), targets)
        self.losses.append(loss.item())
        self.log("loss", float(np.mean(self.losses[-20:])), prog_bar=True)
        return loss

    def configure_optimizers(self) -> Any:
        groups: list[dict[str, Any]] = [
            {"params": parameters, "lr": self.stage.learning_rate / self.recipe.layer_decay**depth}
            for depth, parameters in enumerate(self._groups())
        ]
        optimizer = adamw(groups, weight_decay=self.recipe.weight_decay)
        rates = [group["lr"] for group in groups]
        return {
            "optimizer": optimizer,
            "lr_scheduler": one_cycle(optimizer, rates, self.total_steps, warm_up=0.25),
        }

    def _groups(self) -> list[list[nn.Parameter]]:
        """Trained parameters: head first, then the layers from the top down."""
        encoder = self.model.encoder
        inside = {id(p) for p in encoder.parameters()}
        groups = [[p for p in self.model.parameters() if id(p) not in inside]]
        for layer in reversed(encoder.layers[self.frozen :]):
            groups.append(list(layer.parameters()))
        if self.stage.layers is None:
            groups.append(list(encoder.embedding.parameters()))
        return groups


def n_frozen(model: Classifier, stage: Stage) -> int:
    """Return how many of the model's LSTM layers a stage leaves alone."""
    depth = len(model.encoder.layers)
    return 0 if stage.layers is None else max(0, depth - stage.layers)


def frozen_output(model: Classifier, frozen: int, tokens: Tensor) -> Tensor:
    """Return the embedding, or the output of the last frozen layer, shape (time, batch, width).

    Frozen layers run without dropout, so their output is the same in every epoch. Where no
    layer is left to run, context has done its work and is cut off.
    """
    encoder = model.encoder
    if frozen == 0:
        return encoder.embed(tokens)
    training = encoder.training
    encoder.eval()
    with torch.no_grad():
        x = encoder.embed(tokens)
        for index in range(frozen):
            x, _ = encoder.run_layer(index, x)
    encoder.train(training)
    return model.only_the_sequence(x) if frozen == len(encoder.layers) else x


def columns_of(rows: Tensor, model: Classifier, n: int) -> Tensor:
    """Return where the readings of some sequences stand among those of all `n`."""
    return torch.cat([rows + reading * n for reading in range(model.config.readings.count)])


def _cached_output(
    model: Classifier,
    frozen: int,
    sequences: TokenizedSequences,
    states: States | None,
    precision: str,
) -> Tensor | None:
    """Return frozen layers' output for all sequences, shape (time, readings * n, width)."""
    time = max(tokens.shape[1] for tokens in sequences.tokens)
    if model.config.length is not None and frozen == len(model.encoder.layers):
        if states is not None:
            # As they are: only heads read them, and heads compute in fp32.
            beside = torch.from_numpy(np.asarray(states)).transpose(0, 1)
            return apart(beside, model.config.readings)
        time = model.config.encoder.tokenizer.n_tokens(model.config.length)
    width = model.config.encoder.layer_sizes()[frozen - 1][1]
    # What the layers compute in: rounding would change it, and fp32 layers take no bf16.
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    n_columns = len(sequences) * model.config.readings.count
    if time * n_columns * width * dtype.itemsize > CACHE_LIMIT:
        return None
    cache = torch.zeros(time, n_columns, width, dtype=dtype)
    device = next(model.parameters()).device
    with autocast(precision, device):
        for batch in sequences.in_order_of_length(256):
            output = frozen_output(model, frozen, batch.tokens.to(device))
            cache[: len(output), columns_of(batch.rows, model, len(sequences))] = output.to(cache)
    return cache


class _Curve(Callback):
    """Writes down losses and validation accuracy after every epoch."""

    def __init__(
        self,
        name: str,
        points: list[dict[str, Any]],
        valid: tuple[Sequence[Codes], npt.NDArray[np.intp]] | None,
        precision: str,
    ) -> None:
        self.name = name
        self.points = points
        self.valid = valid
        self.precision = precision

    def on_train_epoch_end(self, trainer: L.Trainer, task: L.LightningModule) -> None:
        assert isinstance(task, _FineTuningTask)
        before = self.points[-1] if self.points else {"step": 0, "epoch": 0}
        steps = len(task.losses)
        point: dict[str, Any] = {
            "step": before["step"] + steps,
            "epoch": before["epoch"] + 1,
            "stage": self.name,
            "train_loss": float(np.mean(task.losses)),
            "valid_loss": None,
            "valid_accuracy": None,
        }
        task.losses.clear()
        if self.valid is not None:
            codes, targets = self.valid
            probabilities = predict_probabilities(task.model, codes, precision=self.precision)
            task.model.train()
            of_target = probabilities[np.arange(len(targets)), targets]
            point["valid_loss"] = float(-np.log(np.maximum(of_target, 1e-12)).mean())
            point["valid_accuracy"] = float((probabilities.argmax(1) == targets).mean())
        self.points.append(point)


def fine_tune(
    codes: Sequence[Codes],
    targets: npt.NDArray[np.intp],
    config: ClassifierConfig,
    recipe: FineTuningRecipe,
    *,
    encoder: LanguageModel | None = None,
    states: States | None = None,
    valid: tuple[Sequence[Codes], npt.NDArray[np.intp]] | None = None,
    seed: int = 0,
    precision: str | None = None,
    progress: bool = True,
) -> tuple[Classifier, list[dict[str, Any]]]:
    """Train a classifier.

    Parameters
    ----------
    codes : sequence of numpy.ndarray of uint8
        Training sequences, each between `config.context` bases of context.
    targets : numpy.ndarray of int, shape (len(codes),)
        Index of each sequence's class.
    config : ClassifierConfig
    recipe : FineTuningRecipe
    encoder : LanguageModel, optional
        Pretrained weights; random ones if not given.
    states : numpy.ndarray of float16, shape (len(codes), n_tokens, width), optional
        What the encoder makes of the sequences, as from
        `genomic_ulmfit.training.features.frozen_states`, if it is at hand: the first stages of a
        recipe may leave all of it as it is.
    valid : (codes, targets), optional
        Watched, not learnt from: it fills in the curve and changes nothing.
    seed : int
        Of weights, dropout and batches.
    precision : {"bf16", "fp32"}, optional
        Probed if not given.
    progress : bool
        Whether to draw progress bars on standard error.

    Returns
    -------
    model : Classifier
        In evaluation mode.
    curve : list of dict
        After each epoch: ``step``, ``epoch``, ``stage``, ``train_loss``, ``valid_loss``,
        ``valid_accuracy``. Where the pooling head is the same for every phase, it is of the first.
    """
    precision = settled_precision(precision, training_device())
    if config.opinions > 1 and config.head != "pooling":
        raise ValueError("phases under the same weights are for a pooling head alone")
    whole = config
    if whole.opinions > 1:
        # Every phase is a sequence of its own to learn from.
        config, states = replace(config, phases=1, phases_alike=False), None
    torch.manual_seed(seed)
    model = Classifier(config, CLASSIFIER_DROPOUTS.scaled(recipe.dropout))
    if encoder is not None:
        model.encoder.load_state_dict(encoder.encoder.state_dict())
    sequences = TokenizedSequences.of(codes, config.encoder.tokenizer, whole.readings)
    sequences, targets = sequences.apart(whole.opinions), np.tile(targets, whole.opinions)
    longest = max(tokens.size for tokens in sequences.tokens)
    size = min(recipe.batch_size, max(FEWEST_IN_BATCH, MOST_TOKENS // longest))
    batches = ShuffledBatches(sequences, size, seed)
    curve: list[dict[str, Any]] = []
    for number, stage in enumerate(recipe.stages, start=1):
        name = stage_name(stage)
        frozen = n_frozen(model, stage)
        for parameter in model.encoder.parameters():
            parameter.requires_grad_(stage.layers is None)
        for layer in model.encoder.layers[frozen:]:
            layer.requires_grad_(True)
        epoch = _Rounds(batches, max(1, -(-stage.min_steps // (stage.epochs * len(batches)))))
        cache = None
        # Worth its memory only if sequences come up more than once.
        if frozen and stage.epochs * epoch.rounds > 1:
            cache = _cached_output(
                model.to(training_device()), frozen, sequences, states, precision
            )
        task = _FineTuningTask(
            model.train(),
            recipe,
            stage,
            torch.from_numpy(targets.astype(np.int64)),
            cache,
            total_steps=stage.epochs * len(epoch),
        )
        trainer = make_trainer(
            precision,
            max_epochs=stage.epochs,
            callbacks=[
                Progress(f"Stage {number}/{len(recipe.stages)}: {name}", progress),
                _Curve(name, curve, valid, precision),
            ],
        )
        fit(trainer, task, epoch)
    model = model.cpu().eval()
    if whole is config:
        return model, curve
    of_all = Classifier(whole)
    of_all.load_state_dict(model.state_dict())
    return of_all.eval(), curve


def stage_name(stage: Stage) -> str:
    """Describe a stage in words."""
    if stage.layers is None:
        return "all layers"
    return {0: "head", 1: "last layer"}.get(stage.layers, f"last {stage.layers} layers")
