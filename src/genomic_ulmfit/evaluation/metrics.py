"""How good predictions are, and how sure one may be of that.

With two classes, the class of index 1 is the positive one: precision, recall, AUROC, AUPRC and
calibration are about it. With more, every class in turn is the positive one against the rest and
the values are averaged with equal weight over the classes that have test sequences (macro
average); a class that is never predicted counts with precision 0. Calibration is then about the
predicted class: its probability against how often it is right (Guo et al. 2017, ICML).

A value that does not exist (the AUROC of one class) is None, never NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from genomic_ulmfit.errors import InputError
from genomic_ulmfit.evaluation.estimates import (
    CONFIDENCE,
    RESAMPLES,
    Estimate,
    Floats,
    mean_interval,
    percentile_interval,
    resampled_weights,
)

Labels = npt.NDArray[np.integer[Any]]

METRICS = (
    "accuracy",
    "precision",
    "recall",
    "specificity",
    "mcc",
    "auroc",
    "auprc",
    "brier",
    "ece",
)
N_BINS = 10


class ReliabilityBin(NamedTuple):
    """Sequences whose predicted probability lies in ``[start, end)``; the last bin has its end.

    `predicted` is their mean predicted probability, `observed` the fraction in which the
    prediction came true, with its interval; None where `n` is 0.
    """

    start: float
    end: float
    n: int
    predicted: float | None
    observed: Estimate


@dataclass(frozen=True)
class Evaluation:
    """Metrics of one model on one set of sequences, with 95 % bootstrap intervals.

    Parameters
    ----------
    n : int
        Number of sequences.
    class_names : tuple of str
        In the order of the class indices.
    accuracy, precision, recall, specificity, mcc, auroc, auprc : Estimate
        See the module's text for what is positive and how classes are averaged. `mcc` is
        Matthews' correlation coefficient, for more than two classes Gorodkin's R_K (2004,
        Comput. Biol. Chem. 28:367-374); 0 when all predictions are the same. `auprc` is average
        precision.
    brier : Estimate
        Mean squared error of the probability of the positive class; with more than two classes
        summed over classes (Brier 1950).
    ece : Estimate
        Expected calibration error over ten bins of equal width. Resampling adds noise that
        this error counts as miscalibration, so its interval leans upwards.
    confusion : tuple of tuple of int
        Counts: one row per true class, one column per predicted class.
    reliability : tuple of ReliabilityBin
        The reliability curve.
    seed : int
        Of the bootstrap.
    """

    n: int
    class_names: tuple[str, ...]
    accuracy: Estimate
    precision: Estimate
    recall: Estimate
    specificity: Estimate
    mcc: Estimate
    auroc: Estimate
    auprc: Estimate
    brier: Estimate
    ece: Estimate
    confusion: tuple[tuple[int, ...], ...]
    reliability: tuple[ReliabilityBin, ...]
    seed: int

    @property
    def averaging(self) -> str:
        """What precision, recall and the like are about, in words."""
        if len(self.class_names) == 2:
            return f"positive class: {self.class_names[1]}"
        return "macro average, one class against the rest"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-able values, without NaN."""
        return {
            "n": self.n,
            "class_names": list(self.class_names),
            "averaging": self.averaging,
            **{name: getattr(self, name)._asdict() for name in METRICS},
            "confusion": [list(row) for row in self.confusion],
            "reliability": [
                {**entry._asdict(), "observed": entry.observed._asdict()}
                for entry in self.reliability
            ],
            "bootstrap": {"resamples": RESAMPLES, "confidence": CONFIDENCE, "seed": self.seed},
        }


