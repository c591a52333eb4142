"""`genomic-ulmfit pretrain`, run as a user runs it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from genomic_ulmfit.dna.readers import read_genome
from genomic_ulmfit.files import file_sha256
from genomic_ulmfit.models.store import load_language_model, read_config
from genomic_ulmfit.training.pretraining_job import read_pretraining_result


@pytest.fixture(scope="module")
def done(process: Callable, genome_file: Path, tmp_path_factory: pytest.TempPathFactory):
    out = tmp_path_factory.mktemp("pretrain") / "made" / "encoder"
    arguments = (genome_file, "--out", out, "--preset", "tiny", "--epochs", 1, "--seed", 4)
    return process("pretrain", *arguments), out


def test_it_writes_a_language_model_and_nothing_else(done) -> None:
    ran, out = done
    assert ran.code == 0, ran.stderr
    names = sorted(path.name for path in out.iterdir())
    assert names == ["card.md", "config.json", "model.safetensors"]
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
    assert training["recipe"]["epochs"] == 1
    assert training["seed"] == 4
    assert training["start_from"] is None
    assert training["precision"] in ("bf16", "fp32")
    card = (out / "card.md").read_text(encoding="utf-8")
    assert "SIMULATED" in card
    assert "175,314" in card
    assert "informed random" in card


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


def test_second_stage_on_several_genomes(
    command: Callable, genome_file: Path, encoder_folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.fa"
    sequence = "".join("ACGT"[code] for code in read_genome(genome_file).contigs[0].codes[:30_000])
    other.write_text(f">c1\n{sequence}\n")
    out = tmp_path / "second"
    ran = command(
        *("pretrain", genome_file, other, "--out", out, "--preset", "tiny", "--epochs", 1),
        *("--from", encoder_folder, "--precision", "fp32"),
    )
    assert ran.code == 0, ran.stderr
    training = json.loads((out / "config.json").read_text(encoding="utf-8"))["training"]
    assert training["start_from"] == "encoder"
    assert [genome["simulated"] for genome in training["genomes"]] == [True, False]
    assert "started from: encoder" in (out / "card.md").read_text(encoding="utf-8")


def test_help_teaches_by_example(command: Callable) -> None:
    ran = command("pretrain", "--help")
    assert ran.code == 0
    assert "genomic-ulmfit pretrain genome.gbk --out encoder --preset small" in ran.stdout
