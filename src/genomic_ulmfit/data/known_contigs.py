"""Which contigs a corpus holds already, so that none is read twice."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from genomic_ulmfit.dna.genome import Contig, Genome
from genomic_ulmfit.errors import listed

SAME = 0.95
"""Share of a genome's bases in contigs that are there already from which on it is the same one: it
may come with another set of plasmids."""


class KnownContigs:
    """Keeps a corpus from holding a contig twice, once to train on and once held out."""

    def __init__(self) -> None:
        self._genome_of: dict[str, str] = {}

    def without(self, genome: Genome, name: str) -> tuple[Genome, list[str]]:
        """Leave out of a genome what is there already, from earlier ones or from itself.

        Parameters
        ----------
        genome : Genome
        name : str
            What notes call it.

        Returns
        -------
        genome : Genome
            Without contigs whose very bases are there already; without any contig if they are
            `SAME` of it or more: then it is the same genome, maybe with other plasmids.
        notes : list of str
            What was left out, one sentence.
        """
        new: dict[str, Contig] = {}
        bases_in: dict[str, int] = {}
        repeated: set[str] = set()
        for digest, contig in _by_digest(genome):
            if digest in self._genome_of:
                other = self._genome_of[digest]
                bases_in[other] = bases_in.get(other, 0) + len(contig)
            elif digest in new:
                repeated.add(name)
            else:
                new[digest] = contig
        if len(new) == len(genome.contigs):
            return genome, []
        if sum(bases_in.values()) >= SAME * genome.n_bases:
            most = max(bases_in, key=lambda other: bases_in[other])
            return replace(genome, contigs=()), [
                f"{name}: left out, because it is the same genome as {most}, which is there "
                "already."
            ]
        others = sorted(repeated | set(bases_in))
        return replace(genome, contigs=tuple(new.values())), [
            f"{name}: {len(genome.contigs) - len(new):,} of its {len(genome.contigs):,} contigs "
            f"were left out, because they are there already, in {listed(others)}."
        ]

    def remember(self, genome: Genome, name: str) -> None:
        """Remember the contigs of a genome that is there from now on."""
        for digest, _ in _by_digest(genome):
            self._genome_of.setdefault(digest, name)


def _by_digest(genome: Genome) -> list[tuple[str, Contig]]:
    return [(hashlib.sha256(contig.codes.data).hexdigest(), contig) for contig in genome.contigs]
