"""`genomic-ulmfit pretrain`, run as a user runs it."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from genomic_ulmfit.data.corpus_folder import write_corpus
from genomic_ulmfit.dna.readers import read_genome
from genomic_ulmfit.files import file_sha256
from genomic_ulmfit.models.folder import read_config
from genomic_ulmfit.models.store import load_language_model
from genomic_ulmfit.training.pretraining_result import read_pretraining_result


@pytest.fixture(scope="module")
def done(process: Callable, genome_file: Path, tmp_path_factory: pytest.TempPathFactory):
    out = tmp_path_factory.mktemp("pretrain") / "made" / "encoder"
    arguments = (genome_file, "--out", out, "--preset", "tiny", "--epochs", 1, "--seed", 4)
    return process("pretrain", *arguments), out


def test_it_writes_a_language_model_and_its_logs(done) -> None:
    ran, out = done
    assert ran.code == 0, ran.stderr
    names = sorted(path.name for path in out.iterdir())
    assert names == ["card.md", "config.json", "logs", "model.safetensors"]
    assert list(out.parent.iterdir()) == [out]
    model = load_language_model(out)
    assert model.encoder.config.embedding == 32


def test_the_folder_says_what_went_in(done, genome_file: Path) -> None:
    _, out = done
    training = read_config(out)["training"]
    assert training["genomes"] == [
        {
            "name": read_genome(genome_file).name,
            "file": "sim.gbk",
            "sha256": file_sha256(genome_file),
            "n_bases": 175_314,
            "simulated": True,
        }
    ]
    assert training["excluded_genomes"] == []
    assert training["cut_windows"] is None
    assert training["recipe"]["epochs"] == 1
    assert training["processes"] == 1
    assert training["command"].startswith(f"genomic-ulmfit pretrain {genome_file} --out ")
    assert training["seed"] == 4
    assert training["start_from"] is None
    assert training["precision"] in ("bf16", "fp32")
    card = (out / "card.md").read_text(encoding="utf-8")
    assert "SIMULATED" in card
    assert "175,314" in card
    assert "informed random" in card
    assert training["command"] in card
    (name, one) = next(iter(training["report"]["genomes"].items()))
    assert f"| {name} | {one['loss']:.4f} | {one['bits_per_base']:.4f} |" in card


def test_it_says_how_it_goes_on(done) -> None:
    ran, _ = done
    line = r"Language model: step (\d+) of \1, (.+), 0:00:00 left"
    found = re.search(line, ran.stderr)
    assert found, ran.stderr
    for figure in (r"\bloss \d\.\d{4}\b", r"valid_loss \d\.\d{4}\b", r"tokens/s \d[\d,.]+"):
        assert re.search(figure, found[2]), ran.stderr


def test_it_reports_the_model_beside_what_it_must_beat(done) -> None:
    ran, out = done
    result = read_pretraining_result(out)
    report = result.report
    assert report.perplexity == pytest.approx(math.exp(report.loss))
    assert report.bits_per_base == pytest.approx(report.loss / math.log(2) / 2)
    assert 1.9 < report.bits_per_base < 2.05
    for expected in (
        "informed random",
        "2.0000",
        f"{report.bits_per_base:.4f}",
        f"loss {report.loss:.4f}",
        f"perplexity {report.perplexity:.3f}",
        f"accuracy {report.accuracy:.4f}",
    ):
        assert expected in " ".join(ran.stdout.split())
    for order, bits in result.markov.items():
        assert any(
            f"order {order} " in line and f"{bits:.4f}" in line for line in ran.stdout.splitlines()
        )
    assert "Traceback" not in ran.stderr


def test_a_finished_model_is_not_overwritten(done, command: Callable, genome_file: Path) -> None:
    _, out = done
    before = (out / "model.safetensors").read_bytes()
    ran = command("pretrain", genome_file, "--out", out, "--preset", "tiny")
    assert ran.code == 2
    assert "holds a finished model already; name another folder" in ran.stderr
    assert (out / "model.safetensors").read_bytes() == before


@pytest.fixture(scope="module")
def other_file(genome_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("other") / "other.fa"
    sequence = "".join("ACGT"[code] for code in read_genome(genome_file).contigs[0].codes[:30_000])
    path.write_text(f">c1\n{sequence}\n")
    return path


def test_second_stage_on_several_genomes(
    command: Callable, genome_file: Path, other_file: Path, encoder_folder: Path, tmp_path: Path
) -> None:
    out, twin = tmp_path / "second", tmp_path / "twin.fasta"
    twin.write_bytes(other_file.read_bytes())
    ran = command(
        *("pretrain", genome_file, other_file, twin, "--out", out, "--preset", "tiny"),
        *("--epochs", 0.2, "--from", encoder_folder, "--precision", "fp32"),
    )
    assert ran.code == 0, ran.stderr
    training = json.loads((out / "config.json").read_text(encoding="utf-8"))["training"]
    assert "Note: twin.fasta: left out, because it is the same genome as" in ran.stderr
    assert training["start_from"] == "encoder"
    assert training["recipe"]["epochs"] == 0.2
    assert [genome["simulated"] for genome in training["genomes"]] == [True, False]
    assert "started from: encoder" in (out / "card.md").read_text(encoding="utf-8")
    assert "Genome by genome" in ran.stdout


def test_a_corpus_with_a_genome_kept_out(
    command: Callable, genome_file: Path, other_file: Path, tmp_path: Path
) -> None:
    corpus, out = tmp_path / "corpus", tmp_path / "out"
    write_corpus([genome_file, other_file], corpus, progress=False)
    short = ("--preset", "tiny", "--epochs", 0.1, "--precision", "fp32")
    ran = command("pretrain", corpus, "--out", out, *short, "--hold-out", "C1")
    assert ran.code == 0, ran.stderr
    result = read_pretraining_result(out)
    name = read_genome(other_file).name
    assert [one["file"] for one in result.training["genomes"]] == ["sim.gbk"]
    assert [one["file"] for one in result.training["excluded_genomes"]] == ["other.fa"]
    assert list(result.report.excluded) == list(result.markov_excluded) == [name]
    assert sorted(result.markov_excluded[name]) == sorted(result.markov)
    # It is a copy of a part of the other: what a Markov model has learnt there helps here.
    assert result.markov_excluded[name][11] < result.markov[11]
    row = next(line for line in ran.stdout.splitlines() if "not trained on" in line)
    assert f"{result.report.excluded[name]['bits_per_base']:.4f}" in row
    assert f"{min(result.markov_excluded[name].values()):.4f}" in row
    card = (out / "card.md").read_text(encoding="utf-8")
    assert "Kept out of training" in card
    assert f"| {name} (kept out of training) |" in card

    ran = command("pretrain", corpus, other_file, "--out", tmp_path / "no", *short)
    assert ran.code == 2
    assert "is a corpus folder, and there can be nothing beside it" in ran.stderr


def test_test_windows_are_cut_out(
    command: Callable, genome_file: Path, promoters_csv: Path, done, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ran = command(
        *("pretrain", genome_file, "--out", out, "--preset", "tiny", "--epochs", 0.1),
        *("--cut-windows", promoters_csv, "--precision", "fp32"),
    )
    assert ran.code == 0, ran.stderr
    training = read_config(out)["training"]
    assert training["cut_windows"] == {
        "file": promoters_csv.name,
        "sha256": file_sha256(promoters_csv),
        "n_windows": 44,
    }
    whole = read_config(done[1])["training"]
    # Windows of 150 bases, a few of them in held-out regions or beside each other.
    assert 35 * 150 < whole["train_bases"] - training["train_bases"] < 60 * 150
    assert training["held_out_bases"] == whole["held_out_bases"]
    card = (out / "card.md").read_text(encoding="utf-8")
    assert "44 windows of the test split" in card
    assert "but for those named below" in card


def test_of_many_genomes_some_are_shown(done, tmp_path: Path) -> None:
    from rich.console import Console

    from genomic_ulmfit.cli.pretrain import _genomes

    result = read_pretraining_result(done[1])
    figures = next(iter(result.report.genomes.values()))
    report = replace(
        result.report,
        genomes={f"read {i}": figures for i in range(40)},
        excluded={f"kept out {i}": figures for i in range(3)},
    )
    markov = {name: {2: 1.9, 5: 1.8} for name in report.excluded}
    printed = io.StringIO()
    table = _genomes(replace(result, report=report, markov_excluded=markov))
    Console(file=printed, width=120).print(table)
    text = printed.getvalue()
    assert text.count("kept out") == 3
    assert text.count("1.8000") == 3
    assert text.count("read ") == 7
    assert "33 more in card.md" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--hold-out", "nothing"), "--hold-out: 'nothing' is no name"),
        (("--hold-out", "sim*"), "no training text is left"),
        (("--epochs", "0"), "--epochs: got 0, allowed is more than 0"),
        (("--epochs", "nan"), "--epochs: got nan, allowed is more than 0"),
        (("--preset", "huge"), "--preset: got 'huge', allowed are tiny, small, paper"),
        (("--devices", "0"), "--devices: got 0, allowed is 1 or more"),
        (("--cut-windows", "absent.csv"), "absent.csv"),
        (("--cut-windows", "plain.csv"), "--cut-windows: plain.csv has no column contig and no"),
        (("--cut-windows", "train.csv"), "--cut-windows: train.csv has no row of split test"),
        (("--cut-windows", "text.csv"), "column start must hold whole numbers"),
        (("--cut-windows", "far.csv"), "--cut-windows: far.csv: contig 'elsewhere' is not in"),
    ],
)
def test_what_cannot_be_used_is_refused(
    command: Callable,
    genome_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = {"plain": "", "train": ",c,1,9,train", "text": ",c,a,9,test"}
    rows["far"] = ",elsewhere,1,9,test"
    for name, row in rows.items():
        columns = ",contig,start,end,split" if row else ""
        lines = [f"sequence,label{columns}", f"ACGTACGT,a{row}", f"ACGTTTTT,b{row}"]
        Path(f"{name}.csv").write_text("\n".join(lines))
    ran = command("pretrain", genome_file, "--out", "out", "--preset", "tiny", *arguments)
    assert ran.code == 2
    assert message in ran.stderr
    assert not Path("out").exists()


def test_help_teaches_by_example(command: Callable) -> None:
    ran = command("pretrain", "--help")
    assert ran.code == 0
    assert "genomic-ulmfit pretrain genome.gbk --out encoder --preset small" in ran.stdout
