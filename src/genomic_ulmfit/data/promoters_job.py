"""From an annotated genome to a table of labelled windows, split, and what leaks in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from genomic_ulmfit.data.promoters import FRAMINGS, promoter_table, tss_table
from genomic_ulmfit.data.splits import (
    TRAIN,
    Leakage,
    leakage,
    split_seed,
    split_strict,
    widened,
)
from genomic_ulmfit.data.stretches import (
    HeldOutStretch,
    held_out_stretches,
    split_by_stretches,
    write_stretches,
)
from genomic_ulmfit.data.tables import SIMULATED, write_table
from genomic_ulmfit.dna.readers import read_genome
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import require_another, require_writable

PROTOCOLS = ("strict", "seed", "stretches", "none")


@dataclass(frozen=True, eq=False)
class PromotersResult:
    """What was written.

    Parameters
    ----------
    table : pandas.DataFrame
        As from `promoter_table` or `tss_table`, with a column `split` and, if the genome is made
        up, one that says so.
    leaks : dict of str to Leakage
        What held-out rows share with rows to train on, by what was compared; empty if nothing is
        held out.
    stretches : Path or None
        BED file of what is held out, for the protocol that holds out stretches.
    simulated : bool
        Whether the genome is made up.
    notes : tuple of str
        What was left out or is worth knowing, one sentence each.
    """

    table: pd.DataFrame
    leaks: dict[str, Leakage]
    stretches: Path | None
    simulated: bool
    notes: tuple[str, ...]


def write_promoters(
    genome_path: str | Path,
    out: str | Path,
    *,
    framing: str = "anchored",
    upstream: int | None = None,
    downstream: int | None = None,
    tss: str | Path | None = None,
    tss_name: str | None = None,
    negatives: str | None = None,
    context: int = 0,
    protocol: str = "strict",
    seed: int = 0,
    report: Callable[[str], object] = lambda _: None,
) -> PromotersResult:
    """Cut promoter windows and other windows from a genome, divide them and write them.

    Parameters
    ----------
    genome_path : path-like
        Annotated genome: GenBank.
    out : path-like
        CSV to write; gzipped if it ends in .gz.
    framing : {"anchored", "upstream", "tss"}
        What windows are cut around, and how wide: see `FRAMINGS`.
    upstream, downstream : int, optional
        Bases before that place, and from it on; the framing's if not given.
    tss : path-like, optional
        BED of transcription start sites; for the framing "tss" alone, which needs it.
    tss_name : str, optional
        Only sites of this name are promoters; for `tss` alone.
    negatives : str, optional
        As in `tss_table`, "cds" if not given; for the framing "tss" alone.
    context : int
        Bases on either side of each window to write down beside it.
    protocol : {"strict", "seed", "stretches", "none"}
        How rows are held out: `split_strict`, `split_seed`, `split_by_stretches`, or none of them.
    seed : int
        Of the negatives and the split.
    report : callable
        Told what is being done.

    Returns
    -------
    PromotersResult

    Raises
    ------
    InputError
        If arguments are not allowed or do not go together, a file cannot be used, or there are
        too few windows.
    """
    _check(framing, tss, negatives, protocol)
    if tss_name is not None and tss is None:
        raise InputError(f"--tss-name: got {tss_name!r} without --tss, which has the sites.")
    bed = stretches_path(out) if protocol == "stretches" else None
    stretches: list[HeldOutStretch] = []
    for path in (out, *([bed] if bed else [])):
        require_another(path, genome_path, tss)
    require_writable(Path(out).parent)
    default = FRAMINGS[framing]
    before = default.upstream if upstream is None else upstream
    after = default.downstream if downstream is None else downstream

    report("Reading the genome")
    genome = read_genome(genome_path)
    report("Cutting and comparing windows")
    if tss is not None:
        windows = tss_table(genome, tss, negatives or "cds", before, after, seed, context, tss_name)
    else:
        windows = promoter_table(genome, before, after, seed, context)
    leaks: dict[str, Leakage] = {}
    notes: list[str] = []
    if protocol == "none":
        table = windows.assign(split=TRAIN)
    elif bed is not None:
        stretches = held_out_stretches(genome.contigs, seed)
        table = split_by_stretches(windows, stretches)
        leaks["stretches (written)"] = leakage(table)
    else:
        table = (split_strict if protocol == "strict" else split_seed)(windows, seed)
        leaks[f"{protocol} (written)"] = leakage(table)
        if context:
            leaks[f"{protocol}, with context"] = leakage(widened(table))
            notes.append(
                "The split keeps windows apart, not their context, which the encoder reads, too: "
                "the rows with context count that. Trust scores on these test rows less, or hold "
                "out stretches of the genome (--protocol stretches)."
            )
    if protocol == "strict" and tss is None:
        try:
            leaks["seed"] = leakage(split_seed(windows, seed))
        except InputError as error:
            notes.append(f"No seed split to compare with: {error}")
    if genome.simulated:
        table[SIMULATED] = 1
    write_table(table, out)
    if bed is not None:
        write_stretches(stretches, bed)
    told = (*genome.notes, *table.attrs["notes"], *notes)
    return PromotersResult(table, leaks, bed, genome.simulated, told)


def stretches_path(out: str | Path) -> Path:
    """Return the BED file beside a table that says which stretches are held out."""
    name = Path(out).name
    for suffix in (".gz", ".csv"):
        if name.lower().endswith(suffix):
            name = name[: -len(suffix)]
    return Path(out).with_name(f"{name}.test.bed")


def _check(framing: str, tss: str | Path | None, negatives: str | None, protocol: str) -> None:
    """Check that arguments are allowed and go together."""
    for option, value, allowed in (
        ("--framing", framing, tuple(FRAMINGS)),
        ("--protocol", protocol, PROTOCOLS),
    ):
        if value not in allowed:
            raise InputError(f"{option}: got {value!r}, allowed are {', '.join(allowed)}.")
    if framing == "tss":
        if tss is None:
            raise InputError("--framing tss: needs --tss, a BED file of transcription start sites.")
        if protocol == "seed":
            raise InputError(
                "--protocol seed: is for windows at gene starts; use strict with --framing tss."
            )
    elif tss is not None or negatives is not None:
        option = "--tss" if tss is not None else "--negatives"
        raise InputError(f"{option}: is for --framing tss, but the framing is {framing}.")
