import logging
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score

from genomic_ulmfit.dna.alphabet import AMBIGUOUS, encode
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.evaluation.baselines import BASELINES, count_kmers
from genomic_ulmfit.training import motifs

MOTIF = "TATAAT"


def planted(n, length=40, seed=0, at=None, spread=0):
    """Random DNA; label "promoter" has a motif, at `at` or anywhere, and half of them have."""
    rng = np.random.default_rng(seed)
    sequences, labels = [], []
    for i in range(n):
        size = length + int(rng.integers(spread + 1))
        sequence = "".join(rng.choice(list("ACGT"), size=size))
        if i % 2:
            place = int(rng.integers(size - len(MOTIF))) if at is None else at
            sequence = sequence[:place] + MOTIF + sequence[place + len(MOTIF) :]
        sequences.append(sequence)
        labels.append("promoter" if i % 2 else "coding")
    return sequences, labels


@pytest.fixture(scope="module", autouse=True)
def few_epochs():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(motifs, "EPOCHS", 5)
        yield


@pytest.fixture(scope="module", params=list(BASELINES))
def fitted(request):
    return request.param, BASELINES[request.param](0).fit(*planted(240, at=12))


def test_learns_a_motif_at_one_place_and_names_the_classes(fitted):
    _, model = fitted
    sequences, labels = planted(120, at=12, seed=1)
    assert model.classes_.tolist() == ["coding", "promoter"]
    assert np.mean(model.predict(sequences) == np.array(labels)) > 0.8
    probabilities = model.predict_proba(sequences)
    assert probabilities.shape == (120, 2)
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(120), abs=1e-5)
    assert model.score(sequences, labels) > 0.8


def test_same_seed_same_model(fitted):
    name, model = fitted
    sequences, _ = planted(50, seed=1)
    again = BASELINES[name](0).fit(*planted(240, at=12)).predict_proba(sequences)
    np.testing.assert_array_equal(again, model.predict_proba(sequences))


def test_one_prediction_does_not_depend_on_the_others(fitted):
    _, model = fitted
    sequences, _ = planted(20, seed=1)
    alone = np.concatenate([model.predict_proba([sequence]) for sequence in sequences])
    np.testing.assert_allclose(model.predict_proba(sequences), alone, atol=1e-6)


def test_reads_lower_case_and_ambiguous_bases(fitted):
    _, model = fitted
    sequences, _ = planted(5, seed=1)
    lower = model.predict_proba([sequence.lower() for sequence in sequences])
    np.testing.assert_array_equal(lower, model.predict_proba(sequences))
    assert np.isfinite(model.predict_proba(["N" * 40])).all()


def test_a_model_of_positions_refuses_other_lengths(fitted):
    name, model = fitted
    sequences = ["A" * 40, "A" * 41]
    if name == "kmer_lr":
        assert model.predict_proba(sequences).shape == (2, 2)
    else:
        with pytest.raises(InputError, match=rf"{name}: sequence 2 has 41 bases.*length, here 40"):
            model.predict_proba(sequences)


def test_one_hot_regression_refuses_to_learn_from_several_lengths():
    sequences, labels = planted(20)
    with pytest.raises(InputError, match="onehot_lr: sequence 20 has 39 bases"):
        BASELINES["onehot_lr"](0).fit([*sequences[:-1], sequences[-1][1:]], labels)


@pytest.mark.parametrize("name", ["kmer_lr", "cnn"])
def test_learns_a_motif_anywhere_in_sequences_of_several_lengths(name):
    model = BASELINES[name](0).fit(*planted(600, spread=15))
    sequences, labels = planted(200, spread=25, seed=1)
    assert np.mean(model.predict(sequences) == np.array(labels)) > 0.75
    alone = np.concatenate([model.predict_proba([sequence]) for sequence in sequences[:20]])
    np.testing.assert_allclose(model.predict_proba(sequences)[:20], alone, atol=1e-6)


