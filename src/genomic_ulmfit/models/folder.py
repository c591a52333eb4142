"""What a model folder holds, and reading what it says of its model without loading it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import advice, require_writable

FORMAT_VERSION = 1
WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "card.md"
CHECKPOINT = "last.ckpt"
"""Of a language model in training, beside which the rest comes to stand."""
LANGUAGE_MODEL, CLASSIFIER = "language-model", "classifier"
"""Kinds of model, as `config.json` names them."""
SHIPPED = Path(__file__).parent / "pretrained"
"""Model folders that come with the package."""
NUMBER_FORMATS = ("fp32", "bf16")
"""Of the numbers in `model.safetensors`."""


def require_no_model(folder: str | Path, option: str = "--out") -> None:
    """Check that a model can be written to a folder and replaces none.

    Parameters
    ----------
    folder : path-like
        What the user gave. It need not exist, and is not made.
    option : str
        How the user gave it.

    Raises
    ------
    InputError
        If it holds a finished model or cannot be written.
    """
    require_writable(folder, option)
    if (Path(folder) / CONFIG).exists():
        raise InputError(f"{option}: {folder} holds a finished model already; name another folder.")


def read_config(folder: str | Path, kind: str | None = None) -> dict[str, Any]:
    """Return `config.json` of a model folder, checked for kind and version.

    Parameters
    ----------
    folder : path-like
    kind : {"language-model", "classifier"}, optional
        What has to be in it; either if not given.

    Returns
    -------
    dict

    Raises
    ------
    InputError
        If the folder or file is missing, is not JSON, was written by a newer program, or is of a
        model of another kind.
    """
    folder = Path(folder)
    if not folder.is_dir():
        if (SHIPPED / folder / CONFIG).is_file():
            raise InputError(
                f"{folder}: is the name of a language model that comes with this program, but a "
                "model folder is needed here. A classifier that starts from it is made by "
                f"genomic-ulmfit train TABLE --encoder {folder} --out FOLDER."
            )
        if folder.is_file():
            raise InputError(
                f"{folder}: is a file, but a model is a folder, which is named before what it is "
                "used on."
            )
        raise InputError(
            f"{folder}: no such model folder. {advice(folder)} Classifiers are made by "
            "genomic-ulmfit train, which starts from a language model of genomic-ulmfit pretrain "
            "or a shipped one (genomic-ulmfit models)."
        )
    if (folder / CHECKPOINT).is_file() and not (folder / CONFIG).is_file():
        raise InputError(
            f"{folder}: is a language model whose training has not ended. Go on with it: the "
            "command that began it, and --resume."
        )
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise InputError(f"{folder}: {name} is missing; this is no complete model folder.")
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        version = config["format_version"]
        config["kind"], config["architecture"], config["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder / CONFIG}: not a model configuration ({error}). Copy the folder again."
        ) from None
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise InputError(
            f"{folder / CONFIG}: format version {version} is newer than the {FORMAT_VERSION} this "
            "program reads. Update genomic-ulmfit."
        )
    config.setdefault("training", {})
    # Folders without the entry are from the time when all weights were fp32.
    if str(config.setdefault("weights", "fp32")) not in NUMBER_FORMATS:
        raise InputError(
            f"{folder / CONFIG}: weights in the format {config['weights']!r}, but this program "
            f"reads {' and '.join(NUMBER_FORMATS)}. Update genomic-ulmfit."
        )
    if kind is not None and config["kind"] != kind:
        raise InputError(f"{folder}: holds a {config['kind']}, but a {kind} is needed here.")
    return dict(config)
