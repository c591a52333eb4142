"""Shipped encoders: found by name, whole, and small enough to ship."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest

from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import file_sha256
from genomic_ulmfit.models import pretrained
from genomic_ulmfit.models.awd_lstm import AWDLSTM
from genomic_ulmfit.models.config import PRESETS
from genomic_ulmfit.models.language_model import LanguageModel
from genomic_ulmfit.models.pretrained import encoder_folder as folder_of
from genomic_ulmfit.models.pretrained import pretrained_encoders, read_encoder
from genomic_ulmfit.models.store import load_language_model, save_language_model

NAMES = [encoder.name for encoder in pretrained_encoders()]


def test_the_promised_encoders_are_there() -> None:
    assert {"bacteria", "e-coli"} <= set(NAMES)
    assert pretrained.DEFAULT in NAMES
    size = sum(path.stat().st_size for path in pretrained.SHIPPED.rglob("*") if path.is_file())
    assert size < 100e6, "a package index takes no more than 100 MB"


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_encoder_loads_and_says_what_it_is(name: str) -> None:
    encoder = read_encoder(name)
    model = load_language_model(folder_of(name))
    assert encoder.n_parameters == sum(value.numel() for value in model.state_dict().values())
    assert encoder.architecture == model.encoder.config == PRESETS[encoder.training["preset"]]
    assert encoder.config["weights"] == "bf16"
    assert encoder.megabytes == pytest.approx(2 * encoder.n_parameters / 1e6, rel=0.01)
    assert encoder.sha256 == file_sha256(encoder.folder / "model.safetensors")
    bits = encoder.bits_per_base(pretrained.REFERENCE)
    assert bits is not None
    assert 1 < bits < min(encoder.training["markov_bits_per_base"].values()) < 2
    for genome in encoder.genomes:
        assert genome["name"] in encoder.card
        assert genome["sha256"] in encoder.card
        assert not genome["simulated"]
    json.dumps(encoder.to_dict(), allow_nan=False)


def test_a_folder_dropped_beside_the_others_is_shipped(
    encoder_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretrained, "SHIPPED", tmp_path)
    assert pretrained_encoders() == []
    (tmp_path / "__pycache__").mkdir()
    for name in ("b-subtilis", "archaea"):
        shutil.copytree(encoder_folder, tmp_path / name)
    assert [encoder.name for encoder in pretrained_encoders()] == ["archaea", "b-subtilis"]
    assert folder_of("archaea") == tmp_path / "archaea"


def test_a_model_folder_goes_before_a_name(
    encoder_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = pretrained.SHIPPED / "e-coli"
    monkeypatch.chdir(tmp_path)
    assert folder_of("e-coli") == shipped
    Path("e-coli").mkdir()
    assert folder_of("e-coli") == shipped, "a folder of something else"
    Path("e-coli").rmdir()
    shutil.copytree(encoder_folder, "e-coli")
    assert folder_of("e-coli") == Path("e-coli")
    assert read_encoder(encoder_folder).name == "encoder"
    assert read_encoder("e-coli").n_parameters < 100_000


def test_nothing_by_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"yeast: no such model folder; .* are .*e-coli"):
        folder_of("yeast")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: config.json is missing"):
        read_encoder(tmp_path / "empty")
    monkeypatch.setattr(pretrained, "SHIPPED", tmp_path)
    with pytest.raises(InputError, match="has no encoders of its own"):
        folder_of("e-coli")


def test_a_folder_that_is_no_encoder_of_ours(classifier_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds a classifier, but a language-model is needed"):
        read_encoder(classifier_folder)
    save_language_model(LanguageModel(AWDLSTM(PRESETS["tiny"])), tmp_path, "", {"seed": 1})
    with pytest.raises(InputError, match="does not say what the model is and what it was trained"):
        read_encoder(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    for broken in ({"training": None}, {"architecture": None}, {"architecture": {"encoder": 1}}):
        (tmp_path / "config.json").write_text(json.dumps({**config, **broken}), encoding="utf-8")
        with pytest.raises(InputError, match="does not say what the model is"):
            read_encoder(tmp_path)


def test_what_is_said_of_a_folder(encoder_folder: Path) -> None:
    encoder = read_encoder(encoder_folder)
    model = load_language_model(encoder_folder)
    assert encoder.n_parameters == sum(math.prod(p.shape) for p in model.parameters())
    assert encoder.n_bases == 175_314
    (genome,) = encoder.genomes
    assert encoder.bits_per_base() == encoder.bits_per_base(genome["name"])
    assert encoder.bits_per_base("another") is None


def test_a_card_that_is_missing(encoder_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(encoder_folder, tmp_path / "bare")
    (tmp_path / "bare" / "card.md").unlink()
    with pytest.raises(InputError, match="this model came without a card"):
        _ = read_encoder(tmp_path / "bare").card
