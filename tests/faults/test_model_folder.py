"""Model folders that are damaged, foreign or hostile: a sentence, and nothing run."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models.awd_lstm import AWDLSTM
from genomic_ulmfit.models.classifier import Classifier, ClassifierConfig
from genomic_ulmfit.models.config import EncoderConfig
from genomic_ulmfit.models.language_model import LanguageModel
from genomic_ulmfit.models.store import (
    load_classifier,
    load_language_model,
    save_classifier,
    save_language_model,
)

ENCODER = EncoderConfig(4, 6, 2, KmerTokenizer(3, 1))
Load = Callable[[Path], Any]


@pytest.fixture(params=["language-model", "classifier"])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Load]:
    """A good folder of either kind, and what reads it."""
    folder = tmp_path / "model"
    if request.param == "classifier":
        config = ClassifierConfig(ENCODER, ("a", "b"), "position", 20)
        save_classifier(Classifier(config), folder, "card", {})
        load: Load = load_classifier
    else:
        save_language_model(LanguageModel(AWDLSTM(ENCODER)), folder, "card", {})
        load = load_language_model
    load(folder)
    return folder, load


def change(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**config, **values}), encoding="utf-8")


def replace_weights(folder: Path, data: bytes) -> None:
    """Put other bytes in place of the weights, with the checksum that fits them."""
    (folder / "model.safetensors").write_bytes(data)
    change(folder, sha256=hashlib.sha256(data).hexdigest())


def test_no_folder(tmp_path: Path) -> None:
    for load in (load_classifier, load_language_model):
        with pytest.raises(InputError, match=r"absent: no such model folder"):
            load(tmp_path / "absent")
        with pytest.raises(InputError, match=r"test_model_folder.py: is a file, but a model"):
            load(Path(__file__))


def test_a_shipped_language_model_is_no_classifier() -> None:
    with pytest.raises(InputError, match=r"^bacteria: is the name of a language model .* train"):
        load_classifier("bacteria")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file(model: tuple[Path, Load], name: str) -> None:
    folder, load = model
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"model: {name} is missing"):
        load(folder)
    (folder / name).mkdir()
    with pytest.raises(InputError, match=f"model: {name} is missing"):
        load(folder)


def test_the_card_is_for_people(model: tuple[Path, Load]) -> None:
    folder, load = model
    (folder / "card.md").unlink()
    load(folder)


@pytest.mark.parametrize("place", [0.0, 0.5, 0.999])
def test_one_flipped_bit(model: tuple[Path, Load], place: float) -> None:
    folder, load = model
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"model.safetensors: damaged \(its sha256"):
        load(folder)


@pytest.mark.parametrize("keep", [0, 4, 200, -1])
def test_truncated_weights(model: tuple[Path, Load], keep: int) -> None:
    folder, load = model
    data = (folder / "model.safetensors").read_bytes()[:keep]
    (folder / "model.safetensors").write_bytes(data)
    with pytest.raises(InputError, match=r"model.safetensors: damaged"):
        load(folder)
    replace_weights(folder, data)
    with pytest.raises(InputError, match=r"model.safetensors: not a safetensors file"):
        load(folder)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"not json", b"[]", b"null", b"3", b"\xff\xfe\x00", b"{}"]
)
def test_a_configuration_that_is_none(model: tuple[Path, Load], content: bytes) -> None:
    folder, load = model
    (folder / "config.json").write_bytes(content)
    with pytest.raises(InputError, match=r"config.json: not a model configuration"):
        load(folder)


@pytest.mark.parametrize("name", ["format_version", "kind", "architecture", "sha256"])
def test_a_configuration_without_an_entry(model: tuple[Path, Load], name: str) -> None:
    folder, load = model
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    del config[name]
    path.write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(InputError, match=f"not a model configuration .*{name}"):
        load(folder)


@pytest.mark.parametrize("version", [2, 99, "2.0", None])
def test_a_newer_format(model: tuple[Path, Load], version: Any) -> None:
    folder, load = model
    change(folder, format_version=version)
    with pytest.raises(InputError, match=f"format version {version} is newer.*Update"):
        load(folder)


@pytest.mark.parametrize("weights", ["fp8", None, 16, ["bf16"], {}])
def test_weights_in_another_format(model: tuple[Path, Load], weights: Any) -> None:
    folder, load = model
    change(folder, weights=weights)
    with pytest.raises(InputError, match=r"weights in the format .* reads fp32 and bf16. Update"):
        load(folder)


def test_the_wrong_kind(tmp_path: Path) -> None:
    save_language_model(LanguageModel(AWDLSTM(ENCODER)), tmp_path / "lm", "", {})
    save_classifier(
        Classifier(ClassifierConfig(ENCODER, ("a", "b"), "pooling")), tmp_path / "c", "", {}
    )
    with pytest.raises(InputError, match=r"lm: holds a language-model, but a classifier is needed"):
        load_classifier(tmp_path / "lm")
    with pytest.raises(InputError, match=r"c: holds a classifier, but a language-model is needed"):
        load_language_model(tmp_path / "c")


@pytest.mark.parametrize(
    "weights",
    [
        {},
        {"encoder.embedding.weight": torch.zeros(65, 4)},
        {"something.else": torch.zeros(3)},
    ],
)
def test_weights_of_another_architecture(
    model: tuple[Path, Load], weights: dict[str, torch.Tensor]
) -> None:
    folder, load = model
    replace_weights(folder, save(weights))
    with pytest.raises(InputError, match="the weights do not fit the architecture"):
        load(folder)


def test_another_architecture_than_the_weights(model: tuple[Path, Load]) -> None:
    folder, load = model
    architecture = json.loads((folder / "config.json").read_text(encoding="utf-8"))["architecture"]
    architecture["encoder"]["hidden"] = 7
    change(folder, architecture=architecture)
    with pytest.raises(InputError, match="the weights do not fit the architecture"):
        load(folder)


@pytest.mark.parametrize(
    "encoder",
    [
        None,
        [],
        "small",
        {},
        {"embedding": 4, "hidden": 6, "layers": 2},
        {"embedding": "4", "hidden": 6, "layers": 2, "tokenizer": {"k": 3, "stride": 1}},
        {"embedding": 4.5, "hidden": 6, "layers": 2, "tokenizer": {"k": 3, "stride": 1}},
        {"embedding": 4, "hidden": 6, "layers": 2, "tokenizer": {"k": 3, "stride": 9}},
        {"embedding": 4, "hidden": -6, "layers": 2, "tokenizer": {"k": 3, "stride": 1}},
        {"embedding": 4, "hidden": 6, "layers": 2, "tokenizer": {"k": 3, "stride": 1}, "x": 1},
    ],
)
def test_an_architecture_that_makes_no_sense(model: tuple[Path, Load], encoder: Any) -> None:
    folder, load = model
    architecture = json.loads((folder / "config.json").read_text(encoding="utf-8"))["architecture"]
    change(folder, architecture={**architecture, "encoder": encoder})
    with pytest.raises(InputError, match=r"config.json: its architecture cannot be built"):
        load(folder)


@pytest.mark.parametrize("architecture", [None, [], {}, "tiny"])
def test_no_architecture(model: tuple[Path, Load], architecture: Any) -> None:
    folder, load = model
    change(folder, architecture=architecture)
    with pytest.raises(InputError, match=r"config.json: its architecture cannot be built"):
        load(folder)


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("how", ["pickle", "torch"])
def test_a_pickle_is_refused_and_not_run(
    model: tuple[Path, Load], how: str, tmp_path: Path
) -> None:
    folder, load = model
    trace = tmp_path / "was run"
    source = tmp_path / "payload"
    if how == "pickle":
        source.write_bytes(pickle.dumps(Payload(trace)))
        pickle.loads(source.read_bytes())
    else:
        torch.save({"weights": Payload(trace)}, source)
        torch.load(source, weights_only=False)
    assert trace.exists(), "the payload works where somebody unpickles it"
    trace.unlink()

    replace_weights(folder, source.read_bytes())
    with pytest.raises(InputError, match=r"not a safetensors file"):
        load(folder)
    shutil.copy(source, folder / "config.json")
    with pytest.raises(InputError, match=r"not a model configuration"):
        load(folder)
    assert not trace.exists()


def test_a_pickle_beside_the_weights_is_not_looked_at(model: tuple[Path, Load]) -> None:
    folder, load = model
    trace = folder / "was run"
    for name in ("model.pt", "pytorch_model.bin", "last.ckpt", "model.pkl"):
        (folder / name).write_bytes(pickle.dumps(Payload(trace)))
    load(folder)
    assert not trace.exists()
