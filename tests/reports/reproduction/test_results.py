from __future__ import annotations

import math

import pytest

from genomic_ulmfit.reports.names import METRICS
from genomic_ulmfit.reports.reproduction.results import summarise


def _row(model="naive", protocol="strict", seed=0, n_test=100, seconds=1.0, **metrics):
    values = dict.fromkeys(METRICS, 0.9) | metrics
    return {
        "model": model,
        "protocol": protocol,
        "seed": seed,
        "n_test": n_test,
        "seconds": seconds,
        **values,
    }


def test_summary_is_the_mean_with_students_t_interval():
    accuracies = [0.90, 0.93, 0.94]
    rows = [_row(seed=i, seconds=10.0 * i, accuracy=a) for i, a in enumerate(accuracies)]
    (summary,) = summarise(rows)
    mean = sum(accuracies) / 3
    variance = sum((a - mean) ** 2 for a in accuracies) / 2
    reach = 4.302652729911275 * math.sqrt(variance / 3)  # t quantile .975, 2 degrees of freedom
    assert summary["accuracy"]["mean"] == pytest.approx(mean)
    assert summary["accuracy"]["low"] == pytest.approx(mean - reach)
    assert summary["accuracy"]["high"] == pytest.approx(mean + reach)
    assert (summary["n_seeds"], summary["n_test"], summary["seconds"]) == (3, 100, 10.0)


def test_one_seed_has_a_mean_and_no_interval():
    (summary,) = summarise([_row(accuracy=0.8)])
    assert summary["accuracy"] == {"mean": 0.8, "low": None, "high": None}
    assert summary["n_seeds"] == 1


def test_every_model_and_protocol_is_summarised_apart():
    rows = [_row(m, p, s) for s in range(2) for m in ("naive", "cnn") for p in ("strict", "seed")]
    found = [(s["model"], s["protocol"], s["n_seeds"]) for s in summarise(rows)]
    assert found == [
        ("naive", "strict", 2),
        ("naive", "seed", 2),
        ("cnn", "strict", 2),
        ("cnn", "seed", 2),
    ]


def test_intervals_stay_in_the_range_of_the_metric():
    rows = [_row(seed=i, accuracy=a, mcc=m) for i, (a, m) in enumerate([(1, 0.9), (0.1, -0.9)])]
    (summary,) = summarise(rows)
    assert (summary["accuracy"]["low"], summary["accuracy"]["high"]) == (0.0, 1.0)
    assert (summary["mcc"]["low"], summary["mcc"]["high"]) == (-1.0, 1.0)


@pytest.mark.parametrize("missing", [None, math.nan])
def test_a_metric_that_is_undefined_on_a_seed_has_no_mean(missing):
    (summary,) = summarise([_row(auroc=0.9), _row(seed=1, auroc=missing)])
    assert summary["auroc"] == {"mean": None, "low": None, "high": None}
    assert summary["accuracy"]["mean"] == pytest.approx(0.9)
