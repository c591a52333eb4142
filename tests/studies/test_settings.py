from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from genomic_ulmfit.data import splits
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models import classifier
from genomic_ulmfit.models.config import Dropouts
from genomic_ulmfit.studies.settings import recipe_sha256, settle
from genomic_ulmfit.training import finetuning, probe_fit


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


@pytest.mark.parametrize(
    ("where", "name", "value"),
    [
        (probe_fit, "LEAST_SURE", 0.1),
        (finetuning, "MOST_TOKENS", 1),
        (splits, "TEST_SHARE", 0.5),
        (classifier.PositionHead, "CHANNELS", 8),
        (finetuning, "CLASSIFIER_DROPOUTS", Dropouts()),
    ],
)
def test_whatever_is_changed_changes_the_recipe(
    monkeypatch: pytest.MonkeyPatch, where: Any, name: str, value: Any
) -> None:
    before = recipe_sha256()
    assert recipe_sha256() == before
    monkeypatch.setattr(where, name, value)
    assert recipe_sha256() != before


def test_a_damaged_folder(tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text("{")
    with pytest.raises(InputError, match=r"study\.json is damaged"):
        settle(tmp_path, {})
