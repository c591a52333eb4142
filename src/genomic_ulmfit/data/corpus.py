"""Genomes as training text: packed bases, and tables of the pieces they are read in.

Text is cut wherever a base is ambiguous. Held-out regions are contiguous stretches, so that no
read-through from training text predicts them. A corpus is the same thing in memory and in a
folder (`genomic_ulmfit.data.corpus_folder`): only the pieces that are read are ever unpacked.
"""

from __future__ import annotations

import bisect
import fnmatch
import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from genomic_ulmfit.data.known_contigs import KnownContigs
from genomic_ulmfit.dna.alphabet import AMBIGUOUS, Codes
from genomic_ulmfit.dna.genome import Genome
from genomic_ulmfit.dna.intervals import merged
from genomic_ulmfit.dna.packing import BASES_PER_BYTE, Packed, PackedBases, pack
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import file_sha256

if TYPE_CHECKING:
    import pandas as pd

HELD_OUT_SHARE = 0.05
HELD_OUT_REGION = 12_000
"""Bases per held-out region: long against a gene, short enough to sample a genome widely."""

PIECE = 50_000
"""Bases per training piece: strand and phase are drawn anew for each."""

SHORTEST_PIECE = 50

Table = npt.NDArray[np.void]

PIECE_TYPE = np.dtype([("genome", "<i4"), ("start", "<i8"), ("length", "<i4")])
"""A stretch of text: index of its genome, first base in the text, bases."""

RUN_TYPE = np.dtype([("contig", "<i4"), ("position", "<i8"), ("start", "<i8"), ("length", "<i8")])
"""A stretch without ambiguous bases: its contig, its place there, its place in the text."""

CONTIG_TYPE = np.dtype([("genome", "<i4"), ("length", "<i8")])


@dataclass(frozen=True)
class CorpusGenome:
    """Where a part of a corpus comes from.

    Parameters
    ----------
    name : str
    accessions : tuple of str
        Names of its contigs.
    file : str
        Name of the file it was read from; empty if there was none.
    sha256 : str
        Of that file.
    n_bases : int
        Ambiguous ones included.
    simulated : bool
    n_ambiguous : int
        Bases that were cut out.
    """

    name: str
    accessions: tuple[str, ...]
    file: str
    sha256: str
    n_bases: int
    simulated: bool
    n_ambiguous: int = 0


