"""What many tests share: a small simulated genome and the models made from it, each made once."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import hypothesis
import pytest
import torch

from genomic_ulmfit.data.promoters import promoter_table
from genomic_ulmfit.data.splits import split_strict
from genomic_ulmfit.data.tables import SIMULATED, write_table
from genomic_ulmfit.dna.simulate import simulate_genome, write_genbank

# A slow machine is no failure.
hypothesis.settings.register_profile("project", deadline=None)
hypothesis.settings.load_profile("project")


LONG = ("integration", "training", "faults")
"""Rooms whose files take longest. They go first, so that no process is left alone with one."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.parent.name not in LONG)


@pytest.fixture(scope="session", autouse=True)
def listen_to_ctrl_c() -> Iterator[None]:
    """Undo what a background shell did: it starts its jobs deaf to Ctrl-C, and their children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(params=[1, 2, 7])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """How many threads PyTorch has, and may share out among pieces of work."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


class Ran(NamedTuple):
    """How a command ended; line breaks of its messages are spaces."""

    code: int
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def genome_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """GenBank of a simulated genome of 150 genes, 175,314 bases."""
    path = tmp_path_factory.mktemp("genome") / "sim.gbk"
    write_genbank(simulate_genome(n_genes=150, seed=0), path)
    return path


@pytest.fixture(scope="session")
def promoters_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its promoters and other windows of 150 bases, split: 225 train, 22 valid, 44 test."""
    path = tmp_path_factory.mktemp("promoters") / "promoters.csv"
    windows = promoter_table(simulate_genome(n_genes=150, seed=0), seed=0)
    write_table(split_strict(windows, seed=0).assign(**{SIMULATED: 1}), path)
    return path


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory, genome_file: Path) -> Path:
    """A language model of it, preset tiny, one epoch."""
    from genomic_ulmfit.training.pretraining_job import pretrain_genomes

    folder = tmp_path_factory.mktemp("encoder") / "encoder"
    pretrain_genomes(
        [genome_file], folder, preset="tiny", epochs=1, precision="fp32", progress=False
    )
    return folder


@pytest.fixture(scope="session")
def classifier_folder(
    tmp_path_factory: pytest.TempPathFactory, promoters_csv: Path, encoder_folder: Path
) -> Path:
    """A classifier of the promoters, from that language model."""
    from genomic_ulmfit.training.finetuning_job import train_classifier

    folder = tmp_path_factory.mktemp("classifier") / "model"
    train_classifier(
        promoters_csv,
        folder,
        encoder=encoder_folder,
        head="position",
        epochs=2,
        precision="fp32",
        progress=False,
    )
    return folder


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ran]:
    """Run the command line within the test's process, which saves importing PyTorch again."""
    from genomic_ulmfit.cli.main import main

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["genomic-ulmfit", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        else:
            code = 0
        out, err = capsys.readouterr()
        return Ran(code, out, " ".join(err.split()))

    return run


@pytest.fixture(scope="session")
def process() -> Callable[..., Ran]:
    """Run the command line in a process of its own."""

    def run(*arguments: object) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "genomic_ulmfit", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        return Ran(done.returncode, done.stdout, " ".join(done.stderr.split()))

    return run
