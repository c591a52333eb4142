"""Scores along a genome as tracks that genome browsers open: bigWig and bedGraph.

Each strand has a track of its own. A window's probability stands at its anchor and, where
windows are more than one base apart, at the bases that follow it on its strand up to the next
anchor. Windows without a score leave a gap.
"""

from __future__ import annotations

import os
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pybigtools

from genomic_ulmfit.dna.genome import Contig
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import atomic_path
from genomic_ulmfit.inference.log_odds import probability
from genomic_ulmfit.inference.scanning.scan import Places, ScanSettings, StrandScores, n_windows

DECIMALS = 4
"""Of the probabilities in a track; calls keep theirs in full."""


_HEADER = struct.Struct("<qq")


class Spans(NamedTuple):
    """Values of bases ``[start, end)``, ascending and free of overlaps, each of shape (n,)."""

    starts: Places
    ends: Places
    values: npt.NDArray[np.float32]


def spans_of(contig: Contig, strand: int, scores: StrandScores, settings: ScanSettings) -> Spans:
    """Return the bases that each window's probability stands for.

    Parameters
    ----------
    contig : Contig
    strand : int
    scores : StrandScores
    settings : ScanSettings

    Returns
    -------
    Spans
        On the forward strand; windows without a score are left out.
    """
    length = len(contig)
    known = ~np.isnan(scores.log_odds)
    anchors = scores.anchors[known]
    values = probability(scores.log_odds[known].astype(np.float64)).round(DECIMALS)
    # In the strand's own coordinates a span ends with the next anchor. Round a circle the last
    # window on the contig meets the first one, maybe closer than a step.
    begin = anchors if strand > 0 else length - 1 - anchors
    seam = 0
    if contig.circular:
        last = settings.step * (n_windows(contig, settings) - 1)
        seam = (
            settings.anchor if strand > 0 else (settings.anchor - settings.window - last) % length
        )
    end = np.minimum(begin + settings.step, np.where(begin < seam, seam, length))
    starts, ends = (begin, end) if strand > 0 else (length - end, length - begin)
    return Spans(starts, ends, values.astype(np.float32))


class Spool:
    """Keeps the spans of a track on disk until all of them are known.

    Parameters
    ----------
    folder : path-like
        Where there is room; nothing is seen there, and nothing stays.
    contigs : sequence of Contig
        All that will come.
    """

    def __init__(self, folder: str | os.PathLike[str], contigs: Sequence[Contig]) -> None:
        self.contigs = {contig.name: len(contig) for contig in contigs}
        self.names = list(self.contigs)
        self.numbers = {name: number for number, name in enumerate(self.names)}
        self.n_bases = 0
        self.file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def add(self, contig: Contig, spans: Spans) -> None:
        """Append spans, in the order of contigs and positions."""
        self.file.write(_HEADER.pack(self.numbers[contig.name], len(spans.starts)))
        for column in spans:
            self.file.write(column.tobytes())
        self.n_bases += int((spans.ends - spans.starts).sum())

    def _added(self) -> Iterator[tuple[str, Spans]]:
        """Yield contig and spans as they were added."""
        self.file.seek(0)
        while head := self.file.read(_HEADER.size):
            number, count = _HEADER.unpack(head)
            starts, ends = (np.frombuffer(self.file.read(8 * count), np.int64) for _ in range(2))
            values = np.frombuffer(self.file.read(4 * count), np.float32)
            yield self.names[number], Spans(starts, ends, values)

    def lines(self) -> Iterator[tuple[str, int, int, float]]:
        """Yield contig, start, end and value of every span; memory does not grow with them."""
        for name, spans in self._added():
            columns = (column.tolist() for column in spans)
            for start, end, value in zip(*columns, strict=True):
                yield name, start, end, value

    def within(self, contig: Contig, start: int, end: int) -> Spans:
        """Return the spans that have bases in ``[start, end)`` of a contig, whole."""
        found = [Spans(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))]
        for name, (starts, ends, values) in self._added():
            inside = (ends > start) & (starts < end)
            if name == contig.name and inside.any():
                found.append(Spans(starts[inside], ends[inside], values[inside]))
        return Spans(
            np.concatenate([spans.starts for spans in found]),
            np.concatenate([spans.ends for spans in found]),
            np.concatenate([spans.values for spans in found]),
        )


def write_bigwig(spool: Spool, path: str | os.PathLike[str]) -> None:
    """Write a track with at least one span as bigWig, atomically.

    Raises
    ------
    InputError
        If the library cannot write it. It does not say why.
    """
    failure: list[BaseException] = []

    def lines() -> Iterator[tuple[str, int, int, float]]:
        try:
            yield from spool.lines()
        except (Exception, KeyboardInterrupt) as error:
            # The library would take what came before for all there is.
            failure.append(error)
            raise

    with atomic_path(path) as temporary:
        try:
            pybigtools.open(str(temporary), "w").write(spool.contigs, lines())
            covered = pybigtools.open(str(temporary)).info()["summary"]["basesCovered"]
        except BaseException as error:
            # Its panics are no `Exception`.
            failure.append(error)
            covered = 0
        if failure and not _is_from_library(failure[0]):
            raise failure[0]
        if covered != spool.n_bases:
            said = f" ({failure[0]})" if failure else ""
            free = shutil.disk_usage(temporary.parent).free / 1e6
            raise InputError(
                f"--out: {path} could not be written whole{said}. The disk may be full "
                f"({free:,.0f} MB are free) or a limit on the size of files reached; make room, "
                "name another place, or take --track bedgraph."
            )


def _is_from_library(error: BaseException) -> bool:
    return type(error).__module__.startswith(("pybigtools", "pyo3"))


def write_bedgraph(spool: Spool, path: str | os.PathLike[str]) -> None:
    """Write a track as bedGraph, atomically."""
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.writelines(
            f"{contig}\t{start}\t{end}\t{value:.{DECIMALS}f}\n"
            for contig, start, end, value in spool.lines()
        )


class TrackKind(NamedTuple):
    """A format of tracks.

    Parameters
    ----------
    suffix : str
        Of file names.
    write : callable
        Takes a spool and a path.
    """

    suffix: str
    write: Callable[[Spool, str | os.PathLike[str]], None]


TRACKS = {
    "bigwig": TrackKind(".bw", write_bigwig),
    "bedgraph": TrackKind(".bedgraph", write_bedgraph),
}
"""As ``--track`` names them."""


def require_track(kind: str) -> None:
    """Raise `InputError` if there is no such kind of track."""
    if kind not in TRACKS:
        raise InputError(f"--track: got {kind!r}, allowed are {', '.join(TRACKS)}.")
