"""What a user names as genomes - files, folders, patterns, accessions - as a list of files."""

from __future__ import annotations

import glob
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from genomic_ulmfit.data.download import cached_genome, fetch_genome
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import advice

GENOME_SUFFIXES = (".fa", ".fas", ".fasta", ".fna", ".gb", ".gbff", ".gbk", ".genbank")
"""Of the files that are taken from a folder, also with .gz."""

_HEAD = 1 << 16
_ACCESSION = re.compile(r"[A-Z]{1,6}_?[A-Z]*\d+(\.\d+)?", re.IGNORECASE)


def find_genomes(arguments: Sequence[str], *, base_url: str | None = None) -> list[Path]:
    """Find the files that are meant, downloading what is named by accession.

    Parameters
    ----------
    arguments : sequence of str
        Each a genome file; a folder, of which all FASTA and GenBank files are taken, by their
        suffix; a pattern with ``*``, ``?``, ``[...]`` or ``**``; a text file with an accession
        per line (``#`` begins a comment); or an accession.
    base_url : str, optional
        See `genomic_ulmfit.data.download.fetch_genome`.

    Returns
    -------
    list of pathlib.Path
        In the order given, a folder's and a pattern's sorted by name, each file once. Downloaded
        genomes are in the cache.

    Raises
    ------
    InputError
        If something is not there, or cannot be downloaded; all accessions are tried first.
    """
    found: list[Path] = []
    failures: list[str] = []
    n_accessions = 0
    for item in (item for argument in arguments for item in _items(argument)):
        if isinstance(item, Path):
            found.append(item)
            continue
        n_accessions += 1
        try:
            found.append(_downloaded(item, base_url))
        except InputError as error:
            failures.append(str(error))
    if failures:
        raise InputError(
            failures[0]
            if n_accessions == 1
            else f"{len(failures)} of {n_accessions} accessions could not be had.\n"
            + "\n".join(failures)
        )
    unique: dict[Path, Path] = {}
    for path in found:
        unique.setdefault(path.resolve(), path)
    return list(unique.values())


def _items(argument: str) -> Iterator[Path | str]:
    """Yield files, and accessions as text."""
    path = Path(argument)
    if path.is_dir():
        yield from _genomes_in(path)
    elif path.exists():
        # A pipe can be read once.
        accessions = _listed_accessions(path) if path.is_file() else None
        yield from [path] if accessions is None else accessions
    elif glob.has_magic(argument):
        matches = [Path(match) for match in sorted(glob.glob(argument, recursive=True))]
        files = [match for match in matches if match.is_file()]
        if not files:
            raise InputError(f"{argument}: no file matches this pattern.")
        yield from files
    elif _ACCESSION.fullmatch(argument):
        yield argument
    else:
        raise InputError(
            f"{argument}: there is no such file or folder, and it is no accession. "
            f"{advice(argument)}"
        )


def _genomes_in(folder: Path) -> list[Path]:
    files = [
        path
        for path in sorted(folder.iterdir())
        if path.is_file()
        and path.name.lower().removesuffix(".gz").endswith(GENOME_SUFFIXES)
        and not path.name.startswith(".")
    ]
    if not files:
        raise InputError(
            f"{folder}: no genome in this folder. Genomes are files that end in "
            f"{', '.join(GENOME_SUFFIXES)}, also with .gz; folders within it are not searched."
        )
    return files


def _listed_accessions(path: Path) -> list[str] | None:
    """Return the accessions in a text file, or None if the file is something else."""
    with open(path, "rb") as handle:
        head = handle.read(_HEAD).decode("utf-8-sig", errors="replace")
    first = next(iter(_entries(head)), "")
    if not _ACCESSION.fullmatch(first):
        return None
    return _entries(path.read_text(encoding="utf-8-sig", errors="replace"))


def _entries(text: str) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def _downloaded(accession: str, base_url: str | None) -> Path:
    cached = cached_genome(accession)
    if cached is not None:
        return cached
    with tempfile.TemporaryDirectory() as scratch:
        # An accession without version gets the current one's.
        name = fetch_genome(accession, scratch, base_url=base_url).name.removesuffix(".gbk.gz")
    stored = cached_genome(name)
    if stored is None:
        raise InputError(f"{accession}: the downloaded file vanished from the cache. Try again.")
    return stored
