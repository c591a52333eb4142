"""What a study's folder says about the study, so that two are never mixed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from genomic_ulmfit import __version__
from genomic_ulmfit.data import negatives, splits
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.evaluation import baselines
from genomic_ulmfit.files import write_json
from genomic_ulmfit.models import classifier, config, frames, probe
from genomic_ulmfit.models import motifs as motif_network
from genomic_ulmfit.models.precision import (
    CPU,
    best_precision,
    require_precision,
    training_device,
)
from genomic_ulmfit.training import (
    finetuning,
    finetuning_recipe,
    kernel_ridge,
    motifs,
    places,
    platt,
    probe_fit,
    recipes,
)

MODULES = (
    *(negatives, splits),
    *(classifier, config, frames, motif_network, probe),
    *(finetuning, finetuning_recipe, kernel_ridge, motifs, places, platt, probe_fit, recipes),
    baselines,
)
"""Whose constants decide what the rows of a study are."""


def settle(out: Path, settings: dict[str, Any]) -> str:
    """Note a study's settings in its folder, or refuse to mix it with another.

    Parameters
    ----------
    out : pathlib.Path
    settings : dict
        JSON-able.

    Returns
    -------
    str
        The precision to compute in. It is probed once: a study that goes on elsewhere must not
        come to another arithmetic halfway.

    Raises
    ------
    InputError
        If the folder holds a study with other settings, or one begun in a precision that this
        machine has not.
    """
    # One table must not hold what two recipes made.
    settings = {**settings, "version": __version__, "recipe": recipe_sha256()}
    path = out / "study.json"
    if not path.exists():
        precision = best_precision(CPU, training_device())
        write_json(path, {**settings, "precision": precision})
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise InputError(f"--out: {path} is damaged; name another folder.") from None
    differing = [name for name in settings if found.get(name) != settings[name]]
    own = [name for name in differing if name in ("version", "recipe")]
    if own:
        raise InputError(
            f"--out: {out} holds a study begun by this program with another {' and '.join(own)}; "
            "what both make does not belong into one table. Name another folder."
        )
    if differing:
        raise InputError(
            f"--out: {out} holds a study with another {' and '.join(differing)}; name another "
            "folder, or repeat the command that began it."
        )
    precision = str(found["precision"])
    told = f"--out: {out} holds a study begun elsewhere"
    require_precision(precision, told, CPU, training_device())
    return precision


def recipe_sha256() -> str:
    """Return a checksum of the numbers that say how the rows of a study are trained.

    They are the constants, in capitals, of the modules that train and of the networks in them, so
    that a new one cannot be forgotten.
    """
    constants = {
        f"{module.__name__}.{name}": value
        for module in MODULES
        for name, value in _constants(module)
    }
    return hashlib.sha256(repr(sorted(constants.items())).encode("utf-8")).hexdigest()


def _constants(module: ModuleType) -> Iterator[tuple[str, str]]:
    """Yield names and values of a module's constants, and of those of its classes."""
    for name, value in vars(module).items():
        if name.isupper() and not isinstance(value, ModuleType):
            yield name, repr(value)
        elif isinstance(value, type) and value.__module__ == module.__name__:
            for own, inside in vars(value).items():
                if own.isupper():
                    yield f"{name}.{own}", repr(inside)
