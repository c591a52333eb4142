"""Which language models a study starts from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from genomic_ulmfit.dna.genome import Genome
from genomic_ulmfit.dna.simulate import simulate_genome
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models import pretrained
from genomic_ulmfit.models.awd_lstm import AWDLSTM
from genomic_ulmfit.models.config import PRESETS
from genomic_ulmfit.models.language_model import LanguageModel
from genomic_ulmfit.models.store import save_language_model
from genomic_ulmfit.studies.encoders import choose_encoders, language_model_facts

READ = Genome("NC_000913.3", simulate_genome(n_genes=3, seed=0).contigs)
SHA256 = "5" * 64


def save(folder: Path, *genomes: tuple[str, str, int], preset: str = "tiny", **more: Any) -> Path:
    training = {
        "genomes": [
            {"name": name, "sha256": sha256, "n_bases": n_bases, "simulated": False}
            for name, sha256, n_bases in genomes
        ],
        "preset": preset,
        "recipe": {"epochs": 0.5},
        "report": {
            "loss": 2.5,
            "accuracy": 0.2,
            "perplexity": 12.0,
            "bits_per_base": 1.8,
            "tokens": 10,
            "seconds": 1.0,
            "curve": [],
            "genomes": {genomes[0][0]: {"bits_per_base": 1.7}},
        },
        "markov_bits_per_base": {"2": 1.9},
        **more,
    }
    save_language_model(LanguageModel(AWDLSTM(PRESETS[preset])), folder, "# Card\n", training)
    return folder


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shipped"
    own = ("NC_000913.3", SHA256, READ.n_bases)
    save(folder / "e-coli", own)
    save(folder / "bacteria", own, ("NC_000964.3", "6" * 64, 4_215_606))
    monkeypatch.setattr(pretrained, "SHIPPED", folder)
    return folder


def chosen(genome: Genome = READ, sha256: str = "0" * 64, **options: Any) -> dict[str, str | None]:
    settings = {"preset": "tiny", "quick": False, "pretrain": False, "ensemble": None, **options}
    found = choose_encoders(genome, sha256, **settings)
    return {row: None if encoder is None else encoder.name for row, encoder in found.items()}


def test_shipped_encoders_serve_the_genome_they_have_read(shipped: Path) -> None:
    both = {"e_coli": "e-coli", "ensemble": "bacteria"}
    assert chosen() == both, "known by name and length"
    renamed = replace(READ, name="mine")
    assert chosen(renamed, SHA256) == both, "known by its file"
    assert chosen(pretrain=True) == both | {"e_coli": None}
    for other in (renamed, replace(READ, contigs=simulate_genome(n_genes=4, seed=0).contigs)):
        assert chosen(other) == both | {"e_coli": None}, "another genome gets a model of its own"
        assert chosen(other, quick=True) == both
        assert chosen(other, quick=True, pretrain=True) == both | {"e_coli": None}


def test_all_networks_of_a_study_have_one_size(shipped: Path, tmp_path: Path) -> None:
    assert chosen(preset="paper") == {"e_coli": None}
    assert chosen(preset="paper", quick=True) == {"e_coli": None}
    mine = save(tmp_path / "mine", ("NC_000964.3", "6" * 64, 4_215_606))
    assert chosen(ensemble=mine) == {"e_coli": "e-coli", "ensemble": "mine"}
    assert chosen(ensemble="e-coli")["ensemble"] == "e-coli"
    with pytest.raises(InputError, match=r"--ensemble: .*mine has not the size of preset paper"):
        chosen(preset="paper", ensemble=mine)
    with pytest.raises(InputError, match=r"absent: no such model folder.* are bacteria, e-coli"):
        chosen(ensemble="absent")


def test_facts_are_those_of_the_folder(shipped: Path, tmp_path: Path) -> None:
    encoders = choose_encoders(READ, "0" * 64, "tiny", quick=False, pretrain=False, ensemble=None)
    ensemble = encoders["ensemble"]
    assert ensemble is not None
    facts = language_model_facts("ensemble", ensemble, READ, "0" * 64)
    assert (facts["name"], facts["encoder"], facts["shipped"]) == ("ensemble", "bacteria", True)
    assert facts["sha256"] == ensemble.sha256
    assert [genome["n_bases"] for genome in facts["genomes"]] == [READ.n_bases, 4_215_606]
    assert facts["has_read_genome"] is True
    assert (facts["bits_per_base"], facts["bits_per_base_on_genome"]) == (1.8, 1.7)
    assert (facts["epochs"], facts["windows_cut"]) == (0.5, 0)

    cut = {"file": "promoters.csv", "n_windows": 7}
    mine = save(tmp_path / "mine", ("NC_000964.3", "6" * 64, 9), cut_windows=cut)
    encoder = pretrained.read_encoder(mine)
    facts = language_model_facts("ensemble", encoder, READ, "0" * 64)
    assert (facts["shipped"], facts["has_read_genome"]) == (False, False)
    assert (facts["bits_per_base_on_genome"], facts["windows_cut"]) == (None, 7)
