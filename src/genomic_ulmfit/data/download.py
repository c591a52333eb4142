"""Annotated genomes from NCBI, verified, and kept in a cache.

Two services are asked. Nucleotide accessions come from E-utilities EFetch as one GenBank text
(``db=nuccore``, ``rettype=gbwithparts``; https://www.ncbi.nlm.nih.gov/books/NBK25499/), assembly
accessions from NCBI Datasets v2 as a zip package with a GenBank file and MD5 sums
(https://www.ncbi.nlm.nih.gov/datasets/docs/v2/api/rest-api/).

What comes is only believed after `genomic_ulmfit.data.ncbi_answer` has looked at it.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)
from urllib3.exceptions import InvalidHeader, ReadTimeoutError
from urllib3.util import Retry

from genomic_ulmfit.console import plain_console
from genomic_ulmfit.data.ncbi_answer import (
    ASSEMBLY,
    CHUNK,
    TryAgain,
    genbank_text,
    says_unknown,
    unknown_accession,
    verify_and_pack,
)
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import atomic_path, file_sha256, write_text

EUTILS_URL = "https://eutils.ncbi.nlm.nih.gov"
DATASETS_URL = "https://api.ncbi.nlm.nih.gov"

# RefSeq genomic prefixes before a number or a GenBank accession; GenBank's own forms, the
# last two being whole-genome shotgun contigs. Protein (3 letters + digits) and RefSeq
# transcript accessions fit none of them.
_NUCLEOTIDE = re.compile(
    r"(?:(?:AC|NC|NG|NT|NW)_\d{6,9}|NZ_[A-Z]{1,6}\d{5,11}"
    r"|[A-Z]\d{5}|[A-Z]{2}(?:\d{6}|\d{8})|[A-Z]{4}\d{8,10}|[A-Z]{6}\d{9,11})(?:\.\d+)?"
)

_TRANSIENT_STATUS = {408, 429, 500, 502, 503, 504}
_LONGEST_WAIT = 120.0
_CONNECT_TIMEOUT = 10.0
LONGEST_TIMEOUT = 86_400
"""Seconds."""


class NcbiUnavailable(InputError):
    """NCBI could not be reached, or gave no usable answer in any attempt.

    It is an `InputError` because the way out is the user's: wait, or give a local file.
    """


def fetch_genome(
    accession: str,
    out_dir: str | os.PathLike[str],
    *,
    cache: str | os.PathLike[str] | None = None,
    base_url: str | None = None,
    timeout: float = 60.0,
    retries: int = 4,
    backoff: float = 1.0,
) -> Path:
    """Get one annotated genome, from the cache or else from NCBI, and verify it.

    Parameters
    ----------
    accession : str
        Nucleotide record (``NC_000913.3``, ``NZ_CP009072.1``, ``U00096.3``) or assembly
        (``GCF_000005845.2``). A nucleotide accession without version means the current one,
        which only NCBI knows: it is downloaded again each time.
    out_dir : path-like
        Folder to write to; made if missing.
    cache : path-like, optional
        Cache folder; see `cache_folder` for the default.
    base_url : str, optional
        Scheme and host (and path prefix) to ask instead of NCBI's two hosts, for a mirror or a
        test. Default: the environment variable ``GENOMIC_ULMFIT_NCBI_URL``, else NCBI.
    timeout : float
        Seconds of silence after which an attempt is given up.
    retries : int
        Further attempts after a first one failed for a reason that may pass.
    backoff : float
        Seconds before the second attempt, doubled for each further one up to two minutes. A
        longer wait that the server asks for is honoured; one above two minutes ends the attempts.

    Returns
    -------
    pathlib.Path
        ``<out_dir>/<accession.version>.gbk.gz``, written atomically, without a time stamp
        inside: the same text from NCBI gives the same bytes.

    Raises
    ------
    NcbiUnavailable
        If no attempt got a usable answer.
    InputError
        If the accession is malformed (before anything is asked) or unknown, if NCBI returns
        another one or a record without sequence, or if a folder cannot be used.

    Notes
    -----
    ``NCBI_API_KEY`` in the environment is sent along; without one NCBI allows three requests a
    second. Memory use does not grow with the genome.
    """
    name = _checked_accession(accession)
    if not 0 < timeout <= LONGEST_TIMEOUT:
        raise InputError(
            f"timeout: got {timeout:g}, allowed are more than 0 and up to {LONGEST_TIMEOUT:,} "
            "seconds."
        )
    if retries < 0 or backoff < 0:
        raise InputError(f"retries, backoff: got {retries}, {backoff:g}, must not be negative.")
    out = Path(out_dir)
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file, but genomes are written into a folder.")
    stored = cached_genome(name, cache=cache)
    if stored is None:
        server = _Server.choose(base_url, timeout)
        stored = _download(name, _cache_genomes(cache), server, retries, backoff)
    target = out / stored.name
    with atomic_path(target) as temporary:
        shutil.copyfile(stored, temporary)
    return target


def cached_genome(accession: str, *, cache: str | os.PathLike[str] | None = None) -> Path | None:
    """Look for a genome in the cache, without network.

    Parameters
    ----------
    accession : str
        As in `fetch_genome`, with its version.
    cache : path-like, optional
        Cache folder; see `cache_folder` for the default.

    Returns
    -------
    pathlib.Path or None
        The cached file; None if there is none, if it no longer has the SHA-256 it was stored
        with, or if the accession has no version.

    Raises
    ------
    InputError
        If the accession is malformed.
    """
    path = _cache_genomes(cache) / f"{_checked_accession(accession)}.gbk.gz"
    try:
        recorded = _sidecar(path).read_text(encoding="utf-8").split()[0]
        return path if file_sha256(path) == recorded else None
    except (FileNotFoundError, NotADirectoryError, IndexError, UnicodeDecodeError):
        return None


def cache_folder() -> Path:
    """Return the cache folder.

    ``GENOMIC_ULMFIT_CACHE``, else ``genomic-ulmfit`` in ``XDG_CACHE_HOME``, else
    ``~/.cache/genomic-ulmfit``.
    """
    if own := os.environ.get("GENOMIC_ULMFIT_CACHE"):
        return Path(own).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "genomic-ulmfit"


def _cache_genomes(cache: str | os.PathLike[str] | None) -> Path:
    return (cache_folder() if cache is None else Path(cache)) / "genomes"


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _checked_accession(accession: str) -> str:
    name = accession.strip().upper()
    if ASSEMBLY.fullmatch(name) or _NUCLEOTIDE.fullmatch(name):
        return name
    if re.fullmatch(r"GC[AF]_\d{9}", name):
        raise InputError(
            f"{accession}: an assembly accession needs its version, for example {name}.1."
        )
    raise InputError(
        f"{accession!r} is no accession of a genome. Allowed are nucleotide records "
        "(NC_000913.3, NZ_CP009072.1, CP000243.1, U00096.3, LGJG01000042.1) and assemblies with "
        "their version (GCF_000005845.2, GCA_000005845.2)."
    )


def _is_host(name: str | None) -> bool:
    """Tell whether a name has the parts that a host's may have (RFC 1035, section 2.3.4)."""
    return bool(name) and all(0 < len(part) <= 63 for part in str(name).split("."))


