"""Scoring every window of both strands of a genome, in genome order and a piece at a time.

A window is named by its anchor: the base at which the site lies that the model was trained to
find (a start codon, a TSS), `anchor` bases into the window along its strand. Windows lie at
multiples of `step` on the contig, and each is scored on both strands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from genomic_ulmfit.dna.genome import Contig, Genome, site_offset
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.inference.log_odds import log_odds
from genomic_ulmfit.inference.windows.dense import CONTEXT, STREAMS, ByStrand, dense_logits
from genomic_ulmfit.inference.windows.exact import exact_logits
from genomic_ulmfit.inference.windows.runs import Run, cut_runs
from genomic_ulmfit.models.classifier import Classifier
from genomic_ulmfit.models.precision import settled_precision
from genomic_ulmfit.models.target_class import target_index
from genomic_ulmfit.models.threads import in_threads, n_at_a_time, piece_size

Mode = Literal["dense", "exact"]
MODES: tuple[Mode, ...] = get_args(Mode)
Places = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]

MAX_AMBIGUOUS = 0.1
"""Share of ambiguous bases up to which a window is scored."""

LARGEST_STEP = 1_000_000
"""Bases between windows."""

FEWEST_STREAMS = 32
"""Runs of a thread; products of fewer are too thin."""

LONGEST_PIECE = 12288
SHORTEST_PIECE = 1024
"""Bases; between them, a piece is so long that a genome gives enough runs to fill all streams."""


@dataclass(frozen=True)
class ScanSettings:
    """What is scanned for, and how finely.

    Parameters
    ----------
    window : int
        Bases per window.
    anchor : int
        Where in the window, from its 5' end, the site lies: 0 to ``window - 1``.
    step : int
        Bases between the starts of neighbouring windows of a strand.
    target : int
        Index of the class whose score is wanted.
    mode : {"dense", "exact"}
    precision : {"bf16", "fp32"}
    """

    window: int
    anchor: int
    step: int
    target: int
    mode: Mode
    precision: str

    def offset(self, strand: int) -> int:
        """Return how far from a window's first base on the forward strand its anchor lies."""
        return site_offset(strand, self.window, self.anchor)


class Interval(NamedTuple):
    """Anchors ``[start, end)`` of a contig."""

    contig: Contig
    start: int
    end: int


class StrandScores(NamedTuple):
    """Scored windows of one strand.

    Parameters
    ----------
    anchors : numpy.ndarray of int, shape (n,)
        On the forward strand, ascending.
    log_odds : numpy.ndarray of float32, shape (n,)
        Natural logarithm of the odds of the wanted class; NaN where a window has too many
        ambiguous bases.
    """

    anchors: Places
    log_odds: Scores


class ScoredPiece(NamedTuple):
    """Every window whose anchor lies in ``[start, end)`` of a contig; strands are +1 and -1."""

    contig: Contig
    start: int
    end: int
    strands: Mapping[int, StrandScores]


def make_settings(
    model: Classifier,
    *,
    window: int | None = None,
    anchor: int | None = None,
    step: int | None = None,
    target: str | None = None,
    mode: Mode = "dense",
    precision: str | None = None,
) -> ScanSettings:
    """Fill in what a model leaves open and check the rest.

    Parameters
    ----------
    model : Classifier
    window : int, optional
        Needed if the model takes sequences of any length, and then only.
    anchor : int, optional
        The middle of the window if not given.
    step : int, optional
        The tokenizer's stride if not given.
    target : str, optional
        Name of a class; as `target_index` chooses if not given.
    mode : {"dense", "exact"}
    precision : {"bf16", "fp32"}, optional
        Probed if not given.

    Raises
    ------
    InputError
        If a value is missing or cannot be used with this model.
    """
    config = model.config
    tokenizer = config.encoder.tokenizer
    if config.length is None:
        if window is None:
            raise InputError(
                "--window: this model takes sequences of any length; say how many bases a "
                "window shall have, best as many as the sequences it was trained on."
            )
        if window < tokenizer.k:
            raise InputError(f"--window: got {window}, at least {tokenizer.k} bases are needed.")
    elif window not in (None, config.length):
        raise InputError(
            f"--window: got {window}, but this model was trained on sequences of "
            f"{config.length} bases and takes no others. Leave --window out."
        )
    window = config.length or window
    assert window is not None
    anchor = window // 2 if anchor is None else anchor
    if not 0 <= anchor < window:
        raise InputError(f"--anchor: got {anchor}, allowed are 0 to {window - 1}.")
    step = tokenizer.stride if step is None else step
    if not 1 <= step <= LARGEST_STEP:
        raise InputError(f"--step: got {step}, allowed are 1 to {LARGEST_STEP:,}.")
    column = target_index(config.classes, target)
    if mode not in MODES:
        raise InputError(f"--mode: got {mode!r}, allowed are {' and '.join(MODES)}.")
    return ScanSettings(window, anchor, step, column, mode, settled_precision(precision))


