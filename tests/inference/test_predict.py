"""Streams of sequences: any format, in order, in chunks, and refused by name."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genomic_ulmfit.dna.alphabet import decode, encode
from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.inference import predict as predict_module
from genomic_ulmfit.inference.predict import predict, writer
from genomic_ulmfit.inference.sequences import Named, read_sequences
from genomic_ulmfit.models.classifier import Classifier, ClassifierConfig
from genomic_ulmfit.models.config import EncoderConfig
from genomic_ulmfit.models.prediction import predict_probabilities

FASTA = ">a first\nACGTA\nCG\n\n>b\nacgun\n>a\nTTTTT\n"
WANTED = [("a", "ACGTACG"), ("b", "ACGTN"), ("a", "TTTTT")]


def read(path: Path) -> list[tuple[str, str]]:
    return [(sequence.id, decode(sequence.codes)) for sequence in read_sequences(path)]


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        FASTA,
        FASTA.replace("\n", "\r\n"),
        FASTA.replace("\n", "\r"),
        "\ufeff" + FASTA,
        "\n \n" + FASTA,
        "id,sequence\na,ACGTACG\nb,acgun\na,TTTTT\n",
        "sequence\tlabel\tid\nACGTACG\t1\ta\n\nacgun\t0\tb\nTTTTT\t0\t a \n",
        'id;note;sequence\r\na;"x;y";ACGTACG\r\nb;;acgun\r\na;;TTTTT\r\n',
    ],
)
def test_formats(tmp_path: Path, text: str, zipped: bool) -> None:
    path = tmp_path / "anything"
    raw = text.encode()
    path.write_bytes(gzip.compress(raw) if zipped else raw)
    assert read(path) == WANTED


def test_cells_of_any_length(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    letters = "ACGT" * 50_000
    path.write_text(f"id,sequence\na,{letters}\n")
    assert read(path) == [("a", letters)]


def test_ids_may_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_text(">\nACGTA\n> \nCCCCC")
    assert [name for name, _ in read(path)] == ["sequence_1", "sequence_2"]
    path.write_text("sequence\nACGTA\n")
    assert read(path) == [("sequence_1", "ACGTA")]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.TextIOWrapper(io.BufferedReader(io.BytesIO(FASTA.encode())))
    monkeypatch.setattr(sys, "stdin", pipe)
    assert read(Path("-")) == WANTED


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "the input is empty"),
        (b" \n\n", "the input is empty"),
        (b">a\n>b\nACGTA\n", r"sequence 1 \(a\): has no bases"),
        (b"id,sequence\na,\n", r"sequence 1 \(a\): has no bases"),
        (b">a\nACGTA\n>b\nAC-TA\n", r"sequence 2 \(b\): '-' at position 3"),
        (b"id,sequence\n", "a header but no sequences"),
        (b"id,letters\na,ACG\n", "one column must be named 'sequence'.*columns found: id, letters"),
        (b"sequence,sequence\nA,ACG\n", "one column must be named 'sequence'"),
        (b"ID,sequence\na,ACGTA\n", "there is a column 'ID'; rename it to id"),
        (b"id,sequence\na,ACGTA,3\n", "row 1: has 3 columns, but the header has 2"),
        (b"LOCUS       NC_1   100 bp\nORIGIN\n", "genomic-ulmfit scan searches those"),
        (b"\xff\xfe>\x00a\x00", "not a text file in UTF-8"),
        (gzip.compress(FASTA.encode(), mtime=0)[:-12], "the gzip file is truncated or damaged"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, raw: bytes, message: str) -> None:
    path = tmp_path / "bad"
    path.write_bytes(raw)
    with pytest.raises(InputError, match=message):
        read(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        read(tmp_path / "none")
    with pytest.raises(InputError, match="this is a folder"):
        read(tmp_path)


def pooling_model() -> Classifier:
    encoder = EncoderConfig(8, 12, 2, KmerTokenizer(5, 2))
    model = Classifier(ClassifierConfig(encoder, ("0", "1", "2"), "pooling", integer_labels=True))
    return model.eval()


MODEL = pooling_model()


def random_sequences(lengths: list[int]) -> list[Named]:
    rng = np.random.default_rng(0)
    return [
        Named(f"s{i % 3}", f"sequence {i}", rng.integers(0, 5, n).astype(np.uint8))
        for i, n in enumerate(lengths)
    ]


@given(
    st.lists(st.integers(5, 60), min_size=1, max_size=25), st.integers(1, 9), st.integers(1, 200)
)
def test_chunks_change_nothing(lengths: list[int], size: int, bases: int) -> None:
    sequences = random_sequences(lengths)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predict_module, "CHUNK", size)
        patch.setattr(predict_module, "CHUNK_BASES", bases)
        found = list(predict(MODEL, iter(sequences), "fp32"))
    assert [prediction.id for prediction in found] == [sequence.id for sequence in sequences]
    whole = predict_probabilities(MODEL, [s.codes for s in sequences], precision="fp32")
    assert np.array([p.probabilities for p in found]) == pytest.approx(whole, abs=1e-6)
    for prediction, row, sequence in zip(found, whole, sequences, strict=True):
        assert prediction.label == str(row.argmax())
        assert prediction.ambiguous == (4 in sequence.codes)


def test_no_more_is_read_than_a_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict_module, "CHUNK", 4)
    taken = 0

    def endless() -> Iterator[Named]:
        nonlocal taken
        while True:
            taken += 1
            yield Named("x", "x", encode("ACGTACGTAC"))

    predictions = predict(MODEL, endless(), "fp32")
    for _ in range(9):
        next(predictions)
    assert taken <= 3 * 4 + 1


def test_refused_by_name() -> None:
    with pytest.raises(InputError, match="sequence 1: has 4 bases; at least 5 are needed"):
        list(predict(MODEL, random_sequences([9, 4]), "fp32"))
    encoder = EncoderConfig(8, 8, 1, KmerTokenizer(5, 2))
    position = Classifier(ClassifierConfig(encoder, ("a", "b"), "position", 20)).eval()
    message = "sequence 1: has 21 bases, but this model was trained on sequences of 20"
    with pytest.raises(InputError, match=message):
        list(predict(position, random_sequences([20, 21]), "fp32"))


def test_files_hold_the_same() -> None:
    predictions = list(predict(MODEL, random_sequences([20, 30, 25]), "fp32"))
    texts = {}
    for format in ("csv", "tsv", "jsonl"):
        file = io.StringIO()
        write = writer(file, format, MODEL.config.classes, integers=True)
        for prediction in predictions:
            write(prediction)
        texts[format] = file.getvalue()
    assert texts["tsv"] == texts["csv"].replace(",", "\t")
    rows = list(csv.DictReader(io.StringIO(texts["csv"])))
    lines = [json.loads(line) for line in texts["jsonl"].splitlines()]
    for prediction, row, line in zip(predictions, rows, lines, strict=True):
        assert row["id"] == line["id"] == prediction.id
        assert int(row["label"]) == line["label"] == int(prediction.label)
        assert float(row["probability"]) == line["probability"]
        assert line["probability"] == pytest.approx(max(prediction.probabilities), rel=1e-5)
        for name, chance in zip("012", prediction.probabilities, strict=True):
            assert float(row[f"probability_{name}"]) == line["probabilities"][name]
            assert line["probabilities"][name] == pytest.approx(chance, rel=1e-5)


@pytest.mark.parametrize(("before", "after"), [("ACGT", "AC"), ("", "ACGTAC"), ("AC", "AC")])
def test_context_of_another_length_than_in_training(
    before: str, after: str, tmp_path: Path
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"sequence,before,after\nACGT,ACG,TTT\nACGT,,\nACGT,{before},{after}\n")
    read = read_sequences(path, context=3)
    assert decode(next(read).codes) == "ACGACGTTTT"
    assert decode(next(read).codes) == "ACGT"
    with pytest.raises(InputError, match=f"row 3: has {len(before)} bases before and {len(after)}"):
        next(read)
    assert [decode(one.codes) for one in read_sequences(path)] == ["ACGT"] * 3
