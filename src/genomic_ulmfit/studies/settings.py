"""What a study's folder says about the study, so that two are never mixed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from genomic_ulmfit import __version__
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.evaluation.baselines import KMER_LENGTHS
from genomic_ulmfit.files import write_json
from genomic_ulmfit.models.frames import SEGMENT_LENGTHS
from genomic_ulmfit.models.precision import (
    CPU,
    best_precision,
    require_precision,
    training_device,
)
from genomic_ulmfit.training import motifs, places, probe_fit, recipes
from genomic_ulmfit.training.finetuning_recipe import FROZEN, NAIVE, PRETRAINED


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
    found = json.loads(path.read_text(encoding="utf-8"))
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
    """Return a checksum of the numbers that say how the rows of a study are trained."""
    constants = (
        recipes.RECIPES,
        places.WORD_SEGMENTS,
        places.STATE_SEGMENTS,
        probe_fit.FRAME_SHARE,
        probe_fit.RIDGES,
        probe_fit.MOST_FOR_EVIDENCE,
        probe_fit.MOST_FOR_FIT,
        probe_fit.MOST_FOR_CALIBRATION,
        probe_fit.MOST_STATES,
        probe_fit.FEWEST_FOR_FIT,
        KMER_LENGTHS,
        SEGMENT_LENGTHS,
        NAIVE,
        PRETRAINED,
        FROZEN,
        (motifs.BATCH, motifs.EPOCHS, motifs.PATIENCE, motifs.MIN_STEPS),
    )
    return hashlib.sha256(repr(constants).encode("utf-8")).hexdigest()
