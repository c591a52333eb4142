"""Numbers as a reader wants them, and as strict JSON can hold them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np


def number(value: float | None, digits: int = 3, *, sign: bool = False) -> str:
    """Format a number with a true minus sign; a dash stands for a missing one."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:{'+' if sign else ''}.{digits}f}".replace("-", "−")


def interval(low: float | None, high: float | None, *, sign: bool = False) -> str:
    """Format an interval's ends, or nothing where there is no interval.

    Nor is there one where both ends are the same: seeds or resamples that are all alike show no
    spread, which is no certainty.
    """
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return ""
    if math.isclose(low, high, rel_tol=0, abs_tol=1e-12):
        return ""
    return f"[{number(low, sign=sign)}, {number(high, sign=sign)}]"


def duration(seconds: float) -> str:
    """Format a time span to the precision a reader needs."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def json_ready(value: Any) -> Any:
    """Return a copy of `value` that strict JSON can hold.

    NumPy scalars become Python numbers and tuples lists; NaN and infinities, which JSON has
    not, become None.
    """
    if isinstance(value, Mapping):
        return {str(key): json_ready(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
