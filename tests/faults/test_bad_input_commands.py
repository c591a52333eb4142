"""What a user can get wrong: exit code 2, a sentence that says what to do, nothing left over."""

from __future__ import annotations

import functools
import gzip
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genomic_ulmfit.dna.simulate import simulate_genome, write_genbank

ROW = "ACGTACGTACGTACGTACGT"


def csv(*rows: str, header: str = "id,sequence,label") -> bytes:
    return "\n".join([header, *rows, ""]).encode()


def good_csv() -> bytes:
    return csv(*(f"s{i},{ROW},{i % 2}" for i in range(12)))


@functools.cache
def genbank() -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "whole.gbk"
        write_genbank(simulate_genome(n_genes=4, seed=0), path)
        return path.read_text()


def without_sequence() -> bytes:
    return (genbank().split("ORIGIN")[0] + "CONTIG      join(X.1:1..9)\n//\n").encode()


def without_cds() -> bytes:
    lines = genbank().splitlines(keepends=True)
    start = next(i for i, line in enumerate(lines) if line.startswith("     CDS"))
    end = next(i for i, line in enumerate(lines) if line.startswith("ORIGIN"))
    return "".join(lines[:start] + lines[end:]).encode()


FILES: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "blank": lambda: b"\n \n",
    "truncated.gz": lambda: gzip.compress(b">a\n" + b"ACGT" * 5000)[:-20],
    "truncated.csv.gz": lambda: gzip.compress(good_csv())[:-9],
    "binary": lambda: bytes(range(256)) * 4,
    "protein.fa": lambda: b">p1\nMKVLAAGIVGLPNVGKSTLFNALTQQ\n",
    "nameless.fa": lambda: b">\nACGT\n",
    "no_length.fa": lambda: b">a\n>b\nACGT\n",
    "short.fa": lambda: b">a\nACGTACGTACGTACGT\n",
    "unknown.fa": lambda: b">a\n" + b"N" * 9000 + b"\n",
    "no_sequence.gbk": without_sequence,
    "no_cds.gbk": without_cds,
    "cut_off.gbk": lambda: genbank()[:-300].encode(),
    "prose.txt": lambda: b"Dear reader,\nthis is a letter.\n",
    "unlabelled.csv": lambda: csv(*(f"s{i},{ROW}" for i in range(12)), header="id,sequence"),
    "no_sequences.csv": lambda: csv(*(f"s{i},{i % 2}" for i in range(12)), header="id,label"),
    "header_only.csv": lambda: csv(),
    "one_class.csv": lambda: csv(*(f"s{i},{ROW},promoter" for i in range(12))),
    "three_rows.csv": lambda: csv(*(f"s{i},{ROW},{i % 2}" for i in range(3))),
    "protein.csv": lambda: csv(*(f"s{i},MKVLAAGIVGLPNV,{i % 2}" for i in range(12))),
    "short.csv": lambda: csv(*(f"s{i},{ROW},{i % 2}" for i in range(11)), "last,ACGT,1"),
    "no_label.csv": lambda: csv(*(f"s{i},{ROW},{i % 2}" for i in range(11)), f"last,{ROW},"),
    "splits.csv": lambda: csv(
        *(f"s{i},{ROW},{i % 2},training" for i in range(12)), header="id,sequence,label,split"
    ),
    "all_test.csv": lambda: csv(
        *(f"s{i},{ROW},{i % 2},test" for i in range(12)), header="id,sequence,label,split"
    ),
    "twice.csv": lambda: csv(*(f"s{i % 11},{ROW},{i % 2}" for i in range(12))),
    "unlabelled.fa": lambda: b">a\nACGTACGT\n>b\nACGTACGT\n",
    "good.csv": good_csv,
    "good.gbk": lambda: genbank().encode(),
}


def snapshot(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.fixture
def refused(
    command: Callable[..., Any],
    tmp_path: Path,
    encoder_folder: Path,
    classifier_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], str]:
    """Run a command line that must be refused, and give its message.

    Words in braces are files of the table above or models, made in the folder it runs in.
    """
    monkeypatch.chdir(tmp_path)

    def damaged(kind: str, source: Path) -> None:
        folder = tmp_path / kind
        shutil.copytree(source, folder)
        if kind.endswith("flipped"):
            data = bytearray((folder / "model.safetensors").read_bytes())
            data[-1] ^= 255
            (folder / "model.safetensors").write_bytes(data)
        elif kind.endswith("bare"):
            (folder / "config.json").unlink()
        elif kind.endswith("newer"):
            path = folder / "config.json"
            config = json.loads(path.read_text())
            path.write_text(json.dumps({**config, "format_version": 99}))

    def run(line: str) -> str:
        arguments = []
        for word in line.split():
            name = word.strip("{}")
            if word != name:
                if name.startswith("encoder"):
                    damaged(name, encoder_folder)
                elif name.startswith("model"):
                    damaged(name, classifier_folder)
                elif name in FILES:
                    (tmp_path / name).write_bytes(FILES[name]())
            arguments.append(name)
        before = snapshot(tmp_path)
        ran = command(*arguments)
        assert ran.code == 2, ran
        assert ran.stdout == ""
        assert "Traceback" not in ran.stderr
        assert "Error" in ran.stderr
        assert 20 < len(ran.stderr) < 700, "a sentence or two"
        assert snapshot(tmp_path) == before, "nothing made, nothing changed"
        message: str = ran.stderr
        return message

    return run


