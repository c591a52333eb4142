"""Checkpoints: an interruption costs nothing, and no other run is resumed."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from genomic_ulmfit.data.corpus import Corpus, build_corpus
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models.folder import CHECKPOINT
from genomic_ulmfit.models.language_model import LanguageModel
from genomic_ulmfit.training import journal, pretraining
from genomic_ulmfit.training.checkpoints import precision_to_resume
from genomic_ulmfit.training.language_model_task import LanguageModelTask
from genomic_ulmfit.training.pretraining_result import LanguageModelReport


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


@pytest.fixture
def as_if_nothing_had_happened(
    reference: tuple[LanguageModel, LanguageModelReport], same_weights: Callable[..., bool]
) -> Callable[[tuple[LanguageModel, LanguageModelReport]], None]:
    def check(done: tuple[LanguageModel, LanguageModelReport]) -> None:
        assert done[1].tokens == reference[1].tokens
        assert same_weights(done[0], reference[0])
        assert done[1].loss == pytest.approx(reference[1].loss, rel=1e-4)
        for point, wanted in zip(done[1].curve, reference[1].curve, strict=True):
            assert point == pytest.approx(wanted, rel=1e-5)

    return check


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
    as_if_nothing_had_happened: Callable[..., None],
    corpus: Corpus,
    tmp_path: Path,
    place: tuple[Any, str],
    calls: int,
    action: Callable[[], object],
    run: Callable[..., Any],
    call_after: Callable[..., Any],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        call_after(patch, *place, calls, action)
        with pytest.raises(KeyboardInterrupt):
            run(corpus, tmp_path, checkpoint_every=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == [CHECKPOINT, "logs"]
    as_if_nothing_had_happened(run(corpus, tmp_path, resume=True))


@pytest.mark.parametrize(("place", "calls"), [(STEP, 1), (STEP, 20), (STEP, 33), (LOOK, 1)])
def test_ctrl_c_lets_the_step_end(
    as_if_nothing_had_happened: Callable[..., None],
    corpus: Corpus,
    tmp_path: Path,
    place: tuple[Any, str],
    calls: int,
    run: Callable[..., Any],
    call_after: Callable[..., Any],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        call_after(patch, *place, calls, press)
        with pytest.raises(KeyboardInterrupt):
            run(corpus, tmp_path)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    as_if_nothing_had_happened(run(corpus, tmp_path, resume=True))


def test_a_scheduler_stops_it_like_ctrl_c(
    as_if_nothing_had_happened: Callable[..., None],
    corpus: Corpus,
    tmp_path: Path,
    run: Callable[..., Any],
    call_after: Callable[..., Any],
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch:
        call_after(patch, *STEP, 7, lambda: signal.raise_signal(signal.SIGTERM))
        with pytest.raises(KeyboardInterrupt):
            run(corpus, tmp_path)
    assert signal.getsignal(signal.SIGTERM) is before
    as_if_nothing_had_happened(run(corpus, tmp_path, resume=True))


def test_a_second_ctrl_c_does_not_wait(
    corpus: Corpus, tmp_path: Path, run: Callable[..., Any], call_after: Callable[..., Any]
) -> None:
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
    as_if_nothing_had_happened: Callable[..., None],
    corpus: Corpus,
    tmp_path: Path,
    run: Callable[..., Any],
    call_after: Callable[..., Any],
) -> None:
    for resume, calls in ((False, 10), (True, 30)):
        with pytest.MonkeyPatch.context() as patch:
            call_after(patch, *STEP, calls, press)
            with pytest.raises(KeyboardInterrupt):
                run(corpus, tmp_path, resume=resume)
    as_if_nothing_had_happened(run(corpus, tmp_path, resume=True))


@pytest.fixture
def interrupted(
    corpus: Corpus, tmp_path: Path, run: Callable[..., Any], call_after: Callable[..., Any]
) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        call_after(patch, *STEP, 5, press)
        with pytest.raises(KeyboardInterrupt):
            run(corpus, tmp_path)
    return tmp_path


def test_the_number_of_processes_must_stay(
    corpus: Corpus, interrupted: Path, run: Callable[..., Any]
) -> None:
    with pytest.raises(InputError, match="of a run of 1 processes, and this is one of 2"):
        run(corpus, interrupted, resume=True, devices=2)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"recipe": {"epochs": 3}}, r"--epochs \(it was [\d.]+, now 3\)\."),
        ({"recipe": {"learning_rate": 1e-3}}, r"--preset, or the version of genomic-ulmfit\."),
        ({"config": {"hidden": 20}}, r"--preset, or the version of genomic-ulmfit\."),
        ({"seed": 1}, r"--seed \(it was 0, now 1\)\."),
    ],
)
def test_another_run_is_not_resumed(
    corpus: Corpus,
    interrupted: Path,
    change: dict[str, Any],
    named: str,
    run: Callable[..., Any],
) -> None:
    before = (interrupted / CHECKPOINT).read_bytes()
    with pytest.raises(InputError, match=rf"--resume: .*is of a run with other settings: {named}"):
        run(corpus, interrupted, resume=True, **change)
    assert (interrupted / CHECKPOINT).read_bytes() == before


def test_a_run_goes_on_in_its_own_precision(
    corpus: Corpus, interrupted: Path, run: Callable[..., Any]
) -> None:
    assert precision_to_resume(interrupted / CHECKPOINT) == "fp32"
    with pytest.raises(InputError, match="is of a run in fp32, and this is one in bf16"):
        run(corpus, interrupted, resume=True, precision="bf16")


def test_a_run_that_does_not_tell_its_precision_is_not_resumed(
    corpus: Corpus, interrupted: Path, run: Callable[..., Any]
) -> None:
    path = interrupted / CHECKPOINT
    saved = torch.load(path, weights_only=True)
    del saved["genomic_ulmfit"]["settings"]["precision"]
    torch.save(saved, path)
    assert precision_to_resume(path) is None
    with pytest.raises(InputError, match="of a run with other settings: --precision"):
        run(corpus, interrupted, resume=True)


def test_other_text_is_not_resumed_on(
    interrupted: Path, run: Callable[..., Any], markov_genome: Callable[..., Any]
) -> None:
    other = build_corpus([markov_genome(10_400, seed=1)])
    with pytest.raises(InputError, match=r"--resume: .*is of a run with other settings"):
        run(other, interrupted, resume=True)


def test_there_must_be_something_to_resume(
    corpus: Corpus, tmp_path: Path, run: Callable[..., Any]
) -> None:
    with pytest.raises(InputError, match="--resume: no checkpoint in"):
        run(corpus, tmp_path / "absent", resume=True)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no checkpoint", b"garbage" * 99])
def test_a_damaged_checkpoint_is_refused(
    corpus: Corpus, tmp_path: Path, content: bytes, run: Callable[..., Any]
) -> None:
    (tmp_path / CHECKPOINT).write_bytes(content)
    with pytest.raises(InputError, match=r"--resume: .*last.ckpt.* damaged"):
        run(corpus, tmp_path, resume=True)


def test_a_truncated_or_foreign_checkpoint_is_refused(
    corpus: Corpus, interrupted: Path, run: Callable[..., Any]
) -> None:
    path = interrupted / CHECKPOINT
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match=r"--resume: .*last.ckpt.* damaged"):
        run(corpus, interrupted, resume=True)
    whole = path.read_bytes()
    for length in range(64, len(whole), len(whole) // 40):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"--resume: .*last.ckpt.* damaged"):
            precision_to_resume(path)
    torch.save({"epoch": 3}, path)
    with pytest.raises(InputError, match=r"--resume: .*last.ckpt.* damaged"):
        run(corpus, interrupted, resume=True)
