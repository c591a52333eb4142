"""Pictures of predicted probabilities: ROC, precision against recall, calibration."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from sklearn.metrics import precision_recall_curve, roc_curve

from genomic_ulmfit.evaluation.estimates import mean_interval
from genomic_ulmfit.evaluation.metrics import reliability_sums
from genomic_ulmfit.reports.numbers import number
from genomic_ulmfit.reports.picture import (
    DOTTED,
    GREY,
    Picture,
    literal,
    model_style,
    new_figure,
    styled,
)
from genomic_ulmfit.reports.reproduction.frame import finish, protocol_styles
from genomic_ulmfit.reports.reproduction.labels import (
    capitalised,
    model_label,
    model_rank,
    protocol_label,
    protocols,
)
from genomic_ulmfit.reports.reproduction.results import Predictions, StudyResults

Labels = npt.NDArray[np.integer]
Values = npt.NDArray[np.floating]

# Dense where the curves of good models bend.
_NEAR_ZERO = np.unique(np.concatenate([np.linspace(0, 0.1, 51), np.linspace(0.1, 1, 46)]))
_NEAR_ONE = 1 - _NEAR_ZERO[::-1]
_FEWEST_IN_BIN = 10


@dataclass(frozen=True)
class _CurveKind:
    """Where a kind of curve is read, and how its panel is laid out."""

    grid: Values
    x_label: str
    y_label: str
    corner: tuple[float, float]
    inset: tuple[float, float, float, float]
    diagonal: bool


_ROC = _CurveKind(
    grid=_NEAR_ZERO,
    x_label="false positive rate\n(share of non-promoters called promoter)",
    y_label="true positive rate\n(share of promoters called promoter)",
    corner=(0.0, 0.2),
    inset=(0.42, 0.12, 0.55, 0.55),
    diagonal=True,
)
_PRECISION_RECALL = _CurveKind(
    grid=_NEAR_ONE,
    x_label="recall\n(share of promoters called promoter)",
    y_label="precision\n(share of calls that are promoters)",
    corner=(0.8, 1.0),
    inset=(0.13, 0.12, 0.55, 0.55),
    diagonal=False,
)


def roc(results: StudyResults, predictions: Predictions) -> Picture:
    """Draw receiver operating characteristics, averaged vertically over seeds.

    The mean true positive rate is taken at fixed false positive rates, with linear
    interpolation between a seed's points (Fawcett 2006, Pattern Recognition Letters 27:861,
    section 8.1); the band is Student's t interval at each of them.

    Parameters
    ----------
    results : StudyResults
    predictions : mapping of (model, protocol) to a sequence over seeds of (labels, probabilities)
        Label 1 is promoter, the probability is that of promoter; each of shape (n_test,).

    Returns
    -------
    Picture
    """
    curves = {
        key: np.array([_true_positive_rates(*run) for run in runs])
        for key, runs in predictions.items()
    }
    return finish(
        _draw_curves(results, curves, _ROC),
        results,
        name="roc",
        title="Receiver operating characteristic on held-out sequences",
        caption=(
            "The box enlarges the upper left corner; the dotted diagonal is chance. "
            f"{_runs_in_words(results, predictions, 'Bands')}"
        ),
        alt=_areas_in_words(results, predictions, "auroc", "Area under the ROC curve"),
        handles=_model_handles(results, predictions),
    )


def precision_recall(results: StudyResults, predictions: Predictions) -> Picture:
    """Draw precision against recall, averaged vertically over seeds.

    At each recall a seed's precision is that of the highest threshold which reaches it, the
    step rule of average precision: between points precision must not be interpolated linearly
    (Davis and Goadrich 2006, ICML, doi:10.1145/1143844.1143874). The band is Student's t
    interval at each recall.

    Parameters
    ----------
    results : StudyResults
    predictions : mapping of (model, protocol) to a sequence over seeds of (labels, probabilities)
        As for `roc`.

    Returns
    -------
    Picture
    """
    curves = {
        key: np.array([_precisions(*run) for run in runs]) for key, runs in predictions.items()
    }
    return finish(
        _draw_curves(results, curves, _PRECISION_RECALL),
        results,
        name="precision_recall",
        title="Precision and recall on held-out sequences",
        caption=(
            "The box enlarges the upper right corner. "
            f"{_runs_in_words(results, predictions, 'Bands')}"
        ),
        alt=_areas_in_words(results, predictions, "auprc", "Area under the precision-recall curve"),
        handles=_model_handles(results, predictions),
    )


def _true_positive_rates(labels: Labels, probabilities: Values) -> Values:
    false_positive, true_positive, _ = roc_curve(labels, probabilities)
    return np.interp(_ROC.grid, false_positive, true_positive)


def _precisions(labels: Labels, probabilities: Values) -> Values:
    precision, recall, _ = precision_recall_curve(labels, probabilities)
    # scikit-learn lists recall falling, so that the last point which reaches a recall is the
    # one of the highest threshold.
    reached = np.searchsorted(recall[::-1], _PRECISION_RECALL.grid - 1e-12, side="left")
    return precision[::-1][reached]


def _draw_curves(
    results: StudyResults, curves: dict[tuple[str, str], Values], kind: _CurveKind
) -> Figure:
    """Draw one panel per protocol with every model's mean curve, and its best corner enlarged."""
    names = _protocols_in(results, curves)
    with styled():
        figure = new_figure(0.8 + 4.0 * len(names), 4.7)
        panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
        for panel, protocol in zip(panels, names, strict=True):
            box = panel.inset_axes(kind.inset, xlim=kind.corner, ylim=(0.8, 1.0), zorder=4)
            box.set(xticks=np.linspace(*kind.corner, 3), yticks=[0.8, 0.9, 1.0])
            box.tick_params(labelsize=7)
            box.spines[["top", "right"]].set_visible(True)
            for model in _models_in(curves, protocol):
                mean, band = _across_seeds(curves[model, protocol])
                colour, dashes = model_style(model)
                for target in (panel, box):
                    target.plot(kind.grid, mean, color=colour, ls=dashes)
                    if band is not None:
                        target.fill_between(kind.grid, *band, color=colour, alpha=0.12, lw=0)
            if kind.diagonal:
                panel.axline((0, 0), (1, 1), color=GREY, lw=0.8, ls=DOTTED, zorder=1)
            _make_square(panel)
            panel.set_title(protocol_label(protocol), loc="left")
            panel.set_xlabel(kind.x_label)
        panels[0].set_ylabel(kind.y_label)
    return figure


