"""Variants: what a change of the genome does to the probability of a class."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from genomic_ulmfit.dna.alphabet import AMBIGUOUS, Codes, encode, reverse_complement
from genomic_ulmfit.dna.genome import Contig
from genomic_ulmfit.inference.explaining.profiles import from_site
from genomic_ulmfit.inference.explaining.variant_files import Variant, check_reference
from genomic_ulmfit.inference.log_odds import log_odds, probability
from genomic_ulmfit.inference.targets import Floats, sequence_log_odds
from genomic_ulmfit.inference.windows.dense import dense_logits
from genomic_ulmfit.inference.windows.runs import cut_runs
from genomic_ulmfit.models.classifier import Classifier

AT_A_TIME = 4_096
"""Windows that are scored together."""


class Change(NamedTuple):
    """What a variant does to one window.

    Parameters
    ----------
    strand : int
        +1 or -1, of the window.
    site : int
        Base of the reference at the window's anchor, 0-based.
    place : int
        First changed base along that strand, counted from the site, which is 0.
    log_odds_ref, log_odds_alt : float
        Of the class that is asked about.
    filled : int
        Unknown bases that the alternative window was filled up with, because nothing is known of
        what follows a sequence.
    """

    strand: int
    site: int
    place: int
    log_odds_ref: float
    log_odds_alt: float
    filled: int = 0

    @property
    def difference(self) -> float:
        """By how much the alternative allele raises the log-odds."""
        return self.log_odds_alt - self.log_odds_ref


class Effect(NamedTuple):
    """What a variant does to the windows that it changes.

    Parameters
    ----------
    variant : Variant
    highest : Change
        To the window that scores highest with either allele.
    largest : Change
        To the window whose log-odds it changes most.
    """

    variant: Variant
    highest: Change
    largest: Change


class _Pair(NamedTuple):
    """The same window with either allele, and where it begins in its stretches, on its strand."""

    strand: int
    site: int
    place: int
    ref: Codes
    alt: Codes
    filled: int = 0
    first: int = 0
    first_new: int = 0


class _Stretches(NamedTuple):
    """What a variant's windows are cut from, with either allele, on the forward strand."""

    ref: Codes
    alt: Codes


_NO_STRETCHES = _Stretches(np.zeros(0, np.uint8), np.zeros(0, np.uint8))


class _Waiting(NamedTuple):
    """A variant whose windows have no scores yet."""

    variant: Variant
    pairs: list[_Pair]
    stretches: _Stretches


def variant_effects(
    model: Classifier,
    variants: Sequence[Variant],
    contigs: Mapping[str, Contig],
    target: int,
    precision: str,
    *,
    anchor: int | None,
    window: int | None,
    with_context: Mapping[str, Codes] = MappingProxyType({}),
    report: Callable[[int], None] = lambda _: None,
) -> Iterator[Effect | None]:
    """Score each variant, in order.

    Parameters
    ----------
    model : Classifier
        In evaluation mode.
    variants : sequence of Variant
    contigs : mapping of str to Contig
        What variants are on, by name.
    target : int
        The class that is asked about.
    precision : {"bf16", "fp32"}
    anchor : int or None
        Where in a window the site lies; None for its middle.
    window : int or None
        Bases per window, to look at every window of both strands that a variant changes. None
        if each contig is one sequence to be scored as a whole, forward strand only. A model that
        was trained with context reads the stretch of all these windows once, as a dense scan does.
    with_context : mapping of str to numpy.ndarray of uint8
        Such sequences with the context that stands around them, as much before as behind.
    report : callable
        Told how many variants are done.

    Yields
    ------
    Effect or None
        None for a variant that no window holds, or that leaves less of a sequence than a token.

    Raises
    ------
    InputError
        If a variant is on no contig that there is, leaves it, or its reference allele is not
        what stands there.
    """
    for variant in variants:
        check_reference(variant, contigs)
    waiting: list[_Waiting] = []
    done = n_pairs = 0
    for number, variant in enumerate(variants, start=1):
        contig = contigs[variant.contig]
        if window is None:
            codes = with_context.get(contig.name, contig.codes)
            pairs, stretches = _whole_sequence(model, variant, contig, codes, anchor), _NO_STRETCHES
        else:
            site = window // 2 if anchor is None else anchor
            pairs, stretches = _windows(variant, contig, window, site, model.config.context)
        waiting.append(_Waiting(variant, pairs, stretches))
        n_pairs += len(pairs)
        if 2 * n_pairs >= AT_A_TIME or number == len(variants):
            yield from _score(model, waiting, target, precision, window)
            done += len(waiting)
            waiting, n_pairs = [], 0
            report(done)


