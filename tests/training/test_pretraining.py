"""Pretraining: what it learns, what it reports, and that an interruption costs nothing."""

from __future__ import annotations

import csv
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

from genomic_ulmfit.data.corpus import PIECE_TYPE, Corpus, build_corpus
from genomic_ulmfit.data.streams import TokenStreams
from genomic_ulmfit.dna.alphabet import reverse_complement
from genomic_ulmfit.dna.genome import Contig, Genome
from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models.config import EncoderConfig
from genomic_ulmfit.models.language_model import LanguageModel
from genomic_ulmfit.models.store import load_language_model
from genomic_ulmfit.training import journal, pretraining
from genomic_ulmfit.training.checkpoints import CHECKPOINT, Checkpoints, precision_to_resume
from genomic_ulmfit.training.journal import validation_steps
from genomic_ulmfit.training.language_model_task import LanguageModelTask
from genomic_ulmfit.training.logs import TableLogger
from genomic_ulmfit.training.pretraining import pretrain
from genomic_ulmfit.training.pretraining_job import pretrain_genomes
from genomic_ulmfit.training.pretraining_recipe import PretrainingRecipe
from genomic_ulmfit.training.pretraining_result import LanguageModelReport, read_pretraining_result

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


def markov_genome(*sizes: int, seed: int = 0, name: str = "markov") -> Genome:
    contigs = []
    for number, size in enumerate(sizes):
        rng = np.random.default_rng([seed, number])
        codes = [0]
        for draw in rng.random(size - 1):
            codes.append(int(np.searchsorted(FOLLOWS[codes[-1]].cumsum(), draw)))
        contigs.append(Contig(f"{name}-{number}", np.array(codes, dtype=np.uint8)))
    return Genome(name, tuple(contigs))


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """33 windows of training text; held-out regions of two lengths, 3 windows."""
    whole = build_corpus([markov_genome(10_400, 2_600, 700)])
    train = [(0, 0, 5_200), (0, 5_200, 5_200)]
    held_out = [(0, 10_400, 2_600), (0, 13_000, 700)]
    return replace(
        whole, train=np.array(train, PIECE_TYPE), held_out=np.array(held_out, PIECE_TYPE)
    )


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
    for region in corpus.held_out_text():
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
    rows = sum(len(w) - 1 for w, _ in TokenStreams(corpus, CONFIG.tokenizer, 8, 20, 0))
    assert report.tokens == RECIPE.epochs * rows * 8
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
            tokens = CONFIG.tokenizer.tokenize(strand).astype(np.int64)
            with torch.no_grad():
                logits = model(torch.from_numpy(tokens[:-1, None]))[0][:, 0]
            targets = torch.from_numpy(tokens[1:] % 16)
            losses.append(F.cross_entropy(logits, targets, reduction="none"))
            hits.append(logits.argmax(-1) == targets)
    assert report.loss == pytest.approx(float(torch.cat(losses).mean()), rel=1e-5)
    assert report.accuracy == pytest.approx(float(torch.cat(hits).float().mean()), rel=1e-5)


