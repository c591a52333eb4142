"""A model is a folder: `model.safetensors`, `config.json`, `card.md`. No pickle anywhere.

Loading a folder from a stranger runs none of the stranger's code: weights are safetensors,
everything else is JSON. Language models are written in bfloat16, half the size; every model is
computed with in float32.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import nn

from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import atomic_path, write_json, write_text
from genomic_ulmfit.models.awd_lstm import AWDLSTM
from genomic_ulmfit.models.classifier import Classifier, ClassifierConfig
from genomic_ulmfit.models.config import EncoderConfig
from genomic_ulmfit.models.folder import (
    CARD,
    CLASSIFIER,
    CONFIG,
    FORMAT_VERSION,
    LANGUAGE_MODEL,
    WEIGHTS,
    read_config,
)
from genomic_ulmfit.models.language_model import LanguageModel

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
"""By `NUMBER_FORMATS`."""


def save_language_model(
    model: LanguageModel, folder: str | Path, card: str, training: dict[str, Any]
) -> None:
    """Write a language model, which is also the encoder that classifiers start from.

    Weights are rounded to bfloat16 (8 bits of mantissa).

    Parameters
    ----------
    model : LanguageModel
    folder : path-like
        Made if missing; files of an earlier model in it are replaced.
    card : str
        Markdown for people: data with sha256, recipe, results, limits.
    training : dict
        The same for programs; goes into `config.json`.
    """
    architecture = {"encoder": model.encoder.config.to_dict(), "decoder": model.decoder}
    _save(model, folder, LANGUAGE_MODEL, architecture, card, training, "bf16")


def load_language_model(folder: str | Path) -> LanguageModel:
    """Read what `save_language_model` wrote, into float32.

    Parameters
    ----------
    folder : path-like

    Returns
    -------
    LanguageModel
        In training mode.

    Raises
    ------
    InputError
        If the folder holds no language model that this program reads, or a damaged one.
    """
    config, weights = _load(folder, LANGUAGE_MODEL)
    with _checked(folder):
        architecture = config["architecture"]
        encoder = AWDLSTM(EncoderConfig.from_dict(architecture["encoder"]))
        model = LanguageModel(encoder, architecture["decoder"])
    _fill(model, weights, folder)
    return model


def save_classifier(
    model: Classifier, folder: str | Path, card: str, training: dict[str, Any]
) -> None:
    """Write a classifier, in float32; parameters as in `save_language_model`."""
    _save(model, folder, CLASSIFIER, model.config.to_dict(), card, training, "fp32")


def load_classifier(folder: str | Path) -> Classifier:
    """Read what `save_classifier` wrote.

    Parameters
    ----------
    folder : path-like

    Returns
    -------
    Classifier
        In evaluation mode.

    Raises
    ------
    InputError
        If the folder holds no classifier that this program reads, or a damaged one.
    """
    config, weights = _load(folder, CLASSIFIER)
    with _checked(folder):
        model = Classifier(ClassifierConfig.from_dict(config["architecture"]))
    _fill(model, weights, folder)
    return model.eval()


def _save(
    model: nn.Module,
    folder: str | Path,
    kind: str,
    architecture: dict[str, Any],
    card: str,
    training: dict[str, Any],
    number_format: str,
) -> None:
    folder = Path(folder)
    # Counts (batch norm's) stay whole numbers.
    weights = {
        name: (value.to(DTYPES[number_format]) if value.is_floating_point() else value)
        .contiguous()
        .cpu()
        for name, value in model.state_dict().items()
    }
    data = save_safetensors(weights)
    with atomic_path(folder / WEIGHTS) as temporary:
        temporary.write_bytes(data)
    write_text(folder / CARD, card)
    # Last, because it vouches for the weights: a folder written halfway fails its checksum.
    write_json(
        folder / CONFIG,
        {
            "format_version": FORMAT_VERSION,
            "kind": kind,
            "architecture": architecture,
            "weights": number_format,
            "sha256": hashlib.sha256(data).hexdigest(),
            "training": training,
        },
    )


def _load(folder: str | Path, kind: str) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    config = read_config(folder, kind)
    path = Path(folder) / WEIGHTS
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != config["sha256"]:
        raise InputError(
            f"{path}: damaged (its sha256 is not the one in {CONFIG}). Copy the folder again."
        )
    try:
        weights = load_safetensors(data)
    except SafetensorError as error:
        raise InputError(f"{path}: not a safetensors file ({error}).") from None
    return config, weights


@contextlib.contextmanager
def _checked(folder: str | Path) -> Iterator[None]:
    """Turn whatever an architecture that makes no sense leads to into one sentence."""
    try:
        yield
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise InputError(
            f"{Path(folder) / CONFIG}: its architecture cannot be built "
            f"({type(error).__name__}: {error}). Copy the folder again."
        ) from None


def _fill(model: nn.Module, weights: dict[str, torch.Tensor], folder: str | Path) -> None:
    try:
        model.load_state_dict(weights)  # Copies into the model's own float32.
    except RuntimeError:
        raise InputError(
            f"{folder}: the weights do not fit the architecture in {CONFIG}. Copy the folder again."
        ) from None
