"""A study's tables, made once and written as Markdown, to the terminal, or into the HTML report."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from genomic_ulmfit.reports.markdown import markdown_row, plain
from genomic_ulmfit.reports.names import METRICS, Metric
from genomic_ulmfit.reports.numbers import duration, interval, number
from genomic_ulmfit.reports.reproduction.labels import (
    METRIC_LABELS,
    PROTOCOL_MEANINGS,
    PUBLISHED,
    PUBLISHED_LANGUAGE_MODEL,
    PUBLISHED_MARK,
    PUBLISHED_MEANING,
    PUBLISHED_N_TEST,
    SIMULATED,
    capitalised,
    excludes_zero,
    marked,
    model_label,
    model_rank,
    protocol_label,
    protocols,
    text_label,
    text_of,
)
from genomic_ulmfit.reports.reproduction.prose import (
    QUICK_MEANING,
    genome_sentence,
    language_model_sentences,
    leakage_sentences,
    machine_sentence,
)
from genomic_ulmfit.reports.reproduction.results import (
    Comparison,
    LanguageModelFacts,
    StudyResults,
    Summary,
)

_INTERVAL = "95 % interval"
_VERDICTS = {True: "yes", False: "no", None: "no interval"}

# What fits into 80 columns; intervals come with it.
_TERMINAL_COLUMNS = {
    "model",
    "accuracy",
    "MCC",
    "AUROC",
    "time",
    "comparison",
    "difference",
    "bits per base",
    "bits per base, this genome",
    "loss (nats per token)",
}


@dataclass(frozen=True)
class Cell:
    """What stands in a table: a value and, smaller, its interval."""

    text: str
    detail: str = ""


@dataclass(frozen=True)
class TableRow:
    """A line of a table; `published` marks numbers that are the seed's and not this study's."""

    cells: tuple[Cell, ...]
    published: bool = False


@dataclass(frozen=True)
class Table:
    """A table before it has a form: the first column names the row, `n_text` columns are words."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[TableRow, ...]
    note: str = ""
    n_text: int = 1


def result_table(results: StudyResults, protocol: str) -> Table:
    """Return every model's scores on one protocol, and the seed's published numbers below.

    Parameters
    ----------
    results : StudyResults
    protocol : str
        One that has a summary.

    Returns
    -------
    Table
    """
    summaries = sorted(
        (summary for summary in results["summary"] if summary["protocol"] == protocol),
        key=lambda summary: model_rank(summary["model"]),
    )
    rows = [
        TableRow(
            (
                Cell(model_label(summary["model"], results)),
                *(_metric_cell(summary, metric) for metric in METRICS),
                Cell(f"{summary['n_test']:,}"),
                Cell(str(summary["n_seeds"])),
                Cell(duration(summary["seconds"])),
            )
        )
        for summary in summaries
    ]
    mark = _published_mark(results)
    rows += [
        TableRow(
            (
                Cell(f"{row.label} ({mark})"),
                *(Cell(number(row.values.get(metric))) for metric in METRICS),
                Cell(f"{PUBLISHED_N_TEST:,}"),
                Cell("1"),
                Cell("–"),
            ),
            published=True,
        )
        for row in PUBLISHED
    ]
    note = (
        "Mean over seeds with Student's t 95 % interval; a single seed has no interval. "
        f"Time is per seed, without pretraining. {PUBLISHED_MEANING}"
    )
    if protocol in PROTOCOL_MEANINGS:
        note = f"{capitalised(PROTOCOL_MEANINGS[protocol])}. {note}"
    if results["quick"]:
        note = f"{QUICK_MEANING} {note}"
    return Table(
        caption=marked(
            results["genome"],
            f"promoter or not, {protocol_label(protocol)}, "
            f"n = {min(summary['n_test'] for summary in summaries):,} test sequences",
        ),
        header=(
            "model",
            *(METRIC_LABELS[metric] for metric in METRICS),
            "test sequences",
            "seeds",
            "time",
        ),
        rows=tuple(rows),
        note=note,
    )


def _metric_cell(summary: Summary, metric: Metric) -> Cell:
    value = summary[metric]
    return Cell(number(value["mean"]), interval(value["low"], value["high"]))


def _published_mark(results: StudyResults) -> str:
    return PUBLISHED_MARK + (", real genome" if results["genome"]["simulated"] else "")