@pytest.mark.parametrize("name", list(BASELINES))
def test_three_classes_with_integer_names_and_very_few_sequences(name):
    sequences = ["A" * 30, "C" * 30, "G" * 30] * 3
    labels = [7, 5, 9] * 3
    model = BASELINES[name](0).fit(sequences, labels)
    assert model.classes_.tolist() == [5, 7, 9]
    assert model.predict(["A" * 30, "C" * 30, "G" * 30]).tolist() == [7, 5, 9]


def test_another_seed_is_another_network_and_the_callers_random_numbers_stay():
    sequences, labels = planted(8, at=12)
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    first = BASELINES["cnn"](0).fit(sequences, labels).predict_proba(sequences)
    assert torch.equal(torch.rand(3), expected)
    second = BASELINES["cnn"](1).fit(sequences, labels).predict_proba(sequences)
    assert not np.array_equal(first, second)


def test_the_network_trains_in_silence_and_leaves_logging_as_it_was(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    level = logging.getLogger("lightning.pytorch").level
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        BASELINES["cnn"](0).fit(*planted(8, at=12))
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("lightning.pytorch").level == level
    assert list(tmp_path.iterdir()) == []


def test_the_network_ends_with_the_weights_of_its_best_epoch():
    keep, layer = motifs._KeepBest(), torch.nn.Linear(1, 1)
    for epoch, loss in enumerate([0.5, 0.3, 0.4]):
        torch.nn.init.constant_(layer.weight, epoch)
        keep.on_validation_end(SimpleNamespace(callback_metrics={"valid_loss": loss}), layer)
    keep.on_train_end(SimpleNamespace(), layer)
    assert layer.weight.item() == 1


def test_works_in_cross_validation_and_can_be_cloned():
    sequences, labels = planted(120, at=12)
    scores = cross_val_score(BASELINES["onehot_lr"](0), sequences, labels, cv=3)
    assert scores.min() > 0.8
    assert clone(BASELINES["cnn"](5)).get_params() == {"seed": 5}


@pytest.mark.parametrize("name", list(BASELINES))
def test_input_that_cannot_be_learnt_from(name):
    def model():
        return BASELINES[name](0)

    with pytest.raises(InputError, match="labels: got 1 for 2 sequences"):
        model().fit(["ACGTA", "ACGTA"], [0])
    with pytest.raises(InputError, match="labels: got 2 of 0; at least two classes"):
        model().fit(["ACGTA", "ACGTA"], [0, 0])
    with pytest.raises(InputError, match="labels: got 2 of a, 1 of b; at least two classes"):
        model().fit(["ACGTA"] * 3, ["a", "a", "b"])
    with pytest.raises(InputError, match="labels: got none"):
        model().fit([], [])
    with pytest.raises(InputError, match="sequence 2: 'L' at position 2"):
        model().fit(["ACGTA", "MLKVA"] * 2, [0, 1] * 2)
    with pytest.raises(NotFittedError):
        model().predict_proba(["ACGTA"])


def test_nothing_to_predict(fitted):
    _, model = fitted
    with pytest.raises(InputError, match="sequences: got none"):
        model.predict_proba([])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text("ACGTN", max_size=20), min_size=1, max_size=4))
def test_kmer_counts_equal_counting_by_hand(sequences):
    codes = np.full((len(sequences), 20), AMBIGUOUS, dtype=np.uint8)
    for row, sequence in zip(codes, sequences, strict=True):
        row[: len(sequence)] = encode(sequence)
    expected = np.zeros((len(sequences), 64 + 256 + 1024))
    for i, sequence in enumerate(sequences):
        for k, first_column in ((3, 0), (4, 64), (5, 64 + 256)):
            for start in range(len(sequence) - k + 1):
                kmer = sequence[start : start + k]
                if "N" not in kmer:
                    column = int("".join(str("ACGT".index(base)) for base in kmer), 4)
                    expected[i, first_column + column] += 1
    np.testing.assert_array_equal(count_kmers(codes), expected)
