"""`genomic-ulmfit train`, run as a user runs it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from genomic_ulmfit.files import file_sha256
from genomic_ulmfit.models import pretrained
from genomic_ulmfit.models.folder import read_config
from genomic_ulmfit.models.store import load_classifier


@pytest.fixture(scope="module")
def done(
    process: Callable,
    promoters_csv: Path,
    encoder_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
):
    out = tmp_path_factory.mktemp("train") / "made" / "model"
    arguments = (promoters_csv, "--out", out, "--encoder", encoder_folder, "--head", "position")
    return process("train", *arguments, "--epochs", 1, "--seed", 2), out


def test_it_writes_a_classifier_and_nothing_else(done) -> None:
    ran, out = done
    assert ran.code == 0, ran.stderr
    names = sorted(path.name for path in out.iterdir())
    assert names == ["card.md", "config.json", "model.safetensors"]
    assert list(out.parent.iterdir()) == [out]
    config = load_classifier(out).config
    assert (config.classes, config.head, config.length) == (("0", "1"), "position", 150)
    assert config.encoder.embedding == 32
    assert config.integer_labels


def test_the_folder_says_what_went_in(done, promoters_csv: Path, encoder_folder: Path) -> None:
    _, out = done
    training = read_config(out)["training"]
    table = pd.read_csv(promoters_csv)
    train = table[table["split"] == "train"]
    assert training["table"] == {"file": "promoters.csv", "sha256": file_sha256(promoters_csv)}
    assert training["n_train"] == len(train)
    assert training["classes"] == {str(k): n for k, n in train["label"].value_counts().items()}
    assert training["seed"] == 2
    assert training["encoder"] == "encoder"
    assert training["encoder_sha256"] == file_sha256(encoder_folder / "model.safetensors")
    card = (out / "card.md").read_text(encoding="utf-8")
    assert training["table"]["sha256"] in card
    assert f"Encoder: encoder (sha256 `{training['encoder_sha256']}`); seed 2." in card
    assert f"{len(train):,} sequences" in card
    assert training["simulated"]
    assert "**SIMULATED**" in card


def test_it_prints_the_curve(done) -> None:
    ran, out = done
    curve = read_config(out)["training"]["curve"]
    lines = [line for line in ran.stdout.splitlines() if line.startswith("epoch ")]
    assert len(lines) == len(curve)
    for line, point in zip(lines, curve, strict=True):
        assert line.startswith(f"epoch {point['epoch']} ({point['stage']}): ")
        assert f"loss {point['train_loss']:.4f}" in line
        assert f"accuracy {point['valid_accuracy']:.4f}" in line
    assert curve[-1]["stage"] == "all layers"
    assert "Traceback" not in ran.stderr
    last = ran.stdout.splitlines()[-2]
    accuracy = read_config(out)["training"]["valid_accuracy"]
    assert last.endswith(f"a fine-tuned network; accuracy on validation rows {accuracy:.4f}")
    assert accuracy == curve[-1]["valid_accuracy"]


def test_few_labels_are_fitted_with_a_probe(
    command: Callable, promoters_csv: Path, encoder_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "model"
    ran = command("train", promoters_csv, "--out", out, "--encoder", encoder_folder)
    assert ran.code == 0, ran.stderr
    assert "a linear probe of the frozen encoder; accuracy on validation rows" in ran.stdout
    assert "few to train a network on" not in ran.stderr
    assert load_classifier(out).config.head == "probe"
    training = read_config(out)["training"]
    assert training["curve"] == []
    assert training["recipe"]["network"] is None
    assert training["anchor"] == 100, "data promoters cuts windows 100 bases before the start codon"
    assert "Trained: a linear probe" in (out / "card.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def with_context(
    process: Callable, genome_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("context") / "promoters.csv"
    ran = process("data", "promoters", genome_file, "--out", out, "--context", 40)
    assert ran.code == 0, ran.stderr
    return out


@pytest.mark.parametrize("head", ["probe", "position"])
def test_context_is_read_and_not_scored(
    command: Callable, with_context: Path, encoder_folder: Path, tmp_path: Path, head: str
) -> None:
    out = tmp_path / "model"
    start = ("--encoder", encoder_folder, "--head", head)
    ran = command("train", with_context, "--out", out, *start)
    assert ran.code == 0, ran.stderr
    config = load_classifier(out).config
    assert (config.length, config.context, config.head) == (150, 40, head)
    assert "sequences of 150 bases between 40 bases of context" in (out / "card.md").read_text()

    table = pd.read_csv(with_context)
    bare = tmp_path / "bare.csv"
    table.drop(columns=["before", "after"]).to_csv(bare, index=False)
    found = []
    for source in (with_context, bare):
        ran = command("predict", out, source, "--out", tmp_path / "found.csv")
        assert ran.code == 0, ran.stderr
        found.append(pd.read_csv(tmp_path / "found.csv")["probability_1"].to_numpy())
    assert np.abs(found[0] - found[1]).max() > 1e-4, "the encoder has read the context"
    assert np.corrcoef(found[0], found[1])[0, 1] > 0.5
    accuracy = ((found[0] > 0.5) == table["label"])[table["split"] == "valid"].mean()
    assert accuracy == pytest.approx(read_config(out)["training"]["valid_accuracy"], abs=0.02)
    ran = command("evaluate", out, with_context, "--split", "test", "--json")
    assert ran.code == 0, ran.stderr


@pytest.mark.parametrize(
    ("contexts", "options", "message"),
    [
        (["ACGT"] * 7 + ["AC"], (), "columns before and after: have 2 to 4 bases"),
        (["ACG"] * 8, (), "have 3 bases, but every row needs as many on either side, a multiple"),
        (["ACGT"] * 8, ("--head", "pooling"), "are for sequences of one length under a head"),
    ],
)
def test_context_that_cannot_be_used(
    command: Callable, tmp_path: Path, contexts: list[str], options: tuple[str, ...], message: str
) -> None:
    table = tmp_path / "rows.csv"
    rows = [f"s{i},{'ACGT' * 5},{i % 2},{side},{side}" for i, side in enumerate(contexts)]
    table.write_text("\n".join(["id,sequence,label,before,after", *rows]) + "\n")
    ran = command("train", table, "--out", tmp_path / "model", "--preset", "tiny", *options)
    assert ran.code == 2
    assert message in ran.stderr


def test_a_validation_row_of_another_length(command: Callable, tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    rows = [f"s{i},{'ACGT' * 5},{i % 2},train" for i in range(8)] + ["odd,ACGTACGT,1,valid"]
    table.write_text("\n".join(["id,sequence,label,split", *rows]) + "\n")
    ran = command("train", table, "--out", tmp_path / "model", "--preset", "tiny")
    assert ran.code == 2
    assert "odd, a validation row, has 8 bases, but all training rows have 20" in ran.stderr
    assert not (tmp_path / "model").exists()


def test_without_an_encoder_with_many_classes_and_lengths_and_no_split(
    command: Callable, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    table = tmp_path / "many.fa"
    table.write_text(
        "".join(
            f">s{i} label={'abc'[i % 3]}\n{''.join(rng.choice(list('ACGT'), 20 + i))}\n"
            for i in range(24)
        )
    )
    out = tmp_path / "model"
    ran = command("train", table, "--out", out, "--preset", "tiny", "--epochs", 1)
    assert ran.code == 0, ran.stderr
    assert "24 sequences are few to train a network on" in ran.stderr
    model = load_classifier(out)
    assert model.config.classes == ("a", "b", "c")
    assert model.config.head == "pooling"
    training = read_config(out)["training"]
    assert training["encoder"] is training["encoder_sha256"] is None
    assert "Encoder: none (random weights)" in (out / "card.md").read_text(encoding="utf-8")
    assert training["n_train"] == 24
    assert training["curve"][-1]["valid_accuracy"] is None
    assert "No validation rows were given" in (out / "card.md").read_text(encoding="utf-8")


def small_table(path: Path, rows: list[str], columns: str = "sequence,label") -> Path:
    path.write_text("\n".join([columns, *rows]) + "\n", encoding="utf-8")
    return path


ROWS = [f"{'ACGTTGCA' * 4}{'ACGT'[i % 4]}{'ACGT'[i // 4]},{i % 2}" for i in range(12)]


def test_notes_on_the_table(command: Callable, encoder_folder: Path, tmp_path: Path) -> None:
    sequence = ROWS[0].partition(",")[0]
    rows = [f"{row},{i % 2 + 9}" for i, row in enumerate([*ROWS, ROWS[1], f"{sequence},1"])]
    cased = [row.replace(",1", ",x", 1).replace(",0", ",X", 1) for row in ROWS]
    ran = command(
        *("train", small_table(tmp_path / "cased.csv", cased)),
        *("--out", tmp_path / "cased", "--encoder", encoder_folder),
    )
    assert "X and x are 2 classes. If one is meant" in ran.stderr
    table = small_table(tmp_path / "t.csv", rows, "sequence,label,anchor")
    out = tmp_path / "model"
    ran = command("train", table, "--out", out, "--encoder", encoder_folder)
    assert ran.code == 0, ran.stderr
    told = " ".join(ran.stderr.split())
    assert "1 sequence with rows of different classes (the first: sequence_1 and" in told
    assert "1 of 14 rows repeat the sequence of another" in told
    assert "Column anchor holds 9, 10, not one whole number" in told
    assert read_config(out)["training"]["anchor"] is None
    assert len(read_config(out)["training"]["notes"]) == 3


def test_a_site_behind_the_windows_is_noted(
    command: Callable, encoder_folder: Path, tmp_path: Path
) -> None:
    table = small_table(tmp_path / "t.csv", [f"{row},34" for row in ROWS], "sequence,label,anchor")
    ran = command("train", table, "--out", tmp_path / "model", "--encoder", encoder_folder)
    assert ran.code == 0, ran.stderr
    assert "anchor holds 34: the site is no base of these 34." in " ".join(ran.stderr.split())
    assert read_config(tmp_path / "model")["training"]["anchor"] is None


def test_one_row_of_another_length_is_named(
    command: Callable, encoder_folder: Path, tmp_path: Path
) -> None:
    table = small_table(tmp_path / "t.csv", [*ROWS, "ACGTACGTAC,1"])
    start = ("--out", tmp_path / "model", "--encoder", encoder_folder)
    ran = command("train", table, *start)
    assert ran.code == 2
    assert "row 13 (sequence_13): has 10 bases, but 12 of 13 rows have 34" in ran.stderr
    assert not (tmp_path / "model").exists()
    ran = command("train", table, *start, "--head", "pooling", "--epochs", 1)
    assert ran.code == 0, ran.stderr


def test_an_anchor_below_0_is_refused_before_training(
    command: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = small_table(tmp_path / "t.csv", [f"{row},-20" for row in ROWS], "sequence,label,anchor")
    with monkeypatch.context() as patched:
        patched.setattr(
            "genomic_ulmfit.training.finetuning_job.train_by_labels",
            lambda *_, **__: pytest.fail("trained before the table was checked"),
        )
        ran = command("train", table, "--out", tmp_path / "model", "--preset", "tiny")
    assert ran.code == 2
    assert "column anchor: got -20; it counts the bases" in " ".join(ran.stderr.split())
    assert not (tmp_path / "model").exists()


@pytest.fixture
def shipped(encoder_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One small encoder in place of those that come with the program."""
    folder = tmp_path / "shipped"
    shutil.copytree(encoder_folder, folder / pretrained.DEFAULT)
    monkeypatch.setattr(pretrained, "SHIPPED", folder)
    return folder / pretrained.DEFAULT


