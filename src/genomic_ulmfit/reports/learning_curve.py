"""The learning curve's table, figure and page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypedDict

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from genomic_ulmfit.files import write_json, write_text
from genomic_ulmfit.reports.markdown import markdown_row
from genomic_ulmfit.reports.names import (
    BASELINE_LABELS,
    WITHOUT_ENCODER,
    WITHOUT_ENCODER_LABEL,
    Metric,
)
from genomic_ulmfit.reports.numbers import duration, interval, number
from genomic_ulmfit.reports.page import data_uri, environment
from genomic_ulmfit.reports.picture import (
    GREY,
    Picture,
    literal,
    model_style,
    new_figure,
    put_words,
    styled,
)

CURVE_METRICS: tuple[Metric, ...] = ("accuracy", "precision", "recall", "mcc", "auroc")

_LABELS = {
    "naive": "naive (no pretraining)",
    "e_coli": "E. coli genome pretraining (e-coli)",
    "ensemble": "genomic ensemble pretraining (bacteria)",
    WITHOUT_ENCODER: WITHOUT_ENCODER_LABEL,
    **BASELINE_LABELS,
}
_OWN_COLOURS = ("#0072B2", "#009E73", "#E69F00", "#8B6914")

SEED_ACCURACY = {
    "20": 0.833,
    "50": 0.844,
    "100": 0.904,
    "200": 0.916,
    "500": 0.924,
    "1000": 0.951,
    "3000": 0.966,
    "all": 0.973,
}
"""The seed's ensemble encoder: one run each, on its own split of 830 test sequences."""
SEED_CONTIG = "NC_000913.3"
SEED_LENGTH = 150

LEGEND_COLUMNS = 3
"""Of the figure, above its panels."""


GAIN = "accuracy on the same subsets"


class LearningCurve(TypedDict):
    """The study's results, as `results.json` holds them.

    `rows` has one entry per cell, `summary` one per model and size with a mean and a 95 %
    Student t interval over subsets for each metric, `differences` the accuracy of row `a` minus
    that of `b` on the same subsets with a paired interval over subsets, and a bootstrap interval
    over test sequences.
    """

    title: str
    command: str
    version: str
    created: str
    table: dict[str, Any]
    encoders: dict[str, dict[str, str]]
    models: list[str]
    sizes: list[str]
    repeats: int
    seed: int
    precision: str
    seconds: float
    rows: list[dict[str, Any]]
    summary: list[dict[str, Any]]
    differences: list[dict[str, Any]]


def write_learning_curve(results: LearningCurve, folder: str | os.PathLike[str]) -> Path:
    """Write ``results.json``, ``table.md``, the figure as PNG and SVG, and ``report.html``.

    Parameters
    ----------
    results : LearningCurve
    folder : path-like
        Is made if missing.

    Returns
    -------
    pathlib.Path
        The page, which needs no other file.
    """
    folder = Path(folder)
    write_json(folder / "results.json", results)
    write_text(folder / "table.md", markdown_table(results))
    picture = draw_learning_curve(results)
    picture.save(folder / "figures")
    page = folder / "report.html"
    write_text(page, render_page(results, picture))
    return page


def curve_title(*, simulated: bool) -> str:
    """Return the study's title, which says where sequences are made up."""
    return f"{'SIMULATED SEQUENCES: how' if simulated else 'How'} few labels are enough"


def label(model: str) -> str:
    """Return what to call a row in print."""
    return _LABELS.get(model, f"{model} encoder")


def is_seeds_task(results: LearningCurve) -> bool:
    """Tell whether the seed reported on this genome, framing and windows, and one of the sizes."""
    table = results["table"]
    return (
        table["framing"] == "anchored"
        and table["contigs"] == [SEED_CONTIG]
        and table["length"] == SEED_LENGTH
        and any(size in SEED_ACCURACY for size in results["sizes"])
    )


def table_rows(results: LearningCurve, metric: Metric = "accuracy") -> list[list[str]]:
    """Return one row per model: its name, and per size a mean with its interval."""
    by_cell = {(one["model"], one["size"]): one for one in results["summary"]}
    rows = []
    for model in results["models"]:
        cells = [by_cell[model, size][metric] for size in results["sizes"]]
        rows.append(
            [
                label(model),
                *(f"{number(c['mean'])} {interval(c['low'], c['high'])}".rstrip() for c in cells),
            ]
        )
    if metric == "accuracy" and is_seeds_task(results):
        seeds = [SEED_ACCURACY.get(size) for size in results["sizes"]]
        rows.append(["the seed, ensemble encoder (one run, its own split)", *map(number, seeds)])
    return rows


