from __future__ import annotations

import copy

import pytest

from genomic_ulmfit.reports.reproduction.prose import (
    answer,
    language_model_sentences,
    leakage_sentences,
    limits,
)


def _with_comparisons(results, *comparisons):
    changed = copy.deepcopy(results)
    template = changed["comparisons"][0]
    changed["comparisons"] = [
        template | {"b": b, "difference": difference, "low": low, "high": high}
        for b, difference, low, high in comparisons
    ]
    return changed


def _accuracy(results, model, protocol="strict"):
    for summary in results["summary"]:
        if (summary["model"], summary["protocol"]) == (model, protocol):
            return summary["accuracy"]
    raise KeyError(model)


def test_the_answer_names_the_score_and_its_rivals(study):
    first, _ = answer(study[0])
    for model in ("e_coli", "naive", "cnn"):
        assert f"{_accuracy(study[0], model)['mean']:.3f}" in first
    assert "1,200 held-out sequences" in first
    assert "strict protocol" in first
    assert "3 seeds: 0, 1, 2" in first
    assert "best baseline, small CNN" in first


def test_the_best_baseline_is_the_best(study):
    results = copy.deepcopy(study[0])
    _accuracy(results, "kmer_lr")["mean"] = 0.999
    assert "0.999" in answer(results)[0]
    assert "best baseline, k-mer-count logistic regression" in answer(results)[0]


@pytest.mark.parametrize(
    ("difference", "low", "high", "expected"),
    [
        (0.05, 0.04, 0.06, "it is better than naive (no pretraining) by 0.050 [0.040, 0.060]."),
        (-0.05, -0.06, -0.04, "it is worse than naive (no pretraining) by 0.050 [0.040, 0.060]."),
        (
            0.01,
            -0.01,
            0.03,
            "it is not distinguishable from naive (no pretraining) (difference +0.010 "
            "[−0.010, +0.030]).",
        ),
        (0.01, None, None, "it is +0.010 from naive (no pretraining), without an interval."),
    ],
)
def test_the_margin_follows_the_interval(study, difference, low, high, expected):
    results = _with_comparisons(study[0], ("naive", difference, low, high))
    assert answer(results)[1].endswith(expected)


def test_the_most_cautious_interval_decides(study):
    results = _with_comparisons(study[0], ("cnn", 0.01, 0.005, 0.015), ("cnn", 0.01, -0.1, 0.12))
    second = answer(results)[1]
    assert second.endswith(
        "not distinguishable from small CNN (difference +0.010 [−0.100, +0.120])."
    )
    results = _with_comparisons(study[0], ("cnn", 0.01, 0.005, 0.015), ("cnn", 0.01, None, None))
    assert answer(results)[1].endswith("better than small CNN by 0.010 [0.005, 0.015].")


def test_only_rivals_are_compared(study):
    results = _with_comparisons(
        study[0], ("e_coli_seed_head", 0.02, 0.01, 0.03), ("cnn", 0.02, 0.01, 0.03)
    )
    results["comparisons"][1]["metric"] = "mcc"
    assert "not compared pair by pair" in answer(results)[1]


def test_margins_are_joined(study):
    results = _with_comparisons(
        study[0], ("naive", 0.05, 0.04, 0.06), ("onehot_lr", -0.05, -0.06, -0.04)
    )
    second = answer(results)[1]
    assert "better than naive" in second
    assert " and worse than one-hot logistic regression" in second


def test_without_comparisons_nothing_is_claimed(study):
    results = copy.deepcopy(study[0]) | {"comparisons": []}
    assert "not compared pair by pair" in answer(results)[1]


def test_a_single_seed_is_said_and_has_no_interval(single_study):
    first, _ = answer(single_study[0])
    assert "seed 0 alone, so no interval" in first
    assert "[" not in first
    assert any("One seed was run" in sentence for sentence in limits(single_study[0]))


def test_a_study_without_pretraining_still_has_an_answer(study):
    results = copy.deepcopy(study[0])
    results["summary"] = [s for s in results["summary"] if s["model"] in ("naive", "onehot_lr")]
    results["comparisons"] = []
    assert "naive (no pretraining)" in answer(results)[0]
    results["summary"] = []
    assert answer(results)[0] == "No model has been scored yet."


def test_simulated_is_said_in_the_answer_and_the_limits(study, simulated_study):
    assert answer(simulated_study[0])[0].startswith("On a SIMULATED GENOME, ")
    assert "SIMULATED GENOME" in limits(simulated_study[0])[0]
    assert "SIMULATED" not in " ".join([*answer(study[0]), *limits(study[0])])


def test_the_ensemble_answers_where_there_is_one(ensemble_study):
    results = copy.deepcopy(ensemble_study[0])
    _accuracy(results, "e_coli")["mean"] = 0.9876
    first, second = answer(results)
    assert first.startswith("The model “genomic ensemble pretraining” reaches")
    assert "0.988" in first, "although another row is better on the test split"
    assert "for “E. coli genome pretraining”" in first
    assert second.count("better than E. coli genome pretraining by 0.004") == 0
    assert "not distinguishable from E. coli genome pretraining (difference +0.004" in second
    assert "better than naive (no pretraining) by 0.055" in second


def test_language_models_are_told_with_what_they_have_read(ensemble_study):
    results = copy.deepcopy(ensemble_study[0])
    own, ensemble = language_model_sentences(results)
    assert own.startswith("Language model of E. coli genome pretraining: one trained in this study")
    assert "NC_000913.3, 4.6 million bases. It has read this study's genome, test windows" in own
    assert "bacteria, which comes with this program (sha256 bbbb" in ensemble
    assert "3 genomes, 15.1 million bases" in ensemble
    assert any("have read this genome, without labels" in one for one in limits(results))

    results["language_models"][0]["windows_cut"] = 1202
    results["language_models"][1].update(shipped=False, encoder="mine", has_read_genome=False)
    own, ensemble = language_model_sentences(results)
    assert "test windows included" not in own
    assert "for 1,202 windows that were cut out" in own
    assert "mine, given by --ensemble" in ensemble
    assert ensemble.endswith("It has not read this study's genome.")
    results["language_models"].pop(0)
    assert not any("have read this genome" in one for one in limits(results))


def test_a_quick_run_is_a_limit(make_study, study):
    results, _ = make_study(seeds=(0,), ensemble=True, quick=True)
    assert limits(results)[0].startswith("Quick run: ")
    assert not any("Quick run" in one for one in limits(study[0]))


def test_leakage_is_told_per_protocol_and_limits_the_leaky_one(study):
    assert [sentence.split(":")[0] for sentence in leakage_sentences(study[0])] == [
        "Strict protocol",
        "Seed's protocol",
    ]
    leaky = [sentence for sentence in limits(study[0]) if "relatives" in sentence]
    assert len(leaky) == 1
    assert "seed's protocol" in leaky[0]