def same_weights(model: LanguageModel, other: LanguageModel) -> bool:
    # Where float noise tips the rounding to bfloat16, a weight differs by 1 in 128.
    return all(
        torch.allclose(value, other.state_dict()[name], rtol=1e-2, atol=1e-5)
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


def test_looking_at_held_out_text_does_not_change_training(
    reference: tuple[LanguageModel, LanguageModelReport],
    corpus: Corpus,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journal, "VALIDATION_TOKENS", 0)
    model, report = run(corpus, tmp_path)
    assert len(report.curve) == 2 * 10
    assert same_weights(model, reference[0])


@pytest.mark.parametrize(
    ("total", "per_epoch", "tokens_per_step", "expected"),
    [
        (66, 33, 160, {33, 66}),
        (16, 33, 160, {16}),
        (1, 33, 160, {1}),
        (80, 33, 160, {33, 66, 80}),
        # Spacing is 5 % of the run, where that is 4 million tokens.
        (1_000, 1_000, 80_000, set(range(50, 1_001, 50))),
        (1_000, 1_000, 40_000, set(range(100, 1_001, 100))),
        (500, 1_000, 80_000, set(range(50, 501, 50))),
        (200, 100, 10**9, {10 * i for i in range(1, 21)}),
    ],
)
def test_when_to_validate(
    total: int, per_epoch: int, tokens_per_step: int, expected: set[int]
) -> None:
    assert validation_steps(total, per_epoch, tokens_per_step) == expected


def test_part_of_an_epoch(corpus: Corpus, tmp_path: Path) -> None:
    _, half = run(corpus, tmp_path / "half", recipe=replace(RECIPE, epochs=0.5))
    assert half.tokens == 16 * 20 * 8
    assert len(half.curve) == 1
    _, least = run(corpus, tmp_path / "least", recipe=replace(RECIPE, epochs=1e-9))
    assert least.tokens == 20 * 8


def call_after(
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


def interrupt() -> None:
    raise KeyboardInterrupt


def press() -> None:
    signal.raise_signal(signal.SIGINT)


def press_twice() -> None:
    press()
    press()


STEP = (LanguageModelTask, "training_step")
LOOK = (journal, "held_out_sums")
LAST_LOOK = (pretraining, "held_out_sums")


def as_if_nothing_had_happened(
    done: tuple[LanguageModel, LanguageModelReport],
    expected: tuple[LanguageModel, LanguageModelReport],
) -> None:
    assert done[1].tokens == expected[1].tokens
    assert same_weights(done[0], expected[0])
    assert done[1].loss == pytest.approx(expected[1].loss, rel=1e-4)
    for point, wanted in zip(done[1].curve, expected[1].curve, strict=True):
        assert point == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(
    ("place", "calls", "action"),
    [
        # An error in a step: what the step before it has saved is whole.
        (STEP, 2, interrupt),
        (STEP, 33, interrupt),
        (STEP, 34, interrupt),
        ((torch.optim.AdamW, "step"), 20, interrupt),
        (LOOK, 1, interrupt),
        (LOOK, 2, interrupt),
        # After training.
        (LAST_LOOK, 1, interrupt),
        # A second Ctrl-C does not wait for the end of the look at the held-out text.
        (LOOK, 1, press_twice),
    ],
)
def test_stopped_anywhere_and_resumed(
    reference: tuple[LanguageModel, LanguageModelReport],
    corpus: Corpus,
    tmp_path: Path,
    place: tuple[Any, str],
    calls: int,
    action: Callable[[], object],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        call_after(patch, *place, calls, action)
        with pytest.raises(KeyboardInterrupt):
            run(corpus, tmp_path, checkpoint_every=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == [CHECKPOINT, "logs"]
    as_if_nothing_had_happened(run(corpus, tmp_path, resume=True), reference)


@pytest.mark.parametrize(("place", "calls"), [(STEP, 1), (STEP, 20), (STEP, 33), (LOOK, 1)])
def test_ctrl_c_lets_the_step_end(
    reference: tuple[LanguageModel, LanguageModelReport],
    corpus: Corpus,
    tmp_path: Path,
    place: tuple[Any, str],
    calls: int,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        call_after(patch, *place, calls, press)
        with pytest.raises(KeyboardInterrupt):
            run(corpus, tmp_path)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    as_if_nothing_had_happened(run(corpus, tmp_path, resume=True), reference)


def test_a_scheduler_stops_it_like_ctrl_c(
    reference: tuple[LanguageModel, LanguageModelReport], corpus: Corpus, tmp_path: Path
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch:
        call_after(patch, *STEP, 7, lambda: signal.raise_signal(signal.SIGTERM))
        with pytest.raises(KeyboardInterrupt):
            run(corpus, tmp_path)
    assert signal.getsignal(signal.SIGTERM) is before
    as_if_nothing_had_happened(run(corpus, tmp_path, resume=True), reference)


def test_a_second_ctrl_c_does_not_wait(corpus: Corpus, tmp_path: Path) -> None:
    after: list[str] = []

    def press_and_go_on() -> None:
        press_twice()
        after.append("not reached")

    with pytest.MonkeyPatch.context() as patch:
        call_after(patch, *STEP, 3, press_and_go_on)
        with pytest.raises(KeyboardInterrupt):
            run(corpus, tmp_path)
    assert not after
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not (tmp_path / CHECKPOINT).exists(), "it would be of half a step"


def test_it_may_be_interrupted_twice(
    reference: tuple[LanguageModel, LanguageModelReport], corpus: Corpus, tmp_path: Path
) -> None:
    for resume, calls in ((False, 10), (True, 30)):
        with pytest.MonkeyPatch.context() as patch:
            call_after(patch, *STEP, calls, press)
            with pytest.raises(KeyboardInterrupt):
                run(corpus, tmp_path, resume=resume)
    as_if_nothing_had_happened(run(corpus, tmp_path, resume=True), reference)


def read_log(folder: Path) -> list[dict[str, str]]:
    with open(folder / "logs" / "metrics.csv", encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_the_log_of_a_resumed_run_has_each_step_once(corpus: Corpus, tmp_path: Path) -> None:
    _, report = run(corpus, tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        # The checkpoint is of step 44, the last line of step 50: that is logged again.
        call_after(patch, *STEP, 53, interrupt)
        patch.setattr(Checkpoints, "_save", save_until(44, Checkpoints._save))
        with pytest.raises(KeyboardInterrupt):
            run(corpus, tmp_path / "parts", checkpoint_every=0)
    assert read_log(tmp_path / "parts")[-1]["step"] == "50"
    run(corpus, tmp_path / "parts", resume=True)
    whole, parts = read_log(tmp_path / "whole"), read_log(tmp_path / "parts")
    assert [int(row["step"]) for row in whole] == [10, 20, 30, 33, 40, 50, 60, 66]
    assert [row["step"] for row in parts] == [row["step"] for row in whole]
    for row, wanted in zip(parts, whole, strict=True):
        for name in ("tokens", "loss", "learning_rate"):
            assert float(row[name]) == pytest.approx(float(wanted[name]), rel=1e-5)
        assert float(row["tokens_per_second"]) > 0
    looks = [float(row["valid_loss"]) for row in whole if row["valid_loss"]]
    assert looks == pytest.approx([point["valid_loss"] for point in report.curve])


def save_until(step: int, plain: Callable[..., None]) -> Callable[..., None]:
    def save(self: Any, trainer: Any) -> None:
        if trainer.global_step <= step:
            plain(self, trainer)

    return save


def scalars(folder: Path) -> list[tuple[int, str]]:
    """Read TensorBoard's files (records of length, checksum, event, checksum): step and tag."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for path in sorted(folder.glob("events.out.tfevents.*")):
        data = path.read_bytes()
        while data:
            length = int.from_bytes(data[:8], "little")
            event = Event.FromString(data[12 : 12 + length])
            found += [(event.step, value.tag) for value in event.summary.value]
            data = data[16 + length :]
    return found


def test_tensorboard_gets_the_same(corpus: Corpus, tmp_path: Path) -> None:
    run(corpus, tmp_path)
    found = scalars(tmp_path / "logs")
    for tag in ("loss", "learning_rate", "tokens_per_second"):
        assert [step for step, name in found if name == tag] == [10, 20, 30, 33, 40, 50, 60, 66]
    assert [step for step, name in found if name == "valid_loss"] == [33, 66]


@pytest.mark.parametrize("leftover", ["", "30,9", "30,90,0.5,"])
def test_a_table_goes_on_after_its_last_whole_line(tmp_path: Path, leftover: str) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(f"step,a,b,c\n10,1,,2\n20,3,4,5\n{leftover}")
    log = TableLogger(path, ("a", "b", "c"), steps_done=25)
    log.log_metrics({"a": 6, "c": 7}, 30)
    log.finalize("success")
    assert path.read_text() == "step,a,b,c\n10,1,,2\n20,3,4,5\n30,6,,7\n"


def test_a_new_run_begins_a_new_table(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("step,a\n10,1\n")
    log = TableLogger(path, ("a",), steps_done=0)
    log.log_metrics({"a": 2}, 10)
    assert path.read_text() == "step,a\n10,2\n", "on disk at once"
    log.finalize("failed")


def test_a_genome_kept_out_is_reported_apart(tmp_path: Path) -> None:
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


def test_a_model_must_be_tried_on_something(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no held-out regions"):
        run(replace(corpus, held_out=corpus.held_out[:0]), tmp_path)


@pytest.fixture
def interrupted(corpus: Corpus, tmp_path: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        call_after(patch, *STEP, 5, press)
        with pytest.raises(KeyboardInterrupt):
            run(corpus, tmp_path)
    return tmp_path


def test_the_number_of_processes_must_stay(corpus: Corpus, interrupted: Path) -> None:
    with pytest.raises(InputError, match="of a run of 1 processes, and this is one of 2"):
        run(corpus, interrupted, resume=True, devices=2)


@pytest.mark.parametrize("option", ["devices", "nodes"])
def test_there_is_at_least_one_process(corpus: Corpus, tmp_path: Path, option: str) -> None:
    with pytest.raises(InputError, match=f"--{option}: got 0, allowed is 1 or more"):
        run(corpus, tmp_path, **{option: 0})


def test_streams_are_shared_evenly(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="8 cannot be shared evenly by 3 processes"):
        run(corpus, tmp_path, devices=3)


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


def test_a_run_goes_on_in_its_own_precision(corpus: Corpus, interrupted: Path) -> None:
    assert precision_to_resume(interrupted / CHECKPOINT) == "fp32"
    with pytest.raises(InputError, match="is of a run in fp32, and this is one in bf16"):
        run(corpus, interrupted, resume=True, precision="bf16")


def test_a_run_that_does_not_tell_its_precision_is_not_resumed(
    corpus: Corpus, interrupted: Path
) -> None:
    path = interrupted / CHECKPOINT
    saved = torch.load(path, weights_only=True)
    del saved["genomic_ulmfit"]["settings"]["precision"]
    torch.save(saved, path)
    assert precision_to_resume(path) is None
    with pytest.raises(InputError, match="of a run with other settings: precision"):
        run(corpus, interrupted, resume=True)


def test_other_text_is_not_resumed_on(interrupted: Path) -> None:
    other = build_corpus([markov_genome(10_400, seed=1)])
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
    model, report = run(corpus, tmp_path, start_from=start, recipe=gentle)
    assert report.loss == pytest.approx(reference[1].loss, rel=0.01)
    strong = replace(RECIPE, epochs=0.1)
    model, _ = run(corpus, tmp_path / "strong", start_from=start, recipe=strong)
    assert not same_weights(model, reference[0])
    for name, value in start.state_dict().items():
        assert torch.equal(value, reference[0].state_dict()[name]), "the start stays as it was"


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