@dataclass(frozen=True)
class _Server:
    """Where and how to ask."""

    eutils: str
    datasets: str
    timeout: float
    key: str | None

    @classmethod
    def choose(cls, base_url: str | None, timeout: float) -> _Server:
        key = os.environ.get("NCBI_API_KEY") or None
        base = (base_url or os.environ.get("GENOMIC_ULMFIT_NCBI_URL") or "").rstrip("/")
        if not base:
            return cls(EUTILS_URL, DATASETS_URL, timeout, key)
        try:
            parts = urlsplit(base)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in {"http", "https"} or not _is_host(parts.hostname):
            raise InputError(
                f"base URL: got {base!r}, must be http:// or https:// and a host "
                "(--base-url or GENOMIC_ULMFIT_NCBI_URL)."
            )
        return cls(base, base, timeout, key)

    def host(self, accession: str) -> str:
        return self.datasets if ASSEMBLY.fullmatch(accession) else self.eutils

    def without_key(self, message: object) -> str:
        """Hide the API key, which NCBI's own error texts repeat."""
        return str(message).replace(self.key, "...") if self.key else str(message)

    def ask(self, accession: str) -> requests.Response:
        """Ask for the genome; the answer's body is still to be read."""
        if ASSEMBLY.fullmatch(accession):
            parameters = {
                "include_annotation_type": "GENOME_GBFF",
                "hydrated": "FULLY_HYDRATED",
                "filename": f"{accession}.zip",
            }
            return self._ask_datasets(accession, "download", parameters)
        parameters = {
            "db": "nuccore",
            "id": accession,
            "rettype": "gbwithparts",
            "retmode": "text",
            "tool": "genomic-ulmfit",
        }
        if self.key:
            parameters["api_key"] = self.key
        return requests.get(
            f"{self.eutils}/entrez/eutils/efetch.fcgi",
            params=parameters,
            stream=True,
            timeout=self._timeouts,
        )

    def disowns(self, assembly: str) -> bool:
        """Whether NCBI Datasets says that there is no such assembly; False if it won't say."""
        try:
            with self._ask_datasets(assembly, "check", {}) as answer:
                answer.raise_for_status()
                verdict = answer.json()
        except requests.RequestException:
            return False
        return isinstance(verdict, dict) and assembly in (verdict.get("invalid_assemblies") or ())

    def _ask_datasets(
        self, assembly: str, verb: str, parameters: dict[str, str]
    ) -> requests.Response:
        return requests.get(
            f"{self.datasets}/datasets/v2/genome/accession/{assembly}/{verb}",
            params=parameters,
            headers={"api-key": self.key} if self.key else {},
            stream=True,
            timeout=self._timeouts,
        )

    @property
    def _timeouts(self) -> tuple[float, float]:
        return min(_CONNECT_TIMEOUT, self.timeout), self.timeout


