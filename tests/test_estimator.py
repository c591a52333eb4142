"""`SequenceClassifier` keeps the contract that scikit-learn's tools rely on."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.utils.validation import check_is_fitted

import genomic_ulmfit
from genomic_ulmfit import SequenceClassifier
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models import pretrained
from genomic_ulmfit.models.folder import read_config

QUICK: dict[str, Any] = {"preset": "tiny", "epochs": 1}


def labelled(n: int = 40, length: int | None = 30, seed: int = 0) -> tuple[list[str], list[str]]:
    """Sequences rich in A and T, and in C and G."""
    rng = np.random.default_rng(seed)
    labels = ["cool" if number % 2 else "alt" for number in range(n)]
    sequences = [
        "".join(
            rng.choice(
                list("ATCG"),
                size=length or rng.integers(8, 40),
                p=[0.45, 0.45, 0.05, 0.05] if label == "cool" else [0.05, 0.05, 0.45, 0.45],
            )
        )
        for label in labels
    ]
    return sequences, labels


@pytest.fixture(scope="module")
def fitted() -> SequenceClassifier:
    return SequenceClassifier(**QUICK, seed=1).fit(*labelled())


def test_parameters_are_what_the_constructor_was_given() -> None:
    given = {
        "encoder": "folder",
        "head": "pooling",
        "preset": "tiny",
        "epochs": 3,
        "seed": 5,
        "progress": True,
    }
    model = SequenceClassifier(**given)
    assert model.get_params() == given
    assert model.set_params(seed=6, head="position") is model
    assert (model.seed, model.head, model.epochs) == (6, "position", 3)
    assert clone(model).get_params() == model.get_params()
    with pytest.raises(ValueError, match="Invalid parameter 'depth'"):
        model.set_params(depth=3)
    assert "preset='tiny'" in repr(model)


def test_a_clone_is_not_fitted(fitted: SequenceClassifier) -> None:
    check_is_fitted(fitted)
    fresh = clone(fitted)
    assert fresh.get_params() == fitted.get_params()
    for method in (fresh.predict, fresh.predict_proba):
        with pytest.raises(NotFittedError):
            method(["ACGTACGT"])


def test_string_labels_come_back(fitted: SequenceClassifier) -> None:
    sequences, labels = labelled(30, seed=2)
    assert fitted.classes_.tolist() == ["alt", "cool"]
    probabilities = fitted.predict_proba(sequences)
    assert probabilities.shape == (30, 2)
    assert probabilities.sum(axis=1) == pytest.approx(1)
    predicted = fitted.predict(sequences)
    assert predicted.tolist() == fitted.classes_[probabilities.argmax(axis=1)].tolist()
    assert fitted.score(sequences, labels) == np.mean(predicted == np.array(labels))
    assert fitted.predict_proba([]).shape == (0, 2)
    assert fitted.predict([]).shape == (0,)


@pytest.mark.parametrize("classes", [[7, 11, 9], [True, False], [0.0, 1.0]])
def test_labels_of_other_types_come_back(classes: list[Any]) -> None:
    sequences, _ = labelled(12)
    labels = np.resize(np.array(classes), 12)
    model = SequenceClassifier(**QUICK).fit(sequences, labels)
    assert model.classes_.tolist() == sorted(set(classes))
    predicted = model.predict(sequences)
    assert predicted.dtype == labels.dtype
    assert set(predicted.tolist()) <= set(classes)


def test_a_column_as_pipelines_hand_it_on(fitted: SequenceClassifier) -> None:
    sequences = ["ACGTA" * 6, "TTTTT" * 6]
    column = np.array(sequences, dtype=object)[:, None]
    assert (fitted.predict_proba(column) == fitted.predict_proba(sequences)).all()


def test_anything_that_is_a_row_of_strings_will_do(fitted: SequenceClassifier) -> None:
    sequences, labels = labelled(10, seed=3)
    expected = fitted.predict_proba(sequences)
    for same in (np.array(sequences), pd.Series(sequences, index=range(5, 15)), tuple(sequences)):
        np.testing.assert_array_equal(fitted.predict_proba(same), expected)
    lower = [sequence.lower().replace("t", "u") for sequence in sequences]
    np.testing.assert_array_equal(fitted.predict_proba(lower), expected)
    series = pd.Series(labels, index=range(3, 13))
    one = SequenceClassifier(**QUICK).fit(pd.Series(sequences), series)
    other = SequenceClassifier(**QUICK).fit(sequences, labels)
    np.testing.assert_allclose(one.predict_proba(sequences), other.predict_proba(sequences))


def test_fitting_again_starts_anew() -> None:
    sequences, labels = labelled(16)
    model = SequenceClassifier(**QUICK)
    first = model.fit(sequences, labels).predict_proba(sequences)
    assert model.fit(sequences, labels) is model
    np.testing.assert_allclose(model.predict_proba(sequences), first, atol=1e-6)
    other = model.set_params(seed=1).fit(sequences, labels).predict_proba(sequences)
    assert np.abs(np.log(other) - np.log(first)).max() > 1e-2


def test_cross_validation() -> None:
    sequences, labels = labelled(60)
    model = SequenceClassifier(preset="tiny", epochs=8)
    scores = cross_val_score(model, sequences, labels, cv=StratifiedKFold(3), error_score="raise")
    assert scores.shape == (3,)
    assert scores.mean() > 0.8
    areas = cross_val_score(
        model, np.array(sequences), labels, cv=2, scoring="roc_auc", error_score="raise"
    )
    assert areas.mean() > 0.8


def test_a_grid_search_over_head_and_epochs() -> None:
    sequences, labels = labelled(40)
    search = GridSearchCV(
        SequenceClassifier(preset="tiny"),
        {"head": ["pooling", "position"], "epochs": [1, 2]},
        cv=2,
        error_score="raise",
    ).fit(sequences, labels)
    assert len(search.cv_results_["params"]) == 4
    assert search.best_params_ in search.cv_results_["params"]
    best = search.best_estimator_
    assert best.model_.config.head == search.best_params_["head"]
    assert len(best.curve_) == search.best_params_["epochs"]


def test_sequences_of_several_lengths() -> None:
    sequences, labels = labelled(24, length=None)
    model = SequenceClassifier(**QUICK).fit(sequences, labels)
    assert model.model_.config.head == "pooling"
    assert model.predict(["ACGTA", "ACGT" * 30]).shape == (2,)
    with pytest.raises(InputError, match='head="position": needs sequences of one length'):
        SequenceClassifier(**QUICK, head="position").fit(sequences, labels)


def test_starting_from_an_encoder(encoder_folder: Path) -> None:
    sequences, labels = labelled(20)
    model = SequenceClassifier(encoder=encoder_folder, head="position", epochs=1)
    model.fit(sequences, labels)
    assert model.model_.config.encoder.embedding == 32, "the encoder's size, not the preset's"
    assert {point["stage"] for point in model.curve_} >= {"head", "all layers"}
    with pytest.raises(InputError, match="absent: no such model folder"):
        SequenceClassifier(encoder="absent").fit(sequences, labels)


def test_few_labels_are_fitted_with_a_probe(encoder_folder: Path) -> None:
    sequences, labels = labelled(40)
    model = SequenceClassifier(encoder=encoder_folder).fit(sequences, labels)
    assert model.model_.config.head == "probe"
    assert model.curve_ == []
    assert model.score(*labelled(30, seed=4)) > 0.9
    with pytest.raises(
        InputError, match=r"^epochs: got 2, but with these 40 sequences the encoder stays"
    ):
        SequenceClassifier(encoder=encoder_folder, epochs=2).fit(sequences, labels)
    with pytest.raises(InputError, match='head="probe": reads the hidden states'):
        SequenceClassifier(preset="tiny", head="probe").fit(sequences, labels)


def test_the_shipped_encoder_is_the_default(
    encoder_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(encoder_folder, tmp_path / pretrained.DEFAULT)
    monkeypatch.setattr(pretrained, "SHIPPED", tmp_path)
    sequences, labels = labelled(20)
    by_default, by_name, none = (
        SequenceClassifier(**chosen, head="position", epochs=1)
        .fit(sequences, labels)
        .predict_proba(sequences)
        for chosen in ({}, {"encoder": pretrained.DEFAULT}, {"preset": "tiny"})
    )
    np.testing.assert_allclose(by_default, by_name, atol=1e-6)
    assert np.abs(np.log(by_default) - np.log(none)).max() > 1e-2


@pytest.mark.parametrize(
    ("sequences", "labels", "message"),
    [
        (["ACGTACGT"] * 4, ["a"] * 4, "labels: got 1 class; a classifier needs at least two"),
        (["ACGTACGT"] * 4, ["a", "b"], r"labels: got shape \(2,\) for 4 sequences"),
        (["ACGTACGT"] * 2, [["a"], ["b"]], r"labels: got shape \(2, 1\) for 2 sequences"),
        ([], [], "labels: got 0 class"),
        ("ACGT", ["a", "b", "a", "b"], "sequences: got one string"),
        (["ACGTACGT", "ACGEFGH"], ["a", "b"], "sequence 2: .*'E'"),
        (["ACGTACGT", "ACG"], ["a", "b"], "sequence 2: has 3 bases; at least 5 are needed"),
        (["ACGTACGT", ""], ["a", "b"], "sequence 2: has 0 bases; at least 5 are needed"),
        (["ACGTACGT", float("nan")], ["a", "b"], "sequence 2: got nan, which is no text"),
        (["ACGTACGT"] * 3, [0.0, 1.0, float("nan")], "labels: that of sequence 3 is missing"),
        (["ACGTACGT"] * 3, ["a", None, "b"], "labels: that of sequence 2 is missing"),
        (["ACGTACGT"] * 3, ["a", "b", float("nan")], "labels: that of sequence 3 is missing"),
        (["ACGTACGT"] * 3, ["a", 1, "b"], "labels: got int and str; give labels of one type"),
        (["ACGTACGT"] * 2, [b"a", b"b"], "labels: got bytes; give labels of one type: str, int"),
        (["ACGTACGT"] * 2, pd.to_datetime(["2020-01-01", "2020-01-02"]), "labels: got Timestamp"),
        (["ACGTACGT"] * 3, pd.array(["a", "b", 1], object), "labels: got int and str"),
        (["ACGTACGT"] * 3, [0.1, 0.2, 0.5], "labels: got numbers that are not whole"),
    ],
)
def test_unusable_input(sequences: Any, labels: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        SequenceClassifier(**QUICK).fit(sequences, labels)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"preset": "huge"}, "preset: got 'huge', allowed are tiny, small, paper"),
        ({"head": "max"}, "head: got 'max'"),
        ({"epochs": 0}, "epochs: got 0, allowed is 1 or more"),
        ({"epochs": "3"}, "epochs: got '3', allowed is 1 or more"),
        ({"encoder": "mine"}, "preset: got tiny beside the encoder mine"),
        ({"seed": -1}, "seed: got -1, allowed are 0 to 2147483647"),
        ({"seed": None}, "seed: got None, allowed are 0 to"),
        ({"seed": 2**33}, "seed: got 8589934592, allowed are 0 to"),
    ],
)
def test_unusable_parameters(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SequenceClassifier(**{**QUICK, **parameters}).fit(*labelled(8))


@pytest.mark.parametrize("length", [5, 6])
def test_the_shortest_sequences_there_are(length: int) -> None:
    model = SequenceClassifier(**QUICK, head="position").fit(*labelled(40, length=length))
    assert np.isfinite(model.predict_proba(["ACGTAC"[:length]])).all()


def test_labels_in_a_column_of_objects(fitted: SequenceClassifier) -> None:
    sequences, labels = labelled(12)
    ones = pd.Series([int(label == labels[0]) for label in labels], dtype=object)
    found = SequenceClassifier(**QUICK).fit(sequences, ones)
    assert found.classes_.tolist() == [0, 1]
    assert found.predict(sequences).dtype.kind == "i"
    with pytest.raises(InputError, match="labels: got a number too large"):
        SequenceClassifier(**QUICK).fit(sequences, [10**30 * int(one) for one in ones])


def test_short_sequences_and_a_probe() -> None:
    with pytest.raises(InputError, match="sequence 1: has 4 bases; at least 5 are needed"):
        SequenceClassifier().fit(["ACGT", "CCGT", "ACGA", "AAAA"] * 3, [0, 1] * 6)


@pytest.mark.parametrize("chosen", [QUICK, {"head": "probe"}])
def test_the_callers_random_numbers_go_on(chosen: dict[str, Any]) -> None:
    def drawn() -> list[float]:
        return [random.random(), np.random.random(), torch.rand(1).item()]  # noqa: NPY002

    def seeded() -> None:
        random.seed(5)
        np.random.seed(5)  # noqa: NPY002
        torch.manual_seed(5)

    seeded()
    expected = drawn()
    seeded()
    SequenceClassifier(**chosen).fit(X=labelled(8)[0], y=np.array(labelled(8)[1], dtype=object))
    assert drawn() == expected


def test_other_lengths_than_in_training(fitted: SequenceClassifier) -> None:
    with pytest.raises(InputError, match=r"sequence 2: has 8 bases, but this model .* of 30"):
        fitted.predict(["A" * 30, "ACGTACGT"])


@pytest.mark.parametrize("kind", [str, int, bool, float])
def test_a_saved_model_comes_back(kind: type, tmp_path: Path) -> None:
    sequences, names = labelled(20)
    labels = names if kind is str else [kind(name == "cool") for name in names]
    model = SequenceClassifier(**QUICK).fit(sequences, labels)
    model.save(tmp_path / "model", anchor=12)
    again = SequenceClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict_proba(sequences), model.predict_proba(sequences))
    assert again.predict(sequences).tolist() == model.predict(sequences).tolist()
    assert {type(label) for label in again.predict(sequences).tolist()} == {kind}
    assert again.score(sequences, labels) == model.score(sequences, labels)
    assert again.curve_ == model.curve_
    training = read_config(tmp_path / "model")["training"]
    assert (training["anchor"], training["n_train"]) == (12, 20)
    again.save(tmp_path / "copy")
    assert read_config(tmp_path / "copy")["training"]["anchor"] == 12
    assert training["classes"] == {str(c): 10 for c in model.classes_}
    assert "Trained on 20 sequences" in (tmp_path / "model" / "card.md").read_text()


def test_a_loaded_model_trains_anew_from_what_it_came_from(tmp_path: Path) -> None:
    sequences, labels = labelled(20)
    for number, (encoder, seed) in enumerate((("e-coli", 3), (None, 0))):
        model = SequenceClassifier(encoder, epochs=None if encoder else 1, seed=seed)
        if encoder is None:
            model.set_params(preset="tiny")
        model.fit(sequences, labels).save(tmp_path / str(number))
        again = SequenceClassifier.load(tmp_path / str(number))
        assert (again.encoder, again.seed) == (encoder, seed)


def test_an_own_encoder_is_not_taken_for_a_shipped_one(tmp_path: Path) -> None:
    """Whatever its folder is called."""
    own = tmp_path / "bacteria"
    shutil.copytree(pretrained.encoder_folder("e-coli"), own)
    SequenceClassifier(own).fit(*labelled(20)).save(tmp_path / "model")
    assert SequenceClassifier.load(tmp_path / "model").encoder == "auto"


def test_a_fit_that_is_stopped_leaves_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    sequences, labels = labelled(20)
    model = SequenceClassifier(**QUICK).fit(sequences, labels)
    before = model.predict_proba(sequences)

    def stopped(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("genomic_ulmfit.estimator.train_by_labels", stopped)
    with pytest.raises(KeyboardInterrupt):
        model.fit(sequences, ["p", "q", "r", "s"] * 5)
    np.testing.assert_array_equal(model.predict_proba(sequences), before)
    assert model.facts_["labels"] == model.classes_.tolist() == ["alt", "cool"]


def test_a_column_of_a_table(fitted: SequenceClassifier) -> None:
    sequences, labels = labelled(20)
    table = pd.DataFrame({"sequence": sequences, "label": labels})
    expected = fitted.predict_proba(sequences)
    np.testing.assert_array_equal(fitted.predict_proba(table["sequence"]), expected)
    np.testing.assert_array_equal(fitted.predict_proba(table[["sequence"]]), expected)
    with pytest.raises(InputError, match="got a table of 2 columns; give the one"):
        fitted.predict(table)


def test_the_environment_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("7", None):
        if value is None:
            monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
        else:
            monkeypatch.setenv("PL_GLOBAL_SEED", value)
        SequenceClassifier(**QUICK).fit(*labelled(20))
        assert os.environ.get("PL_GLOBAL_SEED") == value


def test_what_cannot_be_saved_or_loaded(fitted: SequenceClassifier, tmp_path: Path) -> None:
    with pytest.raises(NotFittedError):
        SequenceClassifier().save(tmp_path / "model")
    for anchor in (-1, 30):
        with pytest.raises(InputError, match=rf"anchor: got {anchor}, allowed is 0 to 29"):
            fitted.save(tmp_path / "model", anchor=anchor)
    with pytest.raises(InputError, match="no such model folder"):
        SequenceClassifier.load(tmp_path / "model")
    fitted.save(tmp_path / "model")
    with pytest.raises(InputError, match=r"folder: .*model holds a finished model already"):
        fitted.save(tmp_path / "model")


def test_importing_the_package_is_quick_and_the_class_is_there() -> None:
    code = (
        "import sys, genomic_ulmfit; assert 'torch' not in sys.modules; "
        "print(genomic_ulmfit.__version__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == genomic_ulmfit.__version__
    with pytest.raises(AttributeError, match="no attribute 'Classifier'"):
        _ = genomic_ulmfit.Classifier