@dataclass(frozen=True, eq=False)
class Corpus:
    """Training and held-out text of a set of genomes.

    Parameters
    ----------
    genomes : tuple of CorpusGenome
    bases : PackedBases
        Runs of unambiguous bases of all contigs, one after another, in genome order.
    contigs : numpy.ndarray of `CONTIG_TYPE`
        In the order of the genomes' accessions.
    runs : numpy.ndarray of `RUN_TYPE`
        In the order of the text.
    train : numpy.ndarray of `PIECE_TYPE`
        Pieces of at most `PIECE` bases, forward strand, in the order of the text.
    held_out : numpy.ndarray of `PIECE_TYPE`
        Contiguous regions, forward strand, in the order of the text.
    text_sha256 : str
        Of the packed bases.
    notes : tuple of str
        What was left out when the corpus was built, one sentence each.
    """

    genomes: tuple[CorpusGenome, ...]
    bases: PackedBases
    contigs: Table
    runs: Table
    train: Table
    held_out: Table
    text_sha256: str
    notes: tuple[str, ...] = ()

    @property
    def n_train(self) -> int:
        """Bases of training text (one strand)."""
        return int(self.train["length"].sum(dtype=np.int64))

    @property
    def n_held_out(self) -> int:
        """Bases of held-out text (one strand)."""
        return int(self.held_out["length"].sum(dtype=np.int64))

    @cached_property
    def sha256(self) -> str:
        """Digest of the training text and of how it is cut; the bases are not read for it."""
        digest = hashlib.sha256(self.text_sha256.encode())
        digest.update(np.ascontiguousarray(self.train).data)
        return digest.hexdigest()

    @cached_property
    def excluded(self) -> tuple[int, ...]:
        """Indices of the genomes that have no training text."""
        present = np.unique(self.train["genome"])
        return tuple(np.setdiff1d(np.arange(len(self.genomes)), present).tolist())

    def codes(self, piece: Any) -> Codes:
        """Unpack a row of `train` or `held_out`.

        Returns
        -------
        numpy.ndarray of uint8, shape (length,)
            Base codes of the forward strand, 0 to 3.
        """
        return self.bases.read(int(piece["start"]), int(piece["length"]))

    def training_text(self) -> Iterator[Codes]:
        """Unpack the training pieces, one at a time."""
        return map(self.codes, self.train)

    def held_out_text(self) -> Iterator[Codes]:
        """Unpack the held-out regions, one at a time."""
        return map(self.codes, self.held_out)

    def without_genomes(self, patterns: Sequence[str]) -> Corpus:
        """Leave whole genomes out of the training text.

        Their held-out regions stay, so that the loss on a genome that was never trained on can
        be measured.

        Parameters
        ----------
        patterns : sequence of str
            Compared with each genome's name, file name and accessions; ``*``, ``?`` and
            ``[...]`` are wildcards, and case does not matter.

        Returns
        -------
        Corpus

        Raises
        ------
        InputError
            If a pattern matches no genome, or nothing is left to train on.
        """
        excluded: set[int] = set()
        for pattern in patterns:
            names = [
                {name.lower() for name in (genome.name, genome.file, *genome.accessions)}
                for genome in self.genomes
            ]
            # Names may have brackets of their own.
            matching = {i for i, of_one in enumerate(names) if pattern.lower() in of_one} or {
                i for i, of_one in enumerate(names) if fnmatch.filter(of_one, pattern.lower())
            }
            if not matching:
                known = ", ".join(genome.name for genome in self.genomes[:10])
                more = f" and {len(self.genomes) - 10:,} more" if len(self.genomes) > 10 else ""
                raise InputError(
                    f"{pattern!r} is no name, file name or accession of a genome of this corpus, "
                    f"and matches none as a pattern. Its genomes: {known}{more}."
                )
            excluded |= matching
        kept = self.train[~np.isin(self.train["genome"], list(excluded))]
        if not len(kept):
            raise InputError(
                f"{', '.join(patterns)}: no training text is left; exclude fewer genomes."
            )
        return replace(self, train=kept)

    def without_excluded_regions(self) -> Corpus:
        """Leave out the held-out regions of genomes that are not trained on."""
        return replace(
            self, held_out=self.held_out[~np.isin(self.held_out["genome"], self.excluded)]
        )

    def without_windows(self, windows: pd.DataFrame) -> Corpus:
        """Cut windows out of the training text; neither strand of them is read any more.

        Parameters
        ----------
        windows : pandas.DataFrame
            With columns ``contig``, ``start`` and ``end`` (0-based, half-open; ``end`` exceeds
            the contig's length where a window runs over the origin).

        Returns
        -------
        Corpus
            Remnants of pieces shorter than `SHORTEST_PIECE` are dropped with the windows.

        Raises
        ------
        InputError
            If a contig is unknown, its name occurs in several genomes, a window lies outside of
            it, or nothing is left to train on.
        """
        cuts = np.array(merged(self._spans_in_text(windows)), dtype=np.int64).reshape(-1, 2)
        starts = self.train["start"].astype(np.int64)
        ends = starts + self.train["length"]
        # Text, pieces and merged cuts are all in ascending order.
        first = np.searchsorted(cuts[:, 1], starts, side="right")
        last = np.searchsorted(cuts[:, 0], ends, side="left")
        remnants = []
        for index in np.flatnonzero(first < last):
            at = starts[index]
            for cut_start, cut_end in (*cuts[first[index] : last[index]], (ends[index], 0)):
                if cut_start - at >= SHORTEST_PIECE:
                    remnants.append((self.train["genome"][index], at, cut_start - at))
                at = cut_end
        whole = self.train[first >= last]
        train = np.concatenate([whole, np.array(remnants, dtype=PIECE_TYPE)])
        if not len(train):
            raise InputError("windows: no training text is left when they are cut out.")
        return replace(self, train=train[np.argsort(train["start"])])

    def _spans_in_text(self, windows: pd.DataFrame) -> list[tuple[int, int]]:
        """Return where the windows' unambiguous bases are in the text, as (start, end)."""
        numbers: dict[str, list[int]] = {}
        names = (name for genome in self.genomes for name in genome.accessions)
        for number, name in enumerate(names):
            numbers.setdefault(name, []).append(number)
        spans = []
        for contig, group in windows.groupby("contig", sort=False):
            found = numbers.get(str(contig), [])
            if len(found) != 1:
                raise InputError(
                    f"windows: contig {contig!r} is "
                    + ("of several genomes" if found else "not")
                    + " in this corpus, so its windows cannot be cut out. Build the corpus from "
                    "the genome that the windows are of, under the same contig names."
                )
            length = int(self.contigs["length"][found[0]])
            low, high = np.searchsorted(self.runs["contig"], [found[0], found[0] + 1])
            positions = self.runs["position"][low:high]
            run_ends = positions + self.runs["length"][low:high]
            for start, end in zip(group["start"].tolist(), group["end"].tolist(), strict=True):
                if not (0 <= start < length and start < end <= start + length):
                    raise InputError(
                        f"windows: {start}-{end} lies outside of contig {contig!r} of "
                        f"{length:,} bases. Give windows of the same version of the genome."
                    )
                for a, b in ((start, min(end, length)), (0, end - length)):
                    first = int(np.searchsorted(run_ends, a, side="right"))
                    last = int(np.searchsorted(positions, b, side="left"))
                    for run in range(low + first, low + last):
                        spans.append(_in_text(self.runs[run], a, b))
        return spans


