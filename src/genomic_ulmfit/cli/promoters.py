"""`genomic-ulmfit data promoters`: labelled promoter windows, split without leakage."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genomic_ulmfit.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from genomic_ulmfit.data.splits import HeldOut, Leakage


class Protocol(StrEnum):
    """How sequences are divided into train, valid and test."""

    STRICT = "strict"
    SEED = "seed"


def promoters(
    genome: Annotated[
        Path,
        typer.Argument(metavar="GENOME", help="Annotated genome: GenBank, plain or gzipped."),
    ],
    out: Annotated[Path, typer.Option(help="CSV to write; gzipped if it ends in .gz.")],
    upstream: Annotated[int, typer.Option(help="Bases before the start codon.")] = 100,
    downstream: Annotated[
        int,
        typer.Option(
            help="Bases from the start codon on; a negative number ends the window before it."
        ),
    ] = 50,
    protocol: Annotated[
        Protocol,
        typer.Option(help="strict keeps homologous sequences together; seed does not and leaks."),
    ] = Protocol.STRICT,
    seed: Annotated[int, typer.Option(min=0, help="Places of the negatives, and the split.")] = 0,
) -> None:
    """Cut promoter windows and other windows from a genome and divide them.

    A promoter (label 1) is the window around the start of a CDS, read along
    its strand; the other class (label 0) is one window of the same length
    from inside each CDS that has room.

      genomic-ulmfit data promoters NC_000913.3.gbk.gz --out promoters.csv

    Writes a CSV with the columns id, sequence, label, contig,
    contig_length, start, end (0-based, half-open), strand, gene, split
    (train, valid or test) and cluster. Prints how many sequences of each
    class are in each split, and how many held-out ones share a 15-mer
    (either strand) or a position with train: none under the protocol
    strict, which puts whole homology clusters to one side; many under the
    protocol seed, printed for comparison, which draws test and validation
    from a maximal independent set and leaves their homologues in train.
    """
    from rich.console import Console

    from genomic_ulmfit.data.promoters import promoter_table
    from genomic_ulmfit.data.splits import leakage, split_seed, split_strict
    from genomic_ulmfit.data.tables import write_table
    from genomic_ulmfit.dna.readers import read_genome

    console = Console(highlight=False)
    notes = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    if out.exists() and genome.exists() and out.samefile(genome):
        raise InputError(f"--out: {out} is the genome itself. Give another file to write to.")

    with notes.status("Reading the genome"):
        source = read_genome(genome)
    with notes.status("Cutting and comparing windows"):
        windows = promoter_table(source, upstream, downstream, seed)
        split = split_strict if protocol is Protocol.STRICT else split_seed
        table = split(windows, seed)
        leaks = {f"{protocol} (written)": leakage(table)}
        remarks = [*source.notes, *table.attrs["notes"]]
        if protocol is Protocol.STRICT:
            try:
                leaks["seed"] = leakage(split_seed(windows, seed))
            except InputError as error:
                remarks.append(f"No seed split to compare with: {error}")
    write_table(table, out)

    if source.simulated:
        console.print("[bold yellow]SIMULATED GENOME: these sequences are made up.[/]")
    console.print(_count_table(table))
    console.print(_leakage_table(leaks))
    console.print(f"{len(table):,} sequences written to {out}", markup=False, soft_wrap=True)
    for remark in remarks:
        notes.print(f"Note: {remark}")


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
        "protocol", "split", title="Held-out sequences found in train", title_justify="left"
    )
    for column in ("of", "share a 15-mer", "overlap", "either"):
        shown.add_column(column, justify="right")
    for name, leak in leaks.items():
        shown.add_row(name, "test", *_leakage_cells(leak.test))
        shown.add_row("", "valid", *_leakage_cells(leak.valid))
    return shown


def _leakage_cells(held_out: HeldOut) -> tuple[str, ...]:
    return (
        f"{held_out.n:,}",
        f"{held_out.homologous:,}",
        f"{held_out.overlapping:,}",
        f"{held_out.leaking:,} ({held_out.share:.1%})",
    )
