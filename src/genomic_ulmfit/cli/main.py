"""The `genomic-ulmfit` command: assembles the subcommands and turns errors into sentences."""

from __future__ import annotations

import errno
import io
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from genomic_ulmfit.cli.corpus import corpus
from genomic_ulmfit.cli.embed import embed
from genomic_ulmfit.cli.evaluate import evaluate
from genomic_ulmfit.cli.evaluate_scan import evaluate_scan
from genomic_ulmfit.cli.explain import explain
from genomic_ulmfit.cli.genome import genome
from genomic_ulmfit.cli.learning_curve import learning_curve
from genomic_ulmfit.cli.models import models
from genomic_ulmfit.cli.predict import predict
from genomic_ulmfit.cli.pretrain import pretrain
from genomic_ulmfit.cli.promoters import promoters
from genomic_ulmfit.cli.reproduce import reproduce
from genomic_ulmfit.cli.scan import scan
from genomic_ulmfit.cli.simulate import simulate
from genomic_ulmfit.cli.train import train
from genomic_ulmfit.cli.view import view
from genomic_ulmfit.console import marked, plain_console
from genomic_ulmfit.errors import InputError


class _Commands(TyperGroup):
    """Ends every command alike on Ctrl-C; some say more about it themselves."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            # Here, because Typer would end in silence or, in older versions, with exit code 1.
            plain_console(stderr=True).print(
                marked("Stopped.", "Nothing half-written was left behind.")
            )
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
data = typer.Typer(no_args_is_help=True, help="Get genomes and cut labelled sequences from them.")
data.command("genome")(genome)
data.command("promoters")(promoters)
data.command("corpus")(corpus)
app.add_typer(data, name="data")
app.command("simulate")(simulate)
app.command("pretrain")(pretrain)
app.command("models")(models)
app.command("train")(train)
app.command("evaluate")(evaluate)
app.command("predict")(predict)
app.command("scan")(scan)
app.command("evaluate-scan")(evaluate_scan)
app.command("explain")(explain)
app.command("view")(view)
app.command("embed")(embed)
app.command("reproduce")(reproduce)
app.command("learning-curve")(learning_curve)


def _print_version(wanted: bool) -> None:
    if wanted:
        from genomic_ulmfit import __version__

        typer.echo(f"genomic-ulmfit {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print version."),
    ] = False,
) -> None:
    """Classify DNA with few labels by first learning a language model of whole genomes.

    A first run, from an annotated genome to a promoter classifier:

      genomic-ulmfit data promoters genome.gbk --out promoters.csv

      genomic-ulmfit train promoters.csv --out model

      genomic-ulmfit evaluate model promoters.csv
    """


def main() -> None:
    """Run the command line; a user's mistake ends in one message and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that is not in UTF-8 shows ? for what it has no letter for.
            stream.reconfigure(errors="replace")
    try:
        app()
    except InputError as error:
        _fail(str(error))
        sys.exit(2)
    except OSError as error:
        if error.errno not in _ENVIRONMENT:
            raise
        place = f" ({error.filename})" if error.filename else ""
        _fail(f"{error.strerror}{place}.")
        sys.exit(2)


_ENVIRONMENT = {
    errno.EACCES,
    errno.EDQUOT,
    errno.EEXIST,
    errno.EFBIG,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.ENXIO,
    errno.EPERM,
    errno.EROFS,
}


def _fail(text: str) -> None:
    plain_console(stderr=True).print(marked("Error:", text, "bold red"))
