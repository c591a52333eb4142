"""How rows of a study's table are trained."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
import pandas as pd
import pytest

from genomic_ulmfit.evaluation.baselines import BASELINES
from genomic_ulmfit.reports.names import WITHOUT_ENCODER, WITHOUT_ENCODER_EXTERNAL
from genomic_ulmfit.studies.rows import Part, Predict, train_row


@pytest.fixture(scope="module")
def part() -> Part:
    """A start codon in the middle, or none."""
    rng = np.random.default_rng(0)
    sequences = ["".join(rng.choice(list("ACGT"), 40)) for _ in range(60)]
    with_start = [f"{one[:20]}ATG{one[23:]}" for one in sequences[::2]]
    return Part.of(
        pd.DataFrame(
            {
                "id": [f"s{number}" for number in range(60)],
                "sequence": [*with_start, *(f"{one[:20]}CGC{one[23:]}" for one in sequences[1::2])],
                "label": ["start"] * 30 + ["other"] * 30,
            }
        )
    )


def not_called() -> NoReturn:
    raise AssertionError("this row is no network")


@pytest.mark.parametrize("model", [WITHOUT_ENCODER, WITHOUT_ENCODER_EXTERNAL, *BASELINES])
def test_rows_that_every_study_has(model: str, part: Part) -> None:
    predict = train_row(model, part, not_called, seed=0, progress=False)
    probabilities = predict(part)
    assert probabilities.shape == (60, 2)
    # Columns are in the order of the sorted classes: other, start.
    called = np.array(["other", "start"])[probabilities.argmax(1)]
    assert (called == part.labels).mean() > 0.9


def test_any_other_row_is_a_network_of_the_study(part: Part) -> None:
    def network() -> Predict:
        return lambda part: np.full((len(part.codes), 2), 0.5)

    predict = train_row("e_coli", part, network, seed=0, progress=False)
    assert predict(part.take(np.array([0, 59]))).tolist() == [[0.5, 0.5]] * 2


def test_some_rows_by_number(part: Part) -> None:
    few = part.take(np.array([3, 40]))
    assert few.sequences == [part.sequences[3], part.sequences[40]]
    assert [codes.tolist() for codes in few.codes] == [part.codes[i].tolist() for i in (3, 40)]
    assert few.labels.tolist() == ["start", "other"]
