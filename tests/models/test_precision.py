"""The precision is a property of the machine, not of who asks."""

from __future__ import annotations

import pytest
import torch

from genomic_ulmfit.models.precision import autocast, best_precision


def test_it_does_not_matter_whether_gradients_are_on() -> None:
    anew = best_precision.__wrapped__
    with torch.no_grad():
        without = anew()
    with torch.inference_mode():
        inference = anew()
    assert without == inference == anew() == best_precision()


@pytest.mark.parametrize(
    ("precision", "dtype"), [("bf16", torch.bfloat16), ("fp32", torch.float32)]
)
def test_autocast_computes_in_it(precision: str, dtype: torch.dtype) -> None:
    with autocast(precision):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype
