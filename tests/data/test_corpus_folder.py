"""A corpus on disk: the same as in memory, whole or not there, and damage is noticed."""

from __future__ import annotations

import errno
import gzip
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genomic_ulmfit.data import corpus_folder
from genomic_ulmfit.data.corpus import Corpus, build_corpus
from genomic_ulmfit.data.corpus_folder import (
    BASES,
    MANIFEST,
    is_corpus_folder,
    open_corpus,
    verify,
    write_corpus,
)
from genomic_ulmfit.dna.readers import read_genome
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import file_sha256


def write_fasta(path: Path, sizes: list[int], seed: int = 0, every_n: int = 0) -> Path:
    """Write random contigs, in which every `every_n`-th base is N."""
    rng = np.random.default_rng(seed)
    records = []
    for number, size in enumerate(sizes):
        letters = np.frombuffer(b"ACGT", dtype=np.uint8)[rng.integers(0, 4, size)]
        if every_n:
            letters[::every_n] = ord("N")
        records.append(f">{path.stem}.{number} random\n{letters.tobytes().decode()}\n")
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress("".join(records).encode()))
    else:
        path.write_text("".join(records))
    return path


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return [
        write_fasta(tmp_path / "genomes" / "one.fna", [5_001, 3_000, 40], seed=1),
        write_fasta(tmp_path / "genomes" / "two.fa.gz", [9_999], seed=2, every_n=700),
        write_fasta(tmp_path / "genomes" / "three.fna", [4_002], seed=3),
    ]


@pytest.fixture
def folder(files: list[Path], tmp_path: Path) -> Path:
    write_corpus(files, tmp_path / "corpus", progress=False)
    return tmp_path / "corpus"


def same(one: Corpus, other: Corpus) -> bool:
    return (
        one.genomes == other.genomes
        and np.array_equal(one.bases.packed, other.bases.packed)
        and all(
            np.array_equal(getattr(one, name), getattr(other, name))
            for name in ("contigs", "runs", "train", "held_out")
        )
    )


def test_it_is_the_corpus_that_is_built_in_memory(files: list[Path], folder: Path) -> None:
    expected = build_corpus([read_genome(path) for path in files], files=files)
    corpus = open_corpus(folder)
    assert same(corpus, expected)
    assert corpus.sha256 == expected.sha256
    assert [genome.file for genome in corpus.genomes] == [path.name for path in files]
    assert [genome.n_ambiguous for genome in corpus.genomes] == [0, 15, 0]
    for one, other in zip(corpus.training_text(), expected.training_text(), strict=True):
        assert np.array_equal(one, other)
    cut = corpus.without_genomes(["two"])
    assert cut.excluded == (1,)
    assert cut.sha256 == expected.without_genomes(["two"]).sha256
    verify(folder)


