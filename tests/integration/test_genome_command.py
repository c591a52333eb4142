from __future__ import annotations

import gzip
import hashlib
import io
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

RECORD = "NC_000913.3"
ASSEMBLY = "GCF_000005845.2"


def genbank(version: str) -> str:
    rows = "".join(f"{i * 60 + 1:>9} {'acgtacgtac ' * 6}\n" for i in range(5))
    name = version.split(".")[0]
    return (
        f"LOCUS       {name:<16}         300 bp    DNA     circular BCT 08-AUG-2016\n"
        f"DEFINITION  .\nACCESSION   {name}\nVERSION     {version}\n"
        "FEATURES             Location/Qualifiers\n"
        "     source          1..300\n"
        "     CDS             complement(10..99)\n"
        '                     /gene="abcA"\n'
        "     CDS             120..179\n"
        '                     /locus_tag="b0002"\n'
        f"ORIGIN\n{rows}//\n"
    )


def package() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(
            f"ncbi_dataset/data/{ASSEMBLY}/genomic.gbff", genbank(RECORD) + genbank("NC_000914.1")
        )
    return buffer.getvalue()


class _Ncbi(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        status, body = 400, b"Error: F a i l e d  t o  r e t r i e v e  s e q u e n c e"
        if parts.path.startswith("/datasets/"):
            status, body = 200, package()
        elif parse_qs(parts.query)["id"] == [RECORD]:
            status, body = 200, genbank(RECORD).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Ncbi) as running:
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield running
        running.shutdown()


def run(
    arguments: list[str], folder: Path, server: ThreadingHTTPServer
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "genomic_ulmfit", "data", "genome", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        env={
            **os.environ,
            "GENOMIC_ULMFIT_CACHE": str(folder / "cache"),
            "GENOMIC_ULMFIT_NCBI_URL": f"http://127.0.0.1:{server.server_port}",
            "NO_PROXY": "127.0.0.1",
        },
    )


def rows(stdout: str) -> list[dict[str, str]]:
    header, *lines = (line.split("\t") for line in stdout.splitlines())
    return [dict(zip(header, line, strict=True)) for line in lines]


def test_genomes_arrive_and_are_described(tmp_path: Path, server: ThreadingHTTPServer) -> None:
    done = run([RECORD, ASSEMBLY, RECORD, "--out", "genomes"], tmp_path, server)
    assert done.returncode == 0, done.stderr
    table = rows(done.stdout)
    assert [(row["path"], row["bases"], row["cds"]) for row in table] == [
        (f"genomes/{RECORD}.gbk.gz", "300", "2"),
        (f"genomes/{ASSEMBLY}.gbk.gz", "600", "4"),
    ]
    for row in table:
        content = (tmp_path / row["path"]).read_bytes()
        assert row["sha256"] == hashlib.sha256(content).hexdigest()
    assert gzip.decompress((tmp_path / "genomes" / f"{RECORD}.gbk.gz").read_bytes()).decode() == (
        genbank(RECORD)
    )


def test_what_fails_is_listed_and_what_succeeds_stays(
    tmp_path: Path, server: ThreadingHTTPServer
) -> None:
    done = run(["NC_999999.1", "nonsense", RECORD, "--out", "genomes"], tmp_path, server)
    assert done.returncode == 2
    assert [row["path"] for row in rows(done.stdout)] == [f"genomes/{RECORD}.gbk.gz"]
    assert "2 of 3" in done.stderr
    assert "NC_999999.1: NCBI has no nucleotide record" in done.stderr
    assert "'nonsense' is no accession" in done.stderr
    assert "Traceback" not in done.stderr
    assert [p.name for p in (tmp_path / "genomes").iterdir()] == [f"{RECORD}.gbk.gz"]


def test_cache_works_offline_and_the_rest_says_so(
    tmp_path: Path, server: ThreadingHTTPServer
) -> None:
    assert run([RECORD], tmp_path, server).returncode == 0
    (tmp_path / f"{RECORD}.gbk.gz").unlink()
    server.shutdown()
    server.server_close()
    again = run([RECORD, "U00096.3", "--retries", "0", "--timeout", "5"], tmp_path, server)
    assert again.returncode == 2
    assert [row["path"] for row in rows(again.stdout)] == [f"{RECORD}.gbk.gz"]
    assert "U00096.3: NCBI" in again.stderr
    assert "could not be reached" in again.stderr
    assert "the path of a file" in again.stderr
    assert "Traceback" not in again.stderr


def test_bad_options(tmp_path: Path, server: ThreadingHTTPServer) -> None:
    for arguments, said in [
        ([RECORD, "--base-url", "ncbi"], "base URL"),
        ([RECORD, "--timeout", "0"], "timeout"),
        ([RECORD, "--retries", "-1"], "--retries"),
        ([], "ACCESSION"),
    ]:
        done = run(arguments, tmp_path, server)
        assert done.returncode == 2
        assert said in done.stderr
        assert "Traceback" not in done.stderr
    assert list(tmp_path.rglob("*.gz")) == []
