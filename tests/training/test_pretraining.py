"""Pretraining: what it learns and what it reports."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from genomic_ulmfit.data.corpus import Corpus, build_corpus
from genomic_ulmfit.data.streams import TokenStreams
from genomic_ulmfit.dna.alphabet import reverse_complement
from genomic_ulmfit.dna.genome import Contig, Genome
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models.awd_lstm import AWDLSTM
from genomic_ulmfit.models.language_model import LanguageModel
from genomic_ulmfit.training.pretraining_result import LanguageModelReport


def loss_of_the_chain(corpus: Corpus, chain: np.ndarray) -> float:
    """Nats per token of who knows the chain; nobody can do better."""
    losses: list[float] = []
    for region in corpus.held_out_text():
        for strand in (region, reverse_complement(region)):
            steps = -np.log(chain[strand[:-1], strand[1:]])
            # A token is 3 bases; each further one brings 2.
            losses += [steps[i] + steps[i + 1] for i in range(2, len(steps) - 1, 2)]
    return float(np.mean(losses))


def test_it_learns_what_there_is_to_learn_and_no_more(
    corpus: Corpus, chain: np.ndarray, tmp_path: Path, run: Callable[..., Any]
) -> None:
    _, report = run(corpus, tmp_path, recipe={"epochs": 6})
    bound, random = loss_of_the_chain(corpus, chain), math.log(16)
    assert report.loss < bound + 0.1 * (random - bound)
    # A model that saw ahead would fall below what the chain leaves open.
    assert report.loss > 0.97 * bound
    assert report.accuracy == pytest.approx(0.85**2, abs=0.05)


def test_figures_of_the_report_agree(
    reference: tuple[LanguageModel, LanguageModelReport], corpus: Corpus
) -> None:
    model, report = reference
    assert report.perplexity == pytest.approx(math.exp(report.loss))
    assert report.bits_per_base == pytest.approx(report.loss / math.log(2) / 2)
    assert report.seconds > 0
    rows = sum(
        len(w) - 1 for w, _ in TokenStreams(corpus, model.encoder.config.tokenizer, 8, 20, 0)
    )
    assert report.tokens == 2 * rows * 8
    assert [point["tokens"] for point in report.curve] == [report.tokens // 2, report.tokens]
    assert report.curve[0]["valid_loss"] > report.curve[1]["valid_loss"]
    assert report.curve[1]["valid_loss"] == pytest.approx(report.loss, abs=0.01), "bf16 apart"
    (of_genome,) = report.genomes.values()
    for name in ("loss", "accuracy", "perplexity", "bits_per_base"):
        assert of_genome[name] == getattr(report, name)
    assert of_genome["tokens"] == sum(2 * ((n - 3) // 2) for n in (2_600, 700))
    assert not report.excluded
    assert not model.training
    for value in model.state_dict().values():
        assert torch.equal(value, value.bfloat16().float()), "as it is when it is saved"
    assert json.loads(json.dumps(report.to_dict())) == report.to_dict()


def test_the_loss_is_that_of_reading_each_held_out_strand_from_its_start(
    reference: tuple[LanguageModel, LanguageModelReport], corpus: Corpus
) -> None:
    model, report = reference
    losses, hits = [], []
    for region in corpus.held_out_text():
        for strand in (region, reverse_complement(region)):
            tokens = model.encoder.config.tokenizer.tokenize(strand).astype(np.int64)
            with torch.no_grad():
                logits = model(torch.from_numpy(tokens[:-1, None]))[0][:, 0]
            targets = torch.from_numpy(tokens[1:] % 16)
            losses.append(F.cross_entropy(logits, targets, reduction="none"))
            hits.append(logits.argmax(-1) == targets)
    assert report.loss == pytest.approx(float(torch.cat(losses).mean()), rel=1e-5)
    assert report.accuracy == pytest.approx(float(torch.cat(hits).float().mean()), rel=1e-5)


def test_the_seed_decides(
    reference: tuple[LanguageModel, LanguageModelReport],
    corpus: Corpus,
    tmp_path: Path,
    run: Callable[..., Any],
    same_weights: Callable[..., Any],
) -> None:
    again, report = run(corpus, tmp_path / "again")
    assert same_weights(again, reference[0])
    assert report.loss == pytest.approx(reference[1].loss, rel=1e-5)
    other, _ = run(corpus, tmp_path / "other", seed=1)
    assert not same_weights(other, reference[0])


def test_part_of_an_epoch(corpus: Corpus, tmp_path: Path, run: Callable[..., Any]) -> None:
    _, half = run(corpus, tmp_path / "half", recipe={"epochs": 0.5})
    assert half.tokens == 16 * 20 * 8
    assert len(half.curve) == 1
    _, least = run(corpus, tmp_path / "least", recipe={"epochs": 1e-9})
    assert least.tokens == 20 * 8


def test_a_genome_kept_out_is_reported_apart(
    tmp_path: Path, run: Callable[..., Any], markov_genome: Callable[..., Any]
) -> None:
    genomes = [markov_genome(12_000, seed=3, name="read")]
    # Of another kind of DNA: all four bases equally likely.
    codes = np.random.default_rng(0).integers(0, 4, 6_000, dtype=np.uint8)
    genomes.append(Genome("other", (Contig("c", codes),)))
    both = build_corpus(genomes)
    _, report = run(both.without_genomes(["oth*"]), tmp_path / "without")
    assert list(report.genomes) == ["read"]
    assert list(report.excluded) == ["other"]
    assert report.excluded["other"]["bits_per_base"] > 2
    assert report.loss == report.genomes["read"]["loss"] < 0.9 * math.log(16)
    # The other genome's regions have no part in the curve either.
    _, alone = run(build_corpus(genomes[:1]), tmp_path / "alone")
    for point, wanted in zip(report.curve, alone.curve, strict=True):
        assert point == pytest.approx(wanted)
    _, report = run(both, tmp_path / "with")
    assert list(report.genomes) == ["read", "other"]
    total = sum(one["loss"] * one["tokens"] for one in report.genomes.values())
    tokens = sum(one["tokens"] for one in report.genomes.values())
    assert report.loss == pytest.approx(total / tokens)


def test_a_model_must_be_tried_on_something(
    corpus: Corpus, tmp_path: Path, run: Callable[..., Any]
) -> None:
    with pytest.raises(InputError, match="no held-out regions"):
        run(replace(corpus, held_out=corpus.held_out[:0]), tmp_path)


def test_streams_are_shared_evenly(corpus: Corpus, tmp_path: Path, run: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match="8 cannot be shared evenly by 3 processes"):
        run(corpus, tmp_path, devices=3)


def test_a_start_is_trained_further(
    reference: tuple[LanguageModel, LanguageModelReport],
    corpus: Corpus,
    tmp_path: Path,
    run: Callable[..., Any],
    same_weights: Callable[..., Any],
) -> None:
    start = LanguageModel(AWDLSTM(reference[0].encoder.config), reference[0].decoder)
    start.load_state_dict(reference[0].state_dict())
    gentle = {"epochs": 1, "learning_rate": 1e-6}
    model, report = run(corpus, tmp_path, start_from=start, recipe=gentle)
    assert report.loss == pytest.approx(reference[1].loss, rel=0.01)
    strong = {"epochs": 0.1}
    model, _ = run(corpus, tmp_path / "strong", start_from=start, recipe=strong)
    assert not same_weights(model, reference[0])
    for name, value in start.state_dict().items():
        assert torch.equal(value, reference[0].state_dict()[name]), "the start stays as it was"
