"""Pretraining: what it learns, what it reports, and that an interruption costs nothing."""

from __future__ import annotations

import itertools
import json
import math
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from genomic_ulmfit.data.corpus import Corpus, TokenStreams, build_corpus
from genomic_ulmfit.dna.alphabet import reverse_complement
from genomic_ulmfit.dna.genome import Contig, Genome
from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models.config import EncoderConfig
from genomic_ulmfit.models.language_model import LanguageModel
from genomic_ulmfit.models.store import load_language_model
from genomic_ulmfit.training import pretraining
from genomic_ulmfit.training.pretraining import (
    CHECKPOINT,
    LanguageModelReport,
    PretrainingRecipe,
    pretrain,
)
from genomic_ulmfit.training.pretraining_job import pretrain_genomes, read_pretraining_result

CONFIG = EncoderConfig(12, 16, 2, KmerTokenizer(3, 2))
RECIPE = PretrainingRecipe(epochs=2, streams=8, bptt=20, learning_rate=2e-2, dropout=0.1)

# Which base comes after which. Read backwards on the other strand it is the same chain: base
# x follows y as often as the complement of y follows that of x.
FOLLOWS = np.array(
    [
        [0.05, 0.05, 0.85, 0.05],
        [0.05, 0.05, 0.05, 0.85],
        [0.85, 0.05, 0.05, 0.05],
        [0.05, 0.85, 0.05, 0.05],
    ]
)


def markov_genome(n_bases: int, seed: int = 0) -> Genome:
    rng = np.random.default_rng(seed)
    codes = [0]
    for draw in rng.random(n_bases - 1):
        codes.append(int(np.searchsorted(FOLLOWS[codes[-1]].cumsum(), draw)))
    return Genome("markov", (Contig("c", np.array(codes, dtype=np.uint8)),))


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """33 windows of training text; held-out text of several lengths, 3 windows."""
    regions = [markov_genome(n, seed).contigs[0].codes for seed, n in enumerate((2_600, 700), 8)]
    return Corpus(build_corpus([markov_genome(12_000)]).train, regions)


def run(corpus: Corpus, folder: Path, **options: Any) -> tuple[LanguageModel, LanguageModelReport]:
    recipe = options.pop("recipe", RECIPE)
    config = options.pop("config", CONFIG)
    return pretrain(
        corpus, folder, config, recipe, **{"precision": "fp32", "progress": False, **options}
    )


@pytest.fixture(scope="module")
def reference(
    corpus: Corpus, tmp_path_factory: pytest.TempPathFactory
) -> tuple[LanguageModel, LanguageModelReport]:
    return run(corpus, tmp_path_factory.mktemp("reference"))


def loss_of_the_chain(corpus: Corpus) -> float:
    """Nats per token of who knows the chain; nobody can do better."""
    losses: list[float] = []
    for region in corpus.held_out:
        for strand in (region, reverse_complement(region)):
            steps = -np.log(FOLLOWS[strand[:-1], strand[1:]])
            # A token is 3 bases; each further one brings 2.
            losses += [steps[i] + steps[i + 1] for i in range(2, len(steps) - 1, 2)]
    return float(np.mean(losses))


