"""The precision is a property of the machine, not of who asks."""

from __future__ import annotations

import pytest
import torch

from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models import precision as precision_module
from genomic_ulmfit.models.precision import (
    CPU,
    autocast,
    best_precision,
    require_precision,
    training_device,
)


def test_it_does_not_matter_whether_gradients_are_on() -> None:
    def anew() -> str:
        precision_module._is_fast_in_bf16.cache_clear()
        precision_module.trains_in_bf16.cache_clear()
        return best_precision()

    with torch.no_grad():
        without = anew()
    with torch.inference_mode():
        inference = anew()
    assert without == inference == anew() == best_precision()


def test_what_the_machine_has_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="--precision: got 'fp8', allowed are bf16 and fp32"):
        require_precision("fp8", "--precision")
    require_precision("fp32", "--precision")
    require_precision(best_precision(), "--precision")
    monkeypatch.setattr(precision_module, "trains_in_bf16", lambda _: False)
    with pytest.raises(InputError, match=r"--precision: got bf16, but .* allowed here is fp32"):
        require_precision("bf16", "--precision")


@pytest.mark.parametrize(
    ("precision", "dtype"), [("bf16", torch.bfloat16), ("fp32", torch.float32)]
)
def test_autocast_computes_in_it(precision: str, dtype: torch.dtype) -> None:
    with autocast(precision):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype


def test_a_gpu_changes_nothing_for_what_the_processor_computes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = best_precision()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert training_device().type == "cuda"
    assert best_precision() == here
    with autocast("bf16"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16


def test_what_several_devices_share_must_suit_all(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = {"cpu": False, "cuda": True}
    monkeypatch.setattr(precision_module, "_is_fast_in_bf16", fast.__getitem__)
    gpu = torch.device("cuda")
    assert (best_precision(), best_precision(gpu), best_precision(CPU, gpu)) == (
        "fp32",
        "bf16",
        "fp32",
    )
