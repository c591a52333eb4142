"""`genomic-ulmfit pretrain`: a language model of genomes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def pretrain(
    genomes: Annotated[
        list[Path],
        typer.Argument(metavar="GENOME...", help="Genome files: FASTA or GenBank, plain or gzip."),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write the language model to.")],
    preset: Annotated[
        str,
        typer.Option(
            help="tiny (tests, seconds), small (two CPU cores, minutes) or paper (GPU, hours)."
        ),
    ] = "small",
    epochs: Annotated[
        int | None,
        typer.Option(help="Passes over the training text.", show_default="the preset's"),
    ] = None,
    start_from: Annotated[
        Path | None,
        typer.Option("--from", help="Go on from this language model (ULMFiT's second stage)."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an interrupted run in --out.")
    ] = False,
    precision: Annotated[
        str | None, typer.Option(help="bf16 or fp32.", show_default="probed")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, dropout and text order.")] = 0,
) -> None:
    """Train a language model of whole genomes, for classifiers to start from.

    Reads both strands in random phase, holds out contiguous regions (5 %)
    and reports how well the model predicts them, beside informed random
    guessing and Markov models fitted on the same text. Labels are not
    needed. Ctrl-C keeps a checkpoint that --resume continues.

    Example:

      genomic-ulmfit pretrain genome.gbk --out encoder --preset small

    Writes model.safetensors, config.json and card.md into --out.
    """
    from rich.console import Console
    from rich.table import Table

    from genomic_ulmfit.errors import InputError
    from genomic_ulmfit.training.pretraining import CHECKPOINT
    from genomic_ulmfit.training.pretraining_job import INFORMED_RANDOM, pretrain_genomes

    if precision not in (None, "bf16", "fp32"):
        raise InputError(f"--precision: got {precision!r}, allowed are bf16 and fp32.")
    try:
        result = pretrain_genomes(
            genomes,
            out,
            preset=preset,
            epochs=epochs,
            seed=seed,
            start_from=start_from,
            resume=resume,
            precision=precision,
        )
    except KeyboardInterrupt:
        Console(stderr=True).print(
            "[bold]Stopped.[/] Add --resume to the same command to continue."
            if (out / CHECKPOINT).exists()
            else "[bold]Stopped.[/] Training had not begun."
        )
        raise typer.Exit(130) from None

    report = result.report
    table = Table(title=f"Held-out regions, both strands: {', '.join(g.name for g in genomes)}")
    table.add_column("model")
    table.add_column("bits per base", justify="right")
    table.add_row("informed random", f"{INFORMED_RANDOM:.4f}")
    for order, bits in result.markov.items():
        table.add_row(f"Markov model, order {order}", f"{bits:.4f}")
    table.add_row("this language model", f"{report.bits_per_base:.4f}")
    console = Console(highlight=False)
    console.print(table)
    console.print(
        f"loss {report.loss:.4f} nats per token, accuracy {report.accuracy:.4f}, perplexity "
        f"{report.perplexity:.3f}; {report.tokens:,} tokens in {report.seconds:.0f} s, "
        f"written to {out}"
    )