def evaluate_predictions(
    labels: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    class_names: Sequence[str],
    seed: int = 0,
) -> Evaluation:
    """Compute all metrics and their percentile bootstrap intervals (Efron 1979).

    Parameters
    ----------
    labels : array-like of int, shape (n,)
        Indices of the true classes.
    probabilities : array-like of float, shape (n, n_classes)
        Each row sums to 1. The predicted class is the likeliest one.
    class_names : sequence of str, length n_classes
    seed : int
        Of the 1,000 resamples of the sequences. Resamples in which a metric is not defined do
        not count for its interval.

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError
        If shapes, label range or probabilities do not fit together.
    """
    true, predicted = _checked(labels, probabilities)
    n, n_classes = predicted.shape
    if len(class_names) != n_classes:
        raise InputError(
            f"class_names: got {len(class_names)}, but the probabilities have {n_classes} columns."
        )
    once = np.ones((1, n))
    values = weighted_scores(true, predicted, once)
    counts, predicted_sums, observed_sums = (
        sums[0] for sums in reliability_sums(true, predicted, once)
    )
    samples: dict[str, list[Floats]] = {name: [] for name in METRICS}
    observed_samples = []
    for weights in resampled_weights(n, np.random.default_rng(seed)):
        for name, scores in weighted_scores(true, predicted, weights).items():
            samples[name].append(scores)
        sizes, _, observed = reliability_sums(true, predicted, weights)
        observed_samples.append(_divide(observed, sizes))

    rates = np.concatenate(observed_samples)
    edges = np.linspace(0, 1, N_BINS + 1)
    reliability = tuple(
        ReliabilityBin(
            start=float(edges[i]),
            end=float(edges[i + 1]),
            n=int(counts[i]),
            predicted=float(predicted_sums[i] / counts[i]) if counts[i] else None,
            observed=percentile_interval(_divide(observed_sums, counts)[i], rates[:, i]),
        )
        for i in range(N_BINS)
    )
    confusion = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(confusion, (true, predicted.argmax(axis=1)), 1)
    return Evaluation(
        n=n,
        class_names=tuple(str(name) for name in class_names),
        **{
            name: percentile_interval(values[name][0], np.concatenate(samples[name]))
            for name in METRICS
        },
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        reliability=reliability,
        seed=seed,
    )


def weighted_scores(labels: Labels, probabilities: Floats, weights: Floats) -> dict[str, Floats]:
    """Compute every metric under many weightings of the same sequences at once.

    A bootstrap resample is a weighting by how often each sequence was drawn. Sorting once and
    summing weights along the order then gives all resamples' curves together.

    Parameters
    ----------
    labels : numpy.ndarray of int, shape (n,)
    probabilities : numpy.ndarray of float, shape (n, n_classes)
    weights : numpy.ndarray of float, shape (n_weightings, n)
        Not negative.

    Returns
    -------
    dict of str to numpy.ndarray of float, each of shape (n_weightings,)
        One entry per name in `METRICS`; NaN where a metric is not defined.
    """
    n_classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    is_class = np.eye(n_classes)[labels]
    is_called = np.eye(n_classes)[predicted]
    total = weights.sum(axis=1, keepdims=True)
    size = weights @ is_class
    called = weights @ is_called
    hits = weights @ (is_class * is_called)
    precision = _divide(hits, called)
    ranked = [1] if n_classes == 2 else range(n_classes)
    curves = [_curve_areas(is_class[:, i] > 0, probabilities[:, i], weights) for i in ranked]
    per_class = {
        "precision": precision if n_classes == 2 else np.nan_to_num(precision),
        "recall": _divide(hits, size),
        "specificity": _divide(total - size - called + hits, total - size),
    }
    averaged = {
        name: values[:, 1] if n_classes == 2 else _macro(values, size > 0)
        for name, values in per_class.items()
    }
    for name, areas in zip(("auroc", "auprc"), zip(*curves, strict=True), strict=True):
        values = np.stack(areas, axis=1)
        averaged[name] = values[:, 0] if n_classes == 2 else _macro(values, size > 0)

    errors = (probabilities - is_class) ** 2
    counts, predicted_sums, observed_sums = reliability_sums(labels, probabilities, weights)
    gaps = np.abs(predicted_sums - observed_sums).sum(axis=1)
    return {
        "accuracy": hits.sum(axis=1) / total[:, 0],
        **averaged,
        "mcc": _mcc(total[:, 0], size, called, hits.sum(axis=1)),
        "brier": weights @ (errors[:, 1] if n_classes == 2 else errors.sum(axis=1)) / total[:, 0],
        "ece": gaps / counts.sum(axis=1),
    }


