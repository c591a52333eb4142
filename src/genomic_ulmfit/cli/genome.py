"""`genomic-ulmfit data genome`: download annotated genomes from NCBI."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genomic_ulmfit.errors import InputError


def genome(
    accessions: Annotated[
        list[str],
        typer.Argument(
            metavar="ACCESSION",
            help="Nucleotide records (NC_000913.3) or assemblies (GCF_000005845.2).",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write to; made if missing.")] = Path("."),
    base_url: Annotated[
        str | None,
        typer.Option(
            envvar="GENOMIC_ULMFIT_NCBI_URL",
            help="Scheme and host to ask instead of NCBI, such as a mirror.",
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option(help="Seconds of silence after which an attempt is given up.")
    ] = 60.0,
    retries: Annotated[
        int, typer.Option(min=0, help="Further attempts after one fails for a passing reason.")
    ] = 4,
) -> None:
    """Download annotated genomes from NCBI, verify them, and keep them in a cache.

    Writes ACCESSION.gbk.gz (GenBank, gzip) for each genome into --out, and
    prints its path, bases, number of CDS and SHA-256, separated by tabs. A
    genome is accepted only if it is the accession that was asked for and as
    long as its record declares.

      genomic-ulmfit data genome NC_000913.3 GCF_000006945.2 --out genomes

    All accessions are tried; those that fail are listed at the end (exit code
    2) and those that succeed stay. Genomes are cached in GENOMIC_ULMFIT_CACHE
    (default ~/.cache/genomic-ulmfit), so that the second time needs no
    network. With NCBI_API_KEY in the environment NCBI allows more requests a
    second.
    """
    from genomic_ulmfit.console import note
    from genomic_ulmfit.data.download import fetch_genome
    from genomic_ulmfit.dna.readers import read_genome
    from genomic_ulmfit.files import file_sha256

    failures: list[str] = []
    wanted = list(dict.fromkeys(accessions))
    header = "path\tbases\tcds\tsha256"
    for accession in wanted:
        try:
            path = fetch_genome(accession, out, base_url=base_url, timeout=timeout, retries=retries)
            content = read_genome(path)
        except InputError as error:
            failures.append(str(error))
            continue
        if header:
            typer.echo(header)
            header = ""
        typer.echo(f"{path}\t{content.n_bases}\t{content.n_genes}\t{file_sha256(path)}")
        for text in content.notes:
            note(f"{path}: {text}")
    if failures:
        raise InputError(
            f"{len(failures)} of {len(wanted)} could not be had.\n" + "\n".join(failures)
            if len(wanted) > 1
            else failures[0]
        )
