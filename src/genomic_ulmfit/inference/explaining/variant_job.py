"""From a file of variants to what each does, on sequences or on a genome."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from genomic_ulmfit.dna.alphabet import Codes
from genomic_ulmfit.dna.genome import Contig
from genomic_ulmfit.dna.readers import read_genome
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.inference.explaining.variant_files import read_variants
from genomic_ulmfit.inference.explaining.variants import Effect, variant_effects
from genomic_ulmfit.inference.targets import Question, window_of
from genomic_ulmfit.models.classifier import Classifier


def score_variants(
    question: Question,
    path: str | Path,
    ids: Sequence[str],
    codes: Sequence[Codes],
    genome: str | Path | None,
    report: Callable[[int, int], None] = lambda *_: None,
) -> tuple[tuple[Effect, ...], list[str]]:
    """Read and score variants.

    Parameters
    ----------
    question : Question
    path : path-like
        VCF or TSV.
    ids : sequence of str
    codes : sequence of numpy.ndarray of uint8
        Sequences, context included, that variants are on, where `genome` is not given.
    genome : path-like or None
        What variants are on.
    report : callable
        Told how many variants are done, and of how many.

    Returns
    -------
    effects : tuple of Effect
        In the order of the file, without those that cannot be scored.
    notes : list of str
        What was left out or is worth knowing, one sentence each.

    Raises
    ------
    InputError
        If a file cannot be read, variants do not fit what they are on, or none can be scored.
    """
    model, target, precision, anchor = question
    variants, notes = read_variants(path)
    window, with_context = None, dict(zip(ids, codes, strict=True))
    if genome is None:
        contigs = _sequences_as_contigs(model, ids, codes)
    else:
        window, with_context = _window(model), {}
        contigs = {contig.name: contig for contig in read_genome(genome).contigs}
    report(0, len(variants))
    found = list(
        variant_effects(
            model,
            variants,
            contigs,
            target,
            precision,
            anchor=anchor,
            window=window,
            with_context=with_context,
            report=lambda done: report(done, len(variants)),
        )
    )
    effects = tuple(effect for effect in found if effect is not None)
    unfit = [
        variant.place for variant, effect in zip(variants, found, strict=True) if effect is None
    ]
    if unfit:
        size = model.config.length or model.config.encoder.tokenizer.k
        reason = (
            f"no stretch of {size} bases holds them with either allele: their contig is too short, "
            "or they are too near its end or too long"
        )
        if not effects:
            raise InputError(
                f"{unfit[0]}: none of {len(unfit):,} variants can be scored; {reason}."
            )
        notes.append(
            f"{len(unfit):,} alleles of {Path(path).name} were left out (the first: "
            f"{unfit[0].rpartition(', ')[2]}): {reason}."
        )
    filled = sum(effect.highest.filled > 0 for effect in effects)
    if filled:
        notes.append(
            f"{filled:,} variants shorten a sequence of fixed length; unknown bases fill it up, "
            "which has an effect of its own. With --genome the bases that follow are used."
        )
    return effects, notes


def _window(model: Classifier) -> int:
    """Return how many bases to cut out of a genome around a variant."""
    if model.config.length is None:
        raise InputError(
            "--genome: this model takes sequences of any length, so nobody knows which "
            "windows to cut. Give the sequences that variants are on as SEQS instead."
        )
    return model.config.length


def _sequences_as_contigs(
    model: Classifier, ids: Sequence[str], codes: Sequence[Codes]
) -> dict[str, Contig]:
    """Return sequences, without context, as contigs of their names."""
    contigs = {
        name: Contig(name, window_of(model, sequence))
        for name, sequence in zip(ids, codes, strict=True)
    }
    if len(contigs) < len(ids):
        raise InputError(
            "--variants: several sequences have the same id, and variants name sequences by "
            "it. Rename them."
        )
    return contigs