def reliability_sums(
    labels: Labels, probabilities: Floats, weights: Floats
) -> tuple[Floats, Floats, Floats]:
    """Sum predictions and what came true over bins of equal width of the predicted probability.

    Parameters
    ----------
    labels : numpy.ndarray of int, shape (n,)
    probabilities : numpy.ndarray of float, shape (n, n_classes)
    weights : numpy.ndarray of float, shape (n_weightings, n)
        As in `weighted_scores`.

    Returns
    -------
    tuple of three numpy.ndarray of float, each of shape (n_weightings, N_BINS)
        Of each bin the number of sequences, the sum of their predicted probabilities, and in how
        many the prediction came true.
    """
    if probabilities.shape[1] == 2:
        predicted = probabilities[:, 1]
        outcome = labels == 1
    else:
        predicted = probabilities.max(axis=1)
        outcome = labels == probabilities.argmax(axis=1)
    bins = np.eye(N_BINS)[np.minimum((predicted * N_BINS).astype(np.int64), N_BINS - 1)]
    return (
        weights @ bins,
        weights @ (bins * predicted[:, None]),
        weights @ (bins * outcome[:, None]),
    )


def mean_score(values: Sequence[float | None], metric: str) -> Estimate:
    """Return `mean_interval` of one metric's values, cut to the range that it can take.

    Student's t knows no bounds: near a perfect score it would promise an accuracy above 1.

    Parameters
    ----------
    values : sequence of float
    metric : str
        One of `METRICS` other than ``brier``.

    Returns
    -------
    Estimate
    """
    mean, low, high = mean_interval(values)
    floor = -1.0 if metric == "mcc" else 0.0
    return Estimate(
        mean, None if low is None else max(low, floor), None if high is None else min(high, 1.0)
    )


def paired_bootstrap_difference(
    labels: npt.ArrayLike | Sequence[npt.ArrayLike],
    probabilities_a: npt.ArrayLike | Sequence[npt.ArrayLike],
    probabilities_b: npt.ArrayLike | Sequence[npt.ArrayLike],
    metric: str = "accuracy",
    seed: int = 0,
) -> Estimate:
    """Return how much better model a is than b, with both on the same resampled sequences.

    The interval says what another draw of test sequences would change, the trained models being
    as they are; what another training would change is for `paired_difference` to say.

    Parameters
    ----------
    labels : array-like of int, shape (n,), or a list of such, one per seed
        One array means that all seeds share their test sequences, which are then resampled
        together. A list means that each seed has test sequences of its own.
    probabilities_a, probabilities_b : array-like of float, shape (n, n_classes), or a list of
        such, one per seed
    metric : str
        One of `METRICS`.
    seed : int
        Of the 1,000 resamples.

    Returns
    -------
    Estimate
        The metric of a minus that of b, averaged over seeds, with its percentile bootstrap
        95 % interval.

    Raises
    ------
    InputError
        If `metric` is not known, or shapes or numbers of seeds do not fit together.
    """
    if metric not in METRICS:
        raise InputError(f"metric: got {metric!r}, allowed are {', '.join(METRICS)}.")
    all_a, all_b = _per_seed(probabilities_a, 2), _per_seed(probabilities_b, 2)
    all_labels = _per_seed(labels, 1)
    shared = len(all_labels) == 1
    if shared:
        all_labels *= len(all_a)
    if not len(all_labels) == len(all_a) == len(all_b):
        raise InputError(
            f"seeds: got labels for {len(all_labels)}, probabilities for {len(all_a)} and "
            f"{len(all_b)}; give the same number of each, or one label array for all."
        )
    rng = np.random.default_rng(seed)
    draws = rng.spawn(len(all_a))
    values, samples = [], []
    for i, (one, a, b) in enumerate(zip(all_labels, all_a, all_b, strict=True)):
        true, from_a = _checked(one, a)
        _, from_b = _checked(one, b)
        once = np.ones((1, len(true)))
        # Shared sequences must be drawn alike for every seed: each starts the same generator.
        draw = np.random.default_rng(seed) if shared else draws[i]
        differences = [
            weighted_scores(true, from_a, weights)[metric]
            - weighted_scores(true, from_b, weights)[metric]
            for weights in (once, *resampled_weights(len(true), draw))
        ]
        values.append(differences[0][0])
        samples.append(np.concatenate(differences[1:]))
    return percentile_interval(np.mean(values), np.mean(samples, axis=0))


