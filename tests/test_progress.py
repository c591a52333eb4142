import threading

import pytest

from genomic_ulmfit import progress
from genomic_ulmfit.progress import Progress, tracked


@pytest.mark.parametrize("show", [True, False])
def test_every_item_once_in_order(show: bool) -> None:
    assert list(tracked(iter(range(5)), "Items", 5, show)) == list(range(5))


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which goes on where a test says so; nobody but the test asks for lines."""
    time = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: time[0])
    monkeypatch.setattr(progress, "LOOK_EVERY", 3600.0)
    return time


def test_a_line_when_one_is_due_where_there_is_no_terminal(
    now: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress("letters") as shown:
        shown.write_line()
        shown("[bold].fa", 0, 2000)
        now[0] = 9
        shown.write_line()
        now[0] = 10
        shown.write_line()
        now[0] = 40
        shown("[bold].fa", 500, 2000)
        shown.write_line()
        now[0] = 50
        shown("next", 3)
        now[0] = 100
        shown.write_line()
        shown("fifth.fa", 5, 46)
        now[0] = 200
        shown.write_line()
    assert capsys.readouterr().err.splitlines() == [
        "[bold].fa: 0 of 2,000 letters",
        "[bold].fa: 500 of 2,000 letters, 0:02:00 left",
        "next: 3 letters",
        "fifth.fa: 5 of 46 letters",
    ]


def test_a_log_is_written_while_nothing_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "FIRST_LINE", 0.0)
    monkeypatch.setattr(progress, "LOOK_EVERY", 0.001)
    written = threading.Event()
    monkeypatch.setattr(progress.Lines, "written", lambda self: written.set())
    for show in (True, False):
        with Progress("", show) as shown:
            shown("Thinking", 0)
            assert written.wait(60)
        told = capsys.readouterr().err.splitlines()
        assert set(told) == ({"Thinking: 0"} if show else set())


def test_lines_come_soon_at_first_and_more_seldom_later(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    lines, written = progress.Lines(), []
    while now < 300:
        now += 1
        if lines.due():
            lines.written()
            written.append(now)
    assert written == [10, 30, 70, 130, 190, 250]
