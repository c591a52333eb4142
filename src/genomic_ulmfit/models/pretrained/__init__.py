"""Language models that come with the package, by name.

A model folder beside this file is shipped under its own name, without being listed anywhere:
what `genomic-ulmfit pretrain` wrote there is what users get.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

from safetensors import safe_open

from genomic_ulmfit.dna.genome import Genome
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models.config import EncoderConfig
from genomic_ulmfit.models.folder import CARD, CONFIG, LANGUAGE_MODEL, SHIPPED, WEIGHTS, read_config

DEFAULT = "bacteria"
"""The encoder that a classifier starts from where the user names none."""

REFERENCE = "NC_000913.3"
"""E. coli K-12 MG1655, on whose held-out regions encoders are compared."""


@dataclass(frozen=True)
class PretrainedEncoder:
    """A language model folder and what its `config.json` says.

    Parameters
    ----------
    name : str
        What users call it.
    folder : pathlib.Path
    config : dict
        As `read_config` returns it.
    """

    name: str
    folder: Path
    config: dict[str, Any]

    @property
    def training(self) -> dict[str, Any]:
        """What `pretrain` noted: data, recipe, results."""
        training: dict[str, Any] = self.config["training"]
        return training

    @property
    def sha256(self) -> str:
        """Checksum of the weights."""
        return str(self.config["sha256"])

    @property
    def genomes(self) -> list[dict[str, Any]]:
        """The genomes it was trained on, each with `name`, `sha256` and `n_bases` at least."""
        genomes: list[dict[str, Any]] = self.training["genomes"]
        return genomes

    @property
    def n_bases(self) -> int:
        """Bases of all its genomes, held-out regions included."""
        return sum(genome["n_bases"] for genome in self.genomes)

    @property
    def architecture(self) -> EncoderConfig:
        """Shape of the encoder."""
        return EncoderConfig.from_dict(self.config["architecture"]["encoder"])

    @cached_property
    def n_parameters(self) -> int:
        """Numbers in the weights file."""
        with safe_open(self.folder / WEIGHTS, framework="np") as weights:
            names = weights.keys()
            return sum(math.prod(weights.get_slice(name).get_shape()) for name in names)

    @property
    def megabytes(self) -> float:
        """Size of the weights file, in MB of 1,000,000 bytes."""
        return (self.folder / WEIGHTS).stat().st_size / 1e6

    @property
    def card(self) -> str:
        """What it is, for people: Markdown."""
        path = self.folder / CARD
        if not path.is_file():
            raise InputError(f"{path}: there is no such file; this model came without a card.")
        return path.read_text(encoding="utf-8")

    def has_read(self, genome: Genome, sha256: str) -> bool:
        """Tell whether a genome was in the training text.

        Known by its file's sha256, or by name (accession) and length: the same genome comes in
        several files.
        """
        names = {genome.name, *(contig.name for contig in genome.contigs)}
        return any(
            one["sha256"] == sha256 or (one["name"] in names and one["n_bases"] == genome.n_bases)
            for one in self.genomes
        )

    def bits_per_base(self, genome: str | None = None) -> float | None:
        """Return the score on the held-out regions of a genome, or of all it was trained on.

        A genome's held-out regions are the same for every model, so that these can be compared;
        None for a genome that the model was not scored on.
        """
        report = self.training["report"]
        scores = {**report.get("excluded", {}), **report.get("genomes", {})}
        if genome in scores:
            return float(scores[genome]["bits_per_base"])
        if genome is None or [one["name"] for one in self.genomes] == [genome]:
            return float(report["bits_per_base"])
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return what a list of models shows, in a JSON-able form."""
        return {
            "name": self.name,
            "folder": str(self.folder),
            "genomes": [genome["name"] for genome in self.genomes],
            "n_bases": self.n_bases,
            "preset": self.training["preset"],
            "n_parameters": self.n_parameters,
            "bits_per_base": self.bits_per_base(),
            f"bits_per_base_{REFERENCE}": self.bits_per_base(REFERENCE),
            "megabytes": round(self.megabytes, 1),
            "sha256": self.sha256,
        }


def pretrained_encoders() -> list[PretrainedEncoder]:
    """Return the encoders that come with the package, by name in alphabetical order."""
    folders = sorted(path.parent for path in SHIPPED.glob(f"*/{CONFIG}"))
    return [PretrainedEncoder(folder.name, folder, read_config(folder)) for folder in folders]


def encoder_folder(encoder: str | Path) -> Path:
    """Return the folder of a language model that a user named.

    Parameters
    ----------
    encoder : path-like
        A folder, or the name of a shipped encoder. A folder of the same name on disk goes
        first if it holds a model.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    InputError
        If there is neither.
    """
    path = Path(encoder)
    if (path / CONFIG).is_file():
        return path
    shipped = {folder.parent.name: folder.parent for folder in SHIPPED.glob(f"*/{CONFIG}")}
    if str(encoder) in shipped:
        return shipped[str(encoder)]
    if path.exists():
        return path  # What is wrong with it is for the loader to say.
    if not shipped:
        raise InputError(
            f"{encoder}: no such model folder, and this installation has no encoders of its own. "
            "Train one with genomic-ulmfit pretrain, or start from random weights: --encoder none."
        )
    near = get_close_matches(str(encoder).lower().replace("_", "-"), shipped, n=1)
    raise InputError(
        f"{encoder}: no such model folder; encoders that come with this program are "
        f"{', '.join(sorted(shipped))}.{f' Did you mean {near[0]}?' if near else ''}"
    )


def read_encoder(encoder: str | Path) -> PretrainedEncoder:
    """Return what a language model's folder says, found as by `encoder_folder`.

    Raises
    ------
    InputError
        If there is none, or it is no language model that `pretrain` wrote.
    """
    folder = encoder_folder(encoder)
    config = read_config(folder, LANGUAGE_MODEL)
    try:
        training = config["training"]
        [genome["n_bases"] for genome in training["genomes"]]
        training["preset"], training["report"]["bits_per_base"]
        EncoderConfig.from_dict(config["architecture"]["encoder"])
    except (AttributeError, KeyError, TypeError):
        raise InputError(
            f"{folder / CONFIG}: does not say what the model is and what it was trained on. Use a "
            "folder that genomic-ulmfit pretrain wrote."
        ) from None
    return PretrainedEncoder(folder.resolve().name, folder, config)
