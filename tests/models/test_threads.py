import threading
import time
from collections.abc import Iterator

import pytest
import torch

from genomic_ulmfit.models.threads import (
    NotWanted,
    in_threads,
    n_at_a_time,
    piece_size,
    still_wanted,
)

CPU = torch.device("cpu")


def test_results_stand_beside_their_pieces_in_order(threads: int) -> None:
    def slower_at_first(piece: int) -> int:
        time.sleep(0.02 / (1 + piece))
        return piece**2

    assert list(in_threads(slower_at_first, range(9), CPU)) == [(n, n**2) for n in range(9)]
    assert list(in_threads(slower_at_first, (), CPU)) == []


def test_threads_of_pytorch_are_shared_out_and_given_back(threads: int) -> None:
    meeting = threading.Barrier(n_at_a_time(CPU), timeout=60)

    def share(_: int) -> int:
        meeting.wait()
        torch.zeros(100_000).exp()  # Where PyTorch may set what it thinks best.
        return torch.get_num_threads()

    seen = [found for _, found in in_threads(share, range(n_at_a_time(CPU)), CPU)]
    assert sum(seen) == threads
    assert max(seen) - min(seen) <= 1
    assert torch.get_num_threads() == threads


def test_threads_that_begin_meanwhile_have_all(threads: int) -> None:
    results = in_threads(lambda piece: piece, range(9), CPU)
    next(results)
    seen: list[int] = []
    other = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    other.start()
    other.join()
    results.close()
    assert seen == [threads]


def test_a_piece_alone_is_computed_on_all(threads: int) -> None:
    here = threading.get_ident()
    (found,) = in_threads(lambda _: (threading.get_ident(), torch.get_num_threads()), "a", CPU)
    assert found == ("a", (here, threads))


def test_elsewhere_than_on_processors_one_after_the_other(threads: int) -> None:
    here, gpu = threading.get_ident(), torch.device("cuda")
    assert {found for _, found in in_threads(lambda _: threading.get_ident(), "abc", gpu)} == {here}
    assert piece_size(100, 7, gpu) == 7


def test_few_items_are_work_for_all_threads(threads: int) -> None:
    n = n_at_a_time(CPU)
    assert piece_size(0, 7, CPU) == 1
    assert piece_size(n, 7, CPU) == 1
    assert piece_size(2 * n, 7, CPU) == 2
    assert piece_size(100, 7 * n, CPU) == 7
    assert piece_size(100, 7 * n - n + 1, CPU) == 7


def test_no_more_pieces_are_read_than_are_computed_and_one(threads: int) -> None:
    read = []

    def pieces() -> Iterator[int]:
        for piece in range(20):
            read.append(piece)
            yield piece

    for done, _ in enumerate(in_threads(lambda piece: piece, pieces(), CPU), start=1):
        assert len(read) <= done + n_at_a_time(CPU)


def test_pieces_are_computed_at_a_time(threads: int) -> None:
    # Would time out if any waited for another to end.
    meeting = threading.Barrier(n_at_a_time(CPU), timeout=60)
    list(in_threads(lambda _: meeting.wait(), range(2 * n_at_a_time(CPU)), CPU))


def test_what_goes_wrong_comes_out_and_ends_it(threads: int) -> None:
    def fails(piece: int) -> int:
        if piece == 3:
            raise ValueError("three")
        return piece

    found = []
    with pytest.raises(ValueError, match="three"):
        found.extend(piece for piece, _ in in_threads(fails, range(1_000_000), CPU))
    assert torch.get_num_threads() == threads


def test_whoever_stops_early_gets_threads_back(threads: int) -> None:
    results = in_threads(lambda piece: piece, range(1_000_000), CPU)
    assert next(results) == (0, 0)
    results.close()
    assert torch.get_num_threads() == threads


def test_a_piece_that_nobody_waits_for_ends() -> None:
    begun, ended = threading.Event(), []

    def long(piece: int) -> int:
        if piece == 0:
            return 0
        begun.set()
        try:
            while True:
                still_wanted()
        except NotWanted:
            ended.append(piece)
            raise

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        results = in_threads(long, range(3), CPU)
        assert next(results) == (0, 0)
        assert begun.wait(60)
        results.close()
    finally:
        torch.set_num_threads(before)
    assert 1 in ended


def test_who_computes_alone_is_always_wanted() -> None:
    still_wanted()
