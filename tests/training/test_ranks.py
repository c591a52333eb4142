"""How many processes train."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genomic_ulmfit.data.corpus import Corpus
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.training.ranks import processes


@pytest.mark.parametrize("option", ["devices", "nodes"])
def test_there_is_at_least_one_process(
    corpus: Corpus, tmp_path: Path, option: str, run: Callable[..., Any]
) -> None:
    with pytest.raises(InputError, match=f"--{option}: got 0, allowed is 1 or more"):
        run(corpus, tmp_path, **{option: 0})


def test_slurm_without_srun_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("SLURM_NTASKS", "4"), ("SLURM_JOB_NAME", "run.sh"), ("SLURM_NNODES", "2")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SLURM_STEP_NUM_TASKS", raising=False)
    with pytest.raises(InputError, match=r"SLURM has 4 tasks .* Put srun before the command"):
        processes(None, None)
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "4")
    assert processes(None, None) == (2, 2)
