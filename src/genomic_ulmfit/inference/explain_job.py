"""From a model and sequences, or variants, to files that say what matters to the model."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from genomic_ulmfit.dna.alphabet import Codes
from genomic_ulmfit.dna.genome import Contig
from genomic_ulmfit.dna.readers import read_genome
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import require_another, require_writable, write_json
from genomic_ulmfit.inference.attribution import STEPS, integrated_gradients
from genomic_ulmfit.inference.explain_files import (
    EFFECTS,
    LOGOS,
    PAGE,
    POSITIONS,
    STRETCHES,
    SUMMARY,
    arrays_file,
    write_effects,
    write_explanation,
)
from genomic_ulmfit.inference.explanation import (
    DEFAULT_METHODS,
    METHODS,
    ExplainResult,
    Explanation,
)
from genomic_ulmfit.inference.mutagenesis import saturation_mutagenesis
from genomic_ulmfit.inference.perturbation import WIDTHS, Perturbation, window_perturbation
from genomic_ulmfit.inference.profiles import average, from_site, has_unknown
from genomic_ulmfit.inference.sequences import read_sequences
from genomic_ulmfit.inference.targets import Floats, target_index, window_of
from genomic_ulmfit.inference.variants import Effect, read_variants, variant_effects
from genomic_ulmfit.models.classifier import Classifier
from genomic_ulmfit.models.precision import best_precision
from genomic_ulmfit.models.store import load_classifier, read_config

Report = Callable[[str, int, int], None]
"""Told what is being done, how many sequences or variants are done, and of how many."""


def explain(
    model_folder: str | Path,
    sequences: str | Path | None,
    out: str | Path,
    *,
    methods: Sequence[str] | None = None,
    target: str | None = None,
    anchor: int | None = None,
    variants: str | Path | None = None,
    genome: str | Path | None = None,
    precision: str | None = None,
    report: Report = lambda *_: None,
) -> ExplainResult:
    """Explain sequences, or score variants, and write what was found.

    Parameters
    ----------
    model_folder : path-like
        Classifier.
    sequences : path-like or None
        As for `read_sequences`; may be left out where variants are on a genome.
    out : path-like
        Folder to write to. Gets arrays, tables and, last, ``explain.json``.
    methods : sequence of {"mutagenesis", "gradient", "perturbation"}, optional
        `DEFAULT_METHODS` if not given, and none if there are variants.
    target : str, optional
        Name of a class; as `target_index` chooses if not given.
    anchor : int, optional
        Where in each sequence the site lies; the model's, where its folder tells.
    variants : path-like, optional
        VCF or TSV.
    genome : path-like, optional
        What variants are on, if not on `sequences`.
    precision : {"bf16", "fp32"}, optional
        Probed if not given.
    report : callable
        Told about progress.

    Returns
    -------
    ExplainResult

    Raises
    ------
    InputError
        If an argument or file cannot be used.
    """
    out = Path(out)
    require_writable(out)
    if (out / PAGE).exists():
        raise InputError(f"--out: {out} holds an explanation already; name another folder.")
    if (out / "config.json").exists():
        raise InputError(f"--out: {out} is a model folder; name another.")
    for name in (SUMMARY, EFFECTS, POSITIONS, STRETCHES, *map(arrays_file, METHODS)):
        require_another(out / name, sequences, variants, genome, model_folder)
    chosen = _methods(methods, variants)
    if genome is not None and variants is None:
        raise InputError("--genome: says what variants are on; give them with --variants.")
    if sequences is None and (genome is None or chosen):
        raise InputError(
            "SEQS: sequences are missing. Only --variants with --genome does without them."
        )
    model = load_classifier(model_folder)
    config = read_config(model_folder)
    column = target_index(model.config.classes, target)
    if anchor is None:
        anchor = config["training"].get("anchor")
    precision = precision or best_precision()

    begun = time.monotonic()
    ids: list[str] = []
    codes: list[Codes] = []
    if sequences is not None:
        ids, codes = _read(model, sequences)
    windows = tuple(window_of(model, sequence) for sequence in codes)
    longest = model.config.length or max(map(len, windows), default=0)
    if anchor is not None and not 0 <= anchor < longest:
        raise InputError(f"--anchor: got {anchor}, allowed are 0 to {longest - 1}.")

    notes: list[str] = []
    effects: tuple[Effect, ...] = ()
    if variants is not None:
        effects = _variants(
            model, variants, genome, ids, codes, column, precision, anchor, notes, report
        )
    explanation = None
    if chosen:
        explanation = _explain(
            model, ids, codes, windows, column, precision, anchor, chosen, notes, report
        )
    _remove_stopped(out)
    if variants is not None:
        write_effects(out / EFFECTS, effects)
    if explanation is not None:
        write_explanation(out, explanation)
    summary = {
        "model": {
            "folder": Path(model_folder).resolve().name,
            "sha256": config["sha256"],
            "class": model.config.classes[column],
        },
        "settings": {
            "sequences": None if sequences is None else Path(sequences).name,
            "variants": None if variants is None else Path(variants).name,
            "genome": None if genome is None else Path(genome).name,
            "methods": list(chosen),
            "anchor": anchor,
            "precision": precision,
        },
        "units": "natural-log odds of the class against all others, unless called probability",
        "variants": len(effects),
        **({} if explanation is None else _in_numbers(explanation)),
        "seconds": time.monotonic() - begun,
        "notes": notes,
    }
    write_json(out / SUMMARY, summary)
    return ExplainResult(explanation, effects, summary, tuple(notes))


def _remove_stopped(out: Path) -> None:
    """Remove what a run left that was stopped before its page was written.

    Else its files would be taken for some of this one's. Only its summary tells that files of
    these names are an explanation's.
    """
    if (out / SUMMARY).exists():
        pictures = [path for kind in ("png", "svg") for path in (out / LOGOS).glob(f"*.{kind}")]
        names = ("average.png", "average.svg", EFFECTS, POSITIONS, STRETCHES)
        arrays = map(arrays_file, METHODS)
        for path in (*pictures, *(out / name for name in (*names, *arrays, SUMMARY))):
            path.unlink(missing_ok=True)


def _methods(methods: Sequence[str] | None, variants: str | Path | None) -> tuple[str, ...]:
    if not methods:
        return DEFAULT_METHODS if variants is None else ()
    for method in methods:
        if method not in METHODS:
            raise InputError(f"--method: got {method!r}, allowed are {', '.join(METHODS)}.")
    return tuple(method for method in METHODS if method in methods)


def _read(model: Classifier, path: str | Path) -> tuple[list[str], list[Codes]]:
    """Read all sequences; the first one that the model cannot take ends it."""
    ids, codes = [], []
    length, context = model.config.length, model.config.context
    shortest = model.config.encoder.tokenizer.k
    for sequence in read_sequences(path, context=context > 0):
        size = len(sequence.codes)
        if length is not None and size not in (length, length + 2 * context):
            raise InputError(
                f"{sequence.place}: has {size} bases, but this model was trained on sequences of "
                f"{length}. Cut windows of that length, or train with --head pooling."
            )
        if size < shortest:
            raise InputError(
                f"{sequence.place}: has {size} bases; at least {shortest} are needed. Remove it "
                "or give a longer one."
            )
        ids.append(sequence.id)
        codes.append(sequence.codes)
    return ids, codes


def _variants(
    model: Classifier,
    path: str | Path,
    genome: str | Path | None,
    ids: Sequence[str],
    codes: Sequence[Codes],
    target: int,
    precision: str,
    anchor: int | None,
    notes: list[str],
    report: Report,
) -> tuple[Effect, ...]:
    """Read and score variants."""
    variants, left_out = read_variants(path)
    notes += left_out
    window = None
    with_context: dict[str, Codes] = {}
    if genome is None:
        with_context = dict(zip(ids, codes, strict=True))
        contigs = {
            name: Contig(name, window_of(model, sequence))
            for name, sequence in with_context.items()
        }
        if len(contigs) < len(ids):
            raise InputError(
                "--variants: several sequences have the same id, and variants name sequences by "
                "it. Rename them."
            )
    else:
        window = model.config.length
        if window is None:
            raise InputError(
                "--genome: this model takes sequences of any length, so nobody knows which "
                "windows to cut. Give the sequences that variants are on as SEQS instead."
            )
        contigs = {contig.name: contig for contig in read_genome(genome).contigs}
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
            report=lambda done: report("Scoring variants", done, len(variants)),
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
    filled = sum(effect.filled > 0 for effect in effects)
    if filled:
        notes.append(
            f"{filled:,} variants shorten a sequence of fixed length; unknown bases fill it up, "
            "which has an effect of its own. With --genome the bases that follow are used."
        )
    return effects


def _explain(
    model: Classifier,
    ids: Sequence[str],
    codes: Sequence[Codes],
    windows: tuple[Codes, ...],
    target: int,
    precision: str,
    anchor: int | None,
    methods: Sequence[str],
    notes: list[str],
    report: Report,
) -> Explanation:
    """Run the methods."""
    total = len(codes)
    longest = max(map(len, windows))
    contributions: dict[str, Floats] = {}
    mutagenesis, attribution = None, None
    perturbations: list[Perturbation] = []
    log_odds = np.zeros(total, dtype=np.float32)
    if "perturbation" in methods:
        for width in WIDTHS:
            what = f"Perturbing {width} bases at a time"
            perturbations.append(
                window_perturbation(
                    model,
                    codes,
                    target,
                    precision,
                    width,
                    lambda done, what=what: report(what, done, total),  # type: ignore[misc]
                )
            )
        # The narrowest windows say best where.
        contributions["perturbation"] = perturbations[0].importance(longest)
        log_odds = perturbations[0].log_odds
    if "gradient" in methods:
        attribution = integrated_gradients(
            model, codes, target, precision, lambda done: report("Gradients", done, total)
        )
        contributions["gradient"] = attribution.contributions
        log_odds = attribution.log_odds
    if "mutagenesis" in methods:
        mutagenesis = saturation_mutagenesis(
            model, codes, target, precision, lambda done: report("Mutagenesis", done, total)
        )
        contributions["mutagenesis"] = mutagenesis.importance(windows)
        log_odds = mutagenesis.log_odds
    unknown = sum(map(has_unknown, windows))
    if unknown:
        notes.append(
            f"{unknown:,} of {total:,} sequences have ambiguous bases, which contribute nothing."
        )
    main = next(method for method in METHODS if method in contributions)
    of_all = None
    if len({len(window) for window in windows}) == 1:
        of_all = average(contributions[main], windows)
        if anchor is None:
            notes.append(
                "The model does not know where in its windows the site lies, so that none is "
                "marked. Say where it is: --anchor."
            )
    else:
        notes.append("The sequences differ in length, so there is no average over them.")
    return Explanation(
        tuple(ids),
        windows,
        model.config.classes[target],
        anchor,
        log_odds,
        contributions,
        mutagenesis,
        tuple(perturbations),
        attribution,
        of_all,
    )


def _in_numbers(explanation: Explanation) -> dict[str, Any]:
    """Return what the summary says of sequences."""
    called = explanation.log_odds > 0
    numbers: dict[str, Any] = {
        "sequences": len(explanation.ids),
        "called": int(called.sum()),
        "mean_log_odds": float(explanation.log_odds.mean()),
        "stretches_of_the_average": [
            {
                "first": from_site(stretch.start, explanation.anchor),
                "last": from_site(stretch.end - 1, explanation.anchor),
                "bases": stretch.bases,
                "contribution": stretch.contribution,
                "standard_error": None if np.isnan(stretch.error) else stretch.error,
            }
            for stretch in explanation.stretches()
        ],
    }
    if explanation.attribution is not None:
        numbers["gradient"] = {
            "steps": STEPS,
            "mean_absolute_residual": float(np.abs(explanation.attribution.residual).mean()),
        }
    return numbers