GENOME_COMMANDS = (
    "data promoters {} --out out.csv",
    "pretrain {} --out out --preset tiny",
    "reproduce --genome {} --out out --preset tiny",
)


@pytest.mark.parametrize("line", GENOME_COMMANDS)
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("empty", "the file is empty"),
        ("blank", "the file is empty"),
        ("truncated.gz", "truncated or damaged"),
        ("binary", "no plain text"),
        ("protein.fa", "'p1'"),
        ("no_length.fa", "record 'a' (number 1) has no sequence"),
        ("no_sequence.gbk", "has no sequence"),
        ("cut_off.gbk", "truncated"),
        ("prose.txt", "neither FASTA nor GenBank"),
        ("absent.gbk", "absent.gbk"),
    ],
)
def test_genomes(refused: Callable[[str], str], line: str, name: str, message: str) -> None:
    found = refused(line.replace("{}", f"{{{name}}}"))
    assert message in found
    assert name in found


@pytest.mark.parametrize("line", [GENOME_COMMANDS[0], GENOME_COMMANDS[2]])
@pytest.mark.parametrize("name", ["no_cds.gbk", "short.fa"])
def test_genomes_without_genes(refused: Callable[[str], str], line: str, name: str) -> None:
    assert "no CDS is annotated" in refused(line.replace("{}", f"{{{name}}}"))


@pytest.mark.parametrize("name", ["short.fa", "unknown.fa"])
def test_genomes_without_text(refused: Callable[[str], str], name: str) -> None:
    found = refused(f"pretrain {{{name}}} --out out --preset tiny")
    assert "too little unambiguous sequence" in found


TABLES = [
    ("empty", "the file is empty"),
    ("truncated.csv.gz", "truncated or damaged"),
    ("binary", "not a text file"),
    ("prose.txt", "no column named 'sequence'"),
    ("unlabelled.csv", "no column named 'label'; columns found: id, sequence"),
    ("no_sequences.csv", "no column named 'sequence'; columns found: id, label"),
    ("header_only.csv", "a header but no sequences"),
    ("protein.csv", "row 1 (s0)"),
    ("short.csv", "row 12 (last): the sequence has 4 bases; at least 5 are needed"),
    ("no_label.csv", "row 12 (last): the label is empty"),
    ("splits.csv", "split is 'training'; allowed are train, valid, test"),
    ("twice.csv", "have the same id 's0'"),
    ("unlabelled.fa", "this FASTA has no labels"),
    ("absent.csv", "no such file"),
]


