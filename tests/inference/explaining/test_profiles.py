"""Averages over sets of sequences, and the stretches that are picked out of them."""

from __future__ import annotations

import numpy as np
import pytest

from genomic_ulmfit.dna.alphabet import encode
from genomic_ulmfit.inference.explaining.profiles import (
    average,
    from_site,
    preferences,
    stretches_of_average,
    stretches_of_sequence,
)


def test_average_by_hand() -> None:
    windows = [encode("ACN"), encode("AGT"), encode("TGT")]
    values = np.array([[1, 2, np.nan], [3, 4, 5], [-1, 0, 7]], np.float32)
    found = average(values, windows)
    assert found.n == 3
    assert found.mean == pytest.approx([1, 2, 6])
    # Student's t of three sequences, and of two where one has an ambiguous base.
    expected = [4.3027 * 2 / 3**0.5, 4.3027 * 2 / 3**0.5, 12.706]
    assert found.margin == pytest.approx(expected, rel=1e-4)
    assert found.shares[0] == pytest.approx([2 / 3, 0, 0, 1 / 3])
    assert found.shares[2] == pytest.approx([0, 0, 0, 1])
    assert found.letters[0] == pytest.approx([4 / 3, 0, 0, -1 / 3])
    assert found.letters.sum(1) == pytest.approx(found.mean)


def test_preferences_do_not_depend_on_which_base_stands_there() -> None:
    worth = np.array([3.0, 1.0, -2.0, -2.0])
    effects = np.stack([worth - worth[base] for base in range(4)])[:, None, :]
    assert preferences(effects.astype(np.float32))[0] == pytest.approx(worth)


def test_stretches_are_the_strongest_and_do_not_overlap() -> None:
    values = np.full((4, 40), -0.1, np.float32)
    values[:, 5:11] = 1
    values[:, 20:26] = [[2], [3], [2], [3]]
    windows = [encode("ACGT" * 10)] * 4
    first, second, *rest = stretches_of_average(values, average(values, windows))
    assert (first.start, first.end, first.bases) == (20, 26, "ACGTAC")
    assert first.contribution == pytest.approx(15)
    margin = 3.1824 * np.std([12, 18, 12, 18], ddof=1) / 2
    assert first.margin == pytest.approx(margin, rel=1e-4)
    assert first.interval == pytest.approx((15 - margin, 15 + margin), rel=1e-4)
    assert (second.start, second.end) == (5, 11)
    assert all(one.end <= 5 or one.start >= 11 for one in rest)
    assert all(one.contribution > 0 for one in rest)


def test_what_is_not_known_of_some_sequences_leaves_the_average_as_it_is() -> None:
    values = np.array([[1, 2, 3], [3, np.nan, 5]], np.float32)
    found = average(values, [encode("ACG"), encode("ANG")])
    (only,) = stretches_of_average(values, found)
    assert only.contribution == pytest.approx(found.mean.sum()) == pytest.approx(2 + 2 + 4)


def test_stretches_of_short_or_unhelpful_sequences() -> None:
    values = np.array([1, np.nan, 2], np.float32)
    (only,) = stretches_of_sequence(values, encode("ANT"))
    assert (only.start, only.end, only.bases, only.contribution) == (0, 3, "ANT", 3)
    assert stretches_of_sequence(-np.ones(9, np.float32), encode("ACGTACGTA")) == []


def test_numbers_have_no_zero() -> None:
    assert [from_site(place, 3) for place in range(6)] == [-3, -2, -1, 1, 2, 3]
    assert from_site(0, None) == 1


def test_only_bases_that_stand_there_are_named() -> None:
    window = encode("ACGTN")
    values = np.array([[-1, -1, -1, -1, np.nan]], np.float32)
    found = average(values, [window])
    assert found.consensus == "ACGTN"
    assert found.mean[:4] == pytest.approx(-1)
    assert np.isnan(found.mean[4])
    assert np.isnan(found.margin).all()


def test_errors_are_of_the_sequences_that_are_known() -> None:
    windows = [encode("NNNNNNAAAA")] * 8 + [encode("CCCCCCAAAA")] * 2
    values = np.zeros((10, 10), np.float32)
    values[:8, :6] = np.nan
    values[8:, :6] = [[1], [2]]
    found = average(values, windows)
    assert found.mean[:6] == pytest.approx(1.5)
    assert found.margin[:6] == pytest.approx(12.706 * 0.5, rel=1e-4)
    (stretch,) = stretches_of_average(values, found)
    assert (stretch.start, stretch.end, stretch.bases) == (0, 6, "CCCCCC")
    assert stretch.contribution == pytest.approx(9)
    assert stretch.margin == pytest.approx(12.706 * np.std([6, 12], ddof=1) / 2**0.5, rel=1e-4)