def _gain(results: LearningCurve) -> str:
    """Say what differences are of, and which of their intervals is which."""
    if results["repeats"] == 1:
        return f"{GAIN} (interval: over test sequences; one subset has none)"
    return f"{GAIN} (first interval: over subsets, second: over test sequences)"


def markdown_table(results: LearningCurve) -> str:
    """Write accuracy and MCC by model and number of labels as Markdown."""
    parts = [f"# {results['title']}", "", _caption(results)]
    for metric, name in (("accuracy", "Accuracy"), ("mcc", "MCC")):
        header = ["model", *(_labels_in_words(results, size) for size in results["sizes"])]
        parts += ["", f"## {name}", "", markdown_row(header)]
        parts.append(markdown_row(["---"] * len(header)))
        parts += map(markdown_row, table_rows(results, metric))  # type: ignore[arg-type]
    parts += ["", f"## What encoders gain: {_gain(results)}", ""]
    header = ["encoder", "against", *results["sizes"]]
    parts += [markdown_row(header), markdown_row(["---"] * len(header))]
    parts += map(markdown_row, difference_rows(results))
    parts += ["", f"By `{results['command']}`.", ""]
    return "\n".join(parts)


def difference_rows(results: LearningCurve) -> list[list[str]]:
    """Return per encoder and other row the gain in accuracy for each size, with intervals."""
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for one in results["differences"]:
        over_subsets = interval(one["low"], one["high"], sign=True)
        over_sequences = interval(**one["over_sequences"], sign=True)
        intervals = "; ".join(filter(None, (over_subsets, over_sequences)))
        text = f"{number(one['difference'], sign=True)} {intervals}"
        cells.setdefault((one["a"], one["b"]), {})[one["size"]] = text.rstrip()
    return [
        [label(a), label(b), *(of_size[size] for size in results["sizes"])]
        for (a, b), of_size in cells.items()
    ]