@pytest.mark.parametrize("chosen", [(), ("--encoder", pretrained.DEFAULT)])
def test_the_shipped_encoder_is_the_default(
    command: Callable, promoters_csv: Path, shipped: Path, tmp_path: Path, chosen: tuple[str, ...]
) -> None:
    out = tmp_path / "model"
    ran = command("train", promoters_csv, "--out", out, "--head", "position", *chosen)
    assert ran.code == 0, ran.stderr
    training = read_config(out)["training"]
    assert training["encoder"] == pretrained.DEFAULT
    assert training["encoder_sha256"] == file_sha256(shipped / "model.safetensors")
    assert load_classifier(out).config.encoder.embedding == 32
    assert {point["stage"] for point in training["curve"]} >= {"head", "all layers"}


def test_where_nothing_is_shipped(
    command: Callable, promoters_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretrained, "SHIPPED", tmp_path)
    ran = command("train", promoters_csv, "--out", tmp_path / "model")
    assert ran.code == 2
    assert "no such model folder, and this installation has no encoders" in ran.stderr
    assert "--encoder none" in ran.stderr
    assert not list(tmp_path.iterdir())


def test_an_encoder_has_a_size_of_its_own(
    command: Callable, promoters_csv: Path, encoder_folder: Path, tmp_path: Path
) -> None:
    arguments = ("--encoder", encoder_folder, "--preset", "tiny", "--out", tmp_path / "model")
    ran = command("train", promoters_csv, *arguments)
    assert ran.code == 2
    assert "--preset: got tiny beside the encoder" in ran.stderr
    assert not list(tmp_path.iterdir())


