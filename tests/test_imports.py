"""What takes seconds to import is imported by those who use it."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "without"),
    [
        # Lists of models and their cards.
        ("genomic_ulmfit.models.pretrained", ("torch", "pandas")),
        # Classifiers of a few labels are fitted in less time than Lightning takes to import.
        ("genomic_ulmfit.training.finetuning_job", ("lightning", "matplotlib.pyplot")),
        ("genomic_ulmfit.evaluation.evaluate_job", ("lightning", "sklearn")),
        ("genomic_ulmfit.inference.predict_job", ("lightning", "sklearn", "scipy.stats")),
    ],
)
def test_imported_without(module: str, without: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print([m for m in {without!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
