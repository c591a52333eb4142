"""`genomic-ulmfit scan`: where are the promoters of a genome?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from genomic_ulmfit.limits import LARGEST_SEED

if TYPE_CHECKING:
    from genomic_ulmfit.inference.scanning.scan import Mode


def scan(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Classifier folder written by train.")
    ],
    genome: Annotated[
        Path,
        typer.Argument(metavar="GENOME", help="FASTA or GenBank, plain or gzip; any contigs."),
    ],
    # A path would lose the slash at its end, which makes it a folder.
    out: Annotated[
        str, typer.Option(metavar="PREFIX", help="Of the files to write, such as scan/k12.")
    ],
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Least probability of a call.",
            show_default="calibrated: 20 calls by chance per Mbp",
        ),
    ] = None,
    anchor: Annotated[
        int | None,
        typer.Option(
            help="Bases of the window before the site it was cut around: 100 for windows of "
            "-100..+50.",
            show_default="the model's, else the middle",
        ),
    ] = None,
    step: Annotated[
        int | None,
        typer.Option(
            help="Bases between windows; 1 scores every base.",
            show_default="the stride of the model's tokens",
        ),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(
            help="Bases per window, for models of any length.", show_default="the model's"
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--class",
            help="Class to scan for.",
            show_default="of two, the one not named 0, no, non-..., other",
        ),
    ] = None,
    min_distance: Annotated[
        int, typer.Option(help="Least bases between calls of one strand; the best one stays.")
    ] = 50,
    regions: Annotated[
        Path | None, typer.Option(help="BED; scan only sites in these intervals.")
    ] = None,
    circular: Annotated[
        bool, typer.Option("--circular", help="All contigs are circular (FASTA cannot say so).")
    ] = False,
    mode: Annotated[
        str | None,
        typer.Option(
            help="dense (one pass) or exact (each window by itself, as predict does; a hundred "
            "times slower).",
            show_default="dense",
        ),
    ] = None,
    track: Annotated[str, typer.Option(help="bigwig or bedgraph.")] = "bigwig",
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            max=LARGEST_SEED,
            help="Seed of the random numbers of the background DNA; the same seed gives the "
            "same threshold.",
        ),
    ] = 0,
) -> None:
    """Score every window of both strands of a genome and call promoters.

    A model of something else calls that: --class says which class is meant.
    Windows are named by their anchor: the base at which the site lies that
    the model was trained to find (train remembers it). Without --threshold,
    made-up DNA with the genome's own dinucleotides is scanned first, and the
    threshold is set where it would give 20 calls per million bases (both
    strands together).

    Mode dense reads each strand once, and every window knows what stands
    around it; mode exact reads each window by itself, as predict does. They
    rank windows alike for a model that was trained with context (see data
    promoters --context), and less so for others. In mode dense, log-odds
    depend a little (.03 to .1, in the median) on where reading began, so that
    a few calls are others with --regions than without.

    Example:

      genomic-ulmfit scan model genome.gbk --out scan/genome

    Writes PREFIX.plus.bw and PREFIX.minus.bw (probability at the anchor),
    PREFIX.bed and PREFIX.gff3 (calls: the window, its anchor, score, nearest
    gene downstream and the bases to its start, less than 0 just inside of it;
    named by the class), PREFIX.json (all settings and counts)
    and PREFIX.png (where calls are densest). Files of an earlier scan under
    the same PREFIX are replaced. A scan that is stopped leaves no tracks and
    no calls; start it again. Calibration takes as long for --regions as for
    a genome; --threshold does without.
    """
    from genomic_ulmfit.console import counted, note, plain_console
    from genomic_ulmfit.inference.scanning.scan_files import output_path
    from genomic_ulmfit.inference.scanning.scan_job import scan_genome
    from genomic_ulmfit.progress import Progress
    from genomic_ulmfit.reports.scan_figures import draw_region

    with Progress("bases") as progress:
        result = scan_genome(
            model,
            genome,
            out,
            window=window,
            anchor=anchor,
            step=step,
            target=target,
            mode=cast("Mode | None", mode),
            threshold=threshold,
            min_distance=min_distance,
            track=track,
            regions=regions,
            circular=circular,
            seed=seed,
            report=progress,
        )
    draw_region(result).save_png(output_path(out, ".png"))

    summary = result.summary
    console = plain_console()
    if result.genome.simulated:
        console.print(
            "SIMULATED GENOME: these calls say nothing about real DNA.", style="bold yellow"
        )
    chance = summary["threshold"]["expected_calls_by_chance_per_mbp"]
    calls = summary["calls"]
    console.print(
        f"{counted(calls['all'], 'call')} of class {summary['model']['class']} "
        f"({calls['plus']:,} forward, {calls['minus']:,} reverse) in "
        f"{counted(summary['bases_scanned'], 'base')}: "
        f"{calls['per_mbp']:.0f} per Mbp at probability "
        f"{summary['threshold']['probability']:.6g} or more"
        + ("." if chance is None else f"; DNA made up at random gives {chance:.0f} per Mbp.")
        + " How many are right, only known sites tell: evaluate-scan."
    )
    console.print(
        f"{counted(summary['windows']['scored'], 'window')} in {summary['seconds']:.1f} s"
        + (
            ""
            if chance is None
            else f" after {summary['seconds_of_calibration']:.1f} s of calibration"
        )
        + f", written to {out}.*"
    )
    if not calls["all"]:
        note(
            "no window reaches the threshold. Look at the tracks, or give a lower "
            f"--threshold; {out}.json says what it was and how it came about."
        )
    for text in result.notes:
        note(text)