def _checked(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> tuple[Labels, Floats]:
    """Return both as arrays that fit together."""
    true = np.asarray(labels)
    predicted = np.asarray(probabilities, dtype=np.float64)
    if predicted.ndim != 2 or predicted.shape[1] < 2 or true.shape != (len(predicted),):
        raise InputError(
            f"labels and probabilities: got shapes {true.shape} and {predicted.shape}, allowed "
            "are (n,) and (n, n_classes) with at least 2 classes."
        )
    if len(true) == 0:
        raise InputError("labels: got none; an evaluation needs at least one sequence.")
    n_classes = predicted.shape[1]
    if not np.issubdtype(true.dtype, np.integer) or true.min() < 0 or true.max() >= n_classes:
        raise InputError(f"labels: allowed are class indices, integers 0 to {n_classes - 1}.")
    # Half-precision probabilities do not sum to 1 exactly; NaN fails the comparison too.
    if not ((predicted >= 0).all() and (np.abs(predicted.sum(axis=1) - 1) < 0.01).all()):
        raise InputError("probabilities: each row must be free of negatives and NaN and sum to 1.")
    return true, predicted


def _per_seed(arrays: Any, n_axes: int) -> list[Any]:
    """Return one array per seed: what has just `n_axes` axes is a single seed's."""
    one_each = len(arrays) > 0 and np.ndim(arrays[0]) == n_axes
    return list(arrays) if one_each else [arrays]


def _curve_areas(positive: npt.NDArray[np.bool_], scores: Floats, weights: Floats) -> list[Floats]:
    """Return AUROC and average precision of one class against the rest, per weighting."""
    order = np.argsort(-scores, kind="stable")
    ordered = weights[:, order]
    # Equal scores are one step of the curve: it can only be read where the score changes.
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    true_calls = np.cumsum(ordered * positive[order], axis=1)[:, ends]
    calls = np.cumsum(ordered, axis=1)[:, ends]
    n_positive = true_calls[:, -1]
    n_negative = calls[:, -1] - n_positive
    gained = np.diff(true_calls, axis=1, prepend=0)
    false_gained = np.diff(calls - true_calls, axis=1, prepend=0)
    ranked_below = (false_gained * (true_calls - gained / 2)).sum(axis=1)
    average_precision = (gained * np.nan_to_num(_divide(true_calls, calls))).sum(axis=1)
    return [
        _divide(ranked_below, n_positive * n_negative),
        _divide(average_precision, n_positive),
    ]


def _mcc(total: Floats, size: Floats, called: Floats, hits: Floats) -> Floats:
    """Return Matthews' correlation (R_K): NaN with one true class, 0 with one predicted class."""
    agreement = hits * total - (called * size).sum(axis=1)
    spread_called = total**2 - (called**2).sum(axis=1)
    spread_size = total**2 - (size**2).sum(axis=1)
    correlation = np.nan_to_num(_divide(agreement, np.sqrt(spread_called * spread_size)))
    return np.where(spread_size > 0, correlation, np.nan)


def _macro(values: Floats, present: npt.NDArray[np.bool_]) -> Floats:
    """Average over the classes that are present and have a value."""
    known = present & ~np.isnan(values)
    return _divide(np.where(known, values, 0).sum(axis=1), known.sum(axis=1))


def _divide(numerator: Floats, denominator: npt.NDArray[Any]) -> Floats:
    """Divide; NaN where the denominator is 0."""
    result = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=result, where=denominator > 0)
    return result
