from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import random
import socket
import threading
import time
import tracemalloc
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from Bio import SeqIO

from genomic_ulmfit.data.download import (
    NcbiUnavailable,
    cache_folder,
    cached_genome,
    fetch_genome,
)
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import file_sha256

EFETCH = "/entrez/eutils/efetch.fcgi"
ASSEMBLY = "GCF_000005845.2"
PACKAGE = f"/datasets/v2/genome/accession/{ASSEMBLY}/download"
CHECK = f"/datasets/v2/genome/accession/{ASSEMBLY}/check"
# As EFetch really words it, blanks included.
NO_SUCH_RECORD = (
    b"Error: F a i l e d  t o  r e t r i e v e  s e q u e n c e :  N C _ 9 9 9 9 9 9 \n\n"
)
BACKEND_DOWN = b"Error: CEFetchPApplication::proxy_stream(): Error: 502 Bad Gateway"


def genbank(version: str = "NC_000913.3", length: int = 250, seed: int = 0) -> bytes:
    bases = "".join(random.Random(seed).choices("acgt", k=length))
    name = version.split(".")[0]
    lines = [
        f"LOCUS       {name:<16} {length:>11} bp    DNA     circular BCT 08-AUG-2016",
        "DEFINITION  A bacterium made up for a test.",
        f"ACCESSION   {name}",
        f"VERSION     {version}",
        "FEATURES             Location/Qualifiers",
        f"     source          1..{length}",
        '                     /organism="Escherichia coli"',
        "     CDS             complement(10..99)",
        '                     /gene="abcA"',
        "ORIGIN      ",
    ]
    for start in range(0, length, 60):
        blocks = [bases[i : i + 10] for i in range(start, min(start + 60, length), 10)]
        lines.append(f"{start + 1:>9} {' '.join(blocks)}")
    return ("\n".join([*lines, "//"]) + "\n\n").encode()


def package(
    *records: bytes, assembly: str = ASSEMBLY, member: str = "genomic.gbff", md5: str | None = None
) -> bytes:
    flat_file, path = b"".join(records), f"ncbi_dataset/data/{assembly}/{member}"
    digest = md5 or hashlib.md5(flat_file).hexdigest()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.md", "NCBI Datasets")
        archive.writestr("ncbi_dataset/data/assembly_data_report.jsonl", "{}\n")
        archive.writestr(path, flat_file)
        archive.writestr("md5sum.txt", f"{'0' * 32}  README.md\n{digest}  {path}\n")
    return buffer.getvalue()


@dataclass
class Answer:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    sent: int | None = None  # how many bytes of the body really go out
    silence: float = 0.0  # seconds before the headers
    pause: float = 0.0  # seconds in the middle of the body
    chunked: bool = False
    hang_up: bool = False


class FakeNcbi:
    """Answers each path with a list of answers in turn; the last one is repeated."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[tuple[str, dict[str, str], dict[str, str]]] = []
        handler = type("Handler", (_Handler,), {"ncbi": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def will(self, path: str, *answers: Answer) -> None:
        self.answers[path] = list(answers)

    def times_asked(self, path: str) -> int:
        return sum(asked == path for asked, _, _ in self.asked)


class _Handler(BaseHTTPRequestHandler):
    ncbi: FakeNcbi
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.ncbi.asked.append((parts.path, query, dict(self.headers)))
        queue = self.ncbi.answers.get(parts.path, [Answer(b"no such path", 404)])
        answer = queue.pop(0) if len(queue) > 1 else queue[0]
        self.close_connection = True
        if answer.hang_up:
            return
        # Not time.sleep, which the tests replace.
        threading.Event().wait(answer.silence)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        body = answer.body[: answer.sent]
        with contextlib.suppress(ConnectionError):
            if answer.chunked:
                body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
            half = len(body) // 2 if answer.pause else 0
            self.wfile.write(body[:half])
            threading.Event().wait(answer.pause)
            self.wfile.write(body[half:])

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def ncbi() -> Iterator[FakeNcbi]:
    fake = FakeNcbi()
    yield fake
    fake.server.shutdown()
    fake.server.server_close()


@pytest.fixture(autouse=True)
def delays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[float]:
    """Record waits instead of waiting, and keep the user's cache and settings out."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    monkeypatch.setenv("GENOMIC_ULMFIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("GENOMIC_ULMFIT_NCBI_URL", raising=False)
    monkeypatch.delenv("NCBI_API_KEY", raising=False)
    return waited


