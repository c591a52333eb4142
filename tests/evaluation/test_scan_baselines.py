"""The plain scanners: each must find what it is made to find."""

from __future__ import annotations

import numpy as np
import pytest

from genomic_ulmfit.dna.alphabet import AMBIGUOUS, decode, encode, reverse_complement
from genomic_ulmfit.dna.genome import Contig, Gene
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.evaluation.baselines import OneHotRegression
from genomic_ulmfit.evaluation.scan_baselines import (
    PromoterMatrix,
    gene_starts,
    one_hot_scores,
    random_places,
)


def promoters(n: int, seed: int = 0, tss: int = 60, length: int = 81) -> list[str]:
    """Random DNA with a blurred pair of boxes before the TSS."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(n):
        codes = rng.integers(0, 4, length).astype(np.uint8)
        gap, spacer = int(rng.integers(5, 8)), int(rng.choice([16, 17, 17, 17, 18]))
        ten = tss - gap - 6
        for begin, box in ((ten, "TATAAT"), (ten - spacer - 6, "TTGACA")):
            keep = rng.random(6) < 0.85
            codes[begin : begin + 6][keep] = encode(box)[keep]
        rows.append(decode(codes))
    return rows


def test_the_matrix_learns_boxes_and_distances() -> None:
    matrix = PromoterMatrix.fit(promoters(400), 60)
    assert decode(matrix.minus_10[:, :4].argmax(1).astype(np.uint8)) == "TATAAT"
    assert decode(matrix.minus_35[:, :4].argmax(1).astype(np.uint8)) == "TTGACA"
    assert (matrix.minus_10[:, AMBIGUOUS] == 0).all()
    assert matrix.spacer.argmax() == 2
    assert set(np.argsort(matrix.gap)[-3:]) == {1, 2, 3}


def test_its_score_is_the_best_pair_of_boxes() -> None:
    matrix = PromoterMatrix.fit(promoters(200), 60)
    codes = encode(promoters(1, seed=9)[0])
    codes[3] = AMBIGUOUS
    found = matrix.score(codes)
    for tss in range(len(codes)):
        best = -np.inf
        for gap in range(4, 11):
            for spacer in range(15, 20):
                ten = tss - gap - 6
                thirty_five = ten - spacer - 6
                if thirty_five >= 0:
                    score = matrix.gap[gap - 4] + matrix.spacer[spacer - 15]
                    for place in range(6):
                        score += matrix.minus_10[place, codes[ten + place]]
                        score += matrix.minus_35[place, codes[thirty_five + place]]
                    best = max(best, score)
        assert found[tss] == pytest.approx(best)
    assert abs(int(found.argmax()) - 60) <= 3


def test_too_little_before_the_tss() -> None:
    with pytest.raises(InputError, match="at least 41 bases before the TSS"):
        PromoterMatrix.fit(promoters(5), 40)


def test_gene_starts_upstream_of_genes() -> None:
    genes = (Gene("a", 100, 200, 1), Gene("b", 210, 300, 1), Gene("x", 400, 700, -1))
    contig = Contig("c", np.zeros(1000, np.uint8), True, genes)
    found = gene_starts(contig, 30)
    # The last gene before `a` ends at 700, across the origin.
    assert found[1].positions.tolist() == [70, 180]
    assert found[1].scores.tolist() == [400, 10]
    # `x` starts at base 699; downstream of it there is nothing up to base 100 of the next round.
    assert found[-1].positions.tolist() == [729]
    assert found[-1].scores.tolist() == [400]
    linear = Contig("c", np.zeros(1000, np.uint8), False, (Gene("a", 10, 200, 1),))
    assert gene_starts(linear, 30)[1].positions.tolist() == []


def test_random_places() -> None:
    contig = Contig("c", np.zeros(500, np.uint8))
    found = random_places(contig, 40, seed=0)
    for strand in (1, -1):
        places, scores = found[strand]
        assert len(places) == len(set(places.tolist())) == len(set(scores.tolist())) == 40
        assert (np.diff(places) > 0).all()
        assert places.min() >= 0
        assert places.max() < 500
    assert found[1].positions.tolist() != found[-1].positions.tolist()
    again = random_places(contig, 40, seed=0)
    assert again[1].positions.tolist() == found[1].positions.tolist()
    assert len(random_places(contig, 10_000, seed=0)[1].positions) == 500


def test_one_hot_along_a_strand_is_one_hot_on_each_window() -> None:
    positives = promoters(60)
    rng = np.random.default_rng(1)
    negatives = [decode(rng.integers(0, 4, 81).astype(np.uint8)) for _ in range(60)]
    model = OneHotRegression(seed=0)
    model.fit(positives + negatives, [1] * 60 + [0] * 60)
    codes = rng.integers(0, 4, 200).astype(np.uint8)
    codes[50:55] = AMBIGUOUS
    for strand in (codes, reverse_complement(codes)):
        places, scores = one_hot_scores(model, strand, anchor=60, step=3)
        assert places.tolist() == list(range(60, 180, 3))
        windows = [decode(strand[place - 60 : place + 21]) for place in places]
        wanted = model.predict_proba(windows)[:, 1]
        assert 1 / (1 + np.exp(-scores)) == pytest.approx(wanted)
