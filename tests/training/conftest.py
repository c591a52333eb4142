"""Texts and labelled windows to train on, and what runs of training have in common."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from genomic_ulmfit.data.corpus import PIECE_TYPE, Corpus, build_corpus
from genomic_ulmfit.dna.alphabet import Codes
from genomic_ulmfit.dna.genome import Contig, Genome
from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.models.awd_lstm import AWDLSTM
from genomic_ulmfit.models.classifier import ClassifierConfig
from genomic_ulmfit.models.config import EncoderConfig
from genomic_ulmfit.models.language_model import LanguageModel
from genomic_ulmfit.training.pretraining import pretrain
from genomic_ulmfit.training.pretraining_recipe import PretrainingRecipe
from genomic_ulmfit.training.pretraining_result import LanguageModelReport

SMALL = EncoderConfig(embedding=12, hidden=16, layers=1)
LENGTH = 61
"""Of labelled windows."""

CONFIG = EncoderConfig(12, 16, 2, KmerTokenizer(3, 2))
RECIPE = PretrainingRecipe(epochs=2, streams=8, bptt=20, learning_rate=2e-2, dropout=0.1)
"""Of language models."""


@pytest.fixture(scope="session")
def encoder() -> LanguageModel:
    """A language model with random weights."""
    torch.manual_seed(0)
    return LanguageModel(AWDLSTM(SMALL)).eval()


@pytest.fixture(scope="session")
def windows() -> Callable[..., tuple[list[Codes], np.ndarray]]:
    def draw(n: int, seed: int = 0) -> tuple[list[Codes], np.ndarray]:
        """Random sequences; the second half has ATG at base 30."""
        rng = np.random.default_rng(seed)
        codes = rng.integers(4, size=(n, LENGTH)).astype(np.uint8)
        codes[n // 2 :, 30:33] = (0, 3, 2)
        return list(codes), (np.arange(n) >= n // 2).astype(np.intp)

    return draw


@pytest.fixture(scope="session")
def config() -> Callable[..., ClassifierConfig]:
    def of(n_classes: int = 2) -> ClassifierConfig:
        """A probe of `encoder` for `windows`."""
        return ClassifierConfig(SMALL, tuple("abc"[:n_classes]), "probe", LENGTH, frames=True)

    return of


@pytest.fixture(scope="session")
def chain() -> np.ndarray:
    """Which base comes after which, in `markov_genome`.

    Read backwards on the other strand it is the same chain: base x follows y as often as the
    complement of y follows that of x.
    """
    return np.array(
        [
            [0.05, 0.05, 0.85, 0.05],
            [0.05, 0.05, 0.05, 0.85],
            [0.85, 0.05, 0.05, 0.05],
            [0.05, 0.85, 0.05, 0.05],
        ]
    )


@pytest.fixture(scope="session")
def markov_genome(chain: np.ndarray) -> Callable[..., Genome]:
    def draw(*sizes: int, seed: int = 0, name: str = "markov") -> Genome:
        contigs = []
        for number, size in enumerate(sizes):
            rng = np.random.default_rng([seed, number])
            codes = [0]
            for at in rng.random(size - 1):
                codes.append(int(np.searchsorted(chain[codes[-1]].cumsum(), at)))
            contigs.append(Contig(f"{name}-{number}", np.array(codes, dtype=np.uint8)))
        return Genome(name, tuple(contigs))

    return draw


@pytest.fixture(scope="session")
def corpus(markov_genome: Callable[..., Genome]) -> Corpus:
    """33 windows of training text; held-out regions of two lengths, 3 windows."""
    whole = build_corpus([markov_genome(10_400, 2_600, 700)])
    train = [(0, 0, 5_200), (0, 5_200, 5_200)]
    held_out = [(0, 10_400, 2_600), (0, 13_000, 700)]
    return replace(
        whole, train=np.array(train, PIECE_TYPE), held_out=np.array(held_out, PIECE_TYPE)
    )


@pytest.fixture(scope="session")
def run() -> Callable[..., tuple[LanguageModel, LanguageModelReport]]:
    def pretrained(
        corpus: Corpus,
        folder: Path,
        recipe: dict[str, Any] | None = None,
        config: dict[str, Any] | None = None,
        **options: Any,
    ) -> tuple[LanguageModel, LanguageModelReport]:
        """Pretrain by `CONFIG` and `RECIPE`, but for what is given."""
        return pretrain(
            corpus,
            folder,
            replace(CONFIG, **(config or {})),
            replace(RECIPE, **(recipe or {})),
            **{"precision": "fp32", "progress": False, **options},
        )

    return pretrained


@pytest.fixture(scope="session")
def reference(
    run: Callable[..., Any], corpus: Corpus, tmp_path_factory: pytest.TempPathFactory
) -> tuple[LanguageModel, LanguageModelReport]:
    """What an undisturbed run comes to."""
    done: tuple[LanguageModel, LanguageModelReport] = run(
        corpus, tmp_path_factory.mktemp("reference")
    )
    return done


@pytest.fixture(scope="session")
def same_weights() -> Callable[[LanguageModel, LanguageModel], bool]:
    def same(model: LanguageModel, other: LanguageModel) -> bool:
        # Where float noise tips the rounding to bfloat16, a weight differs by 1 in 128.
        return all(
            torch.allclose(value, other.state_dict()[name], rtol=1e-2, atol=1e-5)
            for name, value in model.state_dict().items()
        )

    return same


@pytest.fixture(scope="session")
def call_after() -> Callable[..., None]:
    def patched(
        patch: pytest.MonkeyPatch, owner: Any, name: str, calls: int, action: Callable[[], object]
    ) -> None:
        """Do something when a function has been called so many times, before it does its work."""
        count = itertools.count(1)
        plain: Callable[..., Any] = getattr(owner, name)

        def hooked(*arguments: Any, **options: Any) -> Any:
            if next(count) == calls:
                action()
            return plain(*arguments, **options)

        patch.setattr(owner, name, hooked)

    return patched
