"""What NCBI answered: whole GenBank records of the accession that was asked for, or something else.

Neither of its services can be trusted by its status code: EFetch relays failures of its own back
end as plain text, with 200 or 400, and Datasets answers an unknown assembly with 200 and a broken
zip. So a genome is accepted for what it is - whole GenBank records, of the accession that was
asked for, each with as many bases as its first line declares - and for nothing else.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import unquote_plus

from genomic_ulmfit.errors import InputError

ASSEMBLY = re.compile(r"GC[AF]_\d{9}\.\d+")

_LOCUS = re.compile(rb"LOCUS\s+\S+\s+(\d+)\s+(\S+)")

_VERSION = re.compile(rb"VERSION\s+(\S+)")

# What EFetch says of an accession it doesn't know, without the blanks that it puts between
# the letters.
_UNKNOWN_ACCESSION = (
    "failedtoretrievesequence",
    "failedtounderstandid",
    "cannotprocessidlist",
    "idlistisempty",
    "suppliedidparameterisempty",
)

CHUNK = 1 << 16


class TryAgain(Exception):
    """An attempt failed in a way that the next one may not.

    Parameters
    ----------
    reason : str
        What happened, as the end of a sentence.
    wait : float or None
        Seconds that the server asked to wait.
    broken_package : bool
        A complete answer that is no usable zip package, which is also how Datasets answers
        when it doesn't know the assembly.
    """

    def __init__(
        self, reason: str, *, wait: float | None = None, broken_package: bool = False
    ) -> None:
        super().__init__(reason)
        self.wait = wait
        self.broken_package = broken_package


def unknown_accession(accession: str) -> InputError:
    """Return the error that says that NCBI has nothing of this name."""
    kind = "assembly" if ASSEMBLY.fullmatch(accession) else "nucleotide record"
    return InputError(
        f"{accession}: NCBI has no {kind} of this accession. Check it and its version at "
        "https://www.ncbi.nlm.nih.gov."
    )


def says_unknown(text: str) -> bool:
    """Tell whether EFetch says that it does not know an accession."""
    letters = re.sub(r"[\s+]", "", unquote_plus(text)).lower()
    return any(phrase in letters for phrase in _UNKNOWN_ACCESSION)


@contextlib.contextmanager
def genbank_text(accession: str, body: Path) -> Iterator[IO[bytes]]:
    """Open the GenBank text inside an answer's body."""
    if not ASSEMBLY.fullmatch(accession):
        with open(body, "rb") as text:
            yield text
        return
    try:
        with zipfile.ZipFile(body) as package:
            member = _flat_file(accession, package.namelist())
            expected = _listed_md5(package, member)
            if expected is not None:
                found = hashlib.md5(usedforsecurity=False)
                with package.open(member) as text:
                    for chunk in iter(lambda: text.read(CHUNK), b""):
                        found.update(chunk)
                if found.hexdigest() != expected:
                    raise TryAgain("the package's MD5 sum does not match")
            with package.open(member) as text:
                yield text
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise TryAgain("the answer is no intact zip package", broken_package=True) from error


def _flat_file(accession: str, members: list[str]) -> str:
    """Find the assembly's GenBank file among a package's members."""
    # ncbi_dataset/data/<assembly>/genomic.gbff
    files = {PurePosixPath(m).parent.name: m for m in members if m.endswith(".gbff")}
    if accession in files:
        return files[accession]
    if files:
        raise InputError(
            f"{accession}: NCBI returned another assembly ({', '.join(sorted(files))}). Ask for "
            "the one you need by its own accession and version."
        )
    raise InputError(
        f"{accession}: NCBI has no GenBank file for this assembly, probably because it is not "
        "annotated. Try its RefSeq counterpart (GCF_ for GCA_), or download the FASTA file in a "
        "browser where annotation is not needed."
    )


def _listed_md5(package: zipfile.ZipFile, member: str) -> str | None:
    """Read a member's MD5 sum from the package's own list; None where it is not listed."""
    if "md5sum.txt" not in package.namelist():
        return None
    for line in package.read("md5sum.txt").decode("utf-8", "replace").splitlines():
        digest, _, path = line.partition(" ")
        if path.lstrip(" *").removeprefix("./") == member:
            return digest.lower()
    return None


def verify_and_pack(accession: str, text: IO[bytes], packed: Path) -> list[str]:
    """Compress GenBank text while checking that it is what was asked for, and whole.

    Returns
    -------
    list of str
        ``accession.version`` of each record.
    """
    with (
        open(packed, "wb") as file,
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as target,
        io.BufferedWriter(target, CHUNK) as buffer,
    ):
        versions = list(_records(accession, text, buffer))
    if not versions:
        raise TryAgain("an empty answer")
    if not ASSEMBLY.fullmatch(accession):
        wanted = re.escape(accession) + ("" if "." in accession else r"\.\d+")
        others = [version for version in versions if not re.fullmatch(wanted, version)]
        if others:
            raise InputError(
                f"{accession}: NCBI returned {others[0]} instead. Check the accession and its "
                "version, or ask for that one."
            )
    return versions


def _records(accession: str, text: IO[bytes], target: IO[bytes]) -> Iterator[str]:
    """Copy GenBank text to `target`, yielding each whole record's accession.version."""
    declared: int | None = None
    # Bounded, because a page of HTML may be one endless line.
    for line in iter(lambda: text.readline(CHUNK), b""):
        if declared is None:
            if not line.strip():
                continue
            match = _LOCUS.match(line)
            if match is None:
                raise _not_genbank(accession, line)
            if match[2] != b"bp":
                raise _without_sequence(accession)
            declared, bases, version, in_sequence = int(match[1]), 0, "", False
        elif line.rstrip() == b"//":
            if not in_sequence:
                raise _without_sequence(accession)
            if bases != declared:
                raise TryAgain(f"{bases:,} bases came of the {declared:,} declared")
            yield version
            declared = None
        elif in_sequence:
            letters = line.translate(None, b" 0123456789\r\n")
            if letters and not letters.isalpha():
                raise TryAgain("something other than bases came amid the sequence")
            bases += len(letters)
        elif line.startswith(b"ORIGIN"):
            in_sequence = True
        elif match := _VERSION.match(line):
            version = match[1].decode("utf-8", "replace")
        target.write(line)
    if declared is not None:
        raise TryAgain("the answer breaks off before the record's end")


def _not_genbank(accession: str, line: bytes) -> Exception:
    text = line.decode("utf-8", "replace").strip()
    if says_unknown(text):
        return unknown_accession(accession)
    if text.startswith("<"):
        return TryAgain("a web page came instead of GenBank")
    return TryAgain(f"text came instead of GenBank: {text[:80]!r}")


def _without_sequence(accession: str) -> InputError:
    return InputError(
        f"{accession}: the record holds no DNA sequence; it may be the master record of a "
        "whole-genome shotgun project. Give the accession of its assembly (GCF_ or GCA_)."
    )
