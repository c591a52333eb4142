from __future__ import annotations

from pathlib import Path

import pytest

from genomic_ulmfit.errors import InputError
from genomic_ulmfit.studies.settings import settle
from genomic_ulmfit.training import probe_fit


def test_a_folder_takes_the_study_that_began_it(tmp_path: Path) -> None:
    precision = settle(tmp_path, {"seed": 1})
    assert settle(tmp_path, {"seed": 1}) == precision


def test_another_study_is_refused(tmp_path: Path) -> None:
    settle(tmp_path, {"seed": 1, "table": "a"})
    with pytest.raises(InputError, match="study with another seed and table"):
        settle(tmp_path, {"seed": 2, "table": "b"})


def test_what_another_recipe_made_is_not_mixed_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(tmp_path, {"seed": 1})
    monkeypatch.setattr(probe_fit, "FRAME_SHARE", probe_fit.FRAME_SHARE + 1)
    with pytest.raises(InputError, match=r"with another recipe; .* Name another folder"):
        settle(tmp_path, {"seed": 1})
