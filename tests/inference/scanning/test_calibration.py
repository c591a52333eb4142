"""Background DNA and the threshold it gives."""

from __future__ import annotations

import numpy as np
import pytest

from genomic_ulmfit.dna.alphabet import AMBIGUOUS
from genomic_ulmfit.dna.genome import Contig
from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.inference.scanning import calibration as calibration_module
from genomic_ulmfit.inference.scanning.calibration import Calibration, background_codes, calibrate
from genomic_ulmfit.inference.scanning.calls import call_sites
from genomic_ulmfit.inference.scanning.scan import Interval, ScanSettings, scan
from genomic_ulmfit.models.classifier import Classifier, ClassifierConfig
from genomic_ulmfit.models.config import EncoderConfig


def markov_contig(length: int, seed: int = 0) -> Contig:
    rng = np.random.default_rng(seed)
    chain = rng.dirichlet(np.ones(4), size=4)
    codes = [0]
    for _ in range(length - 1):
        codes.append(int(rng.choice(4, p=chain[codes[-1]])))
    return Contig("m", np.array(codes, np.uint8))


def pairs(codes: np.ndarray) -> np.ndarray:
    counts = np.zeros((4, 4))
    np.add.at(counts, (codes[:-1], codes[1:]), 1)
    return counts / counts.sum()


def test_background_has_the_dinucleotides_of_both_strands() -> None:
    contig = markov_contig(20_000)
    contig.codes[100:200] = AMBIGUOUS
    background = background_codes([contig], 60_000, seed=1)
    assert background.max() <= 3
    kept = np.concatenate([contig.codes[:100], contig.codes[200:]])
    forward = pairs(kept)
    both = (forward + forward[::-1, ::-1].T) / 2
    assert np.abs(pairs(background) - both).max() < 0.01
    assert np.abs(pairs(background) - 1 / 16).max() > 0.03
    assert np.array_equal(background, background_codes([contig], 60_000, seed=1))
    assert not np.array_equal(background, background_codes([contig], 60_000, seed=2))


def test_threshold_lets_as_many_pass_as_allowed() -> None:
    calibration = Calibration(500_000, tuple(float(-i) for i in range(101)), seed=0)
    threshold = calibration.threshold(20)
    assert calibration.expected(threshold) == 20
    assert calibration.expected(calibration.threshold(100)) == 100
    assert calibration.expected(0.5) == 0
    # Of equal calls none passes where not all may.
    equal = Calibration(500_000, (3.0, *[1.0] * 100), seed=0)
    assert equal.expected(equal.threshold(20)) == 2
    assert Calibration(1000, (3.0, 1.0), seed=0).expected(equal.threshold(0)) == 0


def test_where_there_is_no_room_for_so_many_all_pass() -> None:
    few = Calibration(500_000, (3.0, 1.0), seed=0)
    assert few.expected(few.threshold(20)) == 4


def test_what_is_called_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    torch.manual_seed(0)
    encoder = EncoderConfig(8, 8, 1, KmerTokenizer(5, 2))
    model = Classifier(ClassifierConfig(encoder, ("a", "b"), "pooling")).eval()
    monkeypatch.setattr(calibration_module, "SHORTEST_BACKGROUND", 1000)
    monkeypatch.setattr(calibration_module, "CHANCE_CALLS", 500)
    settings = ScanSettings(30, 15, 2, 1, "exact", "fp32")
    contig = markov_contig(4000)
    told: list[tuple[int, int]] = []
    found = calibrate(
        model, [contig], settings, min_distance=25, seed=3, report=lambda *done: told.append(done)
    )
    assert told[-1] == (20_000, 20_000)
    assert found.n_bases == 20_000
    assert list(found.log_odds) == sorted(found.log_odds, reverse=True)
    threshold = found.threshold(500)
    assert found.expected(threshold) == pytest.approx(500)
    # The same background, scanned and called with that threshold.
    background = Contig("b", background_codes([contig], 20_000, 3))
    dense = ScanSettings(30, 15, 2, 1, "dense", "fp32")
    pieces = list(scan(model, [Interval(background, 0, 20_000)], dense))
    n_calls = 0
    for strand in (1, -1):
        anchors, log_odds = (
            np.concatenate([piece.strands[strand][i] for piece in pieces]) for i in (0, 1)
        )
        n_calls += len(
            call_sites(background, strand, anchors, log_odds, threshold=threshold, min_distance=25)
        )
    assert n_calls == 500 * 20_000 / 1e6
