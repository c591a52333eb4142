"""Every window of both strands, once, with its own score and in its own place."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genomic_ulmfit.dna.alphabet import AMBIGUOUS
from genomic_ulmfit.dna.genome import Contig, Genome
from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.inference.scanning import scan as scan_module
from genomic_ulmfit.inference.scanning.scan import (
    Interval,
    ScanSettings,
    ScoredPiece,
    make_settings,
    n_windows,
    scan,
    whole_genome,
)
from genomic_ulmfit.models.classifier import Classifier, ClassifierConfig
from genomic_ulmfit.models.config import EncoderConfig

from ..conftest import ANCHOR, MOTIF, WINDOW, log_odds, make_motif_model, planted

MODEL = make_motif_model()


def plain(step: int = 2, mode: str = "dense") -> ScanSettings:
    return ScanSettings(WINDOW, ANCHOR, step, 1, mode, "fp32")  # type: ignore[arg-type]


def scores(pieces: list[ScoredPiece]) -> dict[tuple[str, int, int], float]:
    found: dict[tuple[str, int, int], float] = {}
    for piece in pieces:
        for strand, (anchors, of_strand) in piece.strands.items():
            assert (np.diff(anchors) > 0).all()
            for anchor, score in zip(anchors.tolist(), of_strand.tolist(), strict=True):
                assert piece.start <= anchor < piece.end
                assert (piece.contig.name, strand, anchor) not in found
                found[piece.contig.name, strand, anchor] = score
    return found


def expected(contig: Contig, step: int) -> dict[tuple[str, int, int], float]:
    """One window after the other, cut by `Contig.window`."""
    found = {}
    length = len(contig)
    starts = length if contig.circular else length - WINDOW + 1
    for start in range(0, starts, step):
        for strand in (1, -1):
            codes = contig.window(start, start + WINDOW, strand)
            assert codes is not None
            anchor = start + (ANCHOR if strand > 0 else WINDOW - 1 - ANCHOR)
            few = (codes == AMBIGUOUS).sum() <= 0.1 * WINDOW
            found[contig.name, strand, anchor % length] = log_odds(codes) if few else math.nan
    return found


def check(found: dict, wanted: dict) -> None:
    assert sorted(found) == sorted(wanted)
    for place, score in wanted.items():
        assert found[place] == pytest.approx(score, abs=1e-3, nan_ok=True), place


@pytest.mark.parametrize("mode", ["dense", "exact"])
@pytest.mark.parametrize("circular", [False, True])
def test_a_motif_is_found_where_it_was_put(mode: str, circular: bool) -> None:
    contig = planted(400, forward=[57, 250], reverse=[120, 333], circular=circular)
    found = scores(list(scan(MODEL, [Interval(contig, 0, 400)], plain(step=1, mode=mode))))
    best = {place for place, score in found.items() if score > 0}
    assert best == {(contig.name, 1, 57), (contig.name, 1, 250)} | {
        (contig.name, -1, 120),
        (contig.name, -1, 333),
    }
    # Read along its strand, the motif begins at the anchor.
    for _, strand, anchor in best:
        begin = anchor if strand > 0 else anchor - len(MOTIF) + 1
        codes = contig.window(begin, begin + len(MOTIF), strand)
        assert codes is not None
        assert log_odds(np.concatenate([np.zeros(ANCHOR, np.uint8), codes])) == 2


def test_motifs_over_the_origin_of_a_circle() -> None:
    for forward, reverse in (([295], []), ([], [5])):
        contig = planted(301, forward, reverse, circular=True)
        found = scores(list(scan(MODEL, [Interval(contig, 0, 301)], plain(step=1))))
        best = {place[1:] for place, score in found.items() if score > 0}
        assert best == {(1, place) for place in forward} | {(-1, place) for place in reverse}


@settings(max_examples=25)
@given(
    length=st.integers(WINDOW, 130),
    circular=st.booleans(),
    step=st.integers(1, 7),
    mode=st.sampled_from(("dense", "exact")),
    piece=st.integers(1, 60),
    n_run=st.integers(0, 30),
)
def test_every_window_once(
    length: int, circular: bool, step: int, mode: str, piece: int, n_run: int
) -> None:
    contig = planted(length, [length // 2], [length // 3], circular=circular, seed=length)
    contig.codes[length // 4 : length // 4 + n_run] = AMBIGUOUS
    with pytest.MonkeyPatch.context() as patch:
        # Short pieces, so that there are seams.
        patch.setattr(scan_module, "LONGEST_PIECE", piece)
        patch.setattr(scan_module, "SHORTEST_PIECE", piece)
        found = scores(list(scan(MODEL, [Interval(contig, 0, length)], plain(step, mode))))
    check(found, expected(contig, step))


def test_regions_are_parts_of_the_whole() -> None:
    contig = planted(500, [100, 300], [222], circular=True)
    whole = scores(list(scan(MODEL, [Interval(contig, 0, 500)], plain())))
    parts = [Interval(contig, 0, 31), Interval(contig, 95, 120), Interval(contig, 499, 500)]
    found = scores(list(scan(MODEL, parts, plain())))
    check(
        found,
        {
            place: score
            for place, score in whole.items()
            if any(part.start <= place[2] < part.end for part in parts)
        },
    )


def test_thousands_of_tiny_contigs_come_back_in_order() -> None:
    rng = np.random.default_rng(0)
    contigs = [
        Contig(f"c{i}", rng.integers(0, 4, int(n)).astype(np.uint8))
        for i, n in enumerate(rng.integers(5, 120, 2000))
    ]
    pieces = list(scan(MODEL, whole_genome(Genome("many", tuple(contigs))), plain()))
    long = [contig for contig in contigs if len(contig) >= WINDOW]
    assert [piece.contig.name for piece in pieces] == [contig.name for contig in long]
    found = scores(pieces)
    for contig in long[::100]:
        wanted = expected(contig, 2)
        check({place: found[place] for place in wanted}, wanted)
    assert len(found) == 2 * sum(n_windows(contig, plain()) for contig in contigs)


def test_contigs_shorter_than_a_window_have_none() -> None:
    for circular in (False, True):
        contig = Contig("c", np.zeros(WINDOW - 1, np.uint8), circular)
        assert n_windows(contig, plain()) == 0
        assert list(scan(MODEL, [Interval(contig, 0, len(contig))], plain())) == []
    assert n_windows(Contig("c", np.zeros(WINDOW, np.uint8)), plain()) == 1
    assert n_windows(Contig("c", np.zeros(WINDOW, np.uint8), circular=True), plain()) == 20


def test_pieces_are_short() -> None:
    contig = planted(70_000, [], [], seed=3)
    pieces = scan(MODEL, [Interval(contig, 0, len(contig))], plain())
    lengths = [piece.end - piece.start for piece in pieces]
    assert sum(lengths) == len(contig)
    assert max(lengths) <= scan_module.LONGEST_PIECE


def test_more_than_two_classes() -> None:
    encoder = EncoderConfig(8, 8, 1, KmerTokenizer(5, 2))
    model = Classifier(ClassifierConfig(encoder, ("a", "b", "c"), "pooling")).eval()
    contig = planted(60, [], [])
    chances = []
    for name in ("a", "b", "c"):
        chosen = make_settings(model, window=30, target=name, precision="fp32")
        (piece,) = scan(model, [Interval(contig, 0, 60)], chosen)
        chances.append(1 / (1 + np.exp(-piece.strands[1].log_odds)))
    assert np.sum(chances, axis=0) == pytest.approx(1, abs=1e-5)


def test_what_a_model_leaves_open() -> None:
    assert make_settings(MODEL, precision="fp32") == ScanSettings(40, 20, 2, 1, "dense", "fp32")
    chosen = make_settings(MODEL, anchor=0, step=5, target="other", mode="exact")
    assert (chosen.anchor, chosen.step, chosen.target, chosen.mode) == (0, 5, 0, "exact")
    encoder = EncoderConfig(8, 8, 1, KmerTokenizer(5, 2))
    pooling = Classifier(ClassifierConfig(encoder, ("a", "b", "c"), "pooling"))
    assert make_settings(pooling, window=81, target="b").anchor == 40
    negative_last = Classifier(ClassifierConfig(encoder, ("promoter", "random"), "pooling"))
    assert make_settings(negative_last, window=81).target == 0
    for wrong, message in (
        ({"window": 41}, "--window: got 41, but this model was trained on sequences of 40"),
        ({"anchor": 40}, "--anchor: got 40, allowed are 0 to 39"),
        ({"anchor": -1}, "--anchor: got -1"),
        ({"step": 0}, "--step: got 0"),
        ({"target": "x"}, "--class: got 'x', allowed are other, promoter"),
        ({"mode": "Dense"}, "--mode: got 'Dense', allowed are dense and exact"),
        ({"precision": "fp16"}, "precision: got 'fp16', allowed are bf16 and fp32"),
    ):
        with pytest.raises(InputError, match=message):
            make_settings(MODEL, **wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="--window: this model takes sequences of any length"):
        make_settings(pooling, target="b")
    with pytest.raises(InputError, match="--window: got 4, at least 5 bases"):
        make_settings(pooling, target="b", window=4)
    with pytest.raises(InputError, match="--class: this model knows 3 classes"):
        make_settings(pooling, window=81)
