"""The one cycle of learning rates."""

from __future__ import annotations

import pytest
import torch

from genomic_ulmfit.training.lightning_setup import one_cycle


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
