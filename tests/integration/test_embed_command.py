"""`genomic-ulmfit embed`, run as a user runs it."""

from __future__ import annotations

import csv
import gzip
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from genomic_ulmfit.inference.embed import embed, load_encoder
from genomic_ulmfit.inference.sequences import read_sequences
from genomic_ulmfit.reports import embedding_picture


@pytest.fixture
def table(promoters_csv: Path, tmp_path: Path) -> Path:
    """Every tenth of the promoters and other windows."""
    path = tmp_path / "some.csv"
    pd.read_csv(promoters_csv).iloc[::10].to_csv(path, index=False)
    return path


def expected(model: Path, path: Path, pooling: str = "mean") -> np.ndarray:
    parts = embed(load_encoder(model), read_sequences(path), pooling)
    return np.concatenate([part.vectors for part in parts])


def ids(path: Path) -> list[str]:
    with open(path, newline="") as handle:
        return [row["id"] for row in csv.DictReader(handle)]


def test_from_standard_input(encoder_folder: Path, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "made" / "v.npy"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "genomic_ulmfit", "embed"),
            *(str(encoder_folder), "-", "--out", str(out)),
        ],
        input=gzip.compress(table.read_bytes()),
        capture_output=True,
        timeout=280,
        check=True,
    )
    assert done.stdout == b""
    vectors = np.load(out)
    assert vectors.shape == (len(pd.read_csv(table)), 32)
    assert f"{len(vectors)} vectors of 32 written to" in " ".join(done.stderr.decode().split())
    np.testing.assert_allclose(vectors, expected(encoder_folder, table), atol=0.02)
    assert ids(out.with_suffix(".ids.csv")) == pd.read_csv(table)["id"].tolist()


def test_a_classifier_and_a_picture_coloured_by_label(
    command: Callable,
    classifier_folder: Path,
    table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: dict[str, Any] = {}
    draw = embedding_picture.draw_embeddings

    def watched(projection: Any, title: str, **options: Any) -> Any:
        drawn.update(options, title=title, n=len(projection.points))
        return draw(projection, title, **options)

    monkeypatch.setattr(embedding_picture, "draw_embeddings", watched)
    out, plot = tmp_path / "out" / "v.npy", tmp_path / "out" / "v.png"
    ran = command(
        *("embed", classifier_folder, table, "--out", out, "--plot", plot, "--pooling", "concat")
    )
    assert ran.code == 0, ran.stderr
    assert ran.stdout == ""
    np.testing.assert_allclose(
        np.load(out), expected(classifier_folder, table, "concat"), atol=0.02
    )
    assert plot.read_bytes().startswith(b"\x89PNG")
    labels = pd.read_csv(table)["label"].astype(str).tolist()
    assert (drawn["labels"], drawn["n"]) == (labels, len(labels))
    assert drawn["title"] == f"some.csv as {classifier_folder.name} sees it"
    assert len(list(out.parent.iterdir())) == 3


def test_kmers(command: Callable, encoder_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "k.npy"
    ran = command("embed", encoder_folder, "--kmers", "--out", out)
    assert ran.code == 0, ran.stderr
    assert np.load(out).shape == (1024, 32)
    assert ids(tmp_path / "k.ids.csv")[:2] == ["AAAAA", "AAAAC"]


def test_mistakes(command: Callable, encoder_folder: Path, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "v.npy"

    def refused(*arguments: object) -> str:
        ran = command("embed", *arguments)
        assert ran.code == 2
        assert ran.stdout == ""
        assert not out.parent.exists() or not list(out.parent.iterdir())
        message: str = ran.stderr
        return message

    fasta = tmp_path / "bad.fa"
    fasta.write_text(">a\nACGTACGTAC\n>b\nACG\n")
    to = ("--out", out)
    assert "sequence 2 (b): has 3 bases; at least 5" in refused(encoder_folder, fasta, *to)
    fasta.write_text(">a\nMKLV\n")
    assert "is not a nucleotide letter" in refused(encoder_folder, fasta, *to)
    fasta.write_text("")
    assert "the input is empty" in refused(encoder_folder, fasta, *to)
    fasta.write_text(">a\nACGTACGTAC\n")
    plot = ("--plot", out.with_suffix(".png"))
    assert "1 sequences make no picture" in refused(encoder_folder, fasta, *plot)
    assert "no such file" in refused(encoder_folder, tmp_path / "none.fa", *to)
    assert "no such model folder" in refused("none", fasta, *to)
    assert "is missing" in refused(tmp_path, fasta, *to)
    assert "give at least one of them" in refused(encoder_folder, table)
    assert "give one of them" in refused(encoder_folder, *to)
    assert "give one of them" in refused(encoder_folder, table, "--kmers", *to)
    assert "got 'sum', allowed are mean and concat" in refused(
        encoder_folder, table, "--pooling", "sum", *to
    )
    assert "ends in .txt; allowed are .npy" in refused(
        encoder_folder, table, "--out", out.with_suffix(".txt")
    )
    assert "ends in .pdf; allowed are .png" in refused(
        encoder_folder, table, "--plot", out.with_suffix(".pdf")
    )
    assert "--out:" in refused(encoder_folder, table, "--out", table / "v.npy")
    message = refused(encoder_folder, table, "--plot", table / "v.png")
    assert "--plot:" in message
    assert "is not a folder" in message


def test_what_is_read_is_not_replaced(
    command: Callable, encoder_folder: Path, table: Path, tmp_path: Path
) -> None:
    # Ids are written beside the vectors.
    given = tmp_path / "v.ids.csv"
    given.write_bytes(table.read_bytes())
    ran = command("embed", encoder_folder, given, "--out", tmp_path / "v.npy")
    assert ran.code == 2
    assert "is what is read" in ran.stderr
    assert given.read_bytes() == table.read_bytes()


def test_help_teaches_by_example(command: Callable) -> None:
    ran = command("embed", "--help")
    assert ran.code == 0
    assert "genomic-ulmfit embed e-coli genes.fasta --out genes.npy" in ran.stdout
