"""The notebooks, executed as `notebooks/run.py` does it, on a small simulated genome."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

pytestmark = pytest.mark.timeout(900)  # Five kernels; most of it is importing PyTorch.

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
FIGURES = {
    "0_data": 1,
    "1_naive": 2,
    "2_ecoli_pretraining": 3,
    "3_ensemble_pretraining": 2,
    "4_data_reduction": 1,
}


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the notebooks were executed in and written to."""
    folder = tmp_path_factory.mktemp("notebooks")
    done = subprocess.run(
        [sys.executable, str(NOTEBOOKS / "run.py"), "--tiny", "--out", str(folder)],
        capture_output=True,
        text=True,
        timeout=850,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return folder


def outputs(path: Path) -> Iterator[Any]:
    for cell in nbformat.read(path, as_version=4).cells:
        yield from cell.get("outputs", [])


def text_of(path: Path) -> str:
    found = (one.get("text") or one.get("data", {}).get("text/plain", "") for one in outputs(path))
    return "\n".join(found)


@pytest.mark.parametrize("name", FIGURES)
def test_runs_through(executed: Path, name: str) -> None:
    path = executed / f"{name}.ipynb"
    figures = [one for one in outputs(path) if "image/png" in one.get("data", {})]
    assert len(figures) == FIGURES[name]
    assert not [one for one in outputs(path) if one["output_type"] == "error"]
    text = path.read_text()
    for secret in (str(executed), str(NOTEBOOKS.parent), str(Path.home()), sys.prefix):
        assert secret not in text
    before = nbformat.read(NOTEBOOKS / path.name, as_version=4)
    after = nbformat.read(path, as_version=4)
    assert [(cell.id, cell.source) for cell in before.cells] == [
        (cell.id, cell.source) for cell in after.cells
    ]
    assert all(cell.metadata == {} for cell in after.cells)


def test_the_data_are_split_without_leakage(executed: Path) -> None:
    text = text_of(executed / "0_data.ipynb")
    assert "genome (simulated)" in text
    assert "100 protein-coding genes" in text
    assert "-100..+50: accuracy 0." in text
    assert (executed / "work" / "promoters.csv").is_file()


def test_every_model_is_scored(executed: Path) -> None:
    results = json.loads((executed / "work" / "results.json").read_text())
    assert list(results)[:3] == ["ensemble pretraining", "E. coli pretraining", "naive"]
    assert len(results) == 6
    for row in results.values():
        value, low, high = row["accuracy"]
        # Half is what guessing gets.
        assert value > 0.6
        assert low <= value <= high
    shown = text_of(executed / "3_ensemble_pretraining.ipynb")
    for name, row in results.items():
        assert f"{name} " in shown
        assert "{:.3f} [{:.3f}, {:.3f}]".format(*row["accuracy"]) in shown


def test_language_models_are_measured(executed: Path) -> None:
    assert "language model" in text_of(executed / "2_ecoli_pretraining.ipynb")
    for name, n_genomes in (("e_coli", 1), ("ensemble", 3)):
        training = json.loads((executed / "work" / name / "config.json").read_text())["training"]
        assert len(training["genomes"]) == n_genomes
        assert training["report"]["bits_per_base"] < 2.05
    assert "ensemble: 3 genomes" in text_of(executed / "3_ensemble_pretraining.ipynb")


def test_few_labels_are_compared(executed: Path) -> None:
    results = json.loads((executed / "work" / "curve" / "results.json").read_text())
    assert results["sizes"] == ["20"]
    assert {"naive", "e_coli", "ensemble", "onehot_lr"} <= set(results["models"])
    text = text_of(executed / "4_data_reduction.ipynb")
    assert "one-hot logistic regression" in text
    assert "E. coli genome pretraining" in text


def test_a_tiny_run_never_lands_in_the_notebooks() -> None:
    done = subprocess.run(
        [sys.executable, str(NOTEBOOKS / "run.py"), "--tiny"],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 2
    assert "name a folder with --out" in " ".join(done.stderr.split())


def test_each_begins_with_the_same_switch() -> None:
    """So that a reader knows one notebook's parameters from another's."""
    cells = set()
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
        cells.add(code[0])
        ids = [cell.id for cell in notebook.cells]
        assert ids == [f"{path.name[0]}-{number:02d}" for number in range(len(ids))]
    (first,) = cells
    assert 'TINY = os.environ.get("GENOMIC_ULMFIT_NOTEBOOK_SCALE") == "tiny"' in first
