"""`genomic-ulmfit predict`, run as a user runs it."""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from genomic_ulmfit.dna.alphabet import encode
from genomic_ulmfit.models.prediction import predict_probabilities
from genomic_ulmfit.models.store import load_classifier


@pytest.fixture
def sequences(promoters_csv: Path) -> list[str]:
    return pd.read_csv(promoters_csv)["sequence"].head(30).tolist()


@pytest.fixture
def fasta(sequences: list[str], tmp_path: Path) -> Path:
    path = tmp_path / "some.fa"
    # Ids twice, one sequence in lower case, one with an ambiguous base.
    sequences[3] = sequences[3].lower()
    sequences[4] = sequences[4][:20] + "N" + sequences[4][21:]
    path.write_text("".join(f">s{i // 2} x\n{s}\n" for i, s in enumerate(sequences)))
    return path


def check(rows: list[dict[str, str]], folder: Path, sequences: list[str]) -> None:
    model = load_classifier(folder)
    chances = predict_probabilities(model, [encode(sequence) for sequence in sequences])
    assert [row["id"] for row in rows] == [f"s{i // 2}" for i in range(len(sequences))]
    for row, chance in zip(rows, chances, strict=True):
        assert float(row["probability_0"]) == pytest.approx(chance[0], abs=0.03)
        assert float(row["probability_1"]) == pytest.approx(chance[1], abs=0.03)
        higher = max(("0", "1"), key=lambda name: float(row[f"probability_{name}"]))
        assert row["label"] == higher
        assert row["probability"] == row[f"probability_{higher}"]


def test_fasta_to_standard_output(
    process: Callable, classifier_folder: Path, fasta: Path, sequences: list[str]
) -> None:
    ran = process("predict", classifier_folder, fasta)
    assert ran.code == 0, ran.stderr
    reader = csv.DictReader(io.StringIO(ran.stdout))
    assert reader.fieldnames == ["id", "label", "probability", "probability_0", "probability_1"]
    check(list(reader), classifier_folder, sequences)
    assert "1 of 30 sequences have ambiguous bases" in ran.stderr


def test_standard_input_gzipped(classifier_folder: Path, fasta: Path, sequences: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "genomic_ulmfit", "predict", str(classifier_folder), "-"],
        input=gzip.compress(fasta.read_bytes()),
        capture_output=True,
        timeout=280,
        check=True,
    )
    rows = list(csv.DictReader(io.StringIO(done.stdout.decode())))
    check(rows, classifier_folder, sequences)


@pytest.mark.parametrize("name", ["p.csv", "p.tsv", "p.jsonl", "p.TSV.gz", "p.txt"])
def test_files(
    command: Callable, classifier_folder: Path, fasta: Path, tmp_path: Path, name: str
) -> None:
    out = tmp_path / "made" / name
    ran = command("predict", classifier_folder, fasta, "--out", out)
    assert ran.code == 0, ran.stderr
    assert ran.stdout == ""
    assert f"30 predictions written to {out}" in ran.stderr
    assert [path.name for path in out.parent.iterdir()] == [name]
    raw = out.read_bytes()
    text = (gzip.decompress(raw) if name.endswith(".gz") else raw).decode()
    if "jsonl" in name:
        lines = [json.loads(line) for line in text.splitlines()]
        assert len(lines) == 30
        assert {line["label"] for line in lines} <= {0, 1}
        return
    delimiter = "\t" if "tsv" in name.lower() else ","
    assert len(list(csv.DictReader(io.StringIO(text), delimiter=delimiter))) == 30
    assert text.startswith(f"id{delimiter}label{delimiter}probability")


def test_the_table_it_was_trained_on_is_good_input(
    command: Callable, classifier_folder: Path, promoters_csv: Path
) -> None:
    ran = command("predict", classifier_folder, promoters_csv, "--format", "jsonl")
    assert ran.code == 0, ran.stderr
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    table = pd.read_csv(promoters_csv)
    assert [line["id"] for line in lines] == table["id"].tolist()
    assert ([line["label"] for line in lines] == table["label"]).mean() > 0.6


def test_mistakes(
    command: Callable, classifier_folder: Path, encoder_folder: Path, fasta: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out" / "p.csv"

    def refused(*arguments: object) -> str:
        ran = command("predict", *arguments, "--out", out)
        assert ran.code == 2
        assert ran.stdout == ""
        assert not out.parent.exists() or not list(out.parent.iterdir())
        message: str = ran.stderr
        return message

    bad = tmp_path / "bad.fa"
    sequence = "ACGTA" * 30
    bad.write_text(f">a\n{sequence}\n>b\n{sequence}A\n")
    message = refused(classifier_folder, bad)
    assert (
        "sequence 2 (b): has 151 bases, but this model was trained on sequences of 150" in message
    )
    bad.write_text(f">a\n{sequence}\n>b\n")
    assert "sequence 2 (b): has no bases" in refused(classifier_folder, bad)
    bad.write_text(f">run:100:7\n{sequence}A\n")
    assert "sequence 1 (run:100:7): has 151 bases" in refused(classifier_folder, bad)
    # A quote that nothing closes, else all rows behind it would be part of an id.
    bad.write_text(f'sequence\tid\n{sequence}\t"a\n{sequence}\tb\n{sequence}\tc\n')
    assert "not a well-formed table" in refused(classifier_folder, bad)
    bad.write_text(">a\nMKLV*\n")
    assert "is not a nucleotide letter" in refused(classifier_folder, bad)
    assert "there is no such file" in refused(classifier_folder, tmp_path / "none.fa")
    assert "a classifier is needed here" in refused(encoder_folder, fasta)
    assert "--format: got 'xml', allowed are csv, tsv, jsonl" in refused(
        classifier_folder, fasta, "--format", "xml"
    )
    ran = command("predict", classifier_folder, fasta, "--out", tmp_path / "p.json")
    assert ran.code == 2
    assert "Name it .jsonl for JSON Lines" in ran.stderr
    ran = command("predict", classifier_folder, fasta, "--out", tmp_path / "p.xlsx")
    assert ran.code == 2
    assert "Name it .csv, .tsv or .jsonl" in ran.stderr
    assert not (tmp_path / "p.xlsx").exists()
    ran = command("predict", classifier_folder, fasta, "--out", fasta / "p.csv")
    assert ran.code == 2
    assert "is not a folder" in ran.stderr
    # Nothing on standard output before the first prediction.
    bad.write_text("")
    ran = command("predict", classifier_folder, bad)
    assert (ran.code, ran.stdout) == (2, "")


def test_help_teaches_by_example(command: Callable) -> None:
    ran = command("predict", "--help")
    assert ran.code == 0
    assert "genomic-ulmfit predict model sequences.fasta --out predictions.csv" in ran.stdout


def test_what_is_read_is_not_replaced(
    command: Callable, classifier_folder: Path, fasta: Path
) -> None:
    before = fasta.read_bytes()
    config = (classifier_folder / "config.json").read_bytes()
    for out, said in (
        (fasta, "is what is read"),
        (fasta.parent / "." / fasta.name, "is what is read"),
        (classifier_folder / "config.json", "which is read"),
    ):
        ran = command("predict", classifier_folder, fasta, "--out", out)
        assert ran.code == 2
        assert "--out" in ran.stderr
        assert said in " ".join(ran.stderr.split())
    assert fasta.read_bytes() == before
    assert (classifier_folder / "config.json").read_bytes() == config