@pytest.mark.parametrize("line", ["train {} --out out --preset tiny", "evaluate {model} {}"])
@pytest.mark.parametrize(("name", "message"), TABLES)
def test_tables(refused: Callable[[str], str], line: str, name: str, message: str) -> None:
    found = refused(line.replace("{}", f"{{{name}}}"))
    assert message in found
    assert name in found


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("one_class.csv", "one class only, promoter (12)"),
        ("three_rows.csv", "3 rows are too few to train on; at least 8 are needed"),
        ("all_test.csv", "no rows marked train"),
    ],
)
def test_tables_that_cannot_be_trained_on(
    refused: Callable[[str], str], name: str, message: str
) -> None:
    assert message in refused(f"train {{{name}}} --out out --preset tiny")


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("evaluate {} {good.csv}", "encoder"),
        ("train {good.csv} --out out --encoder {}", "model"),
        ("pretrain {good.gbk} --out out --from {} --preset tiny", "model"),
    ],
)
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("-absent", "no such model folder"),
        ("-flipped", "model.safetensors: damaged"),
        ("-bare", "config.json is missing"),
        ("-newer", "format version 99 is newer"),
        ("other", "is needed here"),
    ],
)
def test_model_folders(
    refused: Callable[[str], str], line: str, other: str, damage: str, message: str
) -> None:
    kind = "model" if other == "encoder" else "encoder"
    if damage == "-absent":
        name = "absent"
    elif damage == "other":
        name = f"{{{other}}}"
    else:
        name = f"{{{kind}{damage}}}"
    assert message in refused(line.replace("{}", name))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("pretrain {good.gbk} --out out --preset huge", "preset: got 'huge', allowed are tiny"),
        ("train {good.csv} --out out --preset huge", "preset: got 'huge', allowed are tiny"),
        ("reproduce --genome {good.gbk} --out out --preset huge", "got 'huge', allowed are tiny"),
        ("pretrain {good.gbk} --out out --epochs 0", "--epochs: got 0, allowed is more than 0"),
        ("pretrain {good.gbk} --out out --epochs -3", "--epochs: got -3, allowed is more than 0"),
        ("pretrain {good.gbk} --out out --epochs many", "Invalid value for '--epochs'"),
        ("pretrain {good.gbk} --out out --precision fp8", "--precision: got 'fp8', allowed are"),
        ("pretrain {good.gbk} --out out --preset tiny --resume", "--resume: no checkpoint in out"),
        ("pretrain {good.gbk} --out out --seed -1", "--seed"),
        ("pretrain {good.gbk}", "Missing option '--out'"),
        ("pretrain --out out", "Missing argument"),
        ("train {good.csv} --out out --preset tiny --epochs 0", "--epochs: got 0"),
        ("train {good.csv} --out out --head max", "--head: got 'max', allowed are auto"),
        ("train {good.csv} --out out --seed -1", "--seed"),
        ("train {good.csv} --out out --learning-rate 1", "No such option: --learning-rate"),
        ("train {good.csv}", "Missing option '--out'"),
        ("evaluate {model}", "Missing argument"),
        ("evaluate {model} {good.csv} --seed -1", "--seed"),
        ("reproduce --genome {good.gbk} --out out --seeds 0", "--seeds: got 0, allowed is 1"),
        ("reproduce --genome {good.gbk} --out out --seed -1", "--seed"),
        ("classify {good.csv}", "No such command 'classify'"),
    ],
)
def test_options(refused: Callable[[str], str], line: str, message: str) -> None:
    # Typer draws a frame around its own messages and breaks them within.
    found = " ".join(refused(line).replace("│", " ").split())
    assert message in found


WRITING = (
    "simulate --genes 3 --out {}",
    "data promoters {good.gbk} --out {}",
    "pretrain {good.gbk} --preset tiny --out {}",
    "train {good.csv} --preset tiny --epochs 1 --out {}",
    "reproduce --genome {good.gbk} --preset tiny --out {}",
)


@pytest.mark.parametrize("line", WRITING)
def test_out_within_a_file(refused: Callable[[str], str], line: str) -> None:
    Path("taken").write_text("mine")
    assert "taken" in refused(line.replace("{}", "taken/out"))


@pytest.mark.parametrize("line", WRITING[2:])
def test_out_is_a_file_where_a_folder_is_needed(refused: Callable[[str], str], line: str) -> None:
    Path("taken").write_text("mine")
    assert "--out: taken is not a folder" in refused(line.replace("{}", "taken"))


@pytest.mark.parametrize("line", WRITING[:2])
def test_out_is_a_folder_or_a_device_where_a_file_is_needed(
    refused: Callable[[str], str], line: str
) -> None:
    Path("taken").mkdir()
    assert "taken: exists and is no file" in refused(line.replace("{}", "taken"))
    os.mkfifo("pipe")
    before = os.stat("pipe")
    assert "pipe: exists and is no file" in refused(line.replace("{}", "pipe"))
    assert os.stat("pipe") == before


@pytest.mark.parametrize("line", WRITING)
def test_no_permission_is_noticed_before_the_work(
    refused: Callable[[str], str], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may write anywhere, so the answer of the system is made up.
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    assert "--out: no permission to write" in refused(line.replace("{}", "locked/out"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("line", WRITING)
def test_a_locked_folder(refused: Callable[[str], str], line: str) -> None:
    Path("locked").mkdir()
    Path("locked").chmod(0o500)
    try:
        assert "locked" in refused(line.replace("{}", "locked/out"))
    finally:
        Path("locked").chmod(0o700)


@pytest.mark.parametrize(
    "line", ["pretrain {good.gbk} --preset tiny --out {encoder}", "train {good.csv} --out {model}"]
)
def test_a_finished_model_is_kept(refused: Callable[[str], str], line: str) -> None:
    assert "holds a finished model already; name another folder" in refused(line)


def test_typed_in_a_shell(process: Callable[..., Any], tmp_path: Path) -> None:
    """One of them in a process of its own, where nothing of the tests is in between."""
    table = tmp_path / "one_class.csv"
    table.write_bytes(FILES["one_class.csv"]())
    ran = process("train", table, "--out", tmp_path / "out", "--preset", "tiny")
    assert ran.code == 2
    assert ran.stdout == ""
    assert ran.stderr.startswith(f"Error: {table}: label: one class only, promoter (12).")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one_class.csv"]
