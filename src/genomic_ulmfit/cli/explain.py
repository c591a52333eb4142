"""`genomic-ulmfit explain`: which bases does a classifier go by?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def explain(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Classifier folder written by train.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
    sequences: Annotated[
        Path | None,
        typer.Argument(
            metavar="[SEQS]",
            help="FASTA, or CSV or TSV with a column sequence (optional: id); plain, gzip, or - "
            "for standard input. Not needed with --genome.",
            show_default=False,
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="mutagenesis, gradient or perturbation; may be given several times.",
            show_default="mutagenesis and gradient; none with --variants",
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--class",
            help="Class to explain.",
            show_default="of two, the one not named 0, no, non-..., other",
        ),
    ] = None,
    anchor: Annotated[
        int | None,
        typer.Option(
            help="Bases of each sequence before the site (start codon, TSS): 100 for windows of "
            "-100..+50. Marked, and numbered +1.",
            show_default="the model's, else none",
        ),
    ] = None,
    logos: Annotated[
        int, typer.Option(min=0, help="Sequences, from the first on, that get a logo of their own.")
    ] = 5,
    variants: Annotated[
        Path | None,
        typer.Option(
            help="VCF, or TSV with the columns contig, position (from 1), ref and alt; contigs "
            "are ids of SEQS or, with --genome, of the genome."
        ),
    ] = None,
    genome: Annotated[
        Path | None, typer.Option(help="FASTA or GenBank that the variants are on.")
    ] = None,
) -> None:
    """Show which bases a classifier goes by, and what variants do to it.

    mutagenesis replaces every base by each other one; gradient attributes
    the log-odds to bases by integrated gradients; perturbation replaces
    windows of 5, 10 and 20 bases. Averages are over all sequences given, so
    give those of one class.

    With --variants each allele is scored: in the sequence that it is on or,
    with --genome, in every window of both strands that holds it, of which
    the one that scores highest and the one that changes most are reported.

    Examples:

      genomic-ulmfit explain model promoters.fasta --out why

      genomic-ulmfit explain model --variants calls.vcf --genome genome.gbk
      --out effects

    Writes report.html, average.png and .svg, logos/, stretches.tsv (the
    bases that matter most), positions.tsv (averages), mutagenesis.npz,
    gradient.npz and perturbation.npz (all values), variants.tsv, and
    explain.json (settings and counts). All effects are in log-odds of the
    class; mutagenesis.npz and variants.tsv also have probabilities.
    """
    from genomic_ulmfit.console import counted, note, plain_console
    from genomic_ulmfit.inference.explaining.explain_files import PAGE
    from genomic_ulmfit.inference.explaining.profiles import from_site
    from genomic_ulmfit.progress import Progress
    from genomic_ulmfit.reports.explain_job import explain_and_draw
    from genomic_ulmfit.reports.numbers import interval, number

    with Progress("done") as progress:
        result = explain_and_draw(
            model,
            sequences,
            out,
            methods=method,
            target=target,
            anchor=anchor,
            logos=logos,
            variants=variants,
            genome=genome,
            report=progress,
        )
    explanation = result.explanation

    console = plain_console()
    if explanation is not None:
        console.print(
            f"{counted(len(explanation.ids), 'sequence')} explained; class "
            f"{explanation.class_name} has a probability above 0.5 in "
            f"{result.summary['called']:,} of them."
        )
        stretches = explanation.stretches()
        if stretches:
            origin = "first base" if explanation.anchor is None else "site"
            console.print(
                "What matters most, on average (95 % interval over sequences), places counted "
                f"from the {origin}:"
            )
        for stretch in stretches:
            console.print(
                f"{from_site(stretch.start, explanation.anchor):>6} to "
                f"{from_site(stretch.end - 1, explanation.anchor):<6} {stretch.bases}  "
                f"{number(stretch.contribution, sign=True)} log-odds "
                f"{interval(*stretch.interval, sign=True)}".rstrip()
            )
        if stretches and all(stretch.interval[0] <= 0 for stretch in stretches):
            note(
                "none of these can be told from 0, which every interval holds. Give more sequences "
                "of the class."
            )
    if variants is not None:
        console.print(f"{len(result.effects):,} variants scored.")
    console.print(f"Written to {out} in {result.summary['seconds']:.1f} s; see {PAGE}.")
    for text in result.notes:
        note(text)
