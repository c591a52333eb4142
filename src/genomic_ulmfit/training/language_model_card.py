"""What a language model's folder says about it, for people."""

from __future__ import annotations

from typing import Any

from genomic_ulmfit.training.held_out import INFORMED_RANDOM
from genomic_ulmfit.training.pretraining_result import PretrainingResult


def language_model_card(result: PretrainingResult) -> str:
    """Return the text of ``card.md``.

    Parameters
    ----------
    result : PretrainingResult

    Returns
    -------
    str
        Markdown, what a user needs first at its head: limits, results, recipe and command, data
        with sha256, results genome by genome.
    """
    report, training = result.report, result.training
    order, markov = result.best_markov
    recipe = "\n".join(f"- {name}: {value}" for name, value in training["recipe"].items())
    start = training["start_from"]
    size = f"the size of {start}" if start else f"preset `{training['preset']}`"
    return f"""# Language model of DNA (AWD-LSTM, {size})

## Use and limits
A starting point for classifiers of DNA from the same or related organisms. It has read whole
genomes, so windows that a classifier is later tested on may have been part of its text
(without labels){_unless_cut(training)}. It says nothing about eukaryotes.

## Results on the held-out regions, both strands
| model | bits per base |
|---|---|
| this language model | {report.bits_per_base:.4f} |
| best Markov model (order {order}), same training text | {markov:.4f} |
| informed random | {INFORMED_RANDOM:.4f} |

Loss {report.loss:.4f} nats per token, accuracy {report.accuracy:.4f}, perplexity
{report.perplexity:.3f}, measured with the weights of this folder. Genome by genome: below.

## Recipe
- that of preset: {training["preset"]}
{recipe}
- seed: {training["seed"]}
- precision: {training["precision"]}; processes: {training["processes"]}
- started from: {start or "random weights"}
- trained on {report.tokens:,} tokens in {_duration(report.seconds)}
{_command(training["command"])}
## Data
{training["train_bases"]:,} bases of training text, {training["held_out_bases"]:,} bases held out
in contiguous regions; text is read on both strands.

{_data(training["genomes"])}
{_left_out(training)}
## Genome by genome
{_by_genome(result)}"""


def _data(genomes: list[dict[str, Any]]) -> str:
    return "\n".join(
        f"- {one['name']} ({one['n_bases']:,} bp; `{one['file']}`, sha256 `{one['sha256']}`)"
        + (" — SIMULATED" if one["simulated"] else "")
        for one in genomes
    )


def _left_out(training: dict[str, Any]) -> str:
    text = ""
    if training["excluded_genomes"]:
        text += f"\nKept out of training:\n\n{_data(training['excluded_genomes'])}\n"
    if cut := training["cut_windows"]:
        text += (
            f"\nCut out of the training text: the {cut['n_windows']:,} windows of the test split "
            f"of `{cut['file']}` (sha256 `{cut['sha256']}`).\n"
        )
    return text


def _unless_cut(training: dict[str, Any]) -> str:
    return ", but for those named below" if training["cut_windows"] else ""


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.1f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def _command(command: str | None) -> str:
    return f"\n```\n{command}\n```\n" if command else ""


def _by_genome(result: PretrainingResult) -> str:
    lines = [
        "| genome | loss | bits per base | best Markov model | tokens |",
        "|---|---|---|---|---|",
    ]
    for name, one in result.report.genomes.items():
        lines.append(f"| {name} | {one['loss']:.4f} | {one['bits_per_base']:.4f} | – | {_n(one)} |")
    for name, one in result.report.excluded.items():
        best = min(result.markov_excluded[name].values())
        lines.append(
            f"| {name} (kept out of training) | {one['loss']:.4f} | {one['bits_per_base']:.4f} "
            f"| {best:.4f} | {_n(one)} |"
        )
    return "\n".join(lines) + "\n"


def _n(one: dict[str, float]) -> str:
    return f"{one['tokens']:,}"