def _score(
    model: Classifier,
    waiting: Sequence[_Waiting],
    target: int,
    precision: str,
    window: int | None,
) -> Iterator[Effect | None]:
    """Score the windows of some variants together, and keep two of each."""
    if window is not None and model.config.context:
        scores = _in_one_pass(model, waiting, target, precision, window)
    else:
        scores = _one_by_one(model, waiting, target, precision)
    for (variant, pairs, _), (ref, alt) in zip(waiting, scores, strict=True):
        changes = [
            Change(pair.strand, pair.site, pair.place, float(old), float(new), pair.filled)
            for pair, old, new in zip(pairs, ref, alt, strict=True)
        ]
        if not changes:
            yield None
            continue
        yield Effect(
            variant,
            max(changes, key=lambda change: max(change.log_odds_ref, change.log_odds_alt)),
            max(changes, key=lambda change: abs(change.difference)),
        )


def _one_by_one(
    model: Classifier, waiting: Sequence[_Waiting], target: int, precision: str
) -> Iterator[tuple[Floats, Floats]]:
    """Encode each window by itself; yield a variant's scores with either allele."""
    pairs = [pair for one in waiting for pair in one.pairs]
    codes = [pair.ref for pair in pairs] + [pair.alt for pair in pairs]
    scores = np.zeros((2, 0), dtype=np.float32)
    if codes:
        scores = sequence_log_odds(model, codes, target, precision).reshape(2, -1)
    first = 0
    for one in waiting:
        ref, alt = scores[:, first : first + len(one.pairs)]
        yield ref, alt
        first += len(one.pairs)


def _in_one_pass(
    model: Classifier, waiting: Sequence[_Waiting], target: int, precision: str, window: int
) -> Iterator[tuple[Floats, Floats]]:
    """Read each stretch once along either strand; yield a variant's scores with either allele."""
    cut = [
        cut_runs(
            Contig("", codes),
            0,
            len(codes) - window + 1,
            window=window,
            step=1,
            stride=model.config.encoder.tokenizer.stride,
            context=len(codes),
        )
        for one in waiting
        if one.pairs
        for codes in one.stretches
    ]
    logits = iter(dense_logits(model, [run for of in cut for _, run in of], window, precision))
    by_start: list[dict[int, Floats]] = []
    for of_stretch in cut:
        count = sum(run.count for _, run in of_stretch)
        found = {strand: np.zeros(count, dtype=np.float32) for strand in (1, -1)}
        for start, run in of_stretch:
            of_run = next(logits)
            for strand, scores in found.items():
                scores[start :: run.spacing] = log_odds(of_run[strand], target).numpy()
        # A window of the reverse strand is counted from that strand's own beginning.
        by_start.append({1: found[1], -1: found[-1][::-1]})
    stretches = iter(by_start)
    for one in waiting:
        if not one.pairs:
            yield np.zeros(0, np.float32), np.zeros(0, np.float32)
            continue
        ref, alt = next(stretches), next(stretches)
        yield (
            np.array([ref[pair.strand][pair.first] for pair in one.pairs]),
            np.array([alt[pair.strand][pair.first_new] for pair in one.pairs]),
        )


def _whole_sequence(
    model: Classifier, variant: Variant, contig: Contig, codes: Codes, anchor: int | None
) -> list[_Pair]:
    """Put a variant into a sequence, and keep the site where it is if the length is fixed.

    `codes` are those of the contig, in whose middle the variant's position counts, with context.
    """
    start, ref, alt = variant.trimmed()
    around = (len(codes) - len(contig)) // 2
    start += around
    changed = np.concatenate([codes[:start], encode(alt), codes[start + len(ref) :]])
    own_site = len(contig) // 2 if anchor is None else anchor
    site = around + own_site
    if model.config.length is None:
        enough = len(changed) >= model.config.encoder.tokenizer.k
        return [_Pair(1, own_site, start - site, codes, changed)] if enough else []
    # An insertion at the site stands before it, as in `_windows`.
    before = start < site or (start == site and not ref)
    missing = len(codes) - len(changed)
    if missing > 0:
        unknown = np.full(missing, AMBIGUOUS, dtype=np.uint8)
        changed = np.concatenate([unknown, changed] if before else [changed, unknown])
    elif missing < 0:
        changed = changed[-missing:] if before else changed[:missing]
    return [_Pair(1, own_site, start - site, codes, changed, max(0, missing))]