def test_the_manifest_says_what_it_was_made_from(files: list[Path], folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    assert [genome["sha256"] for genome in manifest["genomes"]] == [
        file_sha256(path) for path in files
    ]
    assert manifest["genomes"][0]["accessions"] == ["one.0", "one.1", "one.2"]
    for name, entry in manifest["files"].items():
        assert entry["sha256"] == file_sha256(folder / name)
    assert {path.name for path in folder.iterdir()} == {MANIFEST, *manifest["files"]}


def test_it_is_mapped_and_cannot_be_written_to(folder: Path) -> None:
    corpus = open_corpus(folder)
    for table in (corpus.train, corpus.held_out, corpus.bases.packed):
        assert not table.flags.writeable


def test_a_genome_that_is_there_twice_is_taken_once(files: list[Path], tmp_path: Path) -> None:
    twin = tmp_path / "twin.fna"
    # The same chromosome under another name, and without the plasmid.
    twin.write_text(">renamed\n" + files[0].read_text().splitlines()[1].lower() + "\n")
    corpus = write_corpus([*files, twin, files[2]], tmp_path / "corpus", progress=False)
    assert len(corpus.genomes) == 3
    assert corpus.notes == (
        "twin.fna: left out, because it is the same genome as one.fna, which is there already.",
        "three.fna: left out, because it is the same genome as three.fna, which is there already.",
    )


def test_a_genome_that_shares_its_longest_contig_is_another(tmp_path: Path) -> None:
    paths = []
    for name in ("a", "b"):
        folder = write_fasta(tmp_path / f"{name}.fna", [6_000, 5_900, 5_900], seed=ord(name))
        lines = folder.read_text().splitlines()
        lines[1] = "".join("ACGT"[i] for i in np.random.default_rng(0).integers(0, 4, 6_000))
        folder.write_text("\n".join(lines) + "\n")
        paths.append(folder)
    corpus = write_corpus(paths, tmp_path / "corpus", progress=False)
    assert [genome.name for genome in corpus.genomes] == ["a", "b"]
    assert [genome.n_bases for genome in corpus.genomes] == [17_800, 11_800]
    assert corpus.notes == (
        "b.fna: 1 of its 3 contigs were left out, because they are there already, in a.fna.",
    )


def test_genomes_whose_files_have_one_name_are_told_apart(tmp_path: Path) -> None:
    paths = [
        write_fasta(tmp_path / name / "genomic.fna", [4_000], seed=seed)
        for seed, name in enumerate(("a", "b"))
    ]
    corpus = write_corpus(paths, tmp_path / "corpus", progress=False)
    assert [genome.name for genome in corpus.genomes] == ["genomic", "genomic-2"]
    assert corpus.without_genomes(["genomic"]).excluded == (0,)


def test_a_genome_too_short_to_hold_out_from_is_left_out(files: list[Path], tmp_path: Path) -> None:
    short = write_fasta(tmp_path / "short.fna", [900])
    corpus = write_corpus([short, files[0]], tmp_path / "corpus", progress=False)
    assert [genome.name for genome in corpus.genomes] == ["one"]
    assert corpus.notes[0].startswith("short.fna: left out, because it has too little")
    with pytest.raises(InputError, match=r"No genome has enough .*\nshort\.fna: left out"):
        write_corpus([short], tmp_path / "other", progress=False)
    assert not (tmp_path / "other").exists()


def nothing_is_left(folder: Path) -> bool:
    return {path.name for path in folder.iterdir()} <= {"genomes"}


def test_all_files_that_cannot_be_used_are_named(files: list[Path], tmp_path: Path) -> None:
    broken = tmp_path / "genomes" / "broken.fna.gz"
    broken.write_bytes(files[1].read_bytes()[:1_000])
    table = tmp_path / "genomes" / "table.fna"
    table.write_text("name\tlength\n")
    with pytest.raises(InputError) as caught:
        write_corpus([files[0], broken, files[1], table], tmp_path / "corpus", progress=False)
    message = str(caught.value)
    assert message.startswith("2 of 4 files cannot be used, so no corpus was written.")
    assert f"{broken}: the gzip file is truncated" in message
    assert f"{table}: neither FASTA nor GenBank" in message
    assert nothing_is_left(tmp_path)


def test_a_folder_with_something_in_it_is_refused(files: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    out.mkdir()
    (out / "mine").write_text("precious")
    with pytest.raises(InputError, match=r"--out: .* is not empty"):
        write_corpus(files, out, progress=False)
    assert [path.name for path in out.iterdir()] == ["mine"]
    (out / "mine").unlink()
    assert len(write_corpus(files, out, progress=False).genomes) == 3


@pytest.mark.parametrize("failing", ["bases.2bit", "train", "manifest"])
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="tells files apart by /proc")
def test_a_full_disk_leaves_nothing(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    plain = os.fsync

    def fsync(descriptor: int) -> None:
        name = Path(os.readlink(f"/proc/self/fd/{descriptor}")).name
        if name.lstrip(".").startswith(failing):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)
        plain(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="No space left"):
        write_corpus(files, tmp_path / "corpus", progress=False)
    assert nothing_is_left(tmp_path)


def test_ctrl_c_leaves_nothing(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = corpus_folder.read_genome

    def pressed(path: Path) -> object:
        if path == files[1]:
            raise KeyboardInterrupt
        return plain(path)

    monkeypatch.setattr(corpus_folder, "read_genome", pressed)
    with pytest.raises(KeyboardInterrupt):
        write_corpus(files, tmp_path / "corpus", progress=False)
    assert nothing_is_left(tmp_path)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def other_version(path: Path) -> None:
    path.write_text(path.read_text().replace('"format_version": 1', '"format_version": 9'))


def no_json(path: Path) -> None:
    path.write_text("{")


def no_genomes(path: Path) -> None:
    manifest = json.loads(path.read_text())
    del manifest["genomes"]
    path.write_text(json.dumps(manifest))


def other_table(path: Path) -> None:
    """Put an array of the same size in the file's place, of which some would run code."""
    size = path.stat().st_size
    with open(path, "wb") as handle:
        np.save(handle, np.zeros(size - 128, dtype=np.uint8))
    assert path.stat().st_size == size


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        (BASES, Path.unlink, "this is no corpus folder"),
        (MANIFEST, Path.unlink, "this is no corpus folder"),
        ("train.npy", Path.unlink, "incomplete or damaged"),
        (BASES, cut_off, r"damaged \(bases.2bit has [\d,]+ bytes\)"),
        ("held_out.npy", cut_off, r"damaged \(held_out.npy has"),
        (MANIFEST, other_version, "format version 9, this program reads version 1"),
        (MANIFEST, no_json, "incomplete or damaged"),
        (MANIFEST, no_genomes, "incomplete or damaged"),
        ("runs.npy", other_table, "runs.npy is no table of runs"),
    ],
)
def test_a_damaged_folder_is_not_opened(
    folder: Path, name: str, damage: Callable[[Path], None], message: str
) -> None:
    damage(folder / name)
    with pytest.raises(InputError, match=message):
        open_corpus(folder)


