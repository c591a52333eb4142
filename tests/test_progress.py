import pytest

from genomic_ulmfit import progress
from genomic_ulmfit.progress import Progress, tracked


@pytest.mark.parametrize("show", [True, False])
def test_every_item_once_in_order(show: bool) -> None:
    assert list(tracked(iter(range(5)), "Items", 5, show)) == list(range(5))


def test_a_line_now_and_then_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "FIRST_LINE", 0.0)
    list(tracked(iter("ab"), "Letters", 2))
    assert capsys.readouterr().err.splitlines() == [f"Letters: {done} of 2" for done in (0, 1, 2)]
    list(tracked(iter("ab"), "Letters", 2, show=False))
    assert capsys.readouterr().err == ""


def test_what_is_counted_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "FIRST_LINE", 0.0)
    with Progress("genomes") as shown:
        shown("[bold].fa", 1200, 2000)
        shown("next", 3)
    assert capsys.readouterr().err.splitlines() == [
        "[bold].fa: 1,200 of 2,000 genomes",
        "next: 3 genomes",
    ]


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
