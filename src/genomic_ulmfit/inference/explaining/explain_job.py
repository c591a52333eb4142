"""From a model and sequences, or variants, to files that say what matters to the model."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from genomic_ulmfit.dna.alphabet import Codes
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import require_another, require_writable, write_json
from genomic_ulmfit.inference.explaining.attribution import STEPS, integrated_gradients
from genomic_ulmfit.inference.explaining.explain_files import (
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
from genomic_ulmfit.inference.explaining.explanation import (
    DEFAULT_METHODS,
    METHODS,
    ExplainResult,
    Explanation,
)
from genomic_ulmfit.inference.explaining.mutagenesis import saturation_mutagenesis
from genomic_ulmfit.inference.explaining.perturbation import (
    WIDTHS,
    Perturbation,
    window_perturbation,
)
from genomic_ulmfit.inference.explaining.profiles import (
    average,
    from_site,
    has_unknown,
    known_bases,
)
from genomic_ulmfit.inference.explaining.variant_job import score_variants
from genomic_ulmfit.inference.explaining.variants import Effect
from genomic_ulmfit.inference.sequences import read_sequences
from genomic_ulmfit.inference.targets import Floats, Question, window_of
from genomic_ulmfit.models.classifier import Classifier
from genomic_ulmfit.models.folder import CONFIG, read_config
from genomic_ulmfit.models.precision import settled_precision
from genomic_ulmfit.models.prediction import require_length
from genomic_ulmfit.models.store import load_classifier
from genomic_ulmfit.models.target_class import target_index
from genomic_ulmfit.progress import Report


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
    if (out / CONFIG).exists():
        raise InputError(f"--out: {out} is a model folder; name another.")
    for name in (SUMMARY, EFFECTS, POSITIONS, STRETCHES, *map(arrays_file, METHODS)):
        require_another(out / name, sequences, variants, genome, model_folder)
    chosen = _methods(methods, variants)
    if genome is not None and variants is None:
        raise InputError("--genome: says what variants are on; give them with --variants.")
    if sequences is None and (genome is None or chosen):
        raise InputError(
            "SEQS: sequences are missing. Give them, or, if it is about --variants on a genome, "
            "--genome."
        )
    if sequences is not None and genome is not None and not chosen:
        raise InputError(
            f"SEQS: got {sequences}, but with --variants on a --genome no sequences are looked at. "
            "Leave them out, or say with --method how to explain them, too."
        )
    model = load_classifier(model_folder)
    config = read_config(model_folder)
    column = target_index(model.config.classes, target)
    if anchor is None:
        anchor = config["training"].get("anchor")
    precision = settled_precision(precision)

    begun = time.monotonic()
    ids: list[str] = []
    codes: list[Codes] = []
    if sequences is not None:
        ids, codes = _read(model, sequences)
    windows = tuple(window_of(model, sequence) for sequence in codes)
    longest = model.config.length or max(map(len, windows), default=0)
    if anchor is not None and not 0 <= anchor < longest:
        raise InputError(f"--anchor: got {anchor}, allowed are 0 to {longest - 1}.")

    question = Question(model, column, precision, anchor)
    notes: list[str] = []
    if config["training"].get("simulated"):
        notes.append("The model was trained on SIMULATED sequences, and knows nothing of real DNA.")
    effects: tuple[Effect, ...] = ()
    if variants is not None:
        effects, of_variants = score_variants(
            question,
            variants,
            ids,
            codes,
            genome,
            lambda done, of: report("Scoring variants", done, of),
        )
        notes += of_variants
    explanation = None
    if chosen:
        explanation = _explain(question, ids, codes, windows, chosen, report)
        notes += _notes(explanation)
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
    for sequence in read_sequences(path, context=model.config.context):
        require_length(model, sequence.codes, sequence.place)
        ids.append(sequence.id)
        codes.append(sequence.codes)
    return ids, codes


def _explain(
    question: Question,
    ids: Sequence[str],
    codes: Sequence[Codes],
    windows: tuple[Codes, ...],
    methods: Sequence[str],
    report: Report,
) -> Explanation:
    """Run the methods."""
    model, target, precision, anchor = question
    total = len(codes)
    longest = max(map(len, windows))
    contributions: dict[str, Floats] = {}
    mutagenesis, attribution = None, None
    perturbations: list[Perturbation] = []
    log_odds = np.zeros(total, dtype=np.float32)
    if "perturbation" in methods:
        for width in WIDTHS:
            what = f"Perturbing {width} bases at a time"
            report(what, 0, total)
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
        report("Gradients", 0, total)
        attribution = integrated_gradients(
            model, codes, target, precision, lambda done: report("Gradients", done, total)
        )
        contributions["gradient"] = attribution.contributions
        log_odds = attribution.log_odds
    if "mutagenesis" in methods:
        report("Mutagenesis", 0, total)
        mutagenesis = saturation_mutagenesis(
            model, codes, target, precision, lambda done: report("Mutagenesis", done, total)
        )
        contributions["mutagenesis"] = mutagenesis.importance(windows)
        log_odds = mutagenesis.log_odds
    contributions = {
        method: known_bases(values, windows) for method, values in contributions.items()
    }
    main = next(method for method in METHODS if method in contributions)
    of_one_length = len({len(window) for window in windows}) == 1
    of_all = average(contributions[main], windows) if of_one_length else None
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


def _notes(explanation: Explanation) -> Iterator[str]:
    """Say what a user should know of how sequences were explained."""
    total, called = len(explanation.ids), int((explanation.log_odds > 0).sum())
    if explanation.average is not None and 2 * called < total:
        yield (
            f"The model takes {total - called:,} of these {total:,} sequences for another class, "
            f"and averages are over all. Give those of class {explanation.class_name} alone."
        )
    unknown = sum(map(has_unknown, explanation.windows))
    if unknown:
        yield (
            f"{unknown:,} of {len(explanation.ids):,} sequences have ambiguous bases, which "
            "are left out of averages."
        )
    if explanation.average is None:
        yield "The sequences differ in length, so there is no average over them."
    elif explanation.anchor is None:
        yield (
            "The model does not know where in its windows the site lies, so that none is "
            "marked. Say where it is: --anchor."
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
                "interval": None if np.isnan(stretch.margin) else stretch.interval,
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
