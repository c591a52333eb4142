"""`genomic-ulmfit models`: the language models that come with this program."""

from __future__ import annotations

from typing import Annotated

import typer


def models(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]", help="One of them, or a folder written by pretrain: print its card."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the pretrained language models that come with this program.

    Give a name to see that model's card: what it has read, how it was
    trained, how well it predicts DNA, what it is for and what not.

    Start a classifier from one, or train one further on your genomes:

      genomic-ulmfit train promoters.csv --encoder bacteria --out model

      genomic-ulmfit pretrain genome.gbk --from e-coli --out encoder
    """
    import json

    from rich.table import Table

    from genomic_ulmfit.console import plain_console
    from genomic_ulmfit.models.pretrained import REFERENCE, pretrained_encoders, read_encoder

    if name is not None:
        encoder = read_encoder(name)
        typer.echo(json.dumps(encoder.to_dict(), indent=2) if as_json else encoder.card.rstrip())
        return
    encoders = pretrained_encoders()
    if as_json:
        typer.echo(json.dumps([encoder.to_dict() for encoder in encoders], indent=2))
        return
    table = Table()
    table.add_column("name", no_wrap=True)
    table.add_column("read", no_wrap=True)
    table.add_column("preset", no_wrap=True)
    for column in ("parameters", "bits per base", "on E. coli", "MB"):
        table.add_column(column, justify="right")
    for encoder in encoders:
        genomes, on_e_coli = encoder.genomes, encoder.bits_per_base(REFERENCE)
        read = genomes[0]["name"] if len(genomes) == 1 else f"{len(genomes):,} genomes"
        table.add_row(
            encoder.name,
            f"{read}\n{encoder.n_bases / 1e6:.1f} Mbp",
            encoder.training["preset"],
            f"{encoder.n_parameters / 1e6:.1f} M",
            f"{encoder.bits_per_base():.4f}",
            "–" if on_e_coli is None else f"{on_e_coli:.4f}",
            f"{encoder.megabytes:.1f}",
        )
    console = plain_console(tables=True)
    console.print(table)
    console.print(
        "Bits per base: on held-out regions of the genomes each was trained on, and on those of "
        f"E. coli K-12 ({REFERENCE}) alone. Lower is better; 2 is guessing."
    )
