import threading
import time
from collections.abc import Iterator

import pytest
import torch

from genomic_ulmfit.models.threads import NotWanted, in_threads, n_at_a_time, still_wanted


def test_results_stand_beside_their_pieces_in_order(threads: int) -> None:
    def slower_at_first(piece: int) -> int:
        time.sleep(0.02 / (1 + piece))
        return piece**2

    assert list(in_threads(slower_at_first, range(9))) == [(n, n**2) for n in range(9)]
    assert list(in_threads(slower_at_first, ())) == []


def test_threads_of_pytorch_are_shared_out_and_given_back(threads: int) -> None:
    seen = [found for _, found in in_threads(lambda _: torch.get_num_threads(), range(6))]
    assert set(seen) == {max(1, threads // n_at_a_time())}
    assert torch.get_num_threads() == threads


def test_no_more_pieces_are_read_than_are_computed_and_one(threads: int) -> None:
    read = []

    def pieces() -> Iterator[int]:
        for piece in range(20):
            read.append(piece)
            yield piece

    for done, _ in enumerate(in_threads(lambda piece: piece, pieces()), start=1):
        assert len(read) <= done + n_at_a_time()


def test_pieces_are_computed_at_a_time(threads: int) -> None:
    # Would time out if any waited for another to end.
    meeting = threading.Barrier(n_at_a_time(), timeout=60)
    list(in_threads(lambda _: meeting.wait(), range(2 * n_at_a_time())))


def test_what_goes_wrong_comes_out_and_ends_it(threads: int) -> None:
    def fails(piece: int) -> int:
        if piece == 3:
            raise ValueError("three")
        return piece

    found = []
    with pytest.raises(ValueError, match="three"):
        found.extend(piece for piece, _ in in_threads(fails, range(1_000_000)))
    assert torch.get_num_threads() == threads


def test_whoever_stops_early_gets_threads_back(threads: int) -> None:
    results = in_threads(lambda piece: piece, range(1_000_000))
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
        results = in_threads(long, range(3))
        assert next(results) == (0, 0)
        assert begun.wait(60)
        results.close()
    finally:
        torch.set_num_threads(before)
    assert 1 in ended


def test_who_computes_alone_is_always_wanted() -> None:
    still_wanted()
