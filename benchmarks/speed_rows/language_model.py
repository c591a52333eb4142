"""Language-model training and inference: this package, and a plain PyTorch program."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn
from torch.nn import functional as F

from genomic_ulmfit.models.awd_lstm import AWDLSTM
from genomic_ulmfit.models.config import LANGUAGE_MODEL_DROPOUTS, EncoderConfig, preset
from genomic_ulmfit.models.language_model import LanguageModel
from genomic_ulmfit.models.memory import freed_memory_kept
from genomic_ulmfit.models.precision import autocast, best_precision
from genomic_ulmfit.training.language_model_task import LanguageModelTask, StepsOfRun
from genomic_ulmfit.training.lightning_setup import fit, make_trainer
from genomic_ulmfit.training.pretraining import pretrain
from genomic_ulmfit.training.pretraining_recipe import RECIPES
from speed_rows import material
from speed_rows.row import Bench, Measurement, Row, rates, steps_of

SEED_LOSS = 2.629
"""Nats per token: the best of the seed's E. coli language model."""

QUALITY_EPOCHS = 3.0
"""Length of the run that is to pass it; two of 3 ended at 2.577 and 2.590."""


def flop_per_token(config: EncoderConfig, n_scores: int, *, training: bool) -> float:
    """Count the matrix products of an LSTM stack and its decoder.

    Two operations for each weight that a token meets, and in training twice as many again
    backwards. Embedding, dropout, gates and optimizer are not counted.
    """
    weights = sum(4 * out * (into + out) for into, out in config.layer_sizes())
    return (6 if training else 2) * (weights + config.embedding * n_scores)


class _Clock(Callback):
    """Notes when steps end."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, *_: Any) -> None:
        self.ends.append(time.perf_counter())


def train(bench: Bench, size: str) -> Measurement:
    """Train as `pretrain` does, without validation and checkpoints."""
    precision, recipe, config = best_precision(), RECIPES[size], preset(size)
    steps, clock = steps_of(bench, size), _Clock()
    L.seed_everything(0, verbose=False)
    model = LanguageModel(AWDLSTM(config, LANGUAGE_MODEL_DROPOUTS.scaled(recipe.dropout)))
    trainer = make_trainer(precision, max_epochs=1, callbacks=[clock])
    task = LanguageModelTask(model.train(), recipe, steps.total, {"seed": 0})
    with freed_memory_kept():
        fit(trainer, task, StepsOfRun(material.streams(bench, size), steps.total))
    return Measurement(
        steps.rates(clock.ends, recipe.streams * recipe.bptt),
        f"{precision}, {recipe.streams} streams x {recipe.bptt} tokens",
        {
            "precision": precision,
            "flop_per_unit": flop_per_token(config, config.tokenizer.n_new, training=True),
        },
    )


def infer(bench: Bench, size: str) -> Measurement:
    """Score text as the report at the end of `pretrain` does."""
    precision, config = best_precision(), preset(size)
    model = LanguageModel(AWDLSTM(config)).eval()
    batch = inference_batch(bench, size)
    with torch.no_grad(), autocast(precision):
        values = rates(scorer(lambda tokens: model(tokens)[0], batch), bench.repeats(7))
    return Measurement(
        values,
        f"{precision}, {batch.shape[1]} streams x {batch.shape[0]} tokens",
        {
            "precision": precision,
            "flop_per_unit": flop_per_token(config, config.tokenizer.n_new, training=False),
        },
    )


def inference_batch(bench: Bench, size: str) -> Tensor:
    """Return tokens of shape (time, streams): the first window of the training text."""
    window, _ = next(iter(material.streams(bench, size)))
    return window[:-1]


def scorer(model: Callable[[Tensor], Tensor], batch: Tensor) -> Callable[[], float]:
    """Return what scores a batch and says how many tokens it had."""

    def score() -> float:
        model(batch)
        return float(batch.numel())

    return score


class PlainLSTM(nn.Module):
    """What anyone would write: embedding, stock LSTM layers, linear layer; no dropout."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.tokenizer.vocab_size, config.embedding)
        self.layers = nn.ModuleList(nn.LSTM(*sizes) for sizes in config.layer_sizes())
        self.decoder = nn.Linear(config.embedding, config.tokenizer.n_new)

    def forward(self, tokens: Tensor, state: list[Any] | None = None) -> tuple[Tensor, list[Any]]:
        x, new_state = self.embedding(tokens), []
        for index, layer in enumerate(self.layers):
            x, (h, c) = layer(x, None if state is None else state[index])
            new_state.append((h.detach(), c.detach()))
        return self.decoder(x), new_state


