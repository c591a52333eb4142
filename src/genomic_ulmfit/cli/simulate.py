"""`genomic-ulmfit simulate`: a made-up bacterial genome whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genomic_ulmfit.limits import LARGEST_SEED


def simulate(
    out: Annotated[Path, typer.Option(help="GenBank to write; gzipped if it ends in .gz.")],
    genes: Annotated[int, typer.Option(min=1, help="Protein-coding genes to make.")] = 1000,
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            max=LARGEST_SEED,
            help="Seed of the random numbers that the genome is made of; the same seed gives "
            "the same genome.",
        ),
    ] = 0,
    tss: Annotated[
        Path | None,
        typer.Option(help="BED to write its TSS to, for data promoters and evaluate-scan."),
    ] = None,
) -> None:
    """Make up an annotated bacterial-like genome with known truth.

    Genes on both strands with the codon usage of E. coli, operons,
    Shine-Dalgarno sites, −35 and −10 boxes as degenerate as real ones, and a
    known transcription start site (TSS) for each operon, on a circular
    contig.

      genomic-ulmfit simulate --out sim.gbk --genes 1000 --tss sim.bed

    Writes a GenBank file in which every TSS is a misc_feature with the note
    "transcription start site". The file is marked as simulated; data
    promoters, pretrain, reproduce, scan and view say so.
    """
    from genomic_ulmfit.dna.simulate import simulate_genome, write_genbank, write_tss
    from genomic_ulmfit.errors import InputError
    from genomic_ulmfit.files import require_writable

    if tss is not None and tss.resolve() == out.resolve():
        raise InputError(f"--tss: {tss} is the genome's file already; name another.")
    for file, option in ((out, "--out"), (tss, "--tss")):
        if file is not None:
            require_writable(file.parent, option)
    genome = simulate_genome(genes, seed)
    write_genbank(genome, out)
    if tss is not None:
        write_tss(genome, tss)
    n_tss = sum(len(contig.tss) for contig in genome.contigs)
    typer.echo(
        f"SIMULATED genome {genome.name}: {genome.n_bases:,} bases, {genome.n_genes:,} genes, "
        f"{n_tss:,} TSS, written to {out}" + (f", TSS to {tss}" if tss else "")
    )
