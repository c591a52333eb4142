"""Embeddings: exact whatever the batch, in order, in flat memory, whole files or none."""

from __future__ import annotations

import csv
import gzip
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from genomic_ulmfit.dna.alphabet import AMBIGUOUS, decode, encode
from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.inference import embed as module
from genomic_ulmfit.inference.embed import (
    Embedded,
    Sample,
    embed,
    ids_file,
    kmer_embeddings,
    labels_of,
    load_encoder,
    vector_file,
)
from genomic_ulmfit.inference.sequences import Named, read_sequences
from genomic_ulmfit.models.awd_lstm import AWDLSTM
from genomic_ulmfit.models.config import EncoderConfig
from genomic_ulmfit.models.store import load_classifier, load_language_model

LENGTHS = (150, 5, 61, 6, 333, 150, 149, 62, 7, 40, 151)


@pytest.fixture(scope="module")
def encoder() -> AWDLSTM:
    torch.manual_seed(0)
    return AWDLSTM(EncoderConfig(8, 12, 2, KmerTokenizer(5, 2))).eval()


@pytest.fixture(scope="module")
def sequences() -> list[Named]:
    rng = np.random.default_rng(0)
    made = [
        Named(f"s{i}", f"place {i}", rng.integers(0, 4, length).astype(np.uint8))
        for i, length in enumerate(LENGTHS)
    ]
    made[2].codes[10:14] = AMBIGUOUS
    return made


def obvious(encoder: AWDLSTM, sequence: Named) -> np.ndarray:
    """Last, max and mean of one sequence that is read alone and at once."""
    tokens = encoder.config.tokenizer.tokenize(sequence.codes).astype(np.int64)
    with torch.no_grad():
        states = encoder(torch.from_numpy(tokens)[:, None])[0][:, 0].numpy()
    return np.concatenate([states[-1], states.max(0), states.mean(0)])


@pytest.mark.parametrize(("segment", "batch", "chunk"), [(7, 3, 4), (1, 100, 100), (256, 1, 1)])
def test_equals_reading_each_sequence_alone(
    encoder: AWDLSTM,
    sequences: list[Named],
    monkeypatch: pytest.MonkeyPatch,
    segment: int,
    batch: int,
    chunk: int,
) -> None:
    monkeypatch.setattr(module, "SEGMENT", segment)
    monkeypatch.setattr(module, "CHUNK", chunk)
    parts = list(embed(encoder, sequences, "concat", "fp32", batch))
    assert list(itertools.chain.from_iterable(part.ids for part in parts)) == [
        sequence.id for sequence in sequences
    ]
    assert max(len(part.ids) for part in parts) <= chunk
    vectors = np.concatenate([part.vectors for part in parts])
    expected = np.stack([obvious(encoder, sequence) for sequence in sequences])
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    means = np.concatenate([part.vectors for part in embed(encoder, sequences, "mean", "fp32")])
    np.testing.assert_allclose(means, expected[:, 16:], atol=1e-6)