def draw_learning_curve(results: LearningCurve) -> Picture:
    """Draw accuracy and MCC against the number of labels, with 95 % bands.

    Returns
    -------
    Picture
        Named ``learning_curve``.
    """
    figure = new_figure(9.5, 6.6)
    styles = {model: _style(model, results) for model in results["models"]}
    with styled():
        panels = figure.subplots(1, 2)
        for panel, metric, name in zip(
            panels, ("accuracy", "mcc"), ("accuracy", "MCC"), strict=True
        ):
            _draw_panel(panel, results, metric, styles)
            panel.set_xlabel("labelled sequences")
            panel.set_ylabel(name)
        handles = [
            Line2D([], [], color=colour, linestyle=line, label=literal(label(model)))
            for model, (colour, line) in styles.items()
        ]
        if "all" in results["sizes"]:
            colour = styles["naive"][0]
            handles.append(
                Line2D([], [], color=colour, linewidth=0.8, label="naive with all labels")
            )
        if is_seeds_task(results):
            handles.append(
                Line2D([], [], color=GREY, marker="x", linestyle="", label="the seed, one run")
            )
        legend_rows = -(-len(handles) // LEGEND_COLUMNS)
        top = 0.9 - 0.027 * legend_rows
        figure.subplots_adjust(left=0.075, right=0.985, top=top, bottom=0.17, wspace=0.22)
        figure.legend(
            handles=handles,
            loc="upper left",
            bbox_to_anchor=(0.005, 0.945),
            ncols=LEGEND_COLUMNS,
        )
        caption = _caption(results)
        put_words(
            figure,
            results["title"],
            caption,
            left=0.01,
            top=0.985,
            bottom=0.015,
            title_size=12,
            wrap=True,
            simulated=_is_simulated(results),
        )
    return Picture(
        name="learning_curve",
        title=results["title"],
        caption=caption,
        alt="Accuracy and MCC against the number of labels. " + _ends(results),
        figure=figure,
    )


def _style(model: str, results: LearningCurve) -> tuple[str, Any]:
    """Return colour and line of a row; encoders of the user's own get further colours."""
    own = [row for row in results["encoders"] if row not in _LABELS]
    return (
        (_OWN_COLOURS[own.index(model) % len(_OWN_COLOURS)], "-")
        if model in own
        else (model_style(model))
    )


def _draw_panel(
    panel: Axes, results: LearningCurve, metric: str, styles: dict[str, tuple[str, Any]]
) -> None:
    for model, (colour, line) in styles.items():
        points = [
            (one["n_labels"], one[metric])
            for one in results["summary"]
            if one["model"] == model and one[metric]["mean"] is not None
        ]
        at = [n for n, _ in points]
        means = [value["mean"] for _, value in points]
        panel.plot(at, means, color=colour, linestyle=line, marker=".", markersize=4)
        banded = [(n, v) for n, v in points if v["low"] is not None]
        panel.fill_between(
            [n for n, _ in banded],
            [v["low"] for _, v in banded],
            [v["high"] for _, v in banded],
            color=colour,
            alpha=0.15,
            linewidth=0,
        )
    naive = [one for one in results["summary"] if one["model"] == "naive"]
    most = max(naive, key=lambda one: one["n_labels"])
    if most["size"] == "all" and most[metric]["mean"] is not None:
        panel.axhline(most[metric]["mean"], color=styles["naive"][0], linewidth=0.8)
    labels = {one["size"]: one["n_labels"] for one in results["summary"]}
    if metric == "accuracy" and is_seeds_task(results):
        sizes = [size for size in results["sizes"] if size in SEED_ACCURACY]
        reported = [SEED_ACCURACY[size] for size in sizes]
        panel.plot([labels[size] for size in sizes], reported, "x", color=GREY, markersize=5)
    panel.set_xscale("log")
    panel.set_xticks(
        list(labels.values()), [f"{n:,}" for n in labels.values()], rotation=45, ha="right"
    )
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.minorticks_off()


def render_page(results: LearningCurve, picture: Picture) -> str:
    """Write the study as one HTML page that needs nothing else."""
    template = environment().get_template("learning_curve.html.j2")
    return template.render(
        results=results,
        caption=_caption(results),
        answer=_ends(results),
        picture=picture,
        image=data_uri(picture.svg, "image/svg+xml"),
        sizes=[_labels_in_words(results, size) for size in results["sizes"]],
        accuracy=table_rows(results, "accuracy"),
        mcc=table_rows(results, "mcc"),
        gain=_gain(results),
        differences=difference_rows(results),
        duration=duration(results["seconds"]),
    )


def _caption(results: LearningCurve) -> str:
    table = results["table"]
    framing = f", framing {table['framing']}" if table["framing"] else ""
    repeats = (
        "one subset per size, so no interval over subsets"
        if results["repeats"] == 1
        else f"mean and 95 % Student t interval over {results['repeats']} balanced random subsets, "
        "the same for every model and each within the next"
    )
    return (
        ("Made up: the numbers say nothing about real DNA. " if _is_simulated(results) else "")
        + f"{table['file']}{framing}: {table['n_test']:,} test sequences of {table['length']} "
        f"bases; {repeats}; first seed {results['seed']}."
        + (
            " With all labels only seeds differ, at most three."
            if "all" in results["sizes"]
            else ""
        )
    )


def _is_simulated(results: LearningCurve) -> bool:
    # Results that were written before tables were marked do not say.
    return bool(results["table"].get("simulated"))


def _ends(results: LearningCurve) -> str:
    """Say in words what the encoders reach with the fewest labels and with the most."""
    sentences = []
    by_cell = {(one["model"], one["size"]): one["accuracy"]["mean"] for one in results["summary"]}
    for size in dict.fromkeys((results["sizes"][0], results["sizes"][-1])):
        ranked = sorted(results["models"], key=lambda model: -(by_cell[model, size] or 0))
        listed = ", ".join(f"{label(model)} {number(by_cell[model, size])}" for model in ranked)
        sentences.append(f"Accuracy with {_labels_in_words(results, size)}: {listed}.")
    return " ".join(sentences)


def _labels_in_words(results: LearningCurve, size: str) -> str:
    n = next(one["n_labels"] for one in results["summary"] if one["size"] == size)
    return f"all {n:,} labels" if size == "all" else f"{n:,} labels"
