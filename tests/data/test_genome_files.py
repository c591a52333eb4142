"""What a user names as genomes: files, folders, patterns, accessions."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from genomic_ulmfit.data.genome_files import find_genomes
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import file_sha256


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of genomes, two more in the cache, and no network."""
    genomes = tmp_path / "genomes"
    (genomes / "sub").mkdir(parents=True)
    for name in ("b.fna.gz", "a.FA", "c.gbff", "sub/d.fna", "README.md", "list.tsv", ".hidden.fa"):
        (genomes / name).write_text(">x\nACGT\n")
    cache = tmp_path / "cache" / "genomes"
    cache.mkdir(parents=True)
    for accession in ("NC_000913.3", "GCF_000005845.2"):
        path = cache / f"{accession}.gbk.gz"
        path.write_bytes(accession.encode())
        path.with_name(path.name + ".sha256").write_text(file_sha256(path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENOMIC_ULMFIT_CACHE", str(tmp_path / "cache"))
    # A port that nothing listens on.
    monkeypatch.setenv("GENOMIC_ULMFIT_NCBI_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path


def names(*arguments: str) -> list[str]:
    return [os.path.relpath(path) for path in find_genomes(arguments)]


@pytest.mark.usefixtures("here")
def test_files_folders_and_patterns() -> None:
    in_folder = ["genomes/a.FA", "genomes/b.fna.gz", "genomes/c.gbff"]
    assert names("genomes") == in_folder
    assert names("genomes/*.f*") == ["genomes/b.fna.gz"]
    assert names("genomes/**/*.fna") == ["genomes/sub/d.fna"]
    assert names("genomes/README.md") == ["genomes/README.md"], "its content is judged, later"
    assert names("genomes/c.gbff", "genomes", "genomes/../genomes/b.fna.gz") == [
        "genomes/c.gbff",
        *in_folder[:2],
    ], "each once, where it was named first"


@pytest.mark.usefixtures("here")
def test_accessions_alone_and_in_a_list() -> None:
    cached = ["cache/genomes/NC_000913.3.gbk.gz", "cache/genomes/GCF_000005845.2.gbk.gz"]
    assert names("NC_000913.3") == cached[:1]
    Path("list.txt").write_text(
        "\ufeff# Escherichia\r\n\r\nNC_000913.3  # K-12\r\nGCF_000005845.2\r\n"
    )
    assert names("list.txt", "genomes/c.gbff") == [*cached, "genomes/c.gbff"]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("empty", "empty: no genome in this folder. Genomes are files that end in .fa,"),
        ("genomes/*.fasta", r"genomes/\*.fasta: no file matches this pattern"),
        ("genomes/su*", "no file matches this pattern"),
        ("genomes/z.fna", "genomes/z.fna: there is no such file or folder"),
        ("XYZ123", "'XYZ123' is no accession of a genome"),
    ],
)
def test_what_is_not_there(argument: str, message: str) -> None:
    Path("empty").mkdir()
    with pytest.raises(InputError, match=message):
        names("genomes", argument)


@pytest.mark.usefixtures("here")
def test_all_accessions_that_cannot_be_had_are_named() -> None:
    Path("list.txt").write_text("NC_000913.3\nescherichia coli\ngenomes/a.FA\n")
    with pytest.raises(InputError) as caught:
        names("list.txt")
    message = str(caught.value)
    assert message.startswith("2 of 3 accessions could not be had.")
    assert "'escherichia coli' is no accession" in message
    assert "'genomes/a.FA' is no accession" in message