def _windows(
    variant: Variant, contig: Contig, window: int, anchor: int, context: int
) -> tuple[list[_Pair], _Stretches]:
    """Cut every window of both strands that a variant changes, once with each allele.

    Windows get `context` bases on either side, or none where the contig has fewer.

    Windows of the two alleles belong together if the same base of the reference is at their
    anchor. A site that is itself deleted or inserted has no counterpart and is left out.
    """
    start, ref, alt = variant.trimmed()
    length = len(contig)
    # With enough on either side for every window of either allele.
    reach = window + context + max(len(ref), len(alt))
    left, right = start - reach, start + len(ref) + reach
    grown = len(alt) - len(ref)
    if contig.circular and right - left > length:
        # Once round and more: what is far away along the circle has the variant, too.
        if min(length, length + grown) < window:
            return [], _NO_STRETCHES
        circle = np.concatenate(
            [contig.codes[:start], encode(alt), contig.codes[start + len(ref) :]]
        )
        reference = contig.codes.take(np.arange(left, right), mode="wrap")
        changed = circle.take(np.arange(left, right + grown), mode="wrap")
    else:
        if not contig.circular:
            left, right = max(left, 0), min(right, length)
        cut = contig.window(left, right, 1)
        assert cut is not None
        reference = cut
        before, behind = reference[: start - left], reference[start - left + len(ref) :]
        changed = np.concatenate([before, encode(alt), behind])
    at = start - left
    pairs: list[_Pair] = []
    unchanged: list[_Pair] = []
    for strand in (1, -1):
        old, new, begin = reference, changed, at
        if strand < 0:
            old, new = reverse_complement(reference), reverse_complement(changed)
            begin = len(reference) - at - len(ref)
        for site in range(len(old)):
            site_new = site
            if site >= begin + len(ref):
                site_new += len(alt) - len(ref)
            elif site >= begin and len(ref) != len(alt):
                continue
            first, first_new = site - anchor, site_new - anchor
            if min(first, first_new) < 0:
                continue
            if first + window > len(old) or first_new + window > len(new):
                continue
            # An insertion lies between two bases: both must be in the window for it to be seen.
            if not (
                _touches(first, window, begin, len(ref))
                or _touches(first_new, window, begin, len(alt))
            ):
                continue
            # Where the contig ends there is none.
            around = context
            if min(first, first_new) < context or (
                max(first - len(old), first_new - len(new)) + window + context > 0
            ):
                around = 0
            forward = left + (site if strand > 0 else len(old) - 1 - site)
            was = old[first - around : first + window + around]
            becomes = new[first_new - around : first_new + window + around]
            pair = _Pair(
                *(strand, forward % length, begin - site, was, becomes),
                first=first,
                first_new=first_new,
            )
            (unchanged if np.array_equal(was, becomes) else pairs).append(pair)
    # In a repeat, a window may hold the same bases with either allele.
    return pairs or unchanged, _Stretches(reference, changed)


def _touches(first: int, window: int, begin: int, count: int) -> bool:
    """Whether the window at `first` holds one of `count` bases from `begin` on."""
    return first < begin + count and begin < first + window


def effect_row(effect: Effect) -> list[str]:
    """Return an effect as the fields of `EFFECT_COLUMNS`, positions counted from 1."""
    variant, highest, largest = effect
    ref, alt = (float(probability(value)) for value in (highest.log_odds_ref, highest.log_odds_alt))
    return [
        variant.contig,
        str(variant.position + 1),
        variant.id,
        variant.ref,
        variant.alt,
        "+" if highest.strand > 0 else "-",
        str(highest.site + 1),
        str(from_site(highest.place, 0)),
        f"{ref:.6g}",
        f"{alt:.6g}",
        f"{alt - ref:.6g}",
        f"{highest.difference:.6g}",
        str(highest.filled),
        "+" if largest.strand > 0 else "-",
        str(largest.site + 1),
        str(from_site(largest.place, 0)),
        f"{largest.difference:.6g}",
    ]


EFFECT_COLUMNS = (
    "contig",
    "position",
    "id",
    "ref",
    "alt",
    "strand",
    "site",
    "from_site",
    "probability_ref",
    "probability_alt",
    "probability_difference",
    "log_odds_difference",
    "unknown_bases",
    "largest_strand",
    "largest_site",
    "largest_from_site",
    "largest_log_odds_difference",
)
"""Of the table of variants."""