def files_below(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_nucleotide_record_arrives_whole(ncbi: FakeNcbi, tmp_path: Path) -> None:
    body = genbank()
    ncbi.will(EFETCH, Answer(body, chunked=True))
    path = fetch_genome("NC_000913.3", tmp_path / "out", base_url=ncbi.url + "/")
    assert path == tmp_path / "out" / "NC_000913.3.gbk.gz"
    assert gzip.decompress(path.read_bytes()) == body.rstrip() + b"\n"
    with gzip.open(path, "rt") as handle:
        record = SeqIO.read(handle, "genbank")
    assert (record.id, len(record.seq)) == ("NC_000913.3", 250)
    [(asked, query, headers)] = ncbi.asked
    assert asked == EFETCH
    assert query == {
        "db": "nuccore",
        "id": "NC_000913.3",
        "rettype": "gbwithparts",
        "retmode": "text",
        "tool": "genomic-ulmfit",
    }
    assert "api-key" not in headers


def test_compressed_transfer(ncbi: FakeNcbi, tmp_path: Path) -> None:
    body = genbank()
    ncbi.will(EFETCH, Answer(gzip.compress(body), headers={"Content-Encoding": "gzip"}))
    path = fetch_genome("NC_000913.3", tmp_path, base_url=ncbi.url)
    assert gzip.decompress(path.read_bytes()).split() == body.split()


def test_same_text_gives_same_bytes(ncbi: FakeNcbi, tmp_path: Path) -> None:
    ncbi.will(EFETCH, Answer(genbank()))
    first = fetch_genome("NC_000913.3", tmp_path / "a", cache=tmp_path / "1", base_url=ncbi.url)
    again = fetch_genome("NC_000913.3", tmp_path / "b", cache=tmp_path / "2", base_url=ncbi.url)
    assert first.read_bytes() == again.read_bytes()
    assert ncbi.times_asked(EFETCH) == 2


@pytest.mark.parametrize(
    "accession",
    [
        *("NC_000913.3", "nc_000913.3", " NC_000913.3 ", "NZ_CP009072.1", "CP000243.1"),
        *("U00096.3", "LGJG01000042.1", "NZ_LGJG01000042.1", "NZ_CASIGT010000001.1"),
        *("CASIGT010000001.1", "AL009126.3", "NC_000964", "GCF_000005845.2", "GCA_000005845.2"),
    ],
)
def test_accessions_that_are_allowed(accession: str) -> None:
    assert cached_genome(accession) is None


@pytest.mark.parametrize(
    "accession",
    [
        *("", "ecoli", "NC_000913.", "NC_000913.3.4", "NC-000913.3", "NP_414542.1", "AAC73112.1"),
        *("NM_001744.6", "WP_000241662.1", "913", "NC_000913.3,U00096.3", "../NC_000913.3"),
        *("GCF_000005845", "GCF_5845.2", "GCX_000005845.2", "NC_000913.3\nU00096.3"),
    ],
)
def test_malformed_accession_is_refused_before_any_request(
    accession: str, ncbi: FakeNcbi, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"NC_000913\.3|needs its version"):
        fetch_genome(accession, tmp_path / "out", base_url=ncbi.url)
    assert ncbi.asked == []
    assert not (tmp_path / "out").exists()


def test_accession_without_version_means_the_current_one(ncbi: FakeNcbi, tmp_path: Path) -> None:
    ncbi.will(EFETCH, Answer(genbank("NC_000913.3")), Answer(genbank("NC_000913.4")))
    assert fetch_genome("nc_000913", tmp_path, base_url=ncbi.url).name == "NC_000913.3.gbk.gz"
    assert fetch_genome("NC_000913", tmp_path, base_url=ncbi.url).name == "NC_000913.4.gbk.gz"
    assert cached_genome("NC_000913.3") is not None
    assert cached_genome("NC_000913") is None


@pytest.mark.parametrize("returned", ["NC_000913.2", "NC_000914.3", "NC_0009133.3", "NC_000913"])
def test_another_record_is_refused(returned: str, ncbi: FakeNcbi, tmp_path: Path) -> None:
    ncbi.will(EFETCH, Answer(genbank(returned)))
    with pytest.raises(InputError, match=f"returned {returned} instead") as caught:
        fetch_genome("NC_000913.3", tmp_path / "out", base_url=ncbi.url)
    assert not isinstance(caught.value, NcbiUnavailable)
    assert ncbi.times_asked(EFETCH) == 1
    assert files_below(tmp_path) == []


@pytest.mark.parametrize("returned", ["NC_000913.x", "NC_000913.3/../../../evil", "NC_000914.1"])
def test_a_made_up_version_never_becomes_a_path(
    returned: str, ncbi: FakeNcbi, tmp_path: Path
) -> None:
    ncbi.will(EFETCH, Answer(genbank(returned)))
    with pytest.raises(InputError, match="instead"):
        fetch_genome("NC_000913", tmp_path / "out", base_url=ncbi.url)
    assert files_below(tmp_path) == []


@pytest.mark.parametrize(
    "answer",
    [
        Answer(NO_SUCH_RECORD, 400),
        Answer(NO_SUCH_RECORD, 200),
        Answer(b"Error: F a i l e d  t o  u n d e r s t a n d  i d :  X \n", 200),
        Answer(b"+Error%3A+CEFetch%3A+F+a+i+l+e+d++t+o++r+e+t+r+i+e+v+e++sequence", 400),
        Answer(b"ID list is empty! In it there are neither IDs nor accessions.", 400),
        Answer(b"not here", 404),
    ],
)
def test_unknown_accession_is_said_at_once(
    answer: Answer, ncbi: FakeNcbi, tmp_path: Path, delays: list[float]
) -> None:
    ncbi.will(EFETCH, answer)
    with pytest.raises(InputError, match=r"^NC_999999\.1: NCBI has no nucleotide record") as caught:
        fetch_genome("NC_999999.1", tmp_path / "out", base_url=ncbi.url)
    assert not isinstance(caught.value, NcbiUnavailable)
    assert len(ncbi.asked) == 1
    assert delays == []
    assert files_below(tmp_path) == []


BODY = genbank()
PASSING_TROUBLE = {
    "truncated, length declared": Answer(BODY, sent=len(BODY) // 2),
    "truncated, length unknown": Answer(BODY[: len(BODY) // 2], chunked=True),
    "last line missing": Answer(BODY.replace(b"//", b"")),
    "bases missing": Answer(BODY.replace(b"      121 ", b"//", 1)),
    "one base missing": Answer(BODY[:-7] + BODY[-6:]),
    "error amid the sequence": Answer(BODY.replace(b"      121 ", b"<br>Error: 502 ")),
    "no base amid the sequence": Answer(BODY[:-6] + b"<" + BODY[-5:]),
    "error after the record": Answer(BODY + b"Error reading from remote server\n"),
    "empty": Answer(b""),
    "blank": Answer(b"\n\n"),
    "web page": Answer(b"<!DOCTYPE html><html><body>Maintenance</body></html>"),
    "rate limit as text": Answer(b'{"error":"API rate limit exceeded","count":"4"}'),
    "broken gzip transfer": Answer(b"no gzip", headers={"Content-Encoding": "gzip"}),
    "408": Answer(b"", 408),
    "429": Answer(b"", 429),
    "500": Answer(b"<html>Internal Server Error</html>", 500),
    "502": Answer(b"", 502),
    "503": Answer(b"", 503),
    "504": Answer(b"", 504),
    "back end down, as 400": Answer(BACKEND_DOWN, 400),
    "connection closed": Answer(hang_up=True),
}


@pytest.mark.parametrize("trouble", PASSING_TROUBLE)
def test_passing_trouble_is_retried(
    trouble: str, ncbi: FakeNcbi, tmp_path: Path, delays: list[float]
) -> None:
    bad = PASSING_TROUBLE[trouble]
    ncbi.will(EFETCH, bad, bad, bad, Answer(BODY))
    path = fetch_genome("NC_000913.3", tmp_path / "out", base_url=ncbi.url, retries=3, backoff=0.5)
    assert gzip.decompress(path.read_bytes()) == BODY.rstrip() + b"\n"
    assert delays == [0.5, 1.0, 2.0]
    assert files_below(tmp_path) == [
        "cache/genomes/NC_000913.3.gbk.gz",
        "cache/genomes/NC_000913.3.gbk.gz.sha256",
        "out/NC_000913.3.gbk.gz",
    ]


@pytest.mark.parametrize("trouble", PASSING_TROUBLE)
def test_lasting_trouble_ends_in_one_clear_error(
    trouble: str, ncbi: FakeNcbi, tmp_path: Path
) -> None:
    ncbi.will(EFETCH, PASSING_TROUBLE[trouble])
    with pytest.raises(NcbiUnavailable, match="in 3 attempts") as caught:
        fetch_genome("NC_000913.3", tmp_path / "out", base_url=ncbi.url, retries=2)
    message = str(caught.value)
    assert message.startswith("NC_000913.3: NCBI (http://127.0.0.1")
    assert "the path of a file" in message
    assert ncbi.times_asked(EFETCH) == 3
    assert files_below(tmp_path) == []
    assert [p.name for p in (tmp_path / "cache" / "genomes").iterdir()] == []


def test_no_beginning_of_a_record_is_taken_for_the_record(ncbi: FakeNcbi, tmp_path: Path) -> None:
    whole = BODY.rstrip()
    cuts = [*range(0, len(whole) - 1, 41), len(whole) - 1, len(whole) - 3]
    ncbi.will(EFETCH, *(Answer(whole[:cut], chunked=True) for cut in cuts))
    for _ in cuts:
        with pytest.raises(NcbiUnavailable):
            fetch_genome("NC_000913.3", tmp_path, base_url=ncbi.url, retries=0)
    assert ncbi.times_asked(EFETCH) == len(cuts)


def test_retry_after_in_seconds(ncbi: FakeNcbi, tmp_path: Path, delays: list[float]) -> None:
    ncbi.will(EFETCH, Answer(status=429, headers={"Retry-After": "7"}), Answer(BODY))
    fetch_genome("NC_000913.3", tmp_path, base_url=ncbi.url)
    assert delays == [7.0]


def test_retry_after_as_date(ncbi: FakeNcbi, tmp_path: Path, delays: list[float]) -> None:
    date = formatdate(time.time() + 30, usegmt=True)
    ncbi.will(EFETCH, Answer(status=503, headers={"Retry-After": date}), Answer(BODY))
    fetch_genome("NC_000913.3", tmp_path, base_url=ncbi.url)
    [waited] = delays
    assert 20 < waited <= 30


def test_retry_after_shorter_than_backoff_or_senseless(
    ncbi: FakeNcbi, tmp_path: Path, delays: list[float]
) -> None:
    ncbi.will(
        EFETCH,
        Answer(status=429, headers={"Retry-After": "0"}),
        Answer(status=429, headers={"Retry-After": "soon"}),
        Answer(BODY),
    )
    fetch_genome("NC_000913.3", tmp_path, base_url=ncbi.url, backoff=3.0)
    assert delays == [3.0, 6.0]


def test_an_hours_wait_is_not_waited(ncbi: FakeNcbi, tmp_path: Path, delays: list[float]) -> None:
    ncbi.will(EFETCH, Answer(status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(NcbiUnavailable, match=r"1 attempt: HTTP 429 .*asking to wait 3600 s"):
        fetch_genome("NC_000913.3", tmp_path, base_url=ncbi.url)
    assert delays == []


def test_backoff_stops_growing(ncbi: FakeNcbi, tmp_path: Path, delays: list[float]) -> None:
    ncbi.will(EFETCH, Answer(status=500))
    with pytest.raises(NcbiUnavailable):
        fetch_genome("NC_000913.3", tmp_path, base_url=ncbi.url, retries=9)
    assert delays == [1, 2, 4, 8, 16, 32, 64, 120, 120]


def test_silent_server(ncbi: FakeNcbi, tmp_path: Path) -> None:
    ncbi.will(EFETCH, Answer(BODY, silence=2.0), Answer(BODY))
    with pytest.raises(NcbiUnavailable, match=r"no answer within 0\.1 s"):
        fetch_genome("NC_000913.3", tmp_path, base_url=ncbi.url, timeout=0.1, retries=0)
    assert fetch_genome("NC_000913.3", tmp_path, base_url=ncbi.url, timeout=5).is_file()


def test_server_that_falls_silent(ncbi: FakeNcbi, tmp_path: Path) -> None:
    ncbi.will(EFETCH, Answer(BODY, pause=2.0))
    with pytest.raises(NcbiUnavailable, match=r"no data for 0\.1 s"):
        fetch_genome("NC_000913.3", tmp_path, base_url=ncbi.url, timeout=0.1, retries=0)


def test_offline(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    message = r"could not be reached.*connection failed.*path of a file"
    with pytest.raises(NcbiUnavailable, match=message):
        fetch_genome("NC_000913.3", tmp_path, base_url=f"http://127.0.0.1:{port}", retries=1)


def test_refused_request_is_not_retried(ncbi: FakeNcbi, tmp_path: Path) -> None:
    ncbi.will(EFETCH, Answer(b"Forbidden", 403), Answer(b"I am a teapot", 418))
    for status in (403, 418):
        with pytest.raises(InputError, match=f"HTTP {status}") as caught:
            fetch_genome("NC_000913.3", tmp_path, base_url=ncbi.url)
        assert not isinstance(caught.value, NcbiUnavailable)
    assert len(ncbi.asked) == 2


def test_server_from_the_environment(
    ncbi: FakeNcbi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ncbi.will("/mirror" + EFETCH, Answer(BODY))
    monkeypatch.setenv("GENOMIC_ULMFIT_NCBI_URL", ncbi.url + "/mirror")
    assert fetch_genome("NC_000913.3", tmp_path).is_file()


@pytest.mark.parametrize(
    "url",
    [
        "ncbi.nlm.nih.gov",
        "ftp://ftp.ncbi.nlm.nih.gov",
        "http://",
        "http://[",
        "http://a..b",
        f"http://{64 * 'a'}.org",
    ],
)
def test_base_url_must_be_one(url: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="base URL"):
        fetch_genome("NC_000913.3", tmp_path, base_url=url)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timeout", 0.0),
        ("timeout", -1.0),
        ("timeout", float("nan")),
        ("timeout", float("inf")),
        ("timeout", 1e12),
        ("retries", -1),
        ("backoff", -0.1),
    ],
)
def test_senseless_numbers(name: str, value: float, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=name):
        fetch_genome("NC_000913.3", tmp_path, **{name: value})


def test_api_key_is_sent_and_never_shown(
    ncbi: FakeNcbi,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    key = "secret0123456789"
    monkeypatch.setenv("NCBI_API_KEY", key)
    echo = json.dumps({"error": "API rate limit exceeded", "api-key": key}).encode()
    ncbi.will(EFETCH, Answer(echo), Answer(hang_up=True), Answer(echo))
    with pytest.raises(NcbiUnavailable, match="rate limit") as caught:
        fetch_genome("NC_000913.3", tmp_path, base_url=ncbi.url, retries=2)
    assert ncbi.asked[0][1]["api_key"] == key
    assert key not in str(caught.value)
    shown = capfd.readouterr()
    assert "trying again" in shown.err
    assert key not in shown.out + shown.err

    ncbi.will(
        EFETCH, Answer(json.dumps({"error": "API key invalid", "api-key": key}).encode(), 400)
    )
    with pytest.raises(InputError, match="NCBI_API_KEY") as caught:
        fetch_genome("NC_000913.3", tmp_path, base_url=ncbi.url)
    assert key not in str(caught.value)

    ncbi.will(PACKAGE, Answer(package(genbank())))
    fetch_genome(ASSEMBLY, tmp_path, base_url=ncbi.url)
    assert ncbi.asked[-1][2]["api-key"] == key


@pytest.mark.parametrize(
    "record",
    [
        BODY.replace(b" bp ", b" rc "),
        BODY.replace(b" bp ", b" aa "),
        BODY[: BODY.index(b"ORIGIN")] + b"//\n",
    ],
)
def test_record_without_dna(record: bytes, ncbi: FakeNcbi, tmp_path: Path) -> None:
    ncbi.will(EFETCH, Answer(record))
    with pytest.raises(InputError, match=r"holds no DNA sequence.*GCF_"):
        fetch_genome("NC_000913.3", tmp_path, base_url=ncbi.url)
    assert len(ncbi.asked) == 1


def test_assembly_with_several_records(ncbi: FakeNcbi, tmp_path: Path) -> None:
    records = [genbank("NC_000913.3", 250), genbank("NZ_CP000001.1", 61, seed=1)]
    ncbi.will(PACKAGE, Answer(package(*records)))
    path = fetch_genome(ASSEMBLY, tmp_path / "out", base_url=ncbi.url)
    assert path.name == f"{ASSEMBLY}.gbk.gz"
    with gzip.open(path, "rt") as handle:
        lengths = {record.id: len(record.seq) for record in SeqIO.parse(handle, "genbank")}
    assert lengths == {"NC_000913.3": 250, "NZ_CP000001.1": 61}
    [(asked, query, _)] = ncbi.asked
    assert asked == PACKAGE
    assert query == {
        "include_annotation_type": "GENOME_GBFF",
        "hydrated": "FULLY_HYDRATED",
        "filename": f"{ASSEMBLY}.zip",
    }


def _flipped(data: bytes) -> bytes:
    """One byte of the compressed GenBank file changed, the archive's structure intact."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entry = archive.getinfo(f"ncbi_dataset/data/{ASSEMBLY}/genomic.gbff")
    middle = entry.header_offset + 30 + len(entry.filename) + entry.compress_size // 2
    return data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]


GOOD = package(BODY)
CORRUPT = {
    "cut in half, length declared": Answer(GOOD, sent=len(GOOD) // 2),
    "cut in half, length unknown": Answer(GOOD[: len(GOOD) // 2], chunked=True),
    "byte flipped": Answer(_flipped(GOOD)),
    "MD5 sum differs": Answer(package(BODY, md5="0" * 32)),
    "web page": Answer(b"<html>Maintenance</html>"),
    "record cut inside": Answer(package(BODY[:600])),
    "second record cut inside": Answer(package(BODY, BODY[:600])),
}


@pytest.mark.parametrize("kind", CORRUPT)
def test_corrupt_package(kind: str, ncbi: FakeNcbi, tmp_path: Path) -> None:
    bad = CORRUPT[kind]
    ncbi.will(CHECK, Answer(json.dumps({"valid_assemblies": [ASSEMBLY]}).encode()))
    ncbi.will(PACKAGE, bad)
    with pytest.raises(NcbiUnavailable, match="3 attempts"):
        fetch_genome(ASSEMBLY, tmp_path / "out", base_url=ncbi.url, retries=2)
    assert files_below(tmp_path) == []
    assert ncbi.times_asked(CHECK) <= 1
    ncbi.will(PACKAGE, bad, Answer(GOOD))
    path = fetch_genome(ASSEMBLY, tmp_path / "out", base_url=ncbi.url)
    assert gzip.decompress(path.read_bytes()).split() == BODY.split()


@pytest.mark.parametrize("check", [Answer(status=500), Answer(b"<html>"), Answer(b"[]")])
def test_check_without_verdict_is_no_verdict(check: Answer, ncbi: FakeNcbi, tmp_path: Path) -> None:
    ncbi.will(CHECK, check)
    ncbi.will(PACKAGE, Answer(GOOD[:100]), Answer(GOOD))
    assert fetch_genome(ASSEMBLY, tmp_path, base_url=ncbi.url).is_file()


def test_unknown_assembly_behind_a_broken_package(
    ncbi: FakeNcbi, tmp_path: Path, delays: list[float]
) -> None:
    ncbi.will(PACKAGE, Answer(GOOD[:100]))
    ncbi.will(CHECK, Answer(json.dumps({"invalid_assemblies": [ASSEMBLY]}).encode()))
    with pytest.raises(InputError, match=f"^{ASSEMBLY}: NCBI has no assembly") as caught:
        fetch_genome(ASSEMBLY, tmp_path, base_url=ncbi.url)
    assert not isinstance(caught.value, NcbiUnavailable)
    assert delays == []


def test_assembly_without_genbank_file(ncbi: FakeNcbi, tmp_path: Path) -> None:
    ncbi.will(PACKAGE, Answer(package(b">chr\nACGT\n", member="genomic.fna")))
    with pytest.raises(InputError, match="no GenBank file"):
        fetch_genome(ASSEMBLY, tmp_path, base_url=ncbi.url)


def test_another_assembly_is_refused(ncbi: FakeNcbi, tmp_path: Path) -> None:
    ncbi.will(PACKAGE, Answer(package(BODY, assembly="GCF_000005845.3")))
    with pytest.raises(InputError, match=r"another assembly \(GCF_000005845\.3\)"):
        fetch_genome(ASSEMBLY, tmp_path, base_url=ncbi.url)


def test_cache_spares_the_network(ncbi: FakeNcbi, tmp_path: Path) -> None:
    ncbi.will(EFETCH, Answer(BODY))
    first = fetch_genome("NC_000913.3", tmp_path / "a", base_url=ncbi.url)
    again = fetch_genome("nc_000913.3", tmp_path / "b", base_url=ncbi.url)
    assert ncbi.times_asked(EFETCH) == 1
    assert again.read_bytes() == first.read_bytes()
    cached = cached_genome("NC_000913.3")
    assert cached == tmp_path / "cache" / "genomes" / "NC_000913.3.gbk.gz"
    sidecar = cached.with_name(cached.name + ".sha256").read_text()
    assert sidecar == f"{hashlib.sha256(first.read_bytes()).hexdigest()}  {cached.name}\n"
    assert file_sha256(first) == sidecar.split()[0]


@pytest.mark.parametrize("damage", ["changed", "truncated", "emptied", "unsigned", "missigned"])
def test_damaged_cache_entry_is_downloaded_again(
    damage: str, ncbi: FakeNcbi, tmp_path: Path
) -> None:
    ncbi.will(EFETCH, Answer(BODY))
    fetch_genome("NC_000913.3", tmp_path / "a", base_url=ncbi.url)
    cached = cached_genome("NC_000913.3")
    assert cached is not None
    good, sidecar = cached.read_bytes(), cached.with_name(cached.name + ".sha256")
    match damage:
        case "changed":
            cached.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        case "truncated":
            cached.write_bytes(good[:-20])
        case "emptied":
            sidecar.write_text("")
        case "unsigned":
            sidecar.unlink()
        case "missigned":
            sidecar.write_bytes(b"\xff\xfe")
    assert cached_genome("NC_000913.3") is None
    path = fetch_genome("NC_000913.3", tmp_path / "b", base_url=ncbi.url)
    assert path.read_bytes() == good
    assert cached_genome("NC_000913.3") == cached
    assert ncbi.times_asked(EFETCH) == 2


def test_place_of_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("GENOMIC_ULMFIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "genomic-ulmfit"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home" / ".cache" / "genomic-ulmfit"


def test_unusable_cache_folder(ncbi: FakeNcbi, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="GENOMIC_ULMFIT_CACHE"):
        fetch_genome("NC_000913.3", tmp_path, cache=tmp_path / "file", base_url=ncbi.url)
    assert ncbi.asked == []


def test_output_folder_that_is_a_file(ncbi: FakeNcbi, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="is a file"):
        fetch_genome("NC_000913.3", tmp_path / "file", base_url=ncbi.url)
    assert ncbi.asked == []
    assert (tmp_path / "file").read_text() == "mine"


def test_memory_does_not_grow_with_the_genome(ncbi: FakeNcbi, tmp_path: Path) -> None:
    lines = b"".join(b"%9d %b\n" % (i * 60 + 1, b"acgtacgtac " * 6) for i in range(60_000))
    head = genbank(length=1).split(b"ORIGIN")[0]
    body = head.replace(b"          1 bp", b"    3600000 bp") + b"ORIGIN\n" + lines + b"//\n"
    ncbi.will(EFETCH, Answer(body))
    tracemalloc.start()
    try:
        fetch_genome("NC_000913.3", tmp_path, base_url=ncbi.url)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < len(body) / 2
