"""Memory that is freed and wanted again at every step stays with the process."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
"""glibc's names for them (its `malloc.h`)."""

_DEFAULT_TRIM_THRESHOLD, _DEFAULT_MMAP_MAX = 128 << 10, 65_536


@contextlib.contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Have the C library not hand large freed blocks back to the kernel, for a while.

    A training step frees and allocates some hundred megabytes of activations. By default each
    large block is mapped anew, and the kernel zeroes it page by page: a quarter of the time of
    a step of the `small` language model on two cores. Does nothing where there is no glibc.

    For work whose every step needs the same blocks, as pretraining does: where sizes vary, small
    blocks settle in large gaps, and the process grows by a multiple of what it uses.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        yield
        return
    mallopt(_M_MMAP_MAX, 0)
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        mallopt(_M_MMAP_MAX, _DEFAULT_MMAP_MAX)
        mallopt(_M_TRIM_THRESHOLD, _DEFAULT_TRIM_THRESHOLD)
