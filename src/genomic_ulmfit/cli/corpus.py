"""`genomic-ulmfit data corpus`: many genomes as one folder of training text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genomic_ulmfit.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

    from genomic_ulmfit.data.corpus import Corpus


def corpus(
    genomes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="GENOME...",
            help="Files, folders, quoted patterns, accessions, or text files listing accessions.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write the corpus to.")] = None,
    check: Annotated[
        Path | None,
        typer.Option("--verify", help="Check this corpus against its sha256 sums instead."),
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option(
            envvar="GENOMIC_ULMFIT_NCBI_URL",
            help="Scheme and host to ask for accessions instead of NCBI, such as a mirror.",
        ),
    ] = None,
) -> None:
    """Pack genomes into one folder that language models are trained on.

    Takes FASTA and GenBank files, plain or gzipped; folders of them;
    patterns such as 'genomes/*.fna.gz'; accessions; and text files with one
    accession per line (# begins a comment), which are downloaded and cached
    as by `data genome`. A genome that is there twice is taken once.

      genomic-ulmfit data corpus genomes/ NC_000913.3 --out corpus

      genomic-ulmfit pretrain corpus --out encoder

    Bases take two bits each, ambiguous ones are cut out, and of every genome
    contiguous regions (5 %) are held out, the same ones in every corpus.
    One genome at a time is in memory, here and in training. Writes
    bases.2bit, four tables and manifest.json, which names every genome with
    its accessions and sha256. Prints what the corpus holds. If a file cannot
    be used, all such files are listed and nothing is written.

      genomic-ulmfit data corpus --verify corpus
    """
    from genomic_ulmfit.console import note, plain_console
    from genomic_ulmfit.data.corpus_folder import (
        open_corpus,
        require_new_folder,
        verify,
        write_corpus,
    )
    from genomic_ulmfit.data.genome_files import find_genomes

    notes = plain_console(stderr=True)
    if check is not None:
        if genomes or out is not None:
            raise InputError(
                "--verify: takes no genomes and no --out; it checks and builds nothing."
            )
        with notes.status(f"Reading {check}"):
            verify(check)
        folder, built = check, open_corpus(check)
    elif not genomes or out is None:
        raise InputError("Give at least one GENOME and --out, or --verify with a corpus.")
    else:
        # Before anything is downloaded.
        require_new_folder(out)
        folder, built = out, write_corpus(find_genomes(genomes, base_url=base_url), out)

    console = plain_console(tables=True)
    if any(genome.simulated for genome in built.genomes):
        console.print(
            "SIMULATED GENOMES: some of these sequences are made up.", style="bold yellow"
        )
    console.print(_summary(built, folder))
    done = "is as it was written" if check is not None else "written"
    console.print(f"{folder}: {done}", soft_wrap=True)
    for text in built.notes:
        note(text)


def _summary(corpus: Corpus, folder: Path) -> Table:
    from rich.table import Table

    n_bases = sum(genome.n_bases for genome in corpus.genomes)
    n_ambiguous = sum(genome.n_ambiguous for genome in corpus.genomes)
    on_disk = sum(path.stat().st_size for path in folder.iterdir())
    shown = Table("corpus", title=None)
    shown.add_column("", justify="right")
    for name, value in (
        ("genomes", f"{len(corpus.genomes):,}"),
        ("contigs", f"{len(corpus.contigs):,}"),
        ("bases", f"{n_bases:,}"),
        ("ambiguous, cut out", f"{n_ambiguous:,}"),
        ("training text", f"{corpus.n_train:,} in {len(corpus.train):,} pieces"),
        ("held out", f"{corpus.n_held_out:,} in {len(corpus.held_out):,} regions"),
        ("bytes on disk", f"{on_disk:,}"),
    ):
        shown.add_row(name, value)
    return shown