def _across_seeds(curves: Values) -> tuple[Values, tuple[Values, Values] | None]:
    if len(curves) == 1:
        return curves[0], None
    estimates = [mean_interval(values) for values in curves.T.tolist()]
    mean, low, high = np.array(estimates, dtype=float).T
    return mean, (np.clip(low, 0, 1), np.clip(high, 0, 1))


def calibration(results: StudyResults, predictions: Predictions) -> Picture:
    """Draw how often a predicted probability comes true, one panel per model.

    Predictions fall into ten bins of equal width. A point stands at the bin's mean prediction
    and its share of promoters, all seeds together; its area is the share of test sequences in
    the bin.

    Parameters
    ----------
    results : StudyResults
    predictions : mapping of (model, protocol) to a sequence over seeds of (labels, probabilities)
        As for `roc`.

    Returns
    -------
    Picture
    """
    styles = protocol_styles(_protocols_in(results, predictions))
    models = sorted({model for model, _ in predictions}, key=model_rank)
    n_rows = math.ceil(len(models) / 4)
    n_columns = math.ceil(len(models) / n_rows)
    with styled():
        figure = new_figure(max(4.6, 0.7 + 2.1 * n_columns), 0.4 + 2.6 * n_rows)
        panels = figure.subplots(n_rows, n_columns, sharey=True, squeeze=False)
        for panel, model in zip(panels.flat, models, strict=False):
            panel.axline((0, 0), (1, 1), color=GREY, lw=0.8, ls=DOTTED)
            for protocol, (colour, marker) in styles.items():
                if (model, protocol) in predictions:
                    predicted, observed, share = _reliability(predictions[model, protocol])
                    panel.plot(predicted, observed, color=colour, lw=1.0)
                    panel.scatter(
                        predicted,
                        observed,
                        s=8 + 120 * share,
                        color=colour,
                        marker=marker,
                        lw=0,
                        alpha=0.8,
                        zorder=3,
                        clip_on=False,
                    )
            _make_square(panel)
            panel.set_title(literal(textwrap.fill(model_label(model, results), 23)), loc="left")
        for panel in panels.flat[len(models) :]:
            panel.set_visible(False)
        for panel in panels[-1]:
            panel.set_xlabel("predicted probability")
        for panel in panels[:, 0]:
            panel.set_ylabel("share that are promoters")
    return finish(
        figure,
        results,
        name="calibration",
        title="Calibration: predicted probability against what came true",
        caption=(
            "On the dotted diagonal predictions come true as often as they say. A point's area "
            "grows with the share of test sequences in its bin; bins with fewer than "
            f"{_FEWEST_IN_BIN} are left out. {_runs_in_words(results, predictions, None)}"
        ),
        alt=(
            "Share of true promoters against predicted probability in ten bins, for "
            + ", ".join(model_label(model, results) for model in models)
            + ". A calibrated model lies on the diagonal."
        ),
        handles=[
            Line2D([], [], color=colour, marker=marker, lw=1.0, label=protocol_label(protocol))
            for protocol, (colour, marker) in styles.items()
        ],
    )


