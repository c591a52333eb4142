import pytest

from genomic_ulmfit.training import bars
from genomic_ulmfit.training.bars import bar


@pytest.mark.parametrize("show", [True, False])
def test_every_item_once_in_order(show: bool) -> None:
    assert list(bar(iter(range(5)), "Items", 5, show)) == list(range(5))


def test_a_line_now_and_then_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bars, "LINE_EVERY", 0.0)
    list(bar(iter("ab"), "Letters", 2))
    assert capsys.readouterr().err.splitlines() == ["Letters: 1 of 2", "Letters: 2 of 2"]
    list(bar(iter("ab"), "Letters", 2, show=False))
    assert capsys.readouterr().err == ""