def _in_text(run: Any, start: int, end: int) -> tuple[int, int]:
    """Return where the part of a contig's ``[start, end)`` that a run covers is in the text."""
    shift = int(run["start"] - run["position"])
    run_end = int(run["position"] + run["length"])
    return max(start, int(run["position"])) + shift, min(end, run_end) + shift


@dataclass(frozen=True, eq=False)
class GenomeText:
    """What one genome brings into a corpus; starts count from its own first base.

    Parameters
    ----------
    packed : numpy.ndarray of uint8
    contigs, runs, train, held_out : numpy.ndarray
        As in `Corpus`, with this genome as number 0.
    n_ambiguous : int
    """

    packed: Packed
    contigs: Table
    runs: Table
    train: Table
    held_out: Table
    n_ambiguous: int

    def placed(self, genome: int, contig: int, start: int) -> GenomeText:
        """Number this genome, its first contig and its first base as in a corpus."""
        shifted: dict[str, Table] = {}
        for name in ("contigs", "runs", "train", "held_out"):
            table = getattr(self, name).copy()
            for field, offset in (("genome", genome), ("contig", contig), ("start", start)):
                if field in table.dtype.names:
                    table[field] += offset
            shifted[name] = table
        return replace(self, **shifted)  # type: ignore[arg-type]


def genome_text(
    genome: Genome, share: float = HELD_OUT_SHARE, *, of: Genome | None = None
) -> GenomeText:
    """Divide one genome into training pieces and held-out regions, and pack it.

    Its contigs, laid end to end, are divided into as many equal stretches as `share` of it holds
    regions of `HELD_OUT_REGION` bases (at least two); the first bases of each stretch are held
    out. The same genome always gives the same regions, whatever else is in a corpus.

    Parameters
    ----------
    genome : Genome
    share : float
        Share of the genome to hold out, above 0 and below 0.5.
    of : Genome, optional
        The whole of it, if contigs were left out, which must not move the regions of the others.

    Returns
    -------
    GenomeText
    """
    whole = of or genome
    n_regions = max(2, round(whole.n_bases * share / HELD_OUT_REGION))
    edges = np.linspace(0, whole.n_bases, n_regions + 1)
    starts = edges[:-1].astype(int)
    ends = (edges[:-1] + share * np.diff(edges)).astype(int)
    texts: list[Codes] = []
    runs: list[tuple[int, int, int, int]] = []
    train: list[tuple[int, int, int]] = []
    held_out: list[tuple[int, int, int]] = []
    size = n_ambiguous = 0
    offsets = _offsets(whole)
    for number, contig in enumerate(genome.contigs):
        offset = offsets[contig.name]
        own: list[tuple[int, int, int, int]] = []
        for a, b in _clean_spans(contig.codes, 0, len(contig), None):
            own.append((number, a, size, b - a))
            texts.append(contig.codes[a:b])
            size += b - a
        runs += own
        cursor = 0
        for start, end in zip(starts - offset, ends - offset, strict=True):
            start, end = max(int(start), 0), min(int(end), len(contig))
            if start < end:
                train += _placed(_clean_spans(contig.codes, cursor, start, PIECE), own)
                held_out += _placed(_clean_spans(contig.codes, start, end, None), own)
                cursor = end
        train += _placed(_clean_spans(contig.codes, cursor, len(contig), PIECE), own)
        n_ambiguous += int((contig.codes == AMBIGUOUS).sum())
    return GenomeText(
        pack(np.concatenate(texts)) if texts else np.zeros(0, dtype=np.uint8),
        np.array([(0, len(contig)) for contig in genome.contigs], dtype=CONTIG_TYPE),
        np.array(runs, dtype=RUN_TYPE),
        np.array(train, dtype=PIECE_TYPE),
        np.array(held_out, dtype=PIECE_TYPE),
        n_ambiguous,
    )


