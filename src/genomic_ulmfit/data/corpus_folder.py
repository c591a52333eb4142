"""A corpus in a folder: built once from any number of genomes, then read through a memory map.

``bases.2bit`` holds the unambiguous bases of all contigs, four to a byte; four tables say where
contigs, runs, training pieces and held-out regions are in it; ``manifest.json`` says what they
were made from, with sha256 sums of the genome files and of the corpus's own. One genome at a time
is in memory, both when a corpus is built and when it is read.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np

from genomic_ulmfit import __version__
from genomic_ulmfit.data.corpus import (
    CONTIG_TYPE,
    HELD_OUT_REGION,
    HELD_OUT_SHARE,
    PIECE,
    PIECE_TYPE,
    RUN_TYPE,
    Corpus,
    CorpusGenome,
    GenomeText,
    Table,
    describe,
    genome_text,
)
from genomic_ulmfit.data.known_contigs import KnownContigs
from genomic_ulmfit.dna.genome import Genome
from genomic_ulmfit.dna.packing import BASES_PER_BYTE, PackedBases
from genomic_ulmfit.dna.readers import read_genome
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import atomic_path, file_sha256, require_writable, write_json
from genomic_ulmfit.progress import Progress

FORMAT_VERSION = 1

MANIFEST = "manifest.json"
BASES = "bases.2bit"
TABLES = {"contigs": CONTIG_TYPE, "runs": RUN_TYPE, "train": PIECE_TYPE, "held_out": PIECE_TYPE}


def write_corpus(paths: Sequence[str | Path], out: str | Path, *, progress: bool = True) -> Corpus:
    """Build a corpus from genome files, one at a time, and write its folder.

    What is there twice (a genome, or some of its contigs: see `KnownContigs`) is taken once, and a
    genome too short to hold anything out is left out: the corpus's notes say so.
    `genomic_ulmfit.data.corpus.genome_text` says how a genome is divided.

    Parameters
    ----------
    paths : sequence of path-like
        FASTA or GenBank files, plain or gzip.
    out : path-like
        Folder to write, which takes its name when it is complete. It may exist if it is empty.
    progress : bool
        Whether to show progress on standard error.

    Returns
    -------
    Corpus
        Opened from `out`.

    Raises
    ------
    InputError
        If `out` cannot be written to or is not empty, or files cannot be used as genomes; all of
        these are named at once.
    """
    require_new_folder(Path(out))
    # A folder called "." cannot be replaced, but under its own name it can.
    final = Path(out).resolve()
    final.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{final.name}-", dir=final.parent))
    try:
        _write(paths, scratch, progress)
        # mkdtemp makes folders private; give it the permissions that mkdir() would have.
        umask = os.umask(0)
        os.umask(umask)
        scratch.chmod(0o777 & ~umask)
        os.replace(scratch, final)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return open_corpus(final)


def require_new_folder(out: Path) -> None:
    """Raise `InputError` unless a corpus can be written to `out`."""
    require_writable(out)
    if out.exists() and any(out.iterdir()):
        raise InputError(f"--out: {out} is not empty; name another folder.")


def _write(paths: Sequence[str | Path], folder: Path, progress: bool) -> None:
    failures: list[str] = []
    with open(folder / BASES, "wb") as handle:
        builder = _Builder(handle)
        for path in _watched([Path(path) for path in paths], progress):
            try:
                # After a failure the rest is only read to find all that is wrong at once.
                builder.add(path, keep=not failures)
            except InputError as error:
                failures.append(str(error))
        handle.flush()
        os.fsync(handle.fileno())
    if failures:
        raise InputError(
            failures[0]
            if len(paths) == 1
            else f"{len(failures)} of {len(paths)} files cannot be used, so no corpus was written. "
            "Repair them or leave them out.\n" + "\n".join(failures)
        )
    if not builder.genomes:
        raise InputError(
            "No genome has enough unambiguous sequence for a language model; at least a few "
            "thousand bases are needed.\n" + "\n".join(builder.notes)
        )
    tables = builder.tables()
    files = {BASES: {"bytes": builder.n_bytes, "sha256": builder.digest.hexdigest()}}
    for name, table in tables.items():
        path = folder / f"{name}.npy"
        with atomic_path(path) as temporary, open(temporary, "wb") as target:
            np.save(target, table, allow_pickle=False)
        files[path.name] = {"bytes": path.stat().st_size, "sha256": file_sha256(path)}
    manifest = {
        "format_version": FORMAT_VERSION,
        "package_version": __version__,
        "held_out_share": HELD_OUT_SHARE,
        "held_out_region": HELD_OUT_REGION,
        "piece": PIECE,
        "files": files,
        "genomes": [asdict(genome) for genome in builder.genomes],
        "notes": builder.notes,
    }
    write_json(folder / MANIFEST, manifest)


class _Builder:
    """Appends one genome after another to a file of packed bases, and to tables."""

    def __init__(self, handle: IO[bytes]) -> None:
        self.handle = handle
        self.digest = hashlib.sha256()
        self.n_bytes = 0
        self.genomes: list[CorpusGenome] = []
        self.notes: list[str] = []
        self._n_contigs = 0
        self._parts: dict[str, list[Table]] = {name: [] for name in TABLES}
        self._known = KnownContigs()
        self._names: set[str] = set()

    def add(self, path: Path, *, keep: bool) -> None:
        """Read a genome; append it if `keep`."""
        genome = read_genome(path)
        if keep:
            self._append(genome, path)

    def _append(self, genome: Genome, path: Path) -> None:
        if not genome.contigs:
            self.notes.append(f"{path.name}: no sequence; left out.")
            return
        whole = genome
        genome, left_out = self._known.without(whole, path.name)
        self.notes += left_out
        if not genome.contigs:
            return
        text = genome_text(genome, of=whole)
        # Of what is left of a genome, no region need be held out.
        if not len(text.train) or (genome is whole and not len(text.held_out)):
            self.notes.append(
                f"{path.name}: left out, because it has too little unambiguous sequence to hold "
                "some of it out."
            )
            return
        self._known.remember(genome, path.name)
        self._place(genome, path, text)

    def _place(self, genome: Genome, path: Path, text: GenomeText) -> None:
        number, start = len(self.genomes), self.n_bytes * BASES_PER_BYTE
        placed = text.placed(number, self._n_contigs, start)
        for name, parts in self._parts.items():
            parts.append(getattr(placed, name))
        self.handle.write(text.packed.data)
        self.digest.update(text.packed.data)
        self.n_bytes += len(text.packed)
        self._n_contigs += len(text.contigs)
        described = describe(genome, text, path)
        self.genomes.append(replace(described, name=self._unused_name(genome.name)))

    def _unused_name(self, name: str) -> str:
        """Number genomes whose files have the same name, as `genomic.gbff` of many downloads."""
        unused, number = name, 1
        while unused in self._names:
            number += 1
            unused = f"{name}-{number}"
        self._names.add(unused)
        return unused

    def tables(self) -> dict[str, Table]:
        return {name: np.concatenate(parts) for name, parts in self._parts.items()}


def _watched(paths: list[Path], show: bool) -> Iterator[Path]:
    """Show which of the files is being read."""
    with Progress("genomes", show) as progress:
        for number, path in enumerate(paths):
            progress(path.name, number, len(paths))
            yield path


def is_corpus_folder(path: str | Path) -> bool:
    """Whether `path` is a folder that `write_corpus` made, by its file names."""
    return (Path(path) / MANIFEST).is_file() and (Path(path) / BASES).is_file()


def _manifest(folder: Path) -> dict[str, Any]:
    """Read what says which files a corpus has, if this program knows what it says."""
    if not is_corpus_folder(folder):
        raise InputError(
            f"{folder}: {MANIFEST} or {BASES} is missing; this is no corpus folder. Build one with "
            "`genomic-ulmfit data corpus`."
        )
    with _damage_reported(folder):
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        version = manifest["format_version"]
    if version != FORMAT_VERSION:
        raise InputError(
            f"{folder}: the corpus has format version {version!r}, this program reads version "
            f"{FORMAT_VERSION}. Build it again."
        )
    return manifest


def open_corpus(folder: str | Path) -> Corpus:
    """Open a corpus without reading its bases.

    Parameters
    ----------
    folder : path-like
        What `write_corpus` made.

    Returns
    -------
    Corpus
        Bases and tables are read-only memory maps.

    Raises
    ------
    InputError
        If the folder is no corpus, of another format version, incomplete or damaged. What cannot
        be seen in the sizes of its files only `verify` finds.
    """
    folder = Path(folder)
    manifest = _manifest(folder)
    with _damage_reported(folder):
        for name in _file_names():
            size = (folder / name).stat().st_size
            if size != manifest["files"][name]["bytes"]:
                raise ValueError(f"{name} has {size:,} bytes")
        genomes = tuple(
            CorpusGenome(**{**entry, "accessions": tuple(entry["accessions"])})
            for entry in manifest["genomes"]
        )
        contigs = _table(folder, "contigs")
        if set(contigs["genome"].tolist()) != set(range(len(genomes))):
            raise ValueError(f"{MANIFEST} and contigs.npy are not of the same genomes")
        return Corpus(
            genomes,
            PackedBases.open(folder / BASES),
            contigs,
            _table(folder, "runs"),
            _table(folder, "train"),
            _table(folder, "held_out"),
            manifest["files"][BASES]["sha256"],
            tuple(manifest["notes"]),
        )


def verify(folder: str | Path) -> None:
    """Compare the files of a corpus with the sha256 sums in its manifest.

    Raises
    ------
    InputError
        If one differs.
    """
    folder = Path(folder)
    manifest = _manifest(folder)
    with _damage_reported(folder):
        # Before what is damaged is read.
        for name in _file_names():
            if file_sha256(folder / name) != manifest["files"][name]["sha256"]:
                raise ValueError(f"the sha256 of {name} is not the one in {MANIFEST}")
    open_corpus(folder)


def _file_names() -> tuple[str, ...]:
    return (BASES, *(f"{table}.npy" for table in TABLES))


# NumPy reads the head of a table as Python.
_SIGNS_OF_DAMAGE = (
    AttributeError,
    FileNotFoundError,
    LookupError,
    SyntaxError,
    TokenError,
    TypeError,
    ValueError,
)


@contextlib.contextmanager
def _damage_reported(folder: Path) -> Iterator[None]:
    try:
        yield
    except _SIGNS_OF_DAMAGE as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{folder}: the corpus is incomplete or damaged ({reason}). Build it or copy it again."
        ) from None


def _table(folder: Path, name: str) -> Table:
    table = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
    if table.dtype != TABLES[name] or table.ndim != 1:
        raise ValueError(f"{name}.npy is no table of {name}")
    return np.asarray(table)
