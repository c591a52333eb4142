"""How many processes train."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genomic_ulmfit.data.corpus import Corpus
from genomic_ulmfit.errors import InputError


@pytest.mark.parametrize("option", ["devices", "nodes"])
def test_there_is_at_least_one_process(
    corpus: Corpus, tmp_path: Path, option: str, run: Callable[..., Any]
) -> None:
    with pytest.raises(InputError, match=f"--{option}: got 0, allowed is 1 or more"):
        run(corpus, tmp_path, **{option: 0})
