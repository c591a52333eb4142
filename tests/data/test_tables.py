"""Labelled tables: what is read, what is refused, and what is written."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TextIO

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genomic_ulmfit.data import tables
from genomic_ulmfit.data.tables import is_simulated, read_labelled, write_table
from genomic_ulmfit.errors import InputError

GOOD = "id,sequence,label\n" + "".join(f"s{i},ACGTAC,{i % 2}\n" for i in range(8))


def written(tmp_path: Path, content: str | bytes, name: str = "table.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refused(path: Path, **options: object) -> str:
    with pytest.raises(InputError) as caught:
        read_labelled(path, **options)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert message.endswith(".")
    return message


def test_reads_columns_and_keeps_others(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "kind,id,sequence,label,split,start,score\n"
        "p,a,ACGT,1,train,7,0.5\n"
        'c,b,GGNA,0,test,12,"1,5"\n',
    )
    table = read_labelled(path)
    assert table.to_dict("list") == {
        "kind": ["p", "c"],
        "id": ["a", "b"],
        "sequence": ["ACGT", "GGNA"],
        "label": [1, 0],
        "split": ["train", "test"],
        "start": [7, 12],
        "score": ["0.5", "1,5"],
    }


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("zipped", [False, True])
def test_every_kind_of_text_file(
    tmp_path: Path, delimiter: str, line_end: str, mark: str, zipped: bool
) -> None:
    content = (mark + GOOD.replace(",", delimiter).replace("\n", line_end)).encode()
    path = written(tmp_path, gzip.compress(content) if zipped else content, "table.txt")
    table = read_labelled(path)
    assert table.columns.tolist() == ["id", "sequence", "label"]
    assert table["id"].tolist() == [f"s{i}" for i in range(8)]
    assert table["label"].tolist() == [0, 1] * 4


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("zipped", [False, True])
def test_fasta_with_labels(tmp_path: Path, zipped: bool, line_end: str) -> None:
    lines = (
        *("", ">a label=promoter kind=x split=train E. coli", "ACGT", "acgu"),
        *(">b split=test label=cds", "GG", ""),
    )
    content = line_end.join(lines).encode()
    path = written(tmp_path, gzip.compress(content) if zipped else content, "table.fa")
    assert read_labelled(path).to_dict("list") == {
        "id": ["a", "b"],
        "sequence": ["ACGTACGT", "GG"],
        "label": ["promoter", "cds"],
        "split": ["train", "test"],
    }


def test_fasta_with_integer_labels_and_no_split(tmp_path: Path) -> None:
    table = read_labelled(written(tmp_path, ">a label=1\nAC\n>b label=0\nGT\n"))
    assert table.columns.tolist() == ["id", "sequence", "label"]
    assert table["label"].tolist() == [1, 0]


def test_what_spreadsheets_leave_is_passed_over(tmp_path: Path) -> None:
    table = read_labelled(written(tmp_path, "sequence;label;;\nAC;x;;\nGT;y;;\n;;;\n;;;\n"))
    assert table.columns.tolist() == ["id", "sequence", "label"]
    assert table["label"].tolist() == ["x", "y"]


def test_fasta_without_ids_and_with_tabs(tmp_path: Path) -> None:
    text = "> label=a split=test\nA\tC\n>label=b split=train\nGT\n"
    table = read_labelled(written(tmp_path, text))
    assert table["id"].tolist() == ["sequence_1", "sequence_2"]
    assert table["sequence"].tolist() == ["AC", "GT"]
    assert table["label"].tolist() == ["a", "b"]


def test_letters_are_made_uniform(tmp_path: Path) -> None:
    path = written(tmp_path, "sequence,label\n acguRyn ,x\n")
    assert read_labelled(path)["sequence"].tolist() == ["ACGTNNN"]


def test_missing_ids_are_counted_out(tmp_path: Path) -> None:
    table = read_labelled(written(tmp_path, "sequence,label\nAC,x\n\nGT,y\n"))
    assert table["id"].tolist() == ["sequence_1", "sequence_2"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["1", "0"], [1, 0]),
        (["-1", "20"], [-1, 20]),
        (["-0", "0"], ["-0", "0"]),
        (["1", "x"], ["1", "x"]),
        (["01", "2"], ["01", "2"]),
        (["1.0", "2"], ["1.0", "2"]),
        (["NA", "nan"], ["NA", "nan"]),
        (["9" * 30, "1"], ["9" * 30, "1"]),
    ],
)
def test_labels_are_integers_or_text(tmp_path: Path, given: list[str], expected: list) -> None:
    path = written(tmp_path, "sequence,label\n" + "".join(f"ACGT,{label}\n" for label in given))
    assert read_labelled(path)["label"].tolist() == expected


def test_ids_stay_text(tmp_path: Path) -> None:
    table = read_labelled(written(tmp_path, "id,sequence,label\n007,AC,1\n8,GT,0\n"))
    assert table["id"].tolist() == ["007", "8"]


@pytest.mark.parametrize("missing", ["sequence", "label"])
def test_missing_column_names_the_columns_found(tmp_path: Path, missing: str) -> None:
    message = refused(written(tmp_path, GOOD.replace(missing, "Other", 1)))
    assert f"no column named {missing!r}" in message
    found = ["id", "sequence", "label"]
    found[found.index(missing)] = "Other"
    assert f"columns found: {', '.join(found)}." in message
    message = refused(written(tmp_path, GOOD.replace(missing, missing.title(), 1)))
    assert f"Rename {missing.title()} to {missing}." in message


@pytest.mark.parametrize("name", ["split", "anchor", "before", "after"])
def test_a_column_that_is_nearly_one_of_ours(tmp_path: Path, name: str) -> None:
    given = name.title()
    message = refused(written(tmp_path, f"sequence,label,{given}\nAC,1,5\nAG,0,5\n"))
    assert f"a column {given!r}, which would mean nothing" in message
    assert f"Rename it to {name}" in message


def test_reads_are_no_table(tmp_path: Path) -> None:
    assert "this is FASTQ" in refused(written(tmp_path, "@r1\nACGT\n+\nIIII\n"))


def test_repeated_column(tmp_path: Path) -> None:
    message = refused(written(tmp_path, "sequence,label,label\nAC,1,0\n"))
    assert "a column name is used twice" in message


@pytest.mark.parametrize("content", ["", "\n \n", b"\xef\xbb\xbf", gzip.compress(b"", mtime=0)])
def test_empty_file(tmp_path: Path, content: str | bytes) -> None:
    assert "the file is empty" in refused(written(tmp_path, content))


def test_header_only(tmp_path: Path) -> None:
    assert "a header but no sequences" in refused(written(tmp_path, "sequence,label\n"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "not a text file"),
        ("sequence,label\nAC,1\n".encode("utf-16"), "not a text file"),
        (b"sequence,label\nA\0C,1\n", "not a text file"),
        ("sequence,label\nAC,1,surplus\n", "not a well-formed table (Expected 2 fields"),
        ('sequence,label\n"AC,1\n', "not a well-formed table (unexpected end of data"),
        (
            'sequence\tlabel\tid\nACGT\t1\t"a\nACGT\t0\tb\nACGT\t1\t"c\n',
            "not a well-formed table",
        ),
        ("<!DOCTYPE html>\n<html></html>\n", "no column named 'sequence'"),
        ("LOCUS       NC_1   100 bp\nORIGIN\n", "Cut labelled sequences from it"),
        (gzip.compress(GOOD.encode() * 50, mtime=0)[:-12], "gzip file is truncated or damaged"),
        (
            gzip.compress(GOOD.encode(), mtime=0)[:12] + b"xxxx" * 9,
            "gzip file is truncated or damaged",
        ),
    ],
)
def test_not_a_table(tmp_path: Path, content: str | bytes, reason: str) -> None:
    assert reason in refused(written(tmp_path, content))


def test_no_such_file_and_folder(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "absent.csv")
    assert "this is a folder" in refused(tmp_path)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("s1,ACGT,1", "rows 2 and 4 have the same id 's1'"),
        (",ACGT,1", "row 4 (): the id is empty"),
        ("x,,1", "row 4 (x): the sequence is empty (1 of 4 rows)"),
        ("x, ,1", "row 4 (x): the sequence is empty"),
        ("x,ACGT,", "row 4 (x): the label is empty"),
        ("x,ACGT", "row 4 (x): the label is empty"),
        ("x,MEKV,1", "row 4 (x): 'E' at position 2 is not a nucleotide letter"),
        ("x,AC-GT,1", "row 4 (x): '-' at position 3 is not a nucleotide letter"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, row: str, reason: str) -> None:
    head = "id,sequence,label\ns0,ACGT,0\ns1,ACGT,1\ns2,ACGT,0\n"
    assert reason in refused(written(tmp_path, head + row + "\n"))


def test_fasta_without_labels(tmp_path: Path) -> None:
    message = refused(written(tmp_path, ">chr1 something\nACGT\n>chr2\nAC\n"))
    assert "this FASTA has no labels" in message
    assert "'>chr1 label=promoter'" in message


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (">a label=1\nAC\n>b\nGT\n", "row 2 (b): the label is empty"),
        (">a label=1\n>b label=0\nGT\n", "row 1 (a): the sequence is empty"),
        (">a label=1\nAC\n>a label=0\nGT\n", "rows 1 and 2 have the same id 'a'"),
        (">\nAC\n>b label=0\nGT\n", "row 1 (): the id is empty"),
        (">a label=1 split=train\nAC\n>b label=0\nGT\n", "row 2 (b): split is ''"),
        (
            ">a label=1\nAC\n>b label=sigma 70\nGT\n",
            "row 2 (b): behind label=sigma stands '70', which may belong to the label or not. "
            "If it does, write label=sigma_70",
        ),
    ],
)
def test_bad_fasta_records_are_named(tmp_path: Path, content: str, reason: str) -> None:
    assert reason in refused(written(tmp_path, content))


@pytest.mark.parametrize(
    ("split", "advice"),
    [
        ("validation", "Rename it or leave the column out."),
        ("", "Write train in the rows to learn from"),
        ("Test", "Write test."),
    ],
)
def test_unknown_split(tmp_path: Path, split: str, advice: str) -> None:
    message = refused(written(tmp_path, f"sequence,label,split\nAC,1,train\nGT,0,{split}\n"))
    assert f"row 2 (sequence_2): split is '{split}'; allowed are train, valid, test" in message
    assert advice in message


def test_shorter_than_a_k_mer(tmp_path: Path) -> None:
    path = written(tmp_path, "id,sequence,label\na,ACGTA,1\nb,ACGT,0\n")
    assert len(read_labelled(path, min_length=4)) == 2
    message = refused(path, min_length=5)
    assert "row 2 (b): the sequence has 4 bases; at least 5 are needed" in message


def rows_of(labels: str) -> str:
    return "sequence,label\n" + "".join(f"ACGTACGT,{label}\n" for label in labels)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ("aaaaaaaaaa", "one class only, a (10)"),
        ("aba", "3 rows are too few to train on; at least 8 are needed"),
        ("aaabbbb", "7 rows are too few"),
        ("aaaaaaaab", "class b has 1 sequence among the rows; at least 2 of each class"),
    ],
)
def test_classes_that_cannot_be_trained_on(tmp_path: Path, labels: str, reason: str) -> None:
    path = written(tmp_path, rows_of(labels))
    assert len(read_labelled(path)) == len(labels)
    assert reason in refused(path, require_classes=True)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ("at at bt bt" + " ae" * 6, "4 rows marked train are too few"),
        ("ae be " * 4, "no rows marked train"),
        ("at " * 8 + "be be", "one class only, a (8)"),
        ("at " * 8 + "bt be be", "class b has 1 sequence among the rows marked train"),
        ("at " * 6 + "bt bt bt ce ce dv", "class c has no row marked train"),
    ],
)
def test_rows_to_learn_from_are_what_counts(tmp_path: Path, rows: str, reason: str) -> None:
    splits = {"t": "train", "e": "test", "v": "valid"}
    written_rows = "".join(f"ACGTACGT,{r[0]},{splits[r[1]]}\n" for r in rows.split())
    path = written(tmp_path, "sequence,label,split\n" + written_rows)
    assert len(read_labelled(path)) == len(rows.split())
    assert reason in refused(path, require_classes=True)


def test_smallest_table_to_train_on(tmp_path: Path) -> None:
    path = written(tmp_path, rows_of("aaaaaabb"))
    assert len(read_labelled(path, require_classes=True)) == tables.MIN_ROWS == 8


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text("ACGTN", min_size=1),
            st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1),
        ),
        min_size=1,
        max_size=10,
    ),
    st.sampled_from(("t.csv", "t.csv.gz", "T.CSV.GZ")),
)
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], name: str
) -> None:
    path = tmp_path_factory.mktemp("round") / name
    table = pd.DataFrame(
        {
            "id": [f"s{i}" for i in range(len(rows))],
            "sequence": [sequence for sequence, _ in rows],
            "label": [f"c{label}" for _, label in rows],
            "cluster": range(len(rows)),
        }
    )
    write_table(table, path)
    pd.testing.assert_frame_equal(read_labelled(path), table, check_dtype=False)
    first = path.read_bytes()
    assert first.startswith(b"\x1f\x8b") == name.lower().endswith(".gz")
    write_table(table, path)
    assert path.read_bytes() == first


def test_a_gzipped_table_has_no_time_stamp(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    write_table(pd.DataFrame({"sequence": ["AC"], "label": [1]}), path)
    assert path.read_bytes()[4:8] == bytes(4)


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, GOOD)

    def full_disk(self: pd.DataFrame, file: TextIO, **_: object) -> None:
        file.write("sequence")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_table(pd.DataFrame({"sequence": ["AC"], "label": [1]}), path)
    assert path.read_text() == GOOD
    assert list(tmp_path.iterdir()) == [path]


def test_one_marked_row_is_enough(tmp_path: Path) -> None:
    """Whatever other rows say, that it is put together with."""
    path = tmp_path / "mixed.csv"
    for cells, simulated in ((("1", ""), True), (("1", "no"), True), (("0", ""), False)):
        rows = [
            f"{letters},{cell}" for letters, cell in zip(("ACGT,a", "AAAA,b"), cells, strict=True)
        ]
        path.write_text("\n".join(["sequence,label,simulated", *rows]) + "\n")
        assert is_simulated(read_labelled(path)) == simulated
    path.write_text("sequence,label\nACGT,a\n")
    assert not is_simulated(read_labelled(path))
