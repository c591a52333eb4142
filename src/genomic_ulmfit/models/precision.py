"""Which number format to compute in: probed on the machine at hand, not assumed."""

from __future__ import annotations

import contextlib
import time
from functools import cache
from typing import Any

import torch
from torch import nn


@cache
def best_precision() -> str:
    """Return "bf16" where an LSTM trains in it, and faster, else "fp32".

    Not every processor with bf16 instructions has an LSTM for them (oneDNN then raises "could
    not create a primitive descriptor"), and without such instructions bf16 is emulated and
    slow. So both are run and timed, once per process, in well under a second.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return "bf16" if _time_lstm(device, True) < _time_lstm(device, False) else "fp32"
    except RuntimeError:
        return "fp32"


def _time_lstm(device: str, bf16: bool) -> float:
    """Return the seconds of an LSTM step, forward and backward: the best of three."""
    lstm = nn.LSTM(128, 256).to(device)
    x = torch.zeros(16, 64, 128, device=device)
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            output, _ = lstm(x)
        output.float().sum().backward()
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return best


def autocast(precision: str) -> contextlib.AbstractContextManager[Any]:
    """Return a context in which the forward pass runs in `precision` ("bf16" or "fp32")."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.autocast(device, torch.bfloat16, enabled=precision == "bf16")
