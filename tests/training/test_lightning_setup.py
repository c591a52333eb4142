"""The one cycle of learning rates, and clipped gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from genomic_ulmfit.training.lightning_setup import (
    Progress,
    Task,
    adamw,
    fit,
    make_trainer,
    one_cycle,
)


@pytest.mark.parametrize("total", range(1, 13))
def test_any_number_of_steps_makes_a_cycle(total: int) -> None:
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


class Steep(Task):
    """A loss whose gradient is as steep as it is told."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4))
        self.slope = slope
        self.seen: list[Tensor] = []

    def training_step(self, batch: Tensor, _: int) -> Tensor:
        return self.slope * self.weight.sum() + 0 * batch.sum()

    def configure_optimizers(self) -> Any:
        optimizer = adamw([self.weight], lr=0.1)
        optimizer.register_step_post_hook(self.keep)
        return optimizer

    def keep(self, *_: Any) -> None:
        assert self.weight.grad is not None
        self.seen.append(self.weight.grad.clone())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(("slope", "expected"), [(100.0, 0.5), (0.1, 0.1)])
def test_gradients_are_clipped_to_a_norm_of_one(
    precision: str, slope: float, expected: float
) -> None:
    task = Steep(slope)
    fit(make_trainer(precision, max_epochs=1), task, torch.zeros(3, 1))
    assert len(task.seen) == 3
    for gradient in task.seen:
        torch.testing.assert_close(gradient, torch.full((4,), expected))


def test_a_log_says_at_once_what_is_being_trained(capfd: pytest.CaptureFixture[str]) -> None:
    progress = Progress("Stage 2/4: last layer")
    fit(make_trainer("fp32", max_epochs=1, callbacks=[progress]), Steep(1.0), torch.zeros(3, 1))
    lines = capfd.readouterr().err.splitlines()
    assert lines[0] == "Stage 2/4: last layer: step 0 of 3"
    assert lines[-1].startswith("Stage 2/4: last layer: step 3 of 3")

    silent = Progress("Stage 2/4: last layer", show=False)
    fit(make_trainer("fp32", max_epochs=1, callbacks=[silent]), Steep(1.0), torch.zeros(3, 1))
    assert not capfd.readouterr().err