def comparison_table(
    results: StudyResults, protocol: str, metrics: Collection[Metric] = METRICS
) -> Table | None:
    """Return the differences between models on one protocol, if any were computed.

    Parameters
    ----------
    results : StudyResults
    protocol : str
    metrics : collection of str
        Which metrics to show.

    Returns
    -------
    Table or None
        One row per pair of models and metric, one column per method that made intervals.
    """
    pairs: dict[tuple[str, str, Metric], dict[str, Comparison]] = {}
    for comparison in results["comparisons"]:
        if comparison["protocol"] == protocol and comparison["metric"] in metrics:
            key = (comparison["a"], comparison["b"], comparison["metric"])
            pairs.setdefault(key, {})[comparison["method"]] = comparison
    if not pairs:
        return None
    methods = list(dict.fromkeys(method for by_method in pairs.values() for method in by_method))
    rows = [
        TableRow(
            (
                Cell(f"{model_label(a, results)} − {model_label(b, results)}"),
                Cell(METRIC_LABELS.get(metric, metric)),
                Cell(number(next(iter(by_method.values()))["difference"], sign=True)),
                *(_interval_cell(by_method.get(method)) for method in methods),
                Cell(_VERDICTS[excludes_zero(by_method.values())]),
            )
        )
        for (a, b, metric), by_method in pairs.items()
    ]
    shown = list(dict.fromkeys(METRIC_LABELS.get(metric, metric) for _, _, metric in pairs))
    return Table(
        caption=marked(
            results["genome"],
            f"how far apart the models are in {' and '.join(shown)}, {protocol_label(protocol)}",
        ),
        header=(
            "comparison",
            "metric",
            "difference",
            *(f"{_INTERVAL}: {method}" for method in methods),
            "0 excluded",
        ),
        rows=tuple(rows),
        note=(
            "Intervals over test sequences take the trained models as they are; intervals over "
            "seeds take in that another training ends elsewhere. 0 is excluded where every "
            "interval of a row excludes it."
        ),
        n_text=2,
    )


def _interval_cell(comparison: Comparison | None) -> Cell:
    if comparison is None:
        return Cell("–")
    return Cell(interval(comparison["low"], comparison["high"], sign=True) or "–")


def language_model_table(results: StudyResults) -> Table | None:
    """Return the language models' scores beside what needs no network, if there are any."""
    models = results["language_models"]
    if not models:
        return None
    several = len(models) > 1
    rows: list[TableRow] = []
    for facts in models:
        rows += _language_model_rows(facts, text_label(facts["name"], results), several)
    first = models[0]
    nats_per_bit = first["loss"] / first["bits_per_base"]
    rows.append(
        _reference_row(
            "informed random (every new base equally likely)",
            first["informed_random_bits_per_base"],
            nats_per_bit,
        )
    )
    published = PUBLISHED_LANGUAGE_MODEL
    loss = published["loss"]
    mark = _published_mark(results)
    rows.append(
        TableRow(
            (
                Cell(f"E. coli language model ({mark})"),
                Cell(number(loss / (published["stride"] * math.log(2)))),
                Cell("–"),
                Cell(number(loss)),
                Cell(number(published["accuracy"])),
                Cell(number(math.exp(loss), 2)),
                Cell(str(published["epochs"])),
                Cell("–"),
                Cell("–"),
            ),
            published=True,
        )
    )
    note = (
        "Lower bits per base, loss and perplexity are better. Markov models count the same "
        "training sequence and are scored on the same held-out sequence."
    )
    if several:
        note += (
            " Each language model is scored on held-out regions of its own genomes, which are "
            "other sequence for each; those of this study's genome are the same for all."
        )
    # Real sequence stays unmarked in a study of a simulated genome.
    made_up = next((facts for facts in models if text_of(facts)["simulated"]), first)
    return Table(
        caption=marked(
            text_of(made_up), f"language model{'s' if several else ''} on held-out sequence"
        ),
        header=(
            "model",
            "bits per base",
            "bits per base, this genome",
            "loss (nats per token)",
            "accuracy",
            "perplexity",
            "epochs",
            "tokens read",
            "time",
        ),
        rows=tuple(rows),
        note=note,
    )


def _language_model_rows(facts: LanguageModelFacts, text: str, several: bool) -> list[TableRow]:
    """Return the rows of a language model and of the Markov models of the same text."""
    nats_per_bit = facts["loss"] / facts["bits_per_base"]
    own = TableRow(
        (
            Cell(f"{text} language model"),
            Cell(number(facts["bits_per_base"])),
            Cell(number(facts["bits_per_base_on_genome"])),
            Cell(number(facts["loss"])),
            Cell(number(facts["accuracy"])),
            Cell(number(facts["perplexity"], 2)),
            Cell(f"{facts['epochs']:g}"),
            Cell(f"{facts['tokens'] / 1e6:,.1f} M"),
            Cell(duration(facts["seconds"])),
        )
    )
    of = f", {text}" if several else ""
    return [
        own,
        *(
            _reference_row(f"Markov model, order {order}{of}", bits, nats_per_bit)
            for order, bits in sorted(
                facts["markov_bits_per_base"].items(), key=lambda item: int(item[0])
            )
        ),
    ]


