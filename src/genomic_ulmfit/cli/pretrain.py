"""`genomic-ulmfit pretrain`: a language model of genomes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genomic_ulmfit.limits import LARGEST_SEED

if TYPE_CHECKING:
    from rich.table import Table

    from genomic_ulmfit.training.pretraining_result import PretrainingResult

SHOWN_GENOMES = 10
"""Rows of the table of genomes on standard output; the model's card has them all."""


def pretrain(
    genomes: Annotated[
        list[Path],
        typer.Argument(
            metavar="GENOME...",
            help="Genome files: FASTA or GenBank, plain or gzip. Or one folder that "
            "genomic-ulmfit data corpus wrote.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write the language model to.")],
    preset: Annotated[
        str,
        typer.Option(
            help="tiny (to try things out), small (two CPU cores, minutes) or paper (GPU, hours): "
            "size and recipe; with --from the recipe alone."
        ),
    ] = "small",
    epochs: Annotated[
        float | None,
        typer.Option(
            help="Passes over the training text; 0.5 is half of it.", show_default="the preset's"
        ),
    ] = None,
    start_from: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Go on from this language model (ULMFiT's second stage): a folder, or a name "
            "that `genomic-ulmfit models` lists.",
        ),
    ] = None,
    hold_out: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Keep genomes of this name, file name or accession (or pattern, as in 'NC_*') "
            "out of training and report how well they are predicted. May be repeated.",
        ),
    ] = None,
    cut_windows: Annotated[
        Path | None,
        typer.Option(
            metavar="TABLE",
            help="Cut the test windows of this table (data promoters) out of the training text.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an interrupted run in --out.")
    ] = False,
    precision: Annotated[
        str | None,
        typer.Option(help="bf16 or fp32.", show_default="probed, or that of the run to resume"),
    ] = None,
    devices: Annotated[
        int | None,
        typer.Option(
            help="GPUs (processes, without GPUs) per machine that train together.",
            show_default="1, or as torchrun or SLURM started",
        ),
    ] = None,
    nodes: Annotated[
        int | None,
        typer.Option(help="Machines.", show_default="1, or as torchrun or SLURM started"),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            max=LARGEST_SEED,
            help="Seed of the random numbers for weights, dropout and text order; the same seed "
            "gives the same training.",
        ),
    ] = 0,
) -> None:
    """Train a language model of whole genomes, for classifiers to start from.

    Reads both strands in random phase, holds out contiguous regions (5 %)
    and reports how well the model predicts them, beside informed random
    guessing and Markov models fitted on the same text. Labels are not
    needed. A run that was stopped (Ctrl-C) or killed is continued by
    --resume, from a checkpoint that is at most a minute old.

    Example:

      genomic-ulmfit pretrain genome.gbk --out encoder --preset small

      genomic-ulmfit pretrain corpus --out encoder --hold-out 'Escherichia*'

    Writes model.safetensors, config.json and card.md into --out, and logs
    (metrics.csv and TensorBoard's) into its subfolder logs.
    """
    import shlex
    import sys

    from genomic_ulmfit.console import marked, plain_console
    from genomic_ulmfit.models.folder import CHECKPOINT
    from genomic_ulmfit.models.precision import require_precision, training_device
    from genomic_ulmfit.training.pretraining_job import pretrain_genomes
    from genomic_ulmfit.training.ranks import is_first, leave

    if precision is not None:
        require_precision(precision, "--precision", training_device())
    try:
        result = pretrain_genomes(
            genomes,
            out,
            preset=preset,
            epochs=epochs,
            seed=seed,
            start_from=start_from,
            hold_out=hold_out or (),
            cut_windows=cut_windows,
            resume=resume,
            precision=precision,
            devices=devices,
            nodes=nodes,
            # What begins it, too: a card is for whoever starts anew.
            command=shlex.join(
                ["genomic-ulmfit", *(word for word in sys.argv[1:] if word != "--resume")]
            ),
        )
        first = is_first()
    except KeyboardInterrupt:
        if is_first():
            told = (
                "Add --resume to the same command to continue."
                if (out / CHECKPOINT).exists()
                else "Nothing was saved yet; the same command starts again."
            )
            plain_console(stderr=True).print(marked("Stopped.", told))
        raise typer.Exit(130) from None
    finally:
        leave()
    if not first:
        return
    console = plain_console(tables=True)
    if any(genome["simulated"] for genome in result.training["genomes"]):
        console.print(
            "SIMULATED GENOMES: some of this text is made up; the model has learnt little about "
            "real DNA from it.",
            style="bold yellow",
            soft_wrap=True,
        )
    console.print(_models(result))
    if len(result.report.genomes) + len(result.report.excluded) > 1:
        console.print(_genomes(result))
    report = result.report
    console.print(
        f"loss {report.loss:.4f} nats per token, accuracy {report.accuracy:.4f}, perplexity "
        f"{report.perplexity:.3f}; {report.tokens:,} tokens in {report.seconds:.0f} s, "
        f"written to {out}",
        soft_wrap=True,
    )


def _models(result: PretrainingResult) -> Table:
    from rich.table import Table

    from genomic_ulmfit.training.held_out import INFORMED_RANDOM

    n = len(result.training["genomes"])
    names = ", ".join(genome["file"] for genome in result.training["genomes"][:3])
    more = f" and {n - 3:,} more" if n > 3 else ""
    table = Table(title=f"Held-out regions, both strands: {names}{more}")
    table.add_column("model")
    table.add_column("bits per base", justify="right")
    table.add_row("informed random: every base as likely", f"{INFORMED_RANDOM:.4f}")
    for order, bits in result.markov.items():
        table.add_row(f"Markov model, order {order}", f"{bits:.4f}")
    table.add_row("this language model", f"{result.report.bits_per_base:.4f}")
    return table


def _genomes(result: PretrainingResult) -> Table:
    from rich.table import Table

    report = result.report
    total = len(report.genomes) + len(report.excluded)
    table = Table(
        title="Genome by genome",
        caption=f"{total - SHOWN_GENOMES:,} more in card.md" if total > SHOWN_GENOMES else None,
    )
    table.add_column("genome", overflow="fold")
    table.add_column("loss", justify="right")
    table.add_column("bits per base", justify="right")
    if report.excluded:
        table.add_column("best Markov model", justify="right")
    # Those that were not trained on first: they are what was asked about.
    rows = [
        (f"{name} (not trained on)", one, f"{min(result.markov_excluded[name].values()):.4f}")
        for name, one in report.excluded.items()
    ]
    rows += [(name, one, "") for name, one in report.genomes.items()]
    for name, one, markov in rows[:SHOWN_GENOMES]:
        cells = (name, f"{one['loss']:.4f}", f"{one['bits_per_base']:.4f}", markov)
        table.add_row(*cells[: len(table.columns)])
    return table
