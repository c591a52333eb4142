"""Model folders: what is written is what is read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save

from genomic_ulmfit.data.batches import TokenizedSequences
from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import file_sha256
from genomic_ulmfit.models.awd_lstm import AWDLSTM
from genomic_ulmfit.models.classifier import HEADS, Classifier, ClassifierConfig
from genomic_ulmfit.models.config import Dropouts, EncoderConfig
from genomic_ulmfit.models.folder import CHECKPOINT, read_config
from genomic_ulmfit.models.language_model import DECODERS, LanguageModel
from genomic_ulmfit.models.store import (
    load_classifier,
    load_language_model,
    save_classifier,
    save_language_model,
)

ENCODER = EncoderConfig(6, 10, 2, KmerTokenizer(4, 2))
TRAINING = {"seed": 3, "curve": [{"loss": 0.25}], "note": "σ70, −10"}


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_language_model_comes_back(decoder: str, tmp_path: Path) -> None:
    model = LanguageModel(AWDLSTM(ENCODER, Dropouts(*[0.2] * 5)), decoder)
    folder = tmp_path / "made" / "model"
    save_language_model(model, folder, "# Card: σ70\n", TRAINING)
    assert sorted(path.name for path in folder.iterdir()) == [
        "card.md",
        "config.json",
        "model.safetensors",
    ]
    loaded = load_language_model(folder)
    assert loaded.encoder.config == ENCODER
    tokens = torch.randint(0, 256, (9, 2))
    rounded = model.to(torch.bfloat16).float().eval()
    for found, expected in zip(loaded.eval()(tokens)[:3], rounded(tokens)[:3], strict=True):
        assert torch.equal(found, expected)
    assert (folder / "card.md").read_text(encoding="utf-8") == "# Card: σ70\n"

    config = read_config(folder)
    assert config["kind"] == "language-model"
    assert config["weights"] == "bf16"
    assert config["training"] == TRAINING
    assert config["sha256"] == file_sha256(folder / "model.safetensors")
    json.loads((folder / "config.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("head", HEADS)
def test_a_classifier_comes_back(head: str, tmp_path: Path) -> None:
    config = ClassifierConfig(ENCODER, ("0", "7", "11"), head, 30, integer_labels=True, frames=True)
    model = Classifier(config, Dropouts(*[0.2] * 5))
    codes = [np.random.default_rng(i).integers(0, 4, 30).astype(np.uint8) for i in range(6)]
    batch = TokenizedSequences.of(codes, ENCODER.tokenizer).batch(np.arange(6))
    inputs = (batch.tokens, batch.lengths, batch.codes)
    for _ in range(3):
        model(*inputs)  # Batch norm's statistics are part of a model too.
    save_classifier(model, tmp_path, "card", TRAINING)
    loaded = load_classifier(tmp_path)
    assert loaded.config == config
    assert not loaded.training
    assert torch.equal(loaded(*inputs), model.eval()(*inputs))
    assert read_config(tmp_path)["weights"] == "fp32"


def test_weights_are_plain_safetensors_under_the_modules_names(tmp_path: Path) -> None:
    model = LanguageModel(AWDLSTM(ENCODER))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    save_language_model(model, tmp_path, "", {})
    weights = load_file(tmp_path / "model.safetensors")
    assert weights.keys() == before.keys()
    for name, value in before.items():
        assert weights[name].dtype == torch.bfloat16
        assert torch.equal(weights[name], value.to(torch.bfloat16))
        assert torch.equal(model.state_dict()[name], value), "saving leaves the model alone"


def test_what_is_loaded_computes_in_float32_and_is_saved_as_it_was(tmp_path: Path) -> None:
    save_language_model(LanguageModel(AWDLSTM(ENCODER)), tmp_path / "first", "", {})
    loaded = load_language_model(tmp_path / "first")
    assert {value.dtype for value in loaded.state_dict().values()} == {torch.float32}
    save_language_model(loaded, tmp_path / "second", "", {})
    first, second = (tmp_path / name / "model.safetensors" for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()


def test_a_folder_from_before_bf16_still_loads(tmp_path: Path) -> None:
    model = LanguageModel(AWDLSTM(ENCODER))
    save_language_model(model, tmp_path, "", {})
    data = save(model.state_dict())
    (tmp_path / "model.safetensors").write_bytes(data)
    config = read_config(tmp_path)
    del config["weights"]
    config["sha256"] = hashlib.sha256(data).hexdigest()
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert read_config(tmp_path)["weights"] == "fp32"
    found = load_language_model(tmp_path).state_dict()
    assert all(torch.equal(found[name], value) for name, value in model.state_dict().items())


def test_a_later_model_replaces_an_earlier_one(tmp_path: Path) -> None:
    for seed in (0, 1):
        torch.manual_seed(seed)
        model = LanguageModel(AWDLSTM(ENCODER))
        save_language_model(model, tmp_path, f"card {seed}", {"seed": seed})
    loaded = load_language_model(tmp_path)
    last = model.encoder.embedding.weight.to(torch.bfloat16).float()
    assert torch.equal(loaded.encoder.embedding.weight, last)
    assert read_config(tmp_path)["training"] == {"seed": 1}
    assert len(list(tmp_path.iterdir())) == 3


def test_a_training_that_has_not_ended_is_told_so(tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).touch()
    with pytest.raises(InputError, match=r"training has not ended. .* and --resume"):
        load_language_model(tmp_path)