def test_reads_no_further_than_needed(encoder: AWDLSTM, monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0

    def endless() -> Iterator[Named]:
        nonlocal read
        while True:
            read += 1
            yield Named("a", "a", encode("ACGTACGTAC"))

    monkeypatch.setattr(module, "CHUNK", 5)
    first = next(embed(encoder, endless(), precision="fp32"))
    assert len(first.ids) == 5
    assert read == 6
    monkeypatch.setattr(module, "CHUNK_BASES", 25)
    assert len(next(embed(encoder, endless(), precision="fp32")).ids) == 2


def test_gc_content_and_ambiguous_bases(encoder: AWDLSTM) -> None:
    letters = ["GGCCAAAAAA", "GCNNNNNNAT", "NNNNNNNN"]
    made = [Named(text, text, encode(text)) for text in letters]
    (part,) = embed(encoder, made, precision="fp32")
    np.testing.assert_allclose(part.gc, [0.4, 0.5, np.nan])
    assert part.n_ambiguous == 2
    assert np.isfinite(part.vectors).all()


def test_mistakes(encoder: AWDLSTM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = Named("b", "x.fa, sequence 2 (b)", encode("ACGT"))
    with pytest.raises(InputError, match=r"x\.fa, sequence 2 \(b\): has 4 bases; at least 5"):
        list(embed(encoder, [Named("a", "a", encode("ACGTA")), short]))
    with pytest.raises(InputError, match="got 'sum', allowed are mean and concat"):
        list(embed(encoder, [], "sum"))
    with pytest.raises(InputError, match="encoders that come with this program are"):
        load_encoder(tmp_path / "none")
    with (
        pytest.raises(InputError, match=r"ends in \.csv; allowed are \.npy and \.parquet"),
        vector_file(tmp_path / "a.csv", 2),
    ):
        pass
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with (
        pytest.raises(InputError, match="needs pyarrow, which is not installed"),
        vector_file(tmp_path / "a.parquet", 2),
    ):
        pass
    assert not list(tmp_path.iterdir())


def test_kmers(encoder: AWDLSTM) -> None:
    kmers, vectors = kmer_embeddings(encoder)
    assert vectors.shape == (1024, 8)
    assert kmers == sorted("".join(letters) for letters in itertools.product("ACGT", repeat=5))
    for kmer in ("AAAAA", "GATTA", "TTTTT"):
        (token,) = encoder.config.tokenizer.tokenize(encode(kmer))
        expected = encoder.embedding.weight[int(token)].detach().numpy()
        np.testing.assert_array_equal(vectors[kmers.index(kmer)], expected)


def test_encoders_of_all_kinds_of_models(encoder_folder: Path, classifier_folder: Path) -> None:
    of_model = load_encoder(encoder_folder).state_dict()
    tuned = load_encoder(classifier_folder).state_dict()
    for name, value in load_language_model(encoder_folder).encoder.state_dict().items():
        assert torch.equal(of_model[name], value)
    for name, value in load_classifier(classifier_folder).encoder.state_dict().items():
        assert torch.equal(tuned[name], value)
    assert load_encoder("e-coli").config.embedding == 256


def test_an_array_grows_by_chunks(tmp_path: Path) -> None:
    path = tmp_path / "made" / "vectors.npy"
    rng = np.random.default_rng(0)
    parts = [rng.standard_normal((n, 3)).astype(np.float32) for n in (1, 5, 2)]
    names = [["a,b"], ['say "x"', "", "d", "two\nlines", "ä"], ["g", "a,b"]]
    with vector_file(path, 3) as write:
        for some, vectors in zip(names, parts, strict=True):
            write(some, vectors)
        assert not path.exists()
    np.testing.assert_array_equal(np.load(path, mmap_mode="r"), np.concatenate(parts))
    with open(ids_file(path), encoding="utf-8", newline="") as handle:
        assert [row["id"] for row in csv.DictReader(handle)] == [
            *itertools.chain.from_iterable(names)
        ]
    assert sorted(one.name for one in path.parent.iterdir()) == ["vectors.ids.csv", "vectors.npy"]


def test_nothing_is_left_of_half_an_array(tmp_path: Path) -> None:
    def stopped() -> None:
        with vector_file(tmp_path / "v.npy", 2) as write:
            write(["a"], np.zeros((1, 2), np.float32))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rows", [0, 9, 10**6, 10**15])
def test_the_header_has_room_for_any_number_of_rows(tmp_path: Path, rows: int) -> None:
    def size(n: int) -> int:
        path = tmp_path / "header"
        with open(path, "wb") as handle:
            shown = {"descr": "<f4", "fortran_order": False, "shape": (n, 768)}
            np.lib.format.write_array_header_1_0(handle, shown)
        return path.stat().st_size

    assert size(rows) == size(0)


def test_parquet(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "v.parquet"
    vectors = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    with vector_file(path, 3) as write:
        write(["a", "b"], vectors[:2])
        write(["c", "a", ""], vectors[2:])
    table = parquet.read_table(path)
    assert table.column_names == ["id", "embedding"]
    assert table["id"].to_pylist() == ["a", "b", "c", "a", ""]
    np.testing.assert_array_equal(np.array(table["embedding"].to_pylist(), np.float32), vectors)
    assert [one.name for one in tmp_path.iterdir()] == ["v.parquet"]


def stream(n: int, chunk: int) -> Iterator[Embedded]:
    for start in range(0, n, chunk):
        rows = np.arange(start, min(start + chunk, n))
        yield Embedded([str(r) for r in rows], rows[:, None].astype(np.float32), rows / n, 0)


def test_a_sample_is_fair_and_in_order() -> None:
    counts = np.zeros(20)
    for seed in range(400):
        sample = Sample(5, seed)
        for part in stream(20, 3):
            sample.add(part)
        rows = sample.rows()
        assert sample.seen == 20
        assert len(rows) == 5
        assert (np.diff(rows) > 0).all()
        np.testing.assert_array_equal(sample.vectors()[:, 0], rows)
        np.testing.assert_allclose(sample.gc(), rows / 20)
        counts[rows] += 1
    # 100 expected of each; a standard deviation is 8.7.
    assert counts.min() > 65
    assert counts.max() < 135


def test_a_sample_of_fewer_is_all_of_them() -> None:
    sample = Sample(50, 0)
    for part in stream(20, 7):
        sample.add(part)
    np.testing.assert_array_equal(sample.rows(), np.arange(20))


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
@pytest.mark.parametrize("zipped", [False, True])
def test_labels_are_of_the_rows_asked_for(tmp_path: Path, delimiter: str, zipped: bool) -> None:
    path = tmp_path / "table"
    rows = [["sequence", " label ", "id"], ["ACGTA", "x", "1"], [], ["ACGTC", " y", "2"]]
    rows += [["ACGTG", "x", "3"], ["ACGTT", "z", "4"]]
    text = "\n" + "\n".join(delimiter.join(row) for row in rows) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if zipped else text.encode("utf-8-sig"))
    assert [decode(one.codes)[-1] for one in read_sequences(path)] == list("ACGT")
    assert labels_of(path, np.array([0, 1, 3])) == ["x", "y", "z"]


def test_no_labels(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("sequence\nACGTA\n")
    assert labels_of(path, np.array([0])) is None
    path.write_text(">a label=x\nACGTA\n")
    assert labels_of(path, np.array([0])) is None
    assert labels_of("-", np.array([0])) is None
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    # Opening it again would wait for ever.
    assert labels_of(pipe, np.array([0])) is None
