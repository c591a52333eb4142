"""`genomic-ulmfit reproduce`: the whole story in one command."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer


def reproduce(
    out: Annotated[Path, typer.Option(help="Folder for everything the study makes.")],
    genome: Annotated[
        Path | None,
        typer.Option(
            help="Annotated genome (GenBank).",
            show_default="E. coli K-12: GENOMIC_ULMFIT_DATA, cache, NCBI",
        ),
    ] = None,
    preset: Annotated[str, typer.Option(help="tiny, small or paper.")] = "small",
    seeds: Annotated[int, typer.Option(help="How many seeds.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="The first of them.")] = 0,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Use a made-up genome; everything says so.")
    ] = False,
    or_simulated: Annotated[
        bool,
        typer.Option("--or-simulated", help="The same, but only if no real genome can be had."),
    ] = False,
) -> None:
    """Measure what pretraining buys, from an annotated genome to a report.

    Trains the naive and the pretrained classifier and the baselines (one-hot and
    k-mer logistic regression, a small CNN), on a split without leakage (strict)
    and on the seed's own (seed), over several seeds.

    Interrupt it when you like: the same command continues where it stopped.

    Example:

      genomic-ulmfit reproduce --out results --preset small --seeds 3

    Writes results.json, table.md, figures/ and report.html into --out.
    """
    from rich.console import Console

    from genomic_ulmfit.data.download import NcbiUnavailable
    from genomic_ulmfit.reports.tables import print_results
    from genomic_ulmfit.studies.genome_source import find_genome
    from genomic_ulmfit.studies.reproduce import reproduce as run_study

    notes = Console(stderr=True, highlight=False)
    try:
        source = find_genome(genome, out, simulated=simulated, seed=seed)
    except NcbiUnavailable as error:
        if not or_simulated:
            raise
        notes.print(f"{error}\n")
        notes.rule("[bold red]SIMULATED GENOME")
        notes.print(
            "No real genome could be had, so this runs on a made-up one. Its numbers show that "
            "everything works; they say nothing about E. coli.\n"
        )
        source = find_genome(None, out, simulated=True, seed=seed)
    notes.print(f"genome: {source.path} ({source.source})")
    try:
        results = run_study(
            source,
            out,
            preset=preset,
            n_seeds=seeds,
            first_seed=seed,
            command=shlex.join(["genomic-ulmfit", *sys.argv[1:]]),
            say=notes.print,
        )
    except KeyboardInterrupt:
        notes.print("[bold]Stopped.[/] The same command continues where it stopped.")
        raise typer.Exit(130) from None
    print_results(results, Console(highlight=False))
    notes.print(f"report: {out / 'report.html'}")