@pytest.mark.parametrize("name", [BASES, "train.npy", "contigs.npy"])
def test_a_flipped_bit_is_found(folder: Path, name: str) -> None:
    raw = bytearray((folder / name).read_bytes())
    raw[-3] ^= 1
    (folder / name).write_bytes(raw)
    open_corpus(folder)
    with pytest.raises(InputError, match=f"the sha256 of {name} is not the one in manifest.json"):
        verify(folder)


def test_a_table_that_points_outside_of_the_text_is_noticed(folder: Path) -> None:
    corpus = open_corpus(folder)
    train = corpus.train.copy()
    train["start"][0] = len(corpus.bases)
    with pytest.raises(InputError, match="Its tables are damaged"):
        next(replace(corpus, train=train).training_text())


def test_what_is_a_corpus_folder(folder: Path, tmp_path: Path) -> None:
    assert is_corpus_folder(folder)
    assert not is_corpus_folder(tmp_path)
    assert not is_corpus_folder(folder / MANIFEST)
    assert not is_corpus_folder(tmp_path / "nothing")


@pytest.mark.parametrize("first", [0, 1])
def test_a_chromosome_and_its_assembly_in_either_order(first: int, tmp_path: Path) -> None:
    assembly = write_fasta(tmp_path / "assembly.fna", [20_000, 6_000], seed=1)
    chromosome = tmp_path / "chromosome.fna"
    chromosome.write_text("\n".join(assembly.read_text().splitlines()[:2]) + "\n")
    paths = [chromosome, assembly][:: 1 if first == 0 else -1]
    corpus = write_corpus(paths, tmp_path / "corpus", progress=False)
    assert sum(genome.n_bases for genome in corpus.genomes) == 26_000
    if first == 0:
        assert corpus.notes == (
            "assembly.fna: 1 of its 2 contigs were left out, because they are there already, in "
            "chromosome.fna.",
        )
    in_memory = build_corpus([read_genome(path) for path in paths], files=paths)
    assert in_memory.notes == corpus.notes
    assert in_memory.sha256 == corpus.sha256


def test_damage_is_found_before_it_is_read(folder: Path, tmp_path: Path) -> None:
    for place in range(10, 120, 3):
        copied = tmp_path / f"copy{place}"
        shutil.copytree(folder, copied)
        content = bytearray((copied / "contigs.npy").read_bytes())
        content[place] ^= 0x80
        (copied / "contigs.npy").write_bytes(bytes(content))
        with pytest.raises(InputError, match=r"the sha256 of contigs.npy is not the one"):
            verify(copied)


def test_a_manifest_without_a_genome_or_a_sum(folder: Path, tmp_path: Path) -> None:
    copied = tmp_path / "copy"
    shutil.copytree(folder, copied)
    manifest = json.loads((copied / MANIFEST).read_text())
    genome = manifest["genomes"].pop()
    (copied / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="not of the same genomes"):
        verify(copied)
    manifest["genomes"].append(genome)
    del manifest["files"]["train.npy"]["sha256"]
    (copied / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="incomplete or damaged"):
        verify(copied)


def test_a_genome_that_is_left_out_is_not_there_already(tmp_path: Path) -> None:
    both = write_fasta(tmp_path / "both.fna", [20_000, 1_000, 1_000], seed=2)
    lines = both.read_text().splitlines()
    # The plasmid twice in its genome, and alone in a file too short for a corpus.
    lines[5] = lines[3]
    both.write_text("\n".join(lines) + "\n")
    alone = tmp_path / "alone.fna"
    alone.write_text(f">p\n{lines[3][:1000]}\n")
    corpus = write_corpus([alone, both], tmp_path / "corpus", progress=False)
    assert [genome.n_bases for genome in corpus.genomes][-1] == 21_000
    assert (
        "both.fna: 1 of its 3 contigs were left out, because they are there already, in both.fna."
        in corpus.notes
    )


def test_a_table_that_is_missing_and_a_version_that_is_not_known(
    folder: Path, tmp_path: Path
) -> None:
    copied = tmp_path / "copy"
    shutil.copytree(folder, copied)
    (copied / "runs.npy").unlink()
    with pytest.raises(InputError, match="incomplete or damaged"):
        verify(copied)
    (copied / MANIFEST).write_text(json.dumps({"format_version": 2}))
    with pytest.raises(InputError, match="has format version 2"):
        verify(copied)
