"""`genomic-ulmfit data promoters`: labelled promoter windows, split without leakage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genomic_ulmfit.limits import LARGEST_SEED

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from genomic_ulmfit.data.splits import HeldOut, Leakage


def promoters(
    genome: Annotated[
        Path,
        typer.Argument(
            metavar="GENOME",
            help="Annotated genome: GenBank, plain or gzipped. FASTA will do for --framing "
            "tss with --negatives background or shuffled.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="CSV to write; gzipped if it ends in .gz.")],
    framing: Annotated[
        str,
        typer.Option(
            metavar="anchored|upstream|tss",
            help="anchored: -100..+50 of the start codon; upstream: -100..-12, without start "
            "codon and Shine-Dalgarno sequence; tss: -60..+20 of a TSS.",
        ),
    ] = "anchored",
    upstream: Annotated[
        int | None,
        typer.Option(help="Bases before the start codon or TSS.", show_default="the framing's"),
    ] = None,
    downstream: Annotated[
        int | None,
        typer.Option(
            help="Bases from there on; a negative number ends the window before it.",
            show_default="the framing's",
        ),
    ] = None,
    tss: Annotated[
        Path | None,
        typer.Option(
            help="BED of transcription start sites (six columns, one base each, with strands) for "
            "--framing tss, such as a database of mapped promoters exports."
        ),
    ] = None,
    tss_name: Annotated[
        str | None,
        typer.Option(
            help="Learn from the sites of this name (column 4) alone, and keep other windows away "
            "from all: so sites of other names can be left for evaluate-scan --truth-name.",
            show_default="all sites",
        ),
    ] = None,
    negatives: Annotated[
        str | None,
        typer.Option(
            metavar="cds|intergenic|shuffled|background",
            help="For --framing tss: windows inside CDS, between them, the promoters with "
            "their dinucleotides shuffled, or, for scanning, places of both strands (four for "
            "each promoter).",
            show_default="cds",
        ),
    ] = None,
    context: Annotated[
        int,
        typer.Option(
            min=0,
            help="Bases on either side of each window to write down beside it, for a model that "
            "scans: it then knows where it is, and reads a genome in one pass.",
        ),
    ] = 0,
    protocol: Annotated[
        str,
        typer.Option(
            metavar="strict|seed|stretches|none",
            help="strict keeps homologous sequences together; seed does not and leaks; stretches "
            "holds out every fifth stretch of the genome, to score a scan on; none leaves all to "
            "train on.",
        ),
    ] = "strict",
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            max=LARGEST_SEED,
            help="Seed of the random numbers that place negatives and draw the split; the same "
            "seed gives the same table. Of stretches, 0 to 4 hold out each fifth in turn.",
        ),
    ] = 0,
) -> None:
    """Cut promoter windows and other windows from a genome and divide them.

    A promoter (label 1) is the window around the start of a CDS, or around a
    transcription start site (TSS), read along its strand. The other class
    (label 0) is one window of the same length from inside each CDS that has
    room; with --framing tss as many as there are promoters (of background,
    four times as many), from where --negatives says.

      genomic-ulmfit data promoters NC_000913.3.gbk.gz --out promoters.csv

      genomic-ulmfit data promoters NC_000913.3.gbk.gz --out tss.csv
      --framing tss --tss sites.bed --negatives background --context 256
      --downstream 140 --protocol stretches

    Writes a CSV with the columns id, sequence, label, contig,
    contig_length, start, end (0-based, half-open), strand, gene, framing,
    anchor (bases from a window's first to the start codon or TSS), before
    and after (with --context), split (train, valid or test) and, unless
    the protocol is none, cluster. Prints how many sequences of each class
    are in each split, and how many held-out ones share a 15-mer (either
    strand) or a position with train: none under the protocol strict, which
    puts whole homology clusters to one side; many under the protocol seed,
    printed for comparison, which draws test and validation from a maximal
    independent set and leaves their homologues in train. The seed's
    protocol is for windows at gene starts. Of many long windows nearly all
    share some 15-mer with another, and the protocol strict can hold out none.

    The protocol stretches cuts the genome into stretches of 100,000 bases
    (shorter ones if that is fewer than 25) and holds out every fifth, with
    all windows in it; windows across a border, context included, are left
    out. It writes the stretches beside the table, as OUT.test.bed (without
    .csv), for evaluate-scan --regions. Homologues elsewhere stay in train.
    """
    from genomic_ulmfit.console import counted, note, plain_console
    from genomic_ulmfit.data.promoters_job import write_promoters

    console = plain_console(tables=True)
    notes = plain_console(stderr=True)
    with notes.status("") as status:
        result = write_promoters(
            genome,
            out,
            framing=framing,
            upstream=upstream,
            downstream=downstream,
            tss=tss,
            tss_name=tss_name,
            negatives=negatives,
            context=context,
            protocol=protocol,
            seed=seed,
            report=status.update,
        )

    if result.simulated:
        console.print("SIMULATED GENOME: these sequences are made up.", style="bold yellow")
    console.print(_count_table(result.table))
    if result.leaks:
        console.print(_leakage_table(result.leaks))
    console.print(
        f"{counted(len(result.table), 'sequence')} written to {out}", markup=False, soft_wrap=True
    )
    if result.stretches is not None:
        console.print(f"held-out stretches written to {result.stretches}", soft_wrap=True)
    for text in result.notes:
        note(text)


def _count_table(table: pd.DataFrame) -> Table:
    from rich.table import Table

    from genomic_ulmfit.data.promoters import OTHER, PROMOTER
    from genomic_ulmfit.data.splits import SPLITS

    counts = table.groupby(["split", "label"]).size()
    shown = Table("split", title="Sequences", title_justify="left")
    for column in ("promoter (1)", "other (0)", "total"):
        shown.add_column(column, justify="right")
    for name in SPLITS:
        sizes = [int(counts.get((name, label), 0)) for label in (PROMOTER, OTHER)]
        shown.add_row(name, *(f"{size:,}" for size in (*sizes, sum(sizes))))
    return shown


def _leakage_table(leaks: dict[str, Leakage]) -> Table:
    from rich.table import Table

    shown = Table(
        "protocol",
        "split",
        title="Held-out sequences found in train",
        title_justify="left",
        caption=_caption(leaks),
        caption_justify="left",
    )
    for column in ("of", "share a 15-mer", "overlap", "either"):
        shown.add_column(column, justify="right")
    for name, leak in leaks.items():
        shown.add_row(name, "test", *_leakage_cells(leak.test))
        shown.add_row("", "valid", *_leakage_cells(leak.valid))
    return shown


def _caption(leaks: dict[str, Leakage]) -> str | None:
    if "seed" in leaks:
        return "The seed's protocol, which leaks, stands here for comparison."
    if any(name.startswith("stretches") for name in leaks):
        return "Stretches keep places apart. Most long windows share some 15-mer by chance."
    return None


def _leakage_cells(held_out: HeldOut) -> tuple[str, ...]:
    return (
        f"{held_out.n:,}",
        f"{held_out.homologous:,}",
        f"{held_out.overlapping:,}",
        f"{held_out.leaking:,} ({held_out.share:.1%})",
    )
