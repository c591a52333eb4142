import json

import numpy as np
import pytest
from sklearn import metrics as reference

from genomic_ulmfit.errors import InputError
from genomic_ulmfit.evaluation.estimates import (
    Estimate,
    bootstrap_mean,
)
from genomic_ulmfit.evaluation.metrics import (
    METRICS,
    N_BINS,
    evaluate_predictions,
    mean_score,
    paired_bootstrap_difference,
    reliability_sums,
    weighted_scores,
)


def predictions(n, n_classes, seed=0, signal=1.0, decimals=None):
    """Labels, and probabilities that know something about them; rounding makes ties."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(n_classes, size=n)
    scores = rng.normal(size=(n, n_classes))
    scores[np.arange(n), labels] += signal
    probabilities = np.exp(scores)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    if decimals is not None:
        probabilities[:, 1:] = probabilities[:, 1:].round(decimals)
        probabilities[:, 0] = 1 - probabilities[:, 1:].sum(axis=1)
        probabilities = np.clip(probabilities, 0, 1)
    return labels, probabilities


def slow_ece(probability, outcome, weights):
    gap = 0.0
    for i in range(10):
        inside = (probability >= i / 10) & (probability < (i + 1) / 10 + (i == 9))
        gap += abs((weights * (probability - outcome))[inside].sum())
    return gap / weights.sum()


@pytest.mark.parametrize("decimals", [None, 1])
@pytest.mark.parametrize("seed", range(4))
def test_binary_scores_equal_scikit_learns_under_every_weighting(seed, decimals):
    labels, probabilities = predictions(80, 2, seed, decimals=decimals)
    weights = np.random.default_rng(seed).integers(4, size=(5, 80)).astype(float)
    scores = weighted_scores(labels, probabilities, weights)
    predicted, positive = probabilities.argmax(axis=1), probabilities[:, 1]
    assert set(scores) == set(METRICS)
    for i, weight in enumerate(weights):
        expected = {
            "accuracy": reference.accuracy_score(labels, predicted, sample_weight=weight),
            "precision": reference.precision_score(labels, predicted, sample_weight=weight),
            "recall": reference.recall_score(labels, predicted, sample_weight=weight),
            "specificity": reference.recall_score(
                labels, predicted, pos_label=0, sample_weight=weight
            ),
            "mcc": reference.matthews_corrcoef(labels, predicted, sample_weight=weight),
            "auroc": reference.roc_auc_score(labels, positive, sample_weight=weight),
            "auprc": reference.average_precision_score(labels, positive, sample_weight=weight),
            "brier": reference.brier_score_loss(labels, positive, sample_weight=weight),
            "ece": slow_ece(positive, labels, weight),
        }
        assert {name: scores[name][i] for name in METRICS} == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("decimals", [None, 1])
@pytest.mark.parametrize("n_classes", [3, 5])
def test_multiclass_scores_equal_scikit_learns_macro_averages(n_classes, decimals):
    labels, probabilities = predictions(150, n_classes, decimals=decimals)
    weights = np.random.default_rng(1).integers(4, size=(5, 150)).astype(float)
    scores = weighted_scores(labels, probabilities, weights)
    predicted = probabilities.argmax(axis=1)
    one_hot = np.eye(n_classes)[labels]
    for i, weight in enumerate(weights):
        options = {"sample_weight": weight, "average": "macro"}
        expected = {
            "accuracy": reference.accuracy_score(labels, predicted, sample_weight=weight),
            "precision": reference.precision_score(labels, predicted, zero_division=0, **options),
            "recall": reference.recall_score(labels, predicted, **options),
            "specificity": np.mean(
                [
                    reference.recall_score(labels != c, predicted != c, sample_weight=weight)
                    for c in range(n_classes)
                ]
            ),
            "mcc": reference.matthews_corrcoef(labels, predicted, sample_weight=weight),
            "auroc": reference.roc_auc_score(one_hot, probabilities, **options),
            "auprc": reference.average_precision_score(one_hot, probabilities, **options),
            "brier": np.average(((probabilities - one_hot) ** 2).sum(axis=1), weights=weight),
            "ece": slow_ece(probabilities.max(axis=1), labels == predicted, weight),
        }
        assert {name: scores[name][i] for name in METRICS} == pytest.approx(expected, abs=1e-9)


def test_evaluation_holds_the_unweighted_scores():
    labels, probabilities = predictions(100, 2)
    evaluation = evaluate_predictions(labels, probabilities, ["coding", "promoter"])
    scores = weighted_scores(labels, probabilities, np.ones((1, 100)))
    assert {name: getattr(evaluation, name).value for name in METRICS} == pytest.approx(
        {name: values[0] for name, values in scores.items()}
    )
    predicted = probabilities.argmax(axis=1)
    expected = reference.confusion_matrix(labels, predicted).tolist()
    assert [list(row) for row in evaluation.confusion] == expected
    assert evaluation.n == 100
    assert evaluation.averaging == "positive class: promoter"


@pytest.mark.parametrize("name", ["accuracy", "precision", "mcc", "auroc", "auprc", "brier"])
def test_intervals_are_those_of_a_slow_bootstrap(name):
    labels, probabilities = predictions(200, 2)
    slow = {
        "accuracy": lambda y, p: reference.accuracy_score(y, p > 0.5),
        "precision": lambda y, p: reference.precision_score(y, p > 0.5),
        "mcc": lambda y, p: reference.matthews_corrcoef(y, p > 0.5),
        "auroc": reference.roc_auc_score,
        "auprc": reference.average_precision_score,
        "brier": reference.brier_score_loss,
    }[name]
    rng = np.random.default_rng(5)
    samples = []
    for _ in range(400):
        drawn = rng.integers(200, size=200)
        samples.append(slow(labels[drawn], probabilities[drawn, 1]))
    low, high = np.percentile(samples, [2.5, 97.5])
    estimate = getattr(evaluate_predictions(labels, probabilities, ["a", "b"]), name)
    assert estimate.low == pytest.approx(low, abs=0.15 * (high - low))
    assert estimate.high == pytest.approx(high, abs=0.15 * (high - low))


def test_many_sequences_resampled_in_blocks_give_a_normal_interval():
    labels, probabilities = predictions(6000, 2)
    accuracy = evaluate_predictions(labels, probabilities, ["a", "b"]).accuracy
    reach = 1.96 * np.sqrt(accuracy.value * (1 - accuracy.value) / 6000)
    assert accuracy.low == pytest.approx(accuracy.value - reach, abs=0.15 * reach)
    assert accuracy.high == pytest.approx(accuracy.value + reach, abs=0.15 * reach)


def test_the_seed_decides_the_intervals():
    labels, probabilities = predictions(100, 3)
    names = ["a", "b", "c"]
    first = evaluate_predictions(labels, probabilities, names, seed=3)
    assert first == evaluate_predictions(labels, probabilities, names, seed=3)
    assert first.auroc != evaluate_predictions(labels, probabilities, names, seed=4).auroc


def test_reliability_bins_cover_every_sequence_and_show_what_came_true():
    positive = np.array([0.0, 0.05, 0.1, 0.95, 1.0, 1.0])
    labels = np.array([0, 1, 0, 1, 1, 0])
    evaluation = evaluate_predictions(
        labels, np.stack([1 - positive, positive], axis=1), ["a", "b"]
    )
    bins = evaluation.reliability
    assert [entry.n for entry in bins] == [2, 1, 0, 0, 0, 0, 0, 0, 0, 3]
    assert (bins[0].predicted, bins[0].observed.value) == pytest.approx((0.025, 0.5))
    assert bins[2].predicted is None
    assert bins[2].observed == Estimate(None, None, None)
    assert (bins[9].start, bins[9].end) == pytest.approx((0.9, 1.0))
    assert bins[9].observed.value == pytest.approx(2 / 3)
    assert bins[9].observed.low < 2 / 3 < bins[9].observed.high


@pytest.mark.parametrize("n_classes", [2, 3])
def test_reliability_sums_match_counting(n_classes):
    labels, probabilities = predictions(60, n_classes)
    probabilities[:2] = np.eye(n_classes)[[0, 1]]
    weights = np.array([np.ones(60), np.arange(60)])
    expected = np.zeros((3, 2, N_BINS))
    for label, row, *of_each in zip(labels, probabilities, *weights, strict=True):
        called = 1 if n_classes == 2 else int(np.argmax(row))
        place = next(i for i in range(N_BINS) if row[called] * N_BINS < i + 1 or i == N_BINS - 1)
        for i, weight in enumerate(of_each):
            expected[:, i, place] += weight * np.array([1, row[called], label == called])
    found = reliability_sums(labels, probabilities, weights)
    np.testing.assert_allclose(np.array(found), expected)


def test_values_that_do_not_exist_are_none_and_the_rest_is_json():
    one_class = evaluate_predictions([0, 0, 0], [[0.9, 0.1]] * 3, ["a", "b"])
    undefined = {"precision", "recall", "mcc", "auroc", "auprc"}
    for name in METRICS:
        assert (getattr(one_class, name).value is None) == (name in undefined), name
    document = json.loads(json.dumps(one_class.to_dict(), allow_nan=False))
    assert document["auroc"] == {"value": None, "low": None, "high": None}
    assert document["accuracy"] == {"value": 1, "low": 1, "high": 1}
    assert document["confusion"] == [[3, 0], [0, 0]]
    assert document["n"] == 3
    assert document["reliability"][1]["observed"]["value"] == 0


def test_a_collapsed_model_has_no_precision_and_no_correlation():
    evaluation = evaluate_predictions([0, 1, 0, 1], [[0.6, 0.4]] * 4, ["a", "b"])
    assert evaluation.precision == Estimate(None, None, None)
    assert evaluation.mcc.value == 0
    assert evaluation.auroc.value == 0.5
    assert evaluation.recall.value == 0


def test_macro_averages_leave_out_absent_classes_and_punish_ignored_ones():
    labels = np.array([0, 0, 1, 1])
    certain = np.eye(4)
    absent = evaluate_predictions(labels, certain[labels], list("abcd"))
    assert absent.recall.value == absent.precision.value == absent.auroc.value == 1
    ignored = evaluate_predictions(labels, certain[[0, 0, 0, 0]], list("abcd"))
    assert ignored.precision.value == 0.25
    assert ignored.averaging == "macro average, one class against the rest"


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        ([0, 1], [[0.5, 0.5]], r"got shapes \(2,\) and \(1, 2\)"),
        ([0], [[1.0]], "at least 2 classes"),
        ([], np.empty((0, 2)), "labels: got none"),
        ([0, 2], [[0.5, 0.5]] * 2, "integers 0 to 1"),
        ([-1, 0], [[0.5, 0.5]] * 2, "integers 0 to 1"),
        ([0.0, 1.0], [[0.5, 0.5]] * 2, "integers 0 to 1"),
        ([0, 1], [[0.5, 0.6]] * 2, "sum to 1"),
        ([0, 1], [[-0.5, 1.5]] * 2, "negatives"),
        ([0, 1], [[np.nan, 1.0]] * 2, "NaN"),
    ],
)
def test_predictions_that_do_not_fit_together(labels, probabilities, message):
    with pytest.raises(InputError, match=message):
        evaluate_predictions(labels, probabilities, ["a", "b"])


def test_class_names_of_another_number():
    with pytest.raises(InputError, match="class_names: got 3"):
        evaluate_predictions([0], [[0.5, 0.5]], ["a", "b", "c"])


def test_the_interval_of_a_score_stays_in_its_range() -> None:
    assert mean_score([0.9, 1.0], "accuracy") == pytest.approx((0.95, 0.315, 1.0), abs=1e-3)
    assert mean_score([0.0, 0.1], "accuracy")[1] == 0.0
    assert mean_score([0.0, 0.1], "mcc")[1] == pytest.approx(-0.585, abs=1e-3)
    assert mean_score([-0.9, -0.5], "mcc")[1] == -1.0
    assert mean_score([0.8], "auroc") == (0.8, None, None)


def test_paired_bootstrap_sees_a_difference_that_single_intervals_hide():
    labels, a = predictions(300, 2, signal=1.5)
    b = a.copy()
    changed = np.flatnonzero(a.argmax(axis=1) == labels)[:12]
    b[changed] = b[changed, ::-1]
    difference, low, high = paired_bootstrap_difference(labels, a, b)
    assert difference == pytest.approx(12 / 300)
    assert 0 < low < difference < high
    of_a, of_b = (evaluate_predictions(labels, p, ["a", "b"]).accuracy for p in (a, b))
    assert of_a.low < of_b.high
    assert paired_bootstrap_difference(labels, b, a).value == pytest.approx(-difference)


def test_bootstrap_of_a_mean_is_that_of_the_accuracy():
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=300)
    a, b = (rng.dirichlet((1, 1), 300) for _ in range(2))
    right = [(p.argmax(1) == labels).astype(float) for p in (a, b)]
    expected = paired_bootstrap_difference(labels, a, b, "accuracy", seed=3)
    assert bootstrap_mean(right[0] - right[1], seed=3) == pytest.approx(expected)


@pytest.mark.parametrize("metric", METRICS)
def test_paired_bootstrap_of_a_model_with_itself_is_zero(metric):
    labels, a = predictions(100, 2)
    assert paired_bootstrap_difference(labels, a, a, metric) == (0, 0, 0)


def test_seeds_share_their_resamples_only_if_they_share_their_sequences():
    labels, a = predictions(200, 2)
    _, b = predictions(200, 2, seed=1)
    assert paired_bootstrap_difference(labels, [a, b], [b, a]) == (0, 0, 0)
    difference, low, high = paired_bootstrap_difference([labels, labels], [a, b], [b, a])
    assert difference == 0
    assert low < 0 < high


def test_seeds_with_test_sets_of_different_sizes():
    labels, probabilities = zip(predictions(50, 3), predictions(70, 3, seed=1), strict=True)
    uniform = [np.full(p.shape, 1 / 3) for p in probabilities]
    difference = paired_bootstrap_difference(labels, probabilities, uniform, "auroc")
    each = [
        evaluate_predictions(y, p, list("abc")).auroc.value - 0.5
        for y, p in zip(labels, probabilities, strict=True)
    ]
    assert difference.value == pytest.approx(np.mean(each))
    assert difference.low > 0


def test_paired_bootstrap_with_wrong_arguments():
    labels, a = predictions(20, 2)
    with pytest.raises(InputError, match="metric: got 'f1', allowed are accuracy, "):
        paired_bootstrap_difference(labels, a, a, "f1")
    with pytest.raises(InputError, match="seeds: got labels for 2, probabilities for 2 and 1"):
        paired_bootstrap_difference([labels, labels], [a, a], a)
    with pytest.raises(InputError, match="got shapes"):
        paired_bootstrap_difference(labels, a, a[:10])
