"""Which number format to compute in: probed on the machine at hand, not assumed."""

from __future__ import annotations

import contextlib
from functools import cache
from typing import Any

import torch
from torch import nn


@cache
def best_precision() -> str:
    """Return "bf16" where the processor computes in it and an LSTM trains in it, else "fp32".

    Without instructions for bf16 it is emulated, and slower than fp32. With them it is several
    times faster, but not every such processor has an LSTM for it (oneDNN then raises "could not
    create a primitive descriptor"), so one is tried. The answer depends on the machine alone,
    not on how busy it is: the same command must compute in the same arithmetic.
    """
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    # Older versions of PyTorch do not tell; then fp32 is the safe answer.
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    if not (capabilities.get("amx_bf16") or capabilities.get("avx512_bf16")):
        return "fp32"
    try:
        # Whoever asks may have switched gradients off; what is tried is training.
        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autocast("cpu", torch.bfloat16),
        ):
            output, _ = nn.LSTM(16, 32)(torch.zeros(4, 8, 16))
            output.float().sum().backward()
    except RuntimeError:
        return "fp32"
    return "bf16"


def autocast(precision: str) -> contextlib.AbstractContextManager[Any]:
    """Return a context in which the forward pass runs in `precision` ("bf16" or "fp32")."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.autocast(device, torch.bfloat16, enabled=precision == "bf16")