def _reliability(runs: Sequence[tuple[Labels, Values]]) -> tuple[Values, Values, Values]:
    """Return mean prediction, share of promoters and share of sequences of each filled bin."""
    labels = np.concatenate([run[0] for run in runs])
    probabilities = np.concatenate([run[1] for run in runs])
    both = np.column_stack([1 - probabilities, probabilities])
    sums = reliability_sums(labels, both, np.ones((1, len(labels))))
    counts, predicted, observed = (of_bins[0] for of_bins in sums)
    filled = counts >= _FEWEST_IN_BIN
    return (
        predicted[filled] / counts[filled],
        observed[filled] / counts[filled],
        counts[filled] / counts.sum(),
    )


def _make_square(panel: Axes) -> None:
    panel.set(xlim=(0, 1), ylim=(0, 1.005), aspect="equal")
    panel.set_xticks(np.linspace(0, 1, 6))
    panel.set_yticks(np.linspace(0, 1, 6))


def _protocols_in(
    results: StudyResults, keyed: Predictions | dict[tuple[str, str], Values]
) -> list[str]:
    have = {protocol for _, protocol in keyed}
    return [name for name in protocols(results) if name in have]


def _models_in(keyed: dict[tuple[str, str], Values], protocol: str) -> list[str]:
    return sorted((model for model, name in keyed if name == protocol), key=model_rank)


def _model_handles(results: StudyResults, predictions: Predictions) -> list[Line2D]:
    handles = []
    for model in sorted({model for model, _ in predictions}, key=model_rank):
        colour, dashes = model_style(model)
        label = literal(model_label(model, results))
        handles.append(Line2D([], [], color=colour, ls=dashes, label=label))
    return handles


def _runs_in_words(results: StudyResults, predictions: Predictions, bands: str | None) -> str:
    sizes = []
    for protocol in _protocols_in(results, predictions):
        smallest = min(
            len(labels)
            for (_, name), runs in predictions.items()
            if name == protocol
            for labels, _ in runs
        )
        sizes.append(f"{smallest:,} ({protocol_label(protocol)})")
    tested = f"Test sequences: n = {', '.join(sizes)}."
    seeds = ", ".join(str(seed) for seed in results["seeds"])
    if max(len(runs) for runs in predictions.values()) == 1:
        return f"One seed ({seeds}), so no intervals. {tested}"
    if bands is None:
        return f"Seeds {seeds} together. {tested}"
    return f"Mean over seeds {seeds}. {bands}: 95 % Student t intervals. {tested}"


def _areas_in_words(
    results: StudyResults, predictions: Predictions, metric: Literal["auroc", "auprc"], what: str
) -> str:
    summaries = sorted(results["summary"], key=lambda summary: model_rank(summary["model"]))
    parts = []
    for protocol in _protocols_in(results, predictions):
        areas = [
            f"{model_label(summary['model'], results)} {number(summary[metric]['mean'])}"
            for summary in summaries
            if summary["protocol"] == protocol and (summary["model"], protocol) in predictions
        ]
        parts.append(f"{capitalised(protocol_label(protocol))}: {', '.join(areas)}.")
    return f"{what}. {' '.join(parts)}"