def test_rows_of_the_test_split_are_not_looked_at(
    command: Callable, promoters_csv: Path, tmp_path: Path
) -> None:
    table = pd.read_csv(promoters_csv)
    held = table["split"] == "test"
    table.loc[held, "sequence"] = "A" * 150
    table.loc[held, "label"] = 1 - table.loc[held, "label"]
    changed = tmp_path / "changed.csv"
    table.to_csv(changed, index=False)
    outs = [tmp_path / name for name in ("plain", "changed")]
    for source, out in zip((promoters_csv, changed), outs, strict=True):
        ran = command("train", source, "--out", out, "--preset", "tiny", "--epochs", 1)
        assert ran.code == 0, ran.stderr
    plain, other = (read_config(out)["training"]["curve"] for out in outs)
    for point, same in zip(plain, other, strict=True):
        for name in ("train_loss", "valid_loss", "valid_accuracy"):
            assert point[name] == pytest.approx(same[name], rel=1e-4)


def test_a_finished_model_is_not_overwritten(done, command: Callable, promoters_csv: Path) -> None:
    _, out = done
    before = (out / "model.safetensors").read_bytes()
    ran = command("train", promoters_csv, "--out", out, "--preset", "tiny")
    assert ran.code == 2
    assert "holds a finished model already; name another folder" in ran.stderr
    assert (out / "model.safetensors").read_bytes() == before


def test_help_teaches_by_example(command: Callable) -> None:
    ran = command("train", "--help")
    assert ran.code == 0
    assert "genomic-ulmfit train promoters.csv --out model" in ran.stdout
    assert "genomic-ulmfit train promoters.csv --encoder encoder --out model" in ran.stdout
