"""Printing for people: names from files are shown as they are."""

from __future__ import annotations

import pytest
from rich.table import Table

from genomic_ulmfit.console import counted, marked, note, plain_console

NAME = "[sigma70] [/other] run:100:7"


@pytest.mark.parametrize("stderr", [False, True])
def test_names_stay_as_they_are(capsys: pytest.CaptureFixture[str], stderr: bool) -> None:
    console = plain_console(stderr=stderr)
    console.print(f"{NAME} {'x' * 200}")
    console.print(marked("Error:", NAME))
    out, err = capsys.readouterr()
    assert (err if stderr else out) == f"{NAME} {'x' * 200}\nError: {NAME}\n"
    assert (out if stderr else err) == ""


def test_names_in_tables(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(NAME, title=NAME)
    table.add_row(NAME)
    plain_console(tables=True).print(table)
    assert capsys.readouterr().out.count(NAME) == 3


def test_notes_are_on_standard_error_and_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    note(f"{NAME} {'x ' * 100}.")
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"Note: {NAME} {'x ' * 100}.\n")


def test_one_is_no_plural() -> None:
    assert [counted(n, "call") for n in (0, 1, 2, 1000)] == [
        "0 calls",
        "1 call",
        "2 calls",
        "1,000 calls",
    ]