def test_it_learns_what_there_is_to_learn_and_no_more(corpus: Corpus, tmp_path: Path) -> None:
    _, report = run(corpus, tmp_path, recipe=replace(RECIPE, epochs=6))
    bound, random = loss_of_the_chain(corpus), math.log(16)
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
    rows = sum(len(w) - 1 for w, _ in TokenStreams(corpus.train, CONFIG.tokenizer, 8, 20, 0))
    assert report.tokens == RECIPE.epochs * rows * 8
    assert [point["tokens"] for point in report.curve] == [report.tokens // 2, report.tokens]
    assert report.curve[0]["valid_loss"] > report.curve[1]["valid_loss"]
    assert report.curve[1]["valid_loss"] == pytest.approx(report.loss, abs=1e-6)
    assert not model.training
    assert json.loads(json.dumps(report.to_dict())) == report.to_dict()


def test_the_loss_is_that_of_reading_each_held_out_strand_from_its_start(
    reference: tuple[LanguageModel, LanguageModelReport], corpus: Corpus
) -> None:
    model, report = reference
    losses, hits = [], []
    for region in corpus.held_out:
        for strand in (region, reverse_complement(region)):
            tokens = CONFIG.tokenizer.tokenize(strand).astype(np.int64)
            with torch.no_grad():
                logits = model(torch.from_numpy(tokens[:-1, None]))[0][:, 0]
            targets = torch.from_numpy(tokens[1:] % 16)
            losses.append(F.cross_entropy(logits, targets, reduction="none"))
            hits.append(logits.argmax(-1) == targets)
    assert report.loss == pytest.approx(float(torch.cat(losses).mean()), rel=1e-5)
    assert report.accuracy == pytest.approx(float(torch.cat(hits).float().mean()), rel=1e-5)


def same_weights(model: LanguageModel, other: LanguageModel) -> bool:
    return all(
        torch.allclose(value, other.state_dict()[name], rtol=1e-4, atol=1e-6)
        for name, value in model.state_dict().items()
    )


def test_the_seed_decides(
    reference: tuple[LanguageModel, LanguageModelReport], corpus: Corpus, tmp_path: Path
) -> None:
    again, report = run(corpus, tmp_path / "again")
    assert same_weights(again, reference[0])
    assert report.loss == pytest.approx(reference[1].loss, rel=1e-5)
    other, _ = run(corpus, tmp_path / "other", seed=1)
    assert not same_weights(other, reference[0])


def call_after(
    patch: pytest.MonkeyPatch, hook: str, calls: int, action: Callable[[], object]
) -> None:
    """Do something when the training task's `hook` has been called so many times."""
    count = itertools.count(1)
    plain: Callable[..., Any] = getattr(pretraining._LanguageModelTask, hook)

    def hooked(*arguments: Any, **options: Any) -> Any:
        result = plain(*arguments, **options)
        if next(count) == calls:
            action()
        return result

    patch.setattr(pretraining._LanguageModelTask, hook, hooked)


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("hook", "calls"),
    [
        ("on_train_batch_end", 1),
        ("on_train_batch_end", 20),
        ("on_train_batch_end", 32),
        ("on_train_batch_end", 33),
        ("on_train_batch_end", 34),
        ("on_train_batch_end", 50),
        ("validation_step", 1),
        ("on_validation_epoch_end", 1),
    ],
)
def test_interrupted_and_resumed_is_as_if_nothing_had_happened(
    reference: tuple[LanguageModel, LanguageModelReport],
    corpus: Corpus,
    tmp_path: Path,
    hook: str,
    calls: int,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        call_after(patch, hook, calls, interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(corpus, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]
    model, report = run(corpus, tmp_path, resume=True)
    expected, expected_report = reference
    assert report.tokens == expected_report.tokens
    assert same_weights(model, expected)
    assert report.loss == pytest.approx(expected_report.loss, rel=1e-5)
    for point, wanted in zip(report.curve, expected_report.curve, strict=True):
        assert point == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(
    ("hook", "calls"),
    [("training_step", 1), ("training_step", 20), ("training_step", 33), ("validation_step", 1)],
)
def test_ctrl_c_within_a_step_lets_it_end(
    reference: tuple[LanguageModel, LanguageModelReport],
    corpus: Corpus,
    tmp_path: Path,
    hook: str,
    calls: int,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        call_after(patch, hook, calls, lambda: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            run(corpus, tmp_path)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    model, report = run(corpus, tmp_path, resume=True)
    assert same_weights(model, reference[0])
    assert report.tokens == reference[1].tokens
    assert len(report.curve) == RECIPE.epochs


def test_a_second_ctrl_c_does_not_wait(corpus: Corpus, tmp_path: Path) -> None:
    after: list[str] = []

    def press_twice() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        after.append("not reached")

    with pytest.MonkeyPatch.context() as patch:
        call_after(patch, "training_step", 3, press_twice)
        with pytest.raises(KeyboardInterrupt):
            run(corpus, tmp_path)
    assert not after
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_after_training_is_an_interrupt_too(corpus: Corpus, tmp_path: Path) -> None:
    """The last look at the held-out text is not training, and Lightning would exit with 1."""
    first = 3 * RECIPE.epochs + 1
    with pytest.MonkeyPatch.context() as patch:
        call_after(patch, "validation_step", first, lambda: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            run(corpus, tmp_path)


def test_it_may_be_interrupted_twice(
    reference: tuple[LanguageModel, LanguageModelReport], corpus: Corpus, tmp_path: Path
) -> None:
    for resume, calls in ((False, 10), (True, 30)):
        with pytest.MonkeyPatch.context() as patch:
            call_after(patch, "on_train_batch_end", calls, interrupt)
            with pytest.raises(KeyboardInterrupt):
                run(corpus, tmp_path, resume=resume)
    model, report = run(corpus, tmp_path, resume=True)
    assert same_weights(model, reference[0])
    assert report.tokens == reference[1].tokens


@pytest.fixture
def interrupted(corpus: Corpus, tmp_path: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        call_after(patch, "on_train_batch_end", 5, interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(corpus, tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "change",
    [
        {"recipe": replace(RECIPE, epochs=3)},
        {"recipe": replace(RECIPE, learning_rate=1e-3)},
        {"config": replace(CONFIG, hidden=20)},
        {"seed": 1},
    ],
)
def test_another_run_is_not_resumed(
    corpus: Corpus, interrupted: Path, change: dict[str, Any]
) -> None:
    before = (interrupted / CHECKPOINT).read_bytes()
    with pytest.raises(InputError, match=r"--resume: .*is of a run with other settings"):
        run(corpus, interrupted, resume=True, **change)
    assert (interrupted / CHECKPOINT).read_bytes() == before


def test_other_text_is_not_resumed_on(interrupted: Path) -> None:
    other = build_corpus([markov_genome(12_000, seed=1)])
    with pytest.raises(InputError, match=r"--resume: .*is of a run with other settings"):
        run(other, interrupted, resume=True)


def test_there_must_be_something_to_resume(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--resume: no checkpoint in"):
        run(corpus, tmp_path / "absent", resume=True)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no checkpoint", b"garbage" * 99])
def test_a_damaged_checkpoint_is_refused(corpus: Corpus, tmp_path: Path, content: bytes) -> None:
    (tmp_path / CHECKPOINT).write_bytes(content)
    with pytest.raises(InputError, match=r"--resume: .*last.ckpt.* damaged"):
        run(corpus, tmp_path, resume=True)


def test_a_truncated_or_foreign_checkpoint_is_refused(corpus: Corpus, interrupted: Path) -> None:
    path = interrupted / CHECKPOINT
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match=r"--resume: .*last.ckpt.* damaged"):
        run(corpus, interrupted, resume=True)
    torch.save({"epoch": 3}, path)
    with pytest.raises(InputError, match=r"--resume: .*last.ckpt.* damaged"):
        run(corpus, interrupted, resume=True)


def test_going_on_from_a_model_starts_where_it_ended(
    encoder_folder: Path, genome_file: Path, tmp_path: Path
) -> None:
    result = pretrain_genomes(
        [genome_file],
        tmp_path / "second",
        preset="small",
        epochs=1,
        start_from=encoder_folder,
        precision="fp32",
        progress=False,
    )
    first = load_language_model(encoder_folder)
    second = load_language_model(tmp_path / "second")
    assert second.encoder.config == first.encoder.config, "the size is that of the start"
    assert result.training["start_from"] == "encoder"
    before = read_pretraining_result(encoder_folder).report.loss
    # From random weights the first epoch begins at ln 16; this one ends below where it began.
    assert result.report.loss < before + 0.005
    assert not torch.equal(first.encoder.embedding.weight, second.encoder.embedding.weight)


def test_a_start_is_trained_further(
    reference: tuple[LanguageModel, LanguageModelReport], corpus: Corpus, tmp_path: Path
) -> None:
    start = LanguageModel(type(reference[0].encoder)(CONFIG), reference[0].decoder)
    start.load_state_dict(reference[0].state_dict())
    gentle = replace(RECIPE, epochs=1, learning_rate=1e-6)
    _, report = run(corpus, tmp_path, start_from=start, recipe=gentle)
    assert report.loss == pytest.approx(reference[1].loss, rel=0.01)


def test_a_folder_says_what_it_is(encoder_folder: Path, genome_file: Path) -> None:
    result = read_pretraining_result(encoder_folder)
    assert [genome["file"] for genome in result.training["genomes"]] == ["sim.gbk"]
    assert result.training["genomes"][0]["simulated"] is True
    assert sorted(result.markov) == [2, 5, 8, 11]
    order, bits = result.best_markov
    assert bits == result.markov[order] == min(result.markov.values())
    card = (encoder_folder / "card.md").read_text(encoding="utf-8")
    assert "SIMULATED" in card
    assert f"{result.report.bits_per_base:.4f}" in card
    assert result.training["genomes"][0]["sha256"] in card


@pytest.mark.parametrize("total", range(1, 13))
def test_any_number_of_steps_makes_a_cycle(total: int) -> None:
    from genomic_ulmfit.training.lightning_setup import one_cycle

    for warm_up in (0.1, 0.25):
        optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], lr=1.0)
        schedule = one_cycle(optimizer, [1.0], total, warm_up)["scheduler"]
        rates = []
        for _ in range(total):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        assert all(0 < rate <= 1 for rate in rates)
        assert rates[-1] < 0.1
