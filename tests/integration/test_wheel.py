"""The wheel: everything the program needs is in it, and it runs where there is no checkout."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import genomic_ulmfit

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("hatchling") is None,
        reason="hatchling is not installed, and building without it would need the network",
    ),
    pytest.mark.skipif(
        not (ROOT / "pyproject.toml").exists(), reason="the tests are not in a checkout"
    ),
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--quiet")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", str(ROOT), *options, "--wheel-dir", str(folder)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (path,) = folder.iterdir()
    return zipfile.ZipFile(path)


def test_everything_needed_is_in_it_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    source = ROOT / "src"
    for path in (source / "genomic_ulmfit").rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            assert str(path.relative_to(source)) in names
    assert "genomic_ulmfit/py.typed" in names
    assert any(name.endswith("templates/report.html.j2") for name in names)
    info = f"genomic_ulmfit-{genomic_ulmfit.__version__}.dist-info"
    assert f"{info}/licenses/LICENSE" in names
    assert all(name.startswith(("genomic_ulmfit/", f"{info}/")) for name in names)
    assert not [name for name in names if name.endswith(".pyc")]
    scripts = wheel.read(f"{info}/entry_points.txt").decode()
    assert "genomic-ulmfit = genomic_ulmfit.cli.main:main" in scripts


def test_it_runs_outside_of_the_checkout(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    home = tmp_path / "unzipped"
    wheel.extractall(home)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def run(*arguments: str) -> str:
        # PYTHONPATH comes before the editable install; -P keeps the current folder out.
        done = subprocess.run(
            [sys.executable, "-P", *arguments],
            env={**os.environ, "PYTHONPATH": str(home)},
            cwd=elsewhere,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    where = "import genomic_ulmfit as g; from importlib.metadata import distribution as d; "
    files = run("-c", where + "print(g.__file__); print(d('genomic-ulmfit').locate_file(''))")
    for line in files.splitlines():
        assert Path(line).resolve().is_relative_to(home.resolve())

    version = run("-m", "genomic_ulmfit", "--version")
    assert version == f"genomic-ulmfit {genomic_ulmfit.__version__}"
    said = run("-m", "genomic_ulmfit", "simulate", "--out", "sim.gbk", "--genes", "3")
    assert "SIMULATED" in said
    assert (elsewhere / "sim.gbk").exists()
    template = (
        "from jinja2 import Environment, PackageLoader; "
        "loader = PackageLoader('genomic_ulmfit.reports'); "
        "print(loader.get_source(Environment(), 'report.html.j2')[1])"
    )
    assert Path(run("-c", template)).resolve().is_relative_to(home.resolve())