def whole_genome(genome: Genome) -> list[Interval]:
    """Return one interval for each contig."""
    return [Interval(contig, 0, len(contig)) for contig in genome.contigs]


def n_windows(contig: Contig, settings: ScanSettings) -> int:
    """Return how many windows each strand of a contig has; 0 if it is shorter than one."""
    if len(contig) < settings.window:
        return 0
    starts = len(contig) if contig.circular else len(contig) - settings.window + 1
    return -(-starts // settings.step)


def scan(
    model: Classifier, intervals: Sequence[Interval], settings: ScanSettings
) -> Iterator[ScoredPiece]:
    """Score every window of both strands whose anchor lies in one of the intervals.

    Parameters
    ----------
    model : Classifier
        In evaluation mode.
    intervals : sequence of Interval
        Contigs that are shorter than a window are passed over.
    settings : ScanSettings

    Yields
    ------
    ScoredPiece
        In the order of `intervals` and, within each, of position. Memory does not grow with
        the length of the contigs.
    """
    intervals = [i for i in intervals if n_windows(i.contig, settings)]
    total = sum(interval.end - interval.start for interval in intervals)
    length = max(SHORTEST_PIECE, min(LONGEST_PIECE, -(-total // STREAMS)))
    device = next(model.parameters()).device
    n_bases = 1  # Exactly, a piece alone takes minutes.
    if settings.mode == "dense":
        # Usually a run each; two or more where a step is no multiple of the tokens' stride.
        n_runs = max(STREAMS, FEWEST_STREAMS * n_at_a_time(device)) // model.config.phases
        n_bases = piece_size(total, length * n_runs, device)
    groups = _groups(intervals, length, n_bases)
    for _, scored in in_threads(partial(_score, model, settings), groups, device):
        yield from scored


def _groups(
    intervals: Sequence[Interval], length: int, n_bases: int
) -> Iterator[Sequence[Interval]]:
    """Cut intervals into pieces, and yield as many as have so many bases together."""
    waiting: list[Interval] = []
    waiting_bases = 0
    for interval in intervals:
        for start in range(interval.start, interval.end, length):
            piece = Interval(interval.contig, start, min(start + length, interval.end))
            waiting.append(piece)
            waiting_bases += piece.end - piece.start
            if waiting_bases >= n_bases:
                yield waiting
                waiting, waiting_bases = [], 0
    yield waiting


def _score(
    model: Classifier, settings: ScanSettings, pieces: Sequence[Interval]
) -> list[ScoredPiece]:
    """Score pieces together."""
    cut = [(piece, _runs(model, piece, settings)) for piece in pieces]
    runs = [run for _, of_piece in cut for _, run in of_piece]
    score = dense_logits if settings.mode == "dense" else exact_logits
    logits = iter(score(model, runs, settings.window, settings.precision) if runs else ())
    found = []
    for piece, of_piece in cut:
        scored = [(start, run, next(logits)) for start, run in of_piece]
        strands = {strand: _strand_scores(piece, strand, scored, settings) for strand in (1, -1)}
        found.append(ScoredPiece(*piece, strands))
    return found


def _runs(model: Classifier, piece: Interval, settings: ScanSettings) -> list[tuple[int, Run]]:
    """Cut the windows whose anchor, on either strand, lies in a piece."""
    contig, first, last = piece
    length = len(contig)
    offsets = [settings.offset(strand) for strand in (1, -1)]
    first, last = first - max(offsets), last - min(offsets)
    if not contig.circular:
        ranges = [(max(first, 0), min(last, length - settings.window + 1))]
    elif last - first >= length:
        ranges = [(0, length)]
    else:
        # Anchors at the contig's start belong to windows that begin before it.
        ranges = [(first + length, min(last, 0) + length), (max(first, 0), last)]
    return [
        found
        for begin, end in ranges
        if 0 <= begin < end
        for found in cut_runs(
            contig,
            begin,
            end,
            window=settings.window,
            step=settings.step,
            stride=model.config.encoder.tokenizer.stride,
            context=max(CONTEXT if settings.mode == "dense" else 0, model.config.context),
        )
    ]


def _strand_scores(
    piece: Interval,
    strand: int,
    runs: Sequence[tuple[int, Run, ByStrand]],
    settings: ScanSettings,
) -> StrandScores:
    """Turn the logits of a strand into scores in forward-strand order."""
    places = [np.zeros(0, dtype=np.int64)]
    scores = [np.zeros(0, dtype=np.float32)]
    for start, run, by_strand in runs:
        of_target = log_odds(by_strand[strand], settings.target).numpy()
        unknown = run.ambiguous(settings.window) > MAX_AMBIGUOUS * settings.window
        places.append(start + run.spacing * np.arange(run.count, dtype=np.int64))
        scores.append(np.where(unknown, np.float32(np.nan), of_target))
    anchors = np.concatenate(places) + settings.offset(strand)
    anchors %= len(piece.contig)
    order = np.argsort(anchors)
    order = order[(anchors[order] >= piece.start) & (anchors[order] < piece.end)]
    return StrandScores(anchors[order], np.concatenate(scores)[order])
