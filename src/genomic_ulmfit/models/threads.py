"""Independent pieces of work, each computed by one thread of PyTorch's, side by side.

An LSTM multiplies small matrices, one step after the other. Shared out among threads they meet
after every product, and the slowest says how fast all are; a thread that takes a whole piece waits
for nobody.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

Piece = TypeVar("Piece")
Result = TypeVar("Result")

MOST = 4
"""Pieces at a time: each takes memory, and Python itself is one thread at a time. Where PyTorch
has more threads than this, they are shared out among the pieces."""

_here = threading.local()


class NotWanted(Exception):
    """Nobody waits any longer for what this thread computes."""


def still_wanted() -> None:
    """Raise `NotWanted` in a thread whose piece nobody waits for any longer.

    To be called now and then while a piece takes seconds: else Ctrl-C would have to wait for it.
    """
    stop: threading.Event | None = getattr(_here, "stop", None)
    if stop is not None and stop.is_set():
        raise NotWanted


def n_at_a_time() -> int:
    """Return how many pieces `in_threads` computes at a time."""
    return min(torch.get_num_threads(), MOST)


def in_threads(
    compute: Callable[[Piece], Result], pieces: Iterable[Piece]
) -> Iterator[tuple[Piece, Result]]:
    """Compute pieces side by side, and yield them in their order.

    Parameters
    ----------
    compute : callable
        Called in other threads, which share nothing of PyTorch's settings for this one: it has
        to ask for ``no_grad`` and ``autocast`` itself, and to leave what it shares with others as
        it is.
    pieces : iterable
        Read as far ahead as there are threads.

    Yields
    ------
    piece, result

    Raises
    ------
    Exception
        What `compute` raised first.
    """
    threads, workers = torch.get_num_threads(), n_at_a_time()
    if workers == 1:
        for piece in pieces:
            yield piece, compute(piece)
        return
    waiting: deque[tuple[Piece, Future[Result]]] = deque()
    stop = threading.Event()

    def begin() -> None:
        _here.stop = stop
        # A thread says this for itself, and for those that have not said so.
        torch.set_num_threads(threads // workers)

    pool = ThreadPoolExecutor(workers, initializer=begin)
    try:
        for piece in pieces:
            waiting.append((piece, pool.submit(compute, piece)))
            if len(waiting) > workers:
                first, result = waiting.popleft()
                yield first, result.result()
        for first, result in waiting:
            yield first, result.result()
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)
