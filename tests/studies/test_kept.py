"""Results that are kept in files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from genomic_ulmfit.errors import InputError
from genomic_ulmfit.studies.kept import kept


def test_made_once_and_read_from_then_on(tmp_path: Path) -> None:
    path = tmp_path / "cells" / "one.json"
    made: list[int] = []

    def make() -> dict[str, Any]:
        made.append(1)
        return {"number": len(made)}

    assert kept(path, make) == {"number": 1} == json.loads(path.read_text(encoding="utf-8"))
    assert kept(path, make) == {"number": 1}
    assert len(made) == 1


def test_made_again_where_it_no_longer_holds(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text('{"of": "yesterday"}', encoding="utf-8")
    found = kept(path, lambda: {"of": "today"}, holds=lambda found: found["of"] == "today")
    assert found == {"of": "today"} == json.loads(path.read_text(encoding="utf-8"))


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"one\.json: is damaged. Remove it"):
        kept(path, dict)
