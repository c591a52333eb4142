"""A study's pictures; the one of all accuracies is drawn here, the others beside it."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from genomic_ulmfit.reports.names import WITHOUT_ENCODER
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
from genomic_ulmfit.reports.reproduction.frame import finish
from genomic_ulmfit.reports.reproduction.labels import (
    BASELINES,
    PUBLISHED,
    PUBLISHED_MARK,
    capitalised,
    model_label,
    model_rank,
    protocol_label,
    protocols,
    seeds_phrase,
)
from genomic_ulmfit.reports.reproduction.results import Predictions, StudyResults, Summary
from genomic_ulmfit.reports.reproduction.threshold_figures import calibration, precision_recall, roc
from genomic_ulmfit.reports.reproduction.training_figures import (
    language_model_curve,
    training_curves,
)

__all__ = [
    "calibration",
    "draw_all",
    "language_model_curve",
    "precision_recall",
    "roc",
    "summary_bars",
    "training_curves",
]


def draw_all(results: StudyResults, predictions: Predictions) -> list[Picture]:
    """Draw every picture that the results and predictions have data for.

    Parameters
    ----------
    results : StudyResults
    predictions : mapping of (model, protocol) to a sequence over seeds of (labels, probabilities)

    Returns
    -------
    list of Picture
        The summary first.
    """
    pictures = []
    if results["summary"]:
        pictures.append(summary_bars(results))
    if predictions:
        pictures += [
            roc(results, predictions),
            precision_recall(results, predictions),
            calibration(results, predictions),
        ]
    if results["curves"]:
        pictures.append(training_curves(results))
    pictures += [
        language_model_curve(results, facts["name"])
        for facts in results["language_models"]
        if facts["curve"]
    ]
    return pictures


def summary_bars(results: StudyResults) -> Picture:
    """Draw each model's accuracy with its interval, one panel per protocol.

    A dot is the mean, the bar behind it the interval, the ticks single seeds. The axis does not
    start at 0, which dots allow and filled bars would not.

    Parameters
    ----------
    results : StudyResults
        With at least one summary.

    Returns
    -------
    Picture
    """
    names = protocols(results)
    models = sorted({summary["model"] for summary in results["summary"]}, key=model_rank)
    # A real genome's numbers do not belong beside a simulated one's.
    published = {} if results["genome"]["simulated"] else _published_accuracies(models)
    with styled():
        figure = new_figure(2.9 + 2.9 * len(names), 0.75 + 0.4 * len(models))
        panels = figure.subplots(1, len(names), sharex=True, sharey=True, squeeze=False)[0]
        lowest = [1.0, *published.values()]
        for panel, protocol in zip(panels, names, strict=True):
            summaries = {
                summary["model"]: summary
                for summary in results["summary"]
                if summary["protocol"] == protocol
            }
            for place, model in enumerate(models):
                if model in summaries:
                    lowest.append(_draw_accuracy(panel, place, summaries[model], results))
                if model in published:
                    panel.plot(published[model], place, "D", mfc="white", mec=GREY, ms=5, zorder=2)
            networks = [model for model in models if model not in (WITHOUT_ENCODER, *BASELINES)]
            if 0 < len(networks) < len(models) and models[: len(networks)] == networks:
                panel.axhline(len(networks) - 0.5, color=GREY, lw=0.7, ls=DOTTED)
            n_test = min(summary["n_test"] for summary in summaries.values())
            panel.set_title(f"{protocol_label(protocol)}, n = {n_test:,}", loc="left")
            panel.set_xlabel("accuracy")
            panel.grid(axis="y", visible=False)
            panel.spines["left"].set_visible(False)
            panel.tick_params(axis="y", length=0)
        names_drawn = [literal(textwrap.fill(model_label(model, results), 32)) for model in models]
        panels[0].set_yticks(range(len(models)), names_drawn)
        panels[0].set_ylim(len(models) - 0.5, -0.5)
        panels[0].xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
        panels[0].set_xlim(max(0.0, math.floor((min(lowest) - 0.005) * 20) / 20), 1.0)
    return finish(
        figure,
        results,
        name="summary",
        title="Promoter or not: accuracy on held-out sequences",
        caption=(
            "Accuracy: share of the n test sequences that are called right. "
            f"{capitalised(seeds_phrase(results['seeds']))}."
        ),
        alt="Accuracy of each model. "
        + " ".join(
            f"{capitalised(protocol_label(protocol))}: {_in_words(results, protocol)}."
            for protocol in names
        ),
        handles=_summary_legend(len(results["seeds"]) > 1, bool(published)),
    )


def _published_accuracies(models: Sequence[str]) -> dict[str, float]:
    """Place each published accuracy on the row with the seed's own head, where there is one."""
    places = {}
    for row in PUBLISHED:
        faithful = f"{row.model}_seed_head"
        if faithful in models:
            places[faithful] = row.values["accuracy"]
        elif row.model in models:
            places[row.model] = row.values["accuracy"]
    return places


def _draw_accuracy(panel: Axes, place: int, summary: Summary, results: StudyResults) -> float:
    """Draw one model's accuracy; return the leftmost value that must stay visible."""
    mean, low, high = (summary["accuracy"][key] for key in ("mean", "low", "high"))
    if mean is None:
        return 1.0
    colour, _ = model_style(summary["model"])
    single = [
        row["accuracy"]
        for row in results["rows"]
        if row["model"] == summary["model"]
        and row["protocol"] == summary["protocol"]
        and row["accuracy"] is not None
    ]
    if low is not None and high is not None:
        panel.plot(
            [low, high], [place, place], color=colour, alpha=0.35, lw=8, solid_capstyle="butt"
        )
    if len(single) > 1:
        panel.plot(single, [place] * len(single), "|", color=colour, ms=10, mew=1.2)
    panel.plot(mean, place, "o", color=colour, ms=6.5, mec="white", mew=0.6, zorder=3)
    panel.annotate(
        number(mean),
        (1.0, place),
        xycoords=("axes fraction", "data"),
        xytext=(7, 0),
        textcoords="offset points",
        va="center",
        fontweight="bold",
    )
    return min([mean, *single, *([] if low is None else [low])])


def _summary_legend(several_seeds: bool, has_published: bool) -> list[Line2D]:
    dot = "mean over seeds" if several_seeds else "one seed"
    handles = [Line2D([], [], color=GREY, marker="o", ls="", ms=6, label=dot)]
    if several_seeds:
        handles.append(Line2D([], [], color=GREY, lw=6, alpha=0.35, label="95 % interval"))
        handles.append(Line2D([], [], color=GREY, marker="|", ls="", ms=8, label="one seed"))
    if has_published:
        label = f"published ({PUBLISHED_MARK})"
        handles.append(
            Line2D([], [], color=GREY, marker="D", mfc="white", ls="", ms=5, label=label)
        )
    return handles


def _in_words(results: StudyResults, protocol: str) -> str:
    summaries = sorted(
        (summary for summary in results["summary"] if summary["protocol"] == protocol),
        key=lambda summary: model_rank(summary["model"]),
    )
    return ", ".join(
        f"{model_label(summary['model'], results)} {number(summary['accuracy']['mean'])}"
        for summary in summaries
    )
