"""`genomic-ulmfit data promoters`: labelled promoter windows, split without leakage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genomic_ulmfit.cli.limits import LARGEST_SEED
from genomic_ulmfit.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from genomic_ulmfit.data.splits import HeldOut, Leakage


FRAMING_NAMES = ("anchored", "upstream", "tss")
PROTOCOLS = ("strict", "seed", "none")


def promoters(
    genome: Annotated[
        Path,
        typer.Argument(metavar="GENOME", help="Annotated genome: GenBank, plain or gzipped."),
    ],
    out: Annotated[Path, typer.Option(help="CSV to write; gzipped if it ends in .gz.")],
    framing: Annotated[
        str,
        typer.Option(
            metavar="anchored|upstream|tss",
            help="anchored: -100..+50 of the start codon; upstream: -100..-12, without start "
            "codon and Shine-Dalgarno sequence; tss: -60..+20 of a TSS.",
        ),
    ] = FRAMING_NAMES[0],
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
            metavar="strict|seed|none",
            help="strict keeps homologous sequences together; seed does not and leaks; none leaves "
            "all to train on, where a scan is to be scored on sites that --tss leaves out.",
        ),
    ] = PROTOCOLS[0],
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Places of the negatives, and the split.")
    ] = 0,
) -> None:
    """Cut promoter windows and other windows from a genome and divide them.

    A promoter (label 1) is the window around the start of a CDS, or around a
    transcription start site (TSS), read along its strand. The other class
    (label 0) is one window of the same length from inside each CDS that has
    room; with --framing tss as many as there are promoters, from where
    --negatives says.

      genomic-ulmfit data promoters NC_000913.3.gbk.gz --out promoters.csv

      genomic-ulmfit data promoters NC_000913.3.gbk.gz --out tss.csv
      --framing tss --tss sites.bed --negatives background --context 256
      --downstream 140 --protocol none

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
    share some 15-mer with another, and nothing can be held out; with
    --protocol none nothing is.
    """
    from genomic_ulmfit.console import plain_console
    from genomic_ulmfit.data.promoters import FRAMINGS, promoter_table, tss_table
    from genomic_ulmfit.data.splits import (
        SPLITS,
        leakage,
        split_seed,
        split_strict,
        with_context,
    )
    from genomic_ulmfit.data.tables import write_table
    from genomic_ulmfit.dna.readers import read_genome
    from genomic_ulmfit.files import require_writable

    console = plain_console(tables=True)
    notes = plain_console(stderr=True)
    for option, value, allowed in (
        ("--framing", framing, FRAMING_NAMES),
        ("--protocol", protocol, PROTOCOLS),
    ):
        if value not in allowed:
            raise InputError(f"{option}: got {value!r}, allowed are {', '.join(allowed)}.")
    at_tss = framing == "tss"
    if at_tss and tss is None:
        raise InputError("--framing tss: needs --tss, a BED file of transcription start sites.")
    if at_tss and protocol == "seed":
        raise InputError(
            "--protocol seed: is for windows at gene starts; use strict with --framing tss."
        )
    if not at_tss and (tss is not None or negatives is not None):
        option = "--tss" if tss is not None else "--negatives"
        raise InputError(f"{option}: is for --framing tss, but the framing is {framing}.")
    for given in (genome, tss):
        if given is not None and out.exists() and given.exists() and out.samefile(given):
            kind = "the genome itself" if given is genome else "the BED file itself"
            raise InputError(f"--out: {out} is {kind}. Give another file to write to.")
    require_writable(out.parent)
    default = FRAMINGS[framing]
    before = default.upstream if upstream is None else upstream
    after = default.downstream if downstream is None else downstream

    with notes.status("Reading the genome"):
        source = read_genome(genome)
    with notes.status("Cutting and comparing windows"):
        if tss is not None:
            windows = tss_table(source, tss, negatives or "cds", before, after, seed, context)
        else:
            windows = promoter_table(source, before, after, seed, context)
        if protocol == "none":
            table, leaks = windows.assign(split=SPLITS[0]), {}
        else:
            table = (split_strict if protocol == "strict" else split_seed)(windows, seed)
            leaks = {f"{protocol} (written)": leakage(table)}
            if context:
                leaks[f"{protocol}, with context"] = leakage(with_context(table))
        remarks = [*source.notes, *table.attrs["notes"]]
        if context and protocol != "none":
            remarks.append(
                "The split keeps windows apart, not their context, which the encoder reads, too: "
                "the rows with context count that. Trust scores on these test rows less, or "
                "evaluate a scan (--protocol none)."
            )
        if protocol == "strict" and not at_tss:
            try:
                leaks["seed"] = leakage(split_seed(windows, seed))
            except InputError as error:
                remarks.append(f"No seed split to compare with: {error}")
    write_table(table, out)

    if source.simulated:
        console.print("SIMULATED GENOME: these sequences are made up.", style="bold yellow")
    console.print(_count_table(table))
    if leaks:
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
        "protocol",
        "split",
        title="Held-out sequences found in train",
        title_justify="left",
        caption="The seed's protocol, which leaks, stands here for comparison."
        if "seed" in leaks
        else None,
        caption_justify="left",
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
