"""Independent pieces of work, computed side by side on threads of their own.

An LSTM multiplies small matrices, one step after the other. Shared out among threads they meet
after every product, and the slowest says how fast all are; a thread that takes a whole piece waits
for nobody.
"""

from __future__ import annotations

import itertools
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


def n_at_a_time(device: torch.device) -> int:
    """Return how many pieces `in_threads` computes at a time on a device: one but on processors."""
    return min(torch.get_num_threads(), MOST) if device.type == "cpu" else 1


def piece_size(n: int, most: int, device: torch.device) -> int:
    """Return how many of `n` items to put into a piece.

    So many that at most `most` are in memory, and so few that all threads have work.
    """
    return max(1, -(-min(n, most) // n_at_a_time(device)))


def in_threads(
    compute: Callable[[Piece], Result], pieces: Iterable[Piece], device: torch.device
) -> Iterator[tuple[Piece, Result]]:
    """Compute pieces side by side, and yield them in their order.

    A piece that comes alone is computed by the caller's thread on all of PyTorch's.

    Parameters
    ----------
    compute : callable
        Called in other threads, which share nothing of PyTorch's settings for this one: it has
        to ask for ``no_grad`` and ``autocast`` itself, and to leave what it shares with others as
        it is.
    pieces : iterable
        Read ahead by one more than are computed at a time.
    device : torch.device
        Where they are computed; anywhere but on processors, one after the other.

    Yields
    ------
    piece, result

    Raises
    ------
    Exception
        What `compute` raised for the first piece that it could not do, once those before it are
        yielded.
    """
    pieces = iter(pieces)
    workers = n_at_a_time(device)
    begun = list(itertools.islice(pieces, 2 if workers > 1 else 0))
    if len(begun) < 2:
        for piece in itertools.chain(begun, pieces):
            yield piece, compute(piece)
        return
    stop = threading.Event()
    pool = _pool(workers, stop)
    waiting: deque[tuple[Piece, Future[Result]]] = deque()
    try:
        for piece in itertools.chain(begun, pieces):
            waiting.append((piece, pool.submit(compute, piece)))
            if len(waiting) > workers:
                first, result = waiting.popleft()
                yield first, result.result()
        for first, result in waiting:
            yield first, result.result()
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def _pool(workers: int, stop: threading.Event) -> ThreadPoolExecutor:
    """Return a pool whose threads share out those of PyTorch's, and stop when told to."""
    threads = torch.get_num_threads()
    shares = [threads // workers + (number < threads % workers) for number in range(workers)]
    here, go = threading.Semaphore(0), threading.Event()

    def begin() -> None:
        _here.stop = stop
        torch.get_num_threads()  # Else PyTorch would set its default when first it computes here.
        torch.set_num_threads(shares.pop())
        here.release()

    pool = ThreadPoolExecutor(workers, initializer=begin)
    try:
        # A pool starts a thread for work that comes in while all it has are at work.
        for _ in range(workers):
            pool.submit(go.wait)
        for _ in range(workers):
            here.acquire()
        # What each has set for itself has become the default of threads that are still to come.
        torch.set_num_threads(threads)
    finally:
        go.set()  # Whatever happens: a thread that waited on would keep Python from ending.
    return pool
