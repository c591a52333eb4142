"""fastai's AWD-LSTM, trained by fastai's own `Learner` as its text tutorial does.

It predicts all 1,025 tokens through a softmax tied to the embedding, as the seed did, and runs in
fp32: fastai's mixed precision is made for CUDA alone.
"""

from __future__ import annotations

import time
from typing import Any

import torch

from genomic_ulmfit.models.config import EncoderConfig, preset
from genomic_ulmfit.training.pretraining_recipe import RECIPES
from speed_rows import material
from speed_rows.language_model import flop_per_token, inference_batch, scorer
from speed_rows.row import Bench, Measurement, Row, Steps, rates, steps_of

SEED_BATCH, SEED_BPTT = 428, 70
"""With which the seed trained its E. coli language model."""


def language_model(config: EncoderConfig) -> Any:
    from fastai.text.models import AWD_LSTM, get_language_model
    from fastai.text.models.awdlstm import awd_lstm_lm_config

    tokenizer = config.tokenizer
    sizes = {
        "emb_sz": config.embedding,
        "n_hid": config.hidden,
        "n_layers": config.layers,
        "pad_token": tokenizer.unknown,
    }
    # fastai's own dropout rates at the seed's multiplier.
    return get_language_model(
        AWD_LSTM, tokenizer.vocab_size, {**awd_lstm_lm_config, **sizes}, drop_mult=0.3
    )


def train(bench: Bench, size: str, batch: int, bptt: int, steps: Steps) -> Measurement:
    import fastai.callback.schedule  # noqa: F401  gives learners fit_one_cycle
    from fastai.callback.core import Callback, CancelFitException
    from fastai.data.core import DataLoaders
    from fastai.losses import CrossEntropyLossFlat
    from fastai.text.data import LMDataLoader
    from fastai.text.learner import LMLearner

    class Clock(Callback):
        """Notes when steps end, and ends the run with the last one."""

        def __init__(self) -> None:
            self.ends: list[float] = []

        def after_batch(self) -> None:
            self.ends.append(time.perf_counter())
            if len(self.ends) == steps.total:
                raise CancelFitException

    torch.manual_seed(0)
    config = preset(size)
    texts = material.pieces(bench, size)
    lengths = [len(text) for text in texts]
    loader = LMDataLoader(texts, lens=lengths, bs=batch, seq_len=bptt, shuffle=True)
    loaders = DataLoaders(loader, loader, path=bench.scratch, device=torch.device("cpu"))
    clock = Clock()
    learner = LMLearner(loaders, language_model(config), loss_func=CrossEntropyLossFlat())
    with learner.no_bar(), learner.no_logging(), learner.added_cbs([clock]):
        learner.fit_one_cycle(1, 5e-3)
    return Measurement(
        steps.rates(clock.ends, batch * bptt),
        f"fp32, batch {batch} x {bptt} tokens",
        {
            "precision": "fp32",
            "flop_per_unit": flop_per_token(config, config.tokenizer.vocab_size, training=True),
            "tokens_per_epoch": sum(lengths),
        },
    )


def infer(bench: Bench, size: str) -> Measurement:
    config = preset(size)
    model, batch = language_model(config).eval(), inference_batch(bench, size)
    model.reset()
    with torch.no_grad():
        values = rates(scorer(model, batch.T.contiguous()), bench.repeats(7))
    return Measurement(
        values,
        f"fp32, batch {batch.shape[1]} x {batch.shape[0]} tokens",
        {
            "precision": "fp32",
            "flop_per_unit": flop_per_token(config, config.tokenizer.vocab_size, training=False),
        },
    )


def rows(bench: Bench) -> list[Row]:
    found = []
    for size in bench.sizes:
        recipe = RECIPES[size]
        found += [
            Row(
                f"fastai-train-{size}",
                f"peer: fastai's `Learner` on its `AWD_LSTM`, tied softmax of 1,025 tokens, fp32, "
                f"same text and batch, `{size}`",
                "tokens/s",
                lambda bench, size=size, recipe=recipe: train(
                    bench, size, recipe.streams, recipe.bptt, steps_of(bench, size)
                ),
                (f"train-{size}",),
                "fastai",
                "fastai",
            ),
            Row(
                f"fastai-infer-{size}",
                f"peer: fastai's `AWD_LSTM`, inference, fp32, `{size}`",
                "tokens/s",
                lambda bench, size=size: infer(bench, size),
                (f"infer-{size}",),
                "fastai",
                "fastai",
            ),
        ]
    size = bench.sizes[-1]
    batch, bptt = (16, 20) if bench.quick else (SEED_BATCH, SEED_BPTT)
    steps = Steps(1, 2, 1) if bench.quick else Steps(1, 3, 1)
    return [
        *found,
        Row(
            "fastai-train-seed",
            f"peer: the same at the seed's batch of {batch} x {bptt} tokens, `{size}`",
            "tokens/s",
            lambda bench: train(bench, size, batch, bptt, steps),
            (f"train-{size}",),
            "fastai",
            "fastai",
        ),
    ]
