"""What the benchmarks on tables of many species have in common: options, and how they end."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from genomic_ulmfit.cli.limits import LARGEST_SEED
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models.pretrained import DEFAULT


def options(description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--out", type=Path, default=Path("external"))
    parser.add_argument("--encoder", default=DEFAULT)
    parser.add_argument("--seed", type=seed, default=0)
    return parser


def seed(text: str) -> int:
    if not text.isdecimal() or int(text) > LARGEST_SEED:
        raise argparse.ArgumentTypeError(f"got {text!r}, allowed is 0 to {LARGEST_SEED}")
    return int(text)


def ended(work: Callable[[Callable[[str], None]], None]) -> int:
    """Do the work and return the exit code; it is told how to report."""
    notes = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        work(notes.print)
    except InputError as error:
        notes.print(f"Error: {error}", markup=False)
        return 2
    except OSError as error:
        notes.print(f"Error: {error.strerror} ({error.filename}).", markup=False)
        return 2
    except KeyboardInterrupt:
        notes.print("Stopped. The same command continues where it stopped.")
        return 130
    return 0