def train_plain(bench: Bench, size: str) -> Measurement:
    """A loop of a few lines in fp32, over the same windows."""
    recipe, config, steps = RECIPES[size], preset(size), steps_of(bench, size)
    torch.manual_seed(0)
    model, state, ends = PlainLSTM(config), None, []
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for window, _ in StepsOfRun(material.streams(bench, size), steps.total):
        logits, state = model(window[:-1], state)
        targets = window[1:] & (config.tokenizer.n_new - 1)
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        ends.append(time.perf_counter())
    return Measurement(
        steps.rates(ends, recipe.streams * recipe.bptt),
        f"fp32, {recipe.streams} streams x {recipe.bptt} tokens",
        {
            "precision": "fp32",
            "flop_per_unit": flop_per_token(config, config.tokenizer.n_new, training=True),
        },
    )


def infer_plain(bench: Bench, size: str) -> Measurement:
    config = preset(size)
    model, batch = PlainLSTM(config).eval(), inference_batch(bench, size)
    with torch.no_grad():
        values = rates(scorer(lambda tokens: model(tokens)[0], batch), bench.repeats(7))
    return Measurement(
        values,
        f"fp32, {batch.shape[1]} streams x {batch.shape[0]} tokens",
        {
            "precision": "fp32",
            "flop_per_unit": flop_per_token(config, config.tokenizer.n_new, training=False),
        },
    )


def time_to_quality(bench: Bench) -> Measurement:
    """Train a language model of E. coli from random weights until it is as good as the seed's."""
    epochs = 0.2 if bench.quick else QUALITY_EPOCHS
    text = material.corpus(bench)
    begun = time.perf_counter()
    _, report = pretrain(
        text,
        bench.scratch / "quality",
        preset(bench.size),
        replace(RECIPES[bench.size], epochs=epochs),
        progress=False,
    )
    seconds = time.perf_counter() - begun
    reached = report.loss <= SEED_LOSS and bench.genome is not None
    verdict = "at or below" if reached else "NOT at or below"
    return Measurement(
        [seconds],
        f"{epochs:g} epochs, held-out loss {report.loss:.3f}: {verdict} the seed's {SEED_LOSS}",
        {"loss": report.loss, "reached": reached},
    )


def rows(bench: Bench) -> list[Row]:
    found = []
    for size in bench.sizes:
        found += [
            Row(
                f"train-{size}",
                f"language-model training, `{size}`",
                "tokens/s",
                lambda bench, size=size: train(bench, size),
            ),
            Row(
                f"lstm-train-{size}",
                f"peer: `torch.nn.LSTM` layers of the same widths in a plain fp32 loop, `{size}`",
                "tokens/s",
                lambda bench, size=size: train_plain(bench, size),
                (f"train-{size}",),
            ),
            Row(
                f"infer-{size}",
                f"language-model inference, `{size}`",
                "tokens/s",
                lambda bench, size=size: infer(bench, size),
            ),
            Row(
                f"lstm-infer-{size}",
                f"peer: the same plain fp32 program, inference, `{size}`",
                "tokens/s",
                lambda bench, size=size: infer_plain(bench, size),
                (f"infer-{size}",),
            ),
        ]
    return [
        *found,
        Row(
            "time-to-quality",
            f"training at `{bench.size}` of {QUALITY_EPOCHS:g} epochs, which ends below the seed's "
            "best loss, validation included",
            "s",
            time_to_quality,
        ),
    ]
