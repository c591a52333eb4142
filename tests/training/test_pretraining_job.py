"""From genome files to a folder of a language model."""

from __future__ import annotations

from pathlib import Path

import torch

from genomic_ulmfit.models.store import load_language_model
from genomic_ulmfit.training.pretraining_job import pretrain_genomes
from genomic_ulmfit.training.pretraining_result import read_pretraining_result


def test_going_on_from_a_model_starts_where_it_ended(
    encoder_folder: Path, genome_file: Path, tmp_path: Path
) -> None:
    result = pretrain_genomes(
        [genome_file],
        tmp_path / "second",
        preset="small",
        epochs=1,
        start_from=encoder_folder,
        precision="fp32",
        progress=False,
    )
    first = load_language_model(encoder_folder)
    second = load_language_model(tmp_path / "second")
    assert second.encoder.config == first.encoder.config, "the size is that of the start"
    assert result.training["start_from"] == "encoder"
    before = read_pretraining_result(encoder_folder).report.loss
    # From random weights the first epoch begins at ln 16; this one ends below where it began.
    assert result.report.loss < before + 0.005
    assert not torch.equal(first.encoder.embedding.weight, second.encoder.embedding.weight)


def test_a_folder_says_what_it_is(encoder_folder: Path, genome_file: Path) -> None:
    result = read_pretraining_result(encoder_folder)
    assert [genome["file"] for genome in result.training["genomes"]] == ["sim.gbk"]
    assert result.training["genomes"][0]["simulated"] is True
    assert sorted(result.markov) == [2, 5, 8, 11]
    order, bits = result.best_markov
    assert bits == result.markov[order] == min(result.markov.values())
    card = (encoder_folder / "card.md").read_text(encoding="utf-8")
    assert "SIMULATED" in card
    assert f"{result.report.bits_per_base:.4f}" in card
    assert result.training["genomes"][0]["sha256"] in card
