"""Memory that is freed and wanted again at every step stays with the process."""

from __future__ import annotations

import ctypes
import functools

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
"""glibc's names for them (its `malloc.h`)."""


@functools.cache
def keep_freed_memory() -> None:
    """Tell the C library not to hand large freed blocks back to the kernel.

    A training step frees and allocates some hundred megabytes of activations. By default each
    large block is mapped anew, and the kernel zeroes it page by page: a quarter of the time of
    a step of the `small` language model on two cores. Does nothing where there is no glibc.

    For work whose every step needs the same blocks, as pretraining does: where sizes vary, small
    blocks settle in large gaps, and the process grows by a multiple of what it uses.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(_M_MMAP_MAX, 0)
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
