"""Where a study's genome comes from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from genomic_ulmfit.data.download import cached_genome, fetch_genome
from genomic_ulmfit.dna.simulate import simulate_genome, write_genbank
from genomic_ulmfit.errors import InputError

E_COLI = "NC_000913.3"
"""E. coli K-12 MG1655, the genome of the seed."""

DATA_VARIABLE = "GENOMIC_ULMFIT_DATA"


@dataclass(frozen=True)
class GenomeSource:
    """A genome file and where it was found, in words."""

    path: Path
    source: str


def find_genome(
    genome: str | Path | None, folder: Path, *, simulated: bool = False, seed: int = 0
) -> GenomeSource:
    """Return the genome to work on.

    Looked for in this order: the file given, ``$GENOMIC_ULMFIT_DATA`` (``genomes/`` in it, then
    the folder itself), the download cache, NCBI. A simulated genome is used only when asked for.

    Parameters
    ----------
    genome : path-like or None
        The user's choice.
    folder : pathlib.Path
        Where a downloaded or simulated genome is put.
    simulated : bool
        Make a genome up instead.
    seed : int
        Of the simulation.

    Returns
    -------
    GenomeSource

    Raises
    ------
    InputError
        If `genome` and `simulated` are both given, the file does not exist, or NCBI cannot be
        reached.
    """
    if simulated:
        if genome is not None:
            raise InputError("--simulated: cannot go together with --genome; give one of them.")
        path = folder / f"simulated-{seed}.gbk"
        if not path.exists():
            write_genbank(simulate_genome(seed=seed), path)
        return GenomeSource(path, "simulated")
    if genome is not None:
        if not Path(genome).is_file():
            raise InputError(f"--genome: {genome} is no file.")
        return GenomeSource(Path(genome), "--genome")
    data = os.environ.get(DATA_VARIABLE)
    if data:
        for parent in (Path(data) / "genomes", Path(data)):
            for suffix in (".gbk.gz", ".gbk"):
                path = parent / f"{E_COLI}{suffix}"
                if path.is_file():
                    return GenomeSource(path, DATA_VARIABLE)
    cached = cached_genome(E_COLI)
    if cached is not None:
        return GenomeSource(cached, "cache")
    return GenomeSource(fetch_genome(E_COLI, folder), "NCBI")
