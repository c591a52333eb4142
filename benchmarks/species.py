"""The options that the benchmarks on tables of many species have in common."""

from __future__ import annotations

import argparse
from pathlib import Path

from genomic_ulmfit.limits import LARGEST_SEED
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