def _reference_row(name: str, bits: float, nats_per_bit: float) -> TableRow:
    loss = bits * nats_per_bit
    return TableRow(
        (
            Cell(name),
            Cell(number(bits)),
            Cell("–"),
            Cell(number(loss)),
            Cell("–"),
            Cell(number(math.exp(loss), 2)),
            Cell("–"),
            Cell("–"),
            Cell("–"),
        )
    )


def all_tables(
    results: StudyResults, comparison_metrics: Collection[Metric] = METRICS
) -> list[Table]:
    """Return every table the results have: scores and comparisons per protocol, language model."""
    names = protocols(results)
    optional = (
        *(comparison_table(results, protocol, comparison_metrics) for protocol in names),
        language_model_table(results),
    )
    return [
        *(result_table(results, protocol) for protocol in names),
        *(table for table in optional if table is not None),
    ]


def markdown_table(results: StudyResults) -> str:
    """Write all tables as Markdown: the text of `table.md`.

    Parameters
    ----------
    results : StudyResults

    Returns
    -------
    str
        One table per protocol with the seed's published numbers below this study's, then
        comparisons, the language model, leakage, and the command that makes it all again. On a
        simulated genome the title and every table's caption say so.
    """
    parts = [
        f"# {plain(marked(results['genome'], results['title']))}",
        plain(genome_sentence(results)),
    ]
    for table in all_tables(results):
        parts += [f"**{plain(capitalised(table.caption))}**", _markdown(table)]
        if table.note:
            parts.append(plain(table.note))
    leakage = leakage_sentences(results)
    if leakage:
        parts += ["**Leakage**", "\n".join(f"- {plain(sentence)}" for sentence in leakage)]
    notes = [*language_model_sentences(results), *results["notes"]]
    if notes:
        parts += ["**Notes**", "\n".join(f"- {plain(note)}" for note in notes)]
    parts += [
        "**To make this again**",
        f"```\n{results['command']}\n```",
        plain(machine_sentence(results)),
    ]
    return "\n\n".join(parts) + "\n"


def _markdown(table: Table) -> str:
    rule = ["---" if column < table.n_text else "---:" for column in range(len(table.header))]
    lines = [list(table.header), rule]
    for row in table.rows:
        cells = [plain(f"{cell.text} {cell.detail}".rstrip()) for cell in row.cells]
        lines.append([f"*{cells[0]}*", *cells[1:]] if row.published else cells)
    return "\n".join(map(markdown_row, lines))


def print_results(results: StudyResults, console: Console) -> None:
    """Print the tables to a terminal, with the metrics that fit one.

    Parameters
    ----------
    results : StudyResults
    console : rich.console.Console
        Where to print; results belong on standard output.
    """
    headline: tuple[Metric, ...] = ("accuracy",)
    for table in all_tables(results, headline):
        console.print(_rich(table))
        console.print()
    for sentence in leakage_sentences(results):
        console.print(Text(sentence))
    if results["genome"]["simulated"]:
        console.print(Text(genome_sentence(results), style="bold red"))


def _rich(table: Table) -> RichTable:
    simulated = table.caption.startswith(SIMULATED)
    kept = [
        column
        for column, name in enumerate(table.header)
        if name in _TERMINAL_COLUMNS or name.startswith(_INTERVAL)
    ]
    printed = RichTable(
        box=box.SIMPLE_HEAD,
        title=Text(capitalised(table.caption), style="bold red" if simulated else "bold"),
        title_justify="left",
        caption=Text(table.note, style="dim"),
        caption_justify="left",
    )
    for column in kept:
        if column < table.n_text:
            printed.add_column(Text(table.header[column]), overflow="fold")
        else:
            # An interval broken over two lines cannot be read; the words give way instead.
            width = max(
                len(line)
                for row in table.rows
                for line in (row.cells[column].text, row.cells[column].detail)
            )
            printed.add_column(Text(table.header[column]), justify="right", min_width=width)
    for row in table.rows:
        cells = (row.cells[column] for column in kept)
        lines = (Text(f"{cell.text}\n{cell.detail}".rstrip()) for cell in cells)
        printed.add_row(*lines, style="dim italic" if row.published else None)
    return printed