def _download(accession: str, folder: Path, server: _Server, retries: int, backoff: float) -> Path:
    """Download, verify and store one genome; return its place in the cache."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        scratch_folder = tempfile.TemporaryDirectory(prefix=".download-", dir=folder)
    except OSError as error:
        raise InputError(
            f"cache folder {folder}: {error.strerror}. Set GENOMIC_ULMFIT_CACHE to a folder that "
            "can be written to."
        ) from error
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeElapsedColumn(),
    )
    progress = Progress(*columns, console=plain_console(stderr=True), transient=True)
    with scratch_folder as scratch, progress:
        body, packed = Path(scratch) / "body", Path(scratch) / "genome.gbk.gz"
        task = progress.add_task(accession, total=None)
        attempt, doubted = 0, False
        while True:
            try:
                _receive(server, accession, body, progress)
                with genbank_text(accession, body) as text:
                    versions = verify_and_pack(accession, text, packed)
                break
            except TryAgain as problem:
                if problem.broken_package and not doubted:
                    doubted = True
                    if server.disowns(accession):
                        raise unknown_accession(accession) from None
                asked_wait = problem.wait or 0.0
                delay = max(min(backoff * 2**attempt, _LONGEST_WAIT), asked_wait)
                if attempt == retries or asked_wait > _LONGEST_WAIT:
                    raise _unavailable(accession, server, attempt + 1, problem) from None
                attempt += 1
                progress.reset(task, total=None)
                progress.console.print(
                    f"{accession}: {server.without_key(problem)}; trying again in {delay:g} s "
                    f"({attempt} of {retries}).",
                    style="dim",
                    markup=False,
                    highlight=False,
                )
                time.sleep(delay)
        # An assembly is named by the folder inside its package, which was checked.
        name = accession if ASSEMBLY.fullmatch(accession) else versions[0]
        path = folder / f"{name}.gbk.gz"
        with atomic_path(path) as temporary:
            shutil.copyfile(packed, temporary)
        write_text(_sidecar(path), f"{file_sha256(path)}  {path.name}\n")
    return path


def _unavailable(
    accession: str, server: _Server, attempts: int, problem: TryAgain
) -> NcbiUnavailable:
    times = "1 attempt" if attempts == 1 else f"{attempts} attempts"
    return NcbiUnavailable(
        f"{accession}: NCBI ({server.host(accession)}) could not be reached or gave no usable "
        f"answer in {times}: {server.without_key(problem)}. Check the network and try again "
        "later, or download the GenBank file in a browser: every command that reads a genome takes "
        "the path of a file."
    )


def _receive(server: _Server, accession: str, body: Path, progress: Progress) -> None:
    """Stream the answer's body to disk, or raise for an answer that is no success."""
    # Messages are made here, not taken from the exceptions: theirs quote the URL, and with it
    # the API key.
    try:
        with server.ask(accession) as answer:
            if answer.status_code != 200:
                _raise_for_status(accession, answer, server.key)
            length = answer.headers.get("Content-Length", "")
            # The length on the wire is no measure of what a compressed answer unpacks to.
            known = length.isdigit() and "Content-Encoding" not in answer.headers
            task = progress.task_ids[0]
            progress.update(task, total=int(length) if known else None)
            with open(body, "wb") as handle:
                for chunk in answer.iter_content(CHUNK):
                    handle.write(chunk)
                    progress.advance(task, len(chunk))
    except requests.Timeout as error:
        raise TryAgain(f"no answer within {server.timeout:g} s") from error
    except requests.exceptions.ChunkedEncodingError as error:
        raise TryAgain("the connection broke off in mid-transfer") from error
    except requests.ConnectionError as error:
        # requests gives silence amid the body as a failed connection.
        silent = any(isinstance(cause, ReadTimeoutError) for cause in error.args)
        raise TryAgain(
            f"no data for {server.timeout:g} s" if silent else "the connection failed"
        ) from error
    except requests.RequestException as error:
        raise TryAgain(f"the transfer failed ({type(error).__name__})") from error


def _raise_for_status(accession: str, answer: requests.Response, key: str | None) -> None:
    status = answer.status_code
    text = next(answer.iter_content(2000), b"").decode("utf-8", "replace")
    if status == 404 or (status == 400 and says_unknown(text)):
        raise unknown_accession(accession)
    if status in {401, 403} or (status == 400 and "api key invalid" in text.lower()):
        with_key = " NCBI_API_KEY is set: check or unset it." if key else ""
        raise InputError(f"{accession}: NCBI refuses the request (HTTP {status}).{with_key}")
    # EFetch relays failures of its back end as 400 too.
    if status in _TRANSIENT_STATUS or status == 400:
        wait = _requested_wait(answer)
        request = "" if wait is None else f", asking to wait {wait:.0f} s"
        raise TryAgain(f"HTTP {status} {answer.reason}{request}", wait=wait)
    raise InputError(
        f"{accession}: NCBI answers HTTP {status} {answer.reason} at {urlsplit(answer.url).netloc}."
    )


def _requested_wait(answer: requests.Response) -> float | None:
    header = answer.headers.get("Retry-After")
    if header is None:
        return None
    try:
        return Retry().parse_retry_after(header)
    except InvalidHeader:
        return None
