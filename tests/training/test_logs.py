"""What training writes down."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genomic_ulmfit.data.corpus import Corpus
from genomic_ulmfit.training.checkpoints import Checkpoints
from genomic_ulmfit.training.language_model_task import LanguageModelTask
from genomic_ulmfit.training.logs import TableLogger


def interrupt() -> None:
    raise KeyboardInterrupt


def read_log(folder: Path) -> list[dict[str, str]]:
    with open(folder / "logs" / "metrics.csv", encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_the_log_of_a_resumed_run_has_each_step_once(
    corpus: Corpus, tmp_path: Path, run: Callable[..., Any], call_after: Callable[..., Any]
) -> None:
    _, report = run(corpus, tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        # The checkpoint is of step 44, the last line of step 50: that is logged again.
        call_after(patch, LanguageModelTask, "training_step", 53, interrupt)
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


def test_tensorboard_gets_the_same(corpus: Corpus, tmp_path: Path, run: Callable[..., Any]) -> None:
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
