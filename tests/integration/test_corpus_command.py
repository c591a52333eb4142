from __future__ import annotations

import errno
import gzip
import os
import re
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from genomic_ulmfit.data.corpus_folder import open_corpus
from genomic_ulmfit.dna.alphabet import decode

BASES = np.random.default_rng(7).integers(0, 4, 6_000).astype(np.uint8)


def fasta(path: Path, seed: int, size: int = 5_000) -> Path:
    codes = np.random.default_rng(seed).integers(0, 4, size).astype(np.uint8)
    path.write_text(f">{path.stem}.1\n{decode(codes[:3_000])}NN{decode(codes[3_000:])}\n")
    return path


class _Ncbi(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        (accession,) = parse_qs(urlsplit(self.path).query)["id"]
        name = accession.split(".")[0]
        body = (
            f"LOCUS       {name:<16} {len(BASES):>11} bp    DNA     circular BCT 08-AUG-2016\n"
            f"VERSION     {name}.1\nFEATURES             Location/Qualifiers\n"
            f"ORIGIN\n        1 {decode(BASES).lower()}\n//\n"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("GENOMIC_ULMFIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), _Ncbi) as running:
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def rows(stdout: str) -> dict[str, str]:
    """Read the two columns of the summary."""
    return dict(re.findall(r"^│ (\S.*?) +│ +(\S.*?) │$", stdout, re.MULTILINE))


def test_a_corpus_from_everything(
    process: Callable[..., Any], genome_file: Path, tmp_path: Path, server_url: str
) -> None:
    folder = tmp_path / "genomes"
    folder.mkdir()
    for seed in range(3):
        fasta(folder / f"g{seed}.fna", seed)
    shutil.copy(folder / "g1.fna", tmp_path / "again.fasta")
    (tmp_path / "list.txt").write_text("# one\nNC_123456\n")
    out = tmp_path / "deep" / "corpus"
    ran = process(
        *("data", "corpus", folder, genome_file, tmp_path / "*.fasta", tmp_path / "list.txt"),
        *("--out", out, "--base-url", server_url),
    )
    assert ran.code == 0, ran.stderr
    assert "SIMULATED GENOMES" in ran.stdout
    assert "Note: again.fasta: left out, because it is the same genome as g1.fna" in ran.stderr
    corpus = open_corpus(out)
    assert [genome.name for genome in corpus.genomes] == ["g0", "g1", "g2", "sim", "NC_123456.1"]
    shown = rows(ran.stdout)
    assert shown["genomes"] == "5"
    assert shown["contigs"] == "5"
    assert shown["bases"] == f"{3 * 5_002 + 175_314 + 6_000:,}"
    assert shown["ambiguous, cut out"] == "6"
    assert shown["training text"].startswith(f"{corpus.n_train:,} in ")
    assert shown["held out"] == f"{corpus.n_held_out:,} in {len(corpus.held_out)} regions"
    size = sum(path.stat().st_size for path in out.iterdir())
    assert shown["bytes on disk"] == f"{size:,}"
    assert sorted(path.name for path in out.parent.iterdir()) == ["corpus"]

    checked = process("data", "corpus", "--verify", out)
    assert checked.code == 0
    assert rows(checked.stdout) == shown


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("full").mkdir()
    Path("full/file").write_text("mine")
    genome = fasta(Path("genome.fna"), 0)
    Path("notes.md").write_text("These are my genomes.\n")
    Path("mixed.txt").write_text("NC_000913.3\nmy genome\n")
    Path("cut.fna.gz").write_bytes(gzip.compress(genome.read_bytes())[:-900])
    return tmp_path


def test_the_current_folder_if_it_is_empty(
    command: Callable[..., Any], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(here / "empty")
    ran = command("data", "corpus", here / "genome.fna", "--out", ".")
    assert ran.code == 0, ran.stderr
    assert [genome.name for genome in open_corpus(here / "empty").genomes] == ["genome"]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("empty --out new", "empty: no genome in this folder"),
        ("nothing*.fna --out new", "nothing*.fna: no file matches this pattern"),
        ("nothing.fna --out new", "nothing.fna: there is no such file"),
        ("genome.fna notes.md --out new", "notes.md: neither FASTA nor GenBank"),
        ("mixed.txt --out new", "'my genome' is no accession of a genome"),
        ("genome.fna cut.fna.gz --out new", "cut.fna.gz: the gzip file is truncated"),
        ("genome.fna --out full", "full is not empty; name another folder"),
        ("genome.fna --out full/file", "full/file is not a folder"),
        ("genome.fna", "Give at least one GENOME and --out"),
        ("--out new", "Give at least one GENOME and --out"),
        ("--verify full", "this is no corpus folder"),
        ("genome.fna --verify full", "--verify: takes no genomes"),
    ],
)
def test_what_cannot_be_used_is_named_and_nothing_written(
    command: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    line: str,
    message: str,
) -> None:
    # mixed.txt asks for a genome that is not in the cache.
    monkeypatch.setenv("GENOMIC_ULMFIT_CACHE", "no-cache")
    monkeypatch.setattr(
        "genomic_ulmfit.data.genome_files.cached_genome",
        lambda accession: Path("genome.fna") if accession == "NC_000913.3" else None,
    )
    before = sorted(Path().rglob("*"))
    ran = command("data", "corpus", *line.split())
    assert ran.code == 2
    assert message in ran.stderr
    assert "Traceback" not in ran.stderr
    assert ran.stdout == ""
    assert sorted(Path().rglob("*")) == before


@pytest.mark.usefixtures("here")
def test_a_damaged_corpus_is_told(command: Callable[..., Any]) -> None:
    assert command("data", "corpus", "genome.fna", "--out", "corpus").code == 0
    with open("corpus/bases.2bit", "r+b") as handle:
        first = handle.read(1)
        handle.seek(0)
        handle.write(bytes([first[0] ^ 1]))
    ran = command("data", "corpus", "--verify", "corpus")
    assert ran.code == 2
    assert "the sha256 of bases.2bit is not the one in manifest.json" in ran.stderr


@pytest.mark.usefixtures("here")
def test_ctrl_c(command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def press(*_: object, **__: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("genomic_ulmfit.data.corpus_folder.genome_text", press)
    before = sorted(Path().rglob("*"))
    ran = command("data", "corpus", "genome.fna", "--out", "corpus")
    assert ran.code == 130
    assert "Stopped" in ran.stderr
    assert sorted(Path().rglob("*")) == before


@pytest.mark.usefixtures("here")
def test_a_full_disk(command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = sorted(Path().rglob("*"))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", no_space)
        ran = command("data", "corpus", "genome.fna", "--out", "corpus")
    assert ran.code == 2
    assert "No space left on device" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert sorted(Path().rglob("*")) == before
    assert command("data", "corpus", "genome.fna", "--out", "corpus").code == 0
