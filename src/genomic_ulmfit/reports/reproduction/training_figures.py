"""Pictures of how training went: the classifiers', and the language model's."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from genomic_ulmfit.reports.numbers import number
from genomic_ulmfit.reports.picture import (
    BLUE,
    DASH_DOT,
    DASHED,
    DOTTED,
    GREY,
    SKY,
    SOLID,
    Picture,
    literal,
    new_figure,
    styled,
)
from genomic_ulmfit.reports.reproduction.frame import finish, protocol_styles
from genomic_ulmfit.reports.reproduction.labels import (
    language_model,
    model_label,
    model_rank,
    protocol_label,
    text_of,
)
from genomic_ulmfit.reports.reproduction.results import Curve, StudyResults

_REFERENCE_LINES: tuple[Any, ...] = (SOLID, DASHED, DASH_DOT, DOTTED, (0, (9, 2, 1, 2, 1, 2)))

_Field = Literal["train_loss", "valid_loss", "valid_accuracy"]


def training_curves(results: StudyResults) -> Picture:
    """Draw loss and validation accuracy while training, one column per model.

    One line per seed; dotted verticals stand where a new stage of unfreezing begins.

    Parameters
    ----------
    results : StudyResults
        With at least one curve.

    Returns
    -------
    Picture
    """
    curves = results["curves"]
    models = sorted({curve["model"] for curve in curves}, key=model_rank)
    names = sorted(
        dict.fromkeys(curve["protocol"] for curve in curves), key=lambda name: name != "strict"
    )
    styles = protocol_styles(names)
    numbers = _stage_numbers(curves)
    with styled():
        figure = new_figure(max(5.2, 0.8 + 1.9 * len(models)), 4.9)
        panels = figure.subplots(2, len(models), sharex="col", sharey="row", squeeze=False)
        for (losses, accuracies), model in zip(panels.T, models, strict=True):
            own = [curve for curve in curves if curve["model"] == model]
            for curve in own:
                colour, _ = styles[curve["protocol"]]
                _draw_logged(losses, curve, "train_loss", color=colour, ls=DOTTED, lw=0.9)
                _draw_logged(losses, curve, "valid_loss", color=colour, marker="o", ms=2.5, lw=1.1)
                _draw_logged(
                    accuracies, curve, "valid_accuracy", color=colour, marker="o", ms=2.5, lw=1.1
                )
            _mark_stages((losses, accuracies), own[0], numbers)
            label = literal(textwrap.fill(model_label(model, results), 22))
            losses.set_title(label, loc="left", pad=14)
            accuracies.set_xlabel("epochs")
            accuracies.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
            accuracies.set_xlim(left=0)
        panels[0, 0].set_ylabel("loss (nats per sequence)")
        panels[0, 0].set_ylim(bottom=0)
        panels[1, 0].set_ylabel("validation accuracy")
    handles = [
        Line2D([], [], color=colour, label=protocol_label(protocol))
        for protocol, (colour, _) in styles.items()
    ]
    handles += [
        Line2D([], [], color=GREY, ls=DOTTED, lw=0.9, label="training"),
        Line2D([], [], color=GREY, marker="o", ms=2.5, lw=1.1, label="validation"),
    ]
    seeds = ", ".join(str(seed) for seed in results["seeds"])
    return finish(
        figure,
        results,
        name="training_curves",
        title="Training of the classifiers",
        caption=(
            f"One line per seed (n = {len(results['seeds'])}: {seeds}). Numbered stages: "
            + ", ".join(f"{place} {stage}" for stage, place in numbers.items())
            + "; a dotted vertical begins a new one."
        ),
        alt=(
            "Training loss, validation loss and validation accuracy against epochs. Last "
            f"validation accuracies: {_ends_in_words(results, models)}."
        ),
        handles=handles,
    )


def _logged(curve: Curve, field: _Field) -> tuple[list[float], list[float]]:
    """Return the epochs at which `field` was logged, and its values."""
    epochs, values = [], []
    for point in curve["points"]:
        value = point[field]
        if value is not None:
            epochs.append(point["epoch"])
            values.append(value)
    return epochs, values


def _draw_logged(panel: Axes, curve: Curve, field: _Field, **line: Any) -> None:
    epochs, values = _logged(curve, field)
    panel.plot(epochs, values, alpha=0.85, **line)


def _stage_numbers(curves: Sequence[Curve]) -> dict[str, int]:
    """Number the stages in the order of the curve that has most of them."""
    stages = [list(dict.fromkeys(point["stage"] for point in one["points"])) for one in curves]
    longest_first = sorted(stages, key=len, reverse=True)
    names = dict.fromkeys(stage for names in longest_first for stage in names)
    return {name: place for place, name in enumerate(names, start=1)}


def _mark_stages(panels: Sequence[Axes], curve: Curve, numbers: dict[str, int]) -> None:
    begins: dict[str, float] = {}
    previous = 0.0
    for point in curve["points"]:
        # A point is logged when its epoch ends; the stage began where the point before stands.
        begins.setdefault(point["stage"], previous)
        previous = point["epoch"]
    for stage, epoch in begins.items():
        if epoch > 0:
            for panel in panels:
                panel.axvline(epoch, color=GREY, lw=0.7, ls=DOTTED, zorder=1)
        panels[0].annotate(
            str(numbers[stage]),
            (epoch, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(2, 3),
            textcoords="offset points",
            fontsize=7,
            color=GREY,
        )


def _ends_in_words(results: StudyResults, models: Sequence[str]) -> str:
    parts = []
    for model in models:
        curves = [curve for curve in results["curves"] if curve["model"] == model]
        logged = [_logged(curve, "valid_accuracy")[1] for curve in curves]
        ends = [values[-1] for values in logged if values]
        if ends:
            label = model_label(model, results)
            parts.append(f"{label} {number(min(ends))} to {number(max(ends))}")
    return "; ".join(parts) or "none logged"


def language_model_curve(results: StudyResults, row: str = "e_coli") -> Picture:
    """Draw a language model's loss against tokens read, with what needs no network as lines.

    Parameters
    ----------
    results : StudyResults
    row : str
        The row that starts from the language model.

    Returns
    -------
    Picture

    Raises
    ------
    ValueError
        If the results have no such language model.
    """
    facts = language_model(row, results)
    if facts is None:
        raise ValueError(f"results: no language model {row!r} to draw.")
    read = text_of(facts)
    # The results hold the same loss in both units, and so how many bases a token adds.
    nats_per_bit = facts["loss"] / facts["bits_per_base"]
    references = [("informed random", facts["informed_random_bits_per_base"])]
    references += [
        (f"Markov model, order {order}", facts["markov_bits_per_base"][order])
        for order in sorted(facts["markov_bits_per_base"], key=int)
    ]
    curve = facts["curve"]
    train = [(p["tokens"] / 1e6, p["train_loss"]) for p in curve if p["train_loss"] is not None]
    valid = [(p["tokens"] / 1e6, p["valid_loss"]) for p in curve if p["valid_loss"] is not None]
    with styled():
        figure = new_figure(7.4, 3.9)
        panel = figure.subplots()
        handles: list[Line2D] = []
        if train:
            label = "network, training (with dropout)"
            handles += panel.plot(
                *zip(*train, strict=True), "s-", color=SKY, lw=1.0, ms=3, label=label
            )
        if valid:
            label = "network, held-out sequence"
            handles += panel.plot(*zip(*valid, strict=True), "o-", color=BLUE, ms=4, label=label)
        heights = [bits * nats_per_bit for _, bits in references]
        for place, ((name, bits), height) in enumerate(zip(references, heights, strict=True)):
            handles.append(
                panel.axhline(
                    height,
                    color="black" if place == 0 else GREY,
                    lw=1.1,
                    ls=_REFERENCE_LINES[place % len(_REFERENCE_LINES)],
                    label=f"{name}: {number(height)} ({number(bits)} bits)",
                )
            )
        # Early training losses may lie far above; the frame is for what is compared.
        compared = [*heights, facts["loss"], *(loss for _, loss in valid)]
        span = max(compared) - min(compared)
        panel.set_ylim(min(compared) - 0.12 * span, max(compared) + 0.15 * span)
        panel.set_xlim(left=0)
        panel.set_xlabel("tokens read (millions)")
        panel.set_ylabel("loss (nats per token)")
        _add_bits_axis(panel, nats_per_bit)
    return finish(
        figure,
        results,
        name=f"language_model_{row}",
        title=f"Language model of {read['name']}: loss on sequence it has not read",
        caption=(
            f"One run (n = 1), {facts['epochs']:g} epochs, {facts['tokens'] / 1e6:,.1f} million "
            f"tokens; ends at {number(facts['loss'])} nats per token, "
            f"{number(facts['bits_per_base'])} bits per base. Losses above the frame are cut off."
        ),
        alt=(
            f"Held-out loss ends at {number(facts['loss'])} nats per token "
            f"({number(facts['bits_per_base'])} bits per base); for comparison, in bits per base: "
            + ", ".join(f"{name} {number(bits)}" for name, bits in references)
            + "."
        ),
        handles=handles,
        genome=read,
    )


def _add_bits_axis(panel: Axes, nats_per_bit: float) -> None:
    def to_bits(nats: Any) -> Any:
        return nats / nats_per_bit

    def to_nats(bits: Any) -> Any:
        return bits * nats_per_bit

    panel.secondary_yaxis("right", functions=(to_bits, to_nats)).set_ylabel("bits per base")
