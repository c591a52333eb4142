"""Which number format to compute in: probed on the machine at hand, not assumed."""

from __future__ import annotations

import contextlib
from functools import cache
from typing import Any

import torch
from torch import nn

from genomic_ulmfit.errors import InputError

PRECISIONS = ("bf16", "fp32")


CPU = torch.device("cpu")


def training_device() -> torch.device:
    """Return where Lightning trains here: on a GPU if there is one, else on the processor."""
    return torch.device("cuda") if torch.cuda.is_available() else CPU


def best_precision(*devices: torch.device) -> str:
    """Return "bf16" where devices are fast in it and train an LSTM in it, else "fp32".

    Without instructions for bf16 it is emulated, and slower than fp32. With them it is several
    times faster. The answer depends on the machine alone, not on how busy it is: the same command
    must compute in the same arithmetic.

    Parameters
    ----------
    *devices : torch.device
        All that will compute in it; the processor if none is given.
    """
    return "bf16" if all(_is_fast_in_bf16(device.type) for device in devices or [CPU]) else "fp32"


@cache
def _is_fast_in_bf16(device: str) -> bool:
    if device == "cuda":
        return torch.cuda.is_bf16_supported()
    # Older versions of PyTorch do not tell; then fp32 is the safe answer.
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    fast = capabilities.get("amx_bf16") or capabilities.get("avx512_bf16")
    return bool(fast) and trains_in_bf16(device)


@cache
def trains_in_bf16(device: str = "cpu") -> bool:
    """Return whether an LSTM trains in bf16 on a type of device, fast or slowly.

    Many processors have none (oneDNN then raises "could not create a primitive descriptor"), even
    some with instructions for bf16, so one is tried.
    """
    try:
        # Whoever asks may have switched gradients off; what is tried is training.
        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autocast(device, torch.bfloat16),
        ):
            layer = nn.LSTM(16, 32).to(device)
            output, _ = layer(torch.zeros(4, 8, 16, device=device))
            output.float().sum().backward()
    except RuntimeError:
        return False
    return True


def require_precision(precision: str, told: str, *devices: torch.device) -> None:
    """Check that this machine computes in a precision.

    Parameters
    ----------
    precision : str
    told : str
        Who wants it, for the message: "--precision".
    *devices : torch.device
        All that will compute in it; the processor if none is given.

    Raises
    ------
    InputError
        If it is none of `PRECISIONS`, or there is no LSTM for it here.
    """
    if precision not in PRECISIONS:
        raise InputError(f"{told}: got {precision!r}, allowed are {' and '.join(PRECISIONS)}.")
    if precision == "bf16" and not all(trains_in_bf16(d.type) for d in devices or [CPU]):
        raise InputError(
            f"{told}: got bf16, but PyTorch has no LSTM in bf16 for this machine's processor; "
            "allowed here is fp32."
        )


def settled_precision(precision: str | None, *devices: torch.device) -> str:
    """Return the precision that was asked for if devices have it, or the best if none was.

    Parameters
    ----------
    precision : str or None
    *devices : torch.device
        All that will compute in it; the processor if none is given.

    Raises
    ------
    InputError
        As `require_precision`.
    """
    if precision is None:
        return best_precision(*devices)
    require_precision(precision, "precision", *devices)
    return precision


def autocast(precision: str, device: torch.device = CPU) -> contextlib.AbstractContextManager[Any]:
    """Return a context in which the forward pass runs in `precision` ("bf16" or "fp32").

    Parameters
    ----------
    precision : str
    device : torch.device
        Where the tensors are; what is elsewhere is left alone.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
