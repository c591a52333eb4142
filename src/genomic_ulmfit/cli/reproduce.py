"""`genomic-ulmfit reproduce`: the whole story in one command."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from genomic_ulmfit.limits import LARGEST_SEED


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
    seeds: Annotated[
        int | None, typer.Option(help="How many seeds.", show_default="3; 1 with --quick")
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            max=LARGEST_SEED,
            help="Seed of the random numbers of the first run, from which others count on; the "
            "same seed gives the same results.",
        ),
    ] = 0,
    protocol: Annotated[
        str,
        typer.Option(
            help="strict (no homologues of test sequences in training), seed (the seed's split, "
            "which leaks) or both."
        ),
    ] = "both",
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="One seed, strict split, shipped encoders, without the seed's head: a look in "
            "minutes.",
        ),
    ] = False,
    pretrain: Annotated[
        bool,
        typer.Option(
            "--pretrain", help="Train the one-genome language model here, shipped or not."
        ),
    ] = False,
    ensemble: Annotated[
        Path | None,
        typer.Option(
            help="Language model of many genomes (folder written by pretrain).",
            show_default="the shipped one",
        ),
    ] = None,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Use a made-up genome; everything says so.")
    ] = False,
    or_simulated: Annotated[
        bool,
        typer.Option("--or-simulated", help="The same, but only if no real genome can be had."),
    ] = False,
) -> None:
    """Measure what pretraining buys, from an annotated genome to a report.

    Trains the naive classifier, the two that start from a language model (of
    one genome, of many) and the baselines (one-hot and k-mer logistic
    regression, a small CNN), on a split without leakage (strict) and on the
    seed's own (seed), over several seeds.

    The language models come with the program. One is trained on --genome
    first if that is another genome than E. coli K-12, or --preset another
    size than theirs.

    Interrupt it when you like: the same command continues where it stopped.

    Examples:

      genomic-ulmfit reproduce --out results --preset small --seeds 3

      genomic-ulmfit reproduce --out quick --quick

    Writes results.json, table.md, figures/ and report.html into --out.
    """
    from rich.text import Text

    from genomic_ulmfit.console import marked, plain_console
    from genomic_ulmfit.data.download import NcbiUnavailable
    from genomic_ulmfit.reports.reproduction.tables import print_results
    from genomic_ulmfit.studies.genome_source import find_genome
    from genomic_ulmfit.studies.reproduce import reproduce as run_study

    notes = plain_console(stderr=True)
    try:
        source = find_genome(genome, out, simulated=simulated, seed=seed)
    except NcbiUnavailable as error:
        if not or_simulated:
            raise
        notes.print(f"{error}\n")
        notes.rule(Text("SIMULATED GENOME", style="bold red"))
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
            protocol=protocol,
            quick=quick,
            pretrain=pretrain,
            ensemble=ensemble,
            command=shlex.join(["genomic-ulmfit", *sys.argv[1:]]),
            say=notes.print,
        )
    except KeyboardInterrupt:
        notes.print(marked("Stopped.", "The same command continues where it stopped."))
        raise typer.Exit(130) from None
    print_results(results, plain_console(tables=True))
    notes.print(f"report: {out / 'report.html'}")
