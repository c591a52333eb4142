"""Which language model each pretrained row of the study starts from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from genomic_ulmfit.dna.genome import Genome
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models.config import preset as preset_config
from genomic_ulmfit.models.folder import CHECKPOINT, CONFIG
from genomic_ulmfit.models.pretrained import (
    PretrainedEncoder,
    pretrained_encoders,
    read_encoder,
)
from genomic_ulmfit.reports.reproduction.results import LanguageModelFacts
from genomic_ulmfit.studies.genome_source import GenomeSource
from genomic_ulmfit.training.held_out import INFORMED_RANDOM
from genomic_ulmfit.training.pretraining_job import pretrain_genomes

SHIPPED = {"e_coli": "e-coli", "ensemble": "bacteria"}
"""By row of the seed's table."""

Encoders = Mapping[str, PretrainedEncoder | None]
"""By row; None is one that has yet to be trained on the study's genome."""


def choose_encoders(
    genome: Genome,
    sha256: str,
    preset: str,
    *,
    quick: bool,
    pretrain: bool,
    ensemble: str | Path | None,
) -> Encoders:
    """Choose the language models of a study, without training any.

    All networks of a study have one size, so that size is nothing that tells them apart: a
    shipped encoder of another size than the preset's is not used.

    Parameters
    ----------
    genome : Genome
    sha256 : str
        Of the genome's file.
    preset : str
    quick : bool
        Use the shipped encoders whatever the genome; the report says what they have read.
    pretrain : bool
        Train the `e_coli` row's model on the genome even if a shipped one has read it.
    ensemble : path-like or None
        The user's choice for the `ensemble` row.

    Returns
    -------
    mapping of str to PretrainedEncoder or None
        Without `ensemble` where there is no model for it.

    Raises
    ------
    InputError
        If `ensemble` is no language model of the preset's size.
    """
    architecture = preset_config(preset)
    fitting = {
        encoder.name: encoder
        for encoder in pretrained_encoders()
        if encoder.architecture == architecture
    }
    single = None if pretrain else fitting.get(SHIPPED["e_coli"])
    if single is not None and not (quick or single.has_read(genome, sha256)):
        single = None
    many = fitting.get(SHIPPED["ensemble"])
    if ensemble is not None:
        many = read_encoder(ensemble)
        if many.architecture != architecture:
            raise InputError(
                f"--ensemble: {ensemble} has not the size of preset {preset}, but the networks of "
                f"a study have one size. Use the --preset it was trained with."
            )
    return {"e_coli": single, **({} if many is None else {"ensemble": many})}


def trained_encoder(
    source: GenomeSource,
    folder: Path,
    preset: str,
    precision: str,
    say: Callable[[str], None],
    progress: bool,
) -> PretrainedEncoder:
    """Return the language model of the study's genome in `folder`, trained if need be.

    Its seed is 0, whatever those of the study are: further seeds may be added to it.
    """
    if not (folder / CONFIG).exists():
        say("language model of the genome")
        pretrain_genomes(
            [source.path],
            folder,
            preset=preset,
            seed=0,
            resume=(folder / CHECKPOINT).exists(),
            precision=precision,
            progress=progress,
        )
    return read_encoder(folder)


def language_model_facts(
    row: str, encoder: PretrainedEncoder, genome: Genome, sha256: str
) -> LanguageModelFacts:
    """Return what the report says about the language model of a row."""
    training, report = encoder.training, encoder.training["report"]
    return {
        "name": row,
        "encoder": encoder.name,
        "sha256": encoder.sha256,
        "shipped": any(encoder.folder == one.folder for one in pretrained_encoders()),
        "genomes": [
            {"name": one["name"], "n_bases": one["n_bases"], "simulated": one["simulated"]}
            for one in encoder.genomes
        ],
        "has_read_genome": encoder.has_read(genome, sha256),
        "windows_cut": (training.get("cut_windows") or {}).get("n_windows", 0),
        "epochs": training["recipe"]["epochs"],
        "tokens": report["tokens"],
        "seconds": report["seconds"],
        "loss": report["loss"],
        "accuracy": report["accuracy"],
        "perplexity": report["perplexity"],
        "bits_per_base": report["bits_per_base"],
        "bits_per_base_on_genome": encoder.bits_per_base(genome.name),
        "informed_random_bits_per_base": INFORMED_RANDOM,
        "markov_bits_per_base": training["markov_bits_per_base"],
        "curve": report["curve"],
    }