def _offsets(genome: Genome) -> dict[str, int]:
    """Return where each contig begins if all are laid end to end."""
    ends = itertools.accumulate(map(len, genome.contigs))
    return {
        contig.name: end - len(contig) for contig, end in zip(genome.contigs, ends, strict=True)
    }


def _clean_spans(codes: Codes, start: int, end: int, longest: int | None) -> list[tuple[int, int]]:
    """Cut around ambiguous bases, then into even spans of at most `longest` bases."""
    breaks = np.flatnonzero(codes[start:end] == AMBIGUOUS)
    firsts, lasts = np.r_[0, breaks + 1], np.r_[breaks, end - start]
    long_enough = lasts - firsts >= SHORTEST_PIECE
    spans: list[tuple[int, int]] = []
    for first, last in zip(firsts[long_enough], lasts[long_enough], strict=True):
        n_pieces = 1 if longest is None else -(-(last - first) // longest)
        edges = (start + np.linspace(first, last, n_pieces + 1).astype(int)).tolist()
        spans += itertools.pairwise(edges)
    return spans


def _placed(
    spans: list[tuple[int, int]], runs: list[tuple[int, int, int, int]]
) -> list[tuple[int, int, int]]:
    """Turn spans of a contig into pieces of the text that its runs make up."""
    # No span reaches over an ambiguous base: each lies in the last run that begins before it.
    positions = [position for _, position, _, _ in runs]
    found = (runs[bisect.bisect_right(positions, start) - 1] for start, _ in spans)
    return [
        (0, in_text + start - position, end - start)
        for (start, end), (_, position, in_text, _) in zip(spans, found, strict=True)
    ]


def build_corpus(
    genomes: Sequence[Genome], share: float = HELD_OUT_SHARE, files: Sequence[Path] = ()
) -> Corpus:
    """Make a corpus in memory, of one or a few genomes; see `genome_text` for how it is divided.

    What is there twice (see `KnownContigs`) is taken once; the corpus's notes say so.

    Parameters
    ----------
    genomes : sequence of Genome
    share : float
        Share of each genome to hold out, above 0 and below 0.5.
    files : sequence of pathlib.Path
        The files that the genomes were read from, to record their names and sha256.

    Returns
    -------
    Corpus

    Raises
    ------
    InputError
        If nothing is left to train on or to hold out.
    """
    described: list[CorpusGenome] = []
    parts: list[GenomeText] = []
    notes: list[str] = []
    known = KnownContigs()
    n_contigs = n_bytes = 0
    for number, whole in enumerate(genomes):
        name = files[number].name if files else whole.name
        genome, left_out = known.without(whole, name)
        notes += left_out
        if left_out and not genome.contigs:
            continue
        known.remember(genome, name)
        text = genome_text(genome, share, of=whole)
        part = text.placed(len(parts), n_contigs, n_bytes * BASES_PER_BYTE)
        described.append(describe(genome, part, files[number] if files else None))
        parts.append(part)
        n_contigs += len(part.contigs)
        n_bytes += len(part.packed)
    train = np.concatenate([part.train for part in parts])
    held_out = np.concatenate([part.held_out for part in parts])
    if not len(train) or not len(held_out):
        names = ", ".join(genome.name for genome in genomes)
        raise InputError(
            f"{names}: too little unambiguous sequence for a language model; at least a few "
            "thousand bases are needed."
        )
    packed = np.concatenate([part.packed for part in parts])
    return Corpus(
        tuple(described),
        PackedBases(packed),
        np.concatenate([part.contigs for part in parts]),
        np.concatenate([part.runs for part in parts]),
        train,
        held_out,
        hashlib.sha256(packed.data).hexdigest(),
        tuple(notes),
    )


def describe(genome: Genome, text: GenomeText, file: Path | None) -> CorpusGenome:
    """Return what a corpus records of a genome."""
    return CorpusGenome(
        genome.name,
        tuple(contig.name for contig in genome.contigs),
        file.name if file else "",
        file_sha256(file) if file else "",
        genome.n_bases,
        genome.simulated,
        text.n_ambiguous,
    )
