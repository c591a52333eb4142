"""Fine-tuning: what each stage trains, at which rate, and that it learns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from genomic_ulmfit.data.batches import TokenizedSequences
from genomic_ulmfit.data.readings import Readings
from genomic_ulmfit.dna.alphabet import AMBIGUOUS, Codes, reverse_complement
from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.models.awd_lstm import AWDLSTM
from genomic_ulmfit.models.classifier import Classifier, ClassifierConfig
from genomic_ulmfit.models.config import EncoderConfig
from genomic_ulmfit.models.language_model import LanguageModel
from genomic_ulmfit.models.precision import trains_in_bf16
from genomic_ulmfit.models.prediction import predict_probabilities
from genomic_ulmfit.training import finetuning
from genomic_ulmfit.training.finetuning import fine_tune, stage_name
from genomic_ulmfit.training.finetuning_recipe import NAIVE, PRETRAINED, FineTuningRecipe, Stage

ENCODER = EncoderConfig(12, 16, 3, KmerTokenizer(3, 1))
LENGTH = 30


def config(head: str = "position", n_classes: int = 2) -> ClassifierConfig:
    classes = tuple("abcde"[:n_classes])
    return ClassifierConfig(ENCODER, classes, head, LENGTH if head == "position" else None)


def recipe(*stages: Stage, **changes: Any) -> FineTuningRecipe:
    return replace(FineTuningRecipe(stages, dropout=0.2, batch_size=16), **changes)


MOTIFS = ([3, 0, 3, 0, 0, 3], [2, 1, 2, 2, 1, 2], [0, 0, 0, 0, 0, 0], [1, 1, 2, 2, 1, 1])


def task(
    n: int = 48, n_classes: int = 2, lengths: tuple[int, int] = (LENGTH, LENGTH), seed: int = 0
) -> tuple[list[Codes], npt.NDArray[np.intp]]:
    """Sequences that hold the motif of their class somewhere."""
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % n_classes
    codes = []
    for target in targets:
        one = rng.integers(0, 4, rng.integers(lengths[0], lengths[1] + 1)).astype(np.uint8)
        at = rng.integers(len(one) - 6)
        one[at : at + 6] = MOTIFS[target]
        codes.append(one)
    return codes, targets


@pytest.fixture(scope="module")
def encoder() -> LanguageModel:
    torch.manual_seed(5)
    return LanguageModel(AWDLSTM(ENCODER))


def run(
    *stages: Stage,
    n: int = 48,
    head: str = "position",
    encoder: LanguageModel | None = None,
    seed: int = 0,
    changes: dict[str, Any] | None = None,
    **options: Any,
) -> tuple[Classifier, list[dict[str, Any]]]:
    codes, targets = task(n)
    return fine_tune(
        codes,
        targets,
        config(head),
        recipe(*stages, **(changes or {})),
        encoder=encoder,
        seed=seed,
        **{"precision": "fp32", "progress": False, **options},
    )


def changed(model: Classifier, encoder: LanguageModel) -> set[str]:
    """Name the parts of the encoder that are not as they were."""
    before = encoder.encoder.state_dict()
    return {
        name.rsplit(".", 1)[0]
        for name, value in model.encoder.state_dict().items()
        if not torch.equal(value, before[name])
    }


LAYERS = [f"layers.{number}" for number in range(3)]


@pytest.mark.parametrize("head", ["position", "pooling"])
@pytest.mark.parametrize(
    ("layers", "trained"),
    [
        (0, set()),
        (1, {LAYERS[2]}),
        (2, {LAYERS[2], LAYERS[1]}),
        (3, set(LAYERS)),
        (None, {*LAYERS, "embedding"}),
    ],
)
def test_a_stage_trains_the_layers_it_names(
    encoder: LanguageModel, head: str, layers: int | None, trained: set[str]
) -> None:
    model, _ = run(Stage(layers, 1, 1e-2), head=head, encoder=encoder)
    assert changed(model, encoder) == trained
    torch.manual_seed(0)
    untrained = Classifier(config(head)).state_dict()
    for name, value in model.state_dict().items():
        if name.startswith(("pooling_head", "position_head")):
            assert not torch.equal(value, untrained[name]) or value.numel() == 0, name
    assert not model.encoder.embedding.weight[ENCODER.tokenizer.unknown].any()
    assert not model.training


def test_stages_follow_each_other_from_the_top_down(encoder: LanguageModel) -> None:
    stages = (Stage(0, 2, 1e-2), Stage(1, 1, 5e-3), Stage(None, 1, 1e-3))
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    model, curve = run(*stages, encoder=encoder)
    assert changed(model, encoder) == {*LAYERS, "embedding"}
    assert [point["stage"] for point in curve] == ["head", "head", "last layer", "all layers"]
    assert [point["epoch"] for point in curve] == [1, 2, 3, 4]
    assert [point["step"] for point in curve] == [3, 6, 9, 12]
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, before[name]), "the encoder itself is not touched"


class Spy(torch.optim.AdamW):
    """Writes down what the optimizer was given, and the rates of its steps."""

    made: list[Spy]

    def __init__(self, groups: list[dict[str, Any]], **options: Any) -> None:
        self.given = [(group["lr"], list(group["params"])) for group in groups]
        self.rates: list[list[float]] = []
        self.momentum: list[float] = []
        super().__init__(groups, **options)
        Spy.made.append(self)

    def step(self, *arguments: Any, **options: Any) -> Any:
        self.rates.append([group["lr"] for group in self.param_groups])
        self.momentum.append(self.param_groups[0]["betas"][0])
        return super().step(*arguments, **options)


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> type[Spy]:
    monkeypatch.setattr(Spy, "made", [], raising=False)
    monkeypatch.setattr(torch.optim, "AdamW", Spy)
    return Spy


def test_rates_fall_from_layer_to_layer_downwards(encoder: LanguageModel, spy: type[Spy]) -> None:
    stages = (Stage(0, 1, 1e-2), Stage(1, 1, 5e-3), Stage(2, 1, 4e-3), Stage(None, 1, 3e-3))
    model, _ = run(*stages, encoder=encoder)
    assert [[rate for rate, _ in one.given] for one in spy.made] == [
        pytest.approx([1e-2]),
        pytest.approx([5e-3, 5e-3 / 2.6]),
        pytest.approx([4e-3, 4e-3 / 2.6, 4e-3 / 2.6**2]),
        pytest.approx([3e-3 / 2.6**depth for depth in range(5)]),
    ]
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = [{names[id(p)] for p in parameters} for _, parameters in spy.made[-1].given]
    assert {name.split("_")[0] for name in groups[0]} == {"pooling", "position"}
    for group, layer in zip(groups[1:4], reversed(LAYERS), strict=True):
        assert group == {name for name in names.values() if name.startswith(f"encoder.{layer}.")}
    assert groups[4] == {"encoder.embedding.weight"}
    assert set().union(*groups) == set(names.values()), "each parameter once"
    assert sum(map(len, groups)) == len(names)


def test_each_stage_is_one_cycle_of_rate_and_momentum(spy: type[Spy]) -> None:
    run(Stage(None, 4, 2e-3), changes={"layer_decay": 1.0})
    (optimizer,) = spy.made
    rates = [rates[0] for rates in optimizer.rates]
    assert len(rates) == 12
    assert all(len(set(step)) == 1 for step in optimizer.rates)
    top = int(np.argmax(rates))
    assert 1 <= top <= 4
    assert rates[top] == pytest.approx(2e-3, rel=0.05)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] < rates[0] < rates[top] / 10
    assert optimizer.momentum[0] == pytest.approx(0.8)
    assert min(optimizer.momentum) == pytest.approx(0.7, abs=0.01)
    assert optimizer.momentum[-1] == pytest.approx(0.8, abs=0.01)


def close(model: Classifier, other: Classifier, tolerance: float = 1e-6) -> bool:
    return all(
        torch.allclose(value, other.state_dict()[name], rtol=1e-4, atol=tolerance)
        for name, value in model.state_dict().items()
    )


@pytest.mark.parametrize("layers", [0, 1, 2])
@pytest.mark.parametrize("head", ["position", "pooling"])
def test_cached_output_of_frozen_layers_changes_nothing(
    encoder: LanguageModel, monkeypatch: pytest.MonkeyPatch, head: str, layers: int
) -> None:
    calls: list[int] = []
    plain = finetuning.frozen_output

    def counted(*arguments: Any) -> Tensor:
        calls.append(1)
        return plain(*arguments)

    monkeypatch.setattr(finetuning, "frozen_output", counted)
    cached, curve = run(Stage(layers, 3, 1e-2), head=head, encoder=encoder)
    n_cached = len(calls)
    monkeypatch.setattr(finetuning, "CACHE_LIMIT", 0)
    computed, other_curve = run(Stage(layers, 3, 1e-2), head=head, encoder=encoder)
    assert n_cached == 1, "all sequences at once, once"
    assert len(calls) - n_cached == 9, "every batch"
    assert close(cached, computed)
    for point, other in zip(curve, other_curve, strict=True):
        assert point["train_loss"] == pytest.approx(other["train_loss"], rel=1e-4)


def test_frozen_layers_are_read_without_dropout(encoder: LanguageModel) -> None:
    """Their output is cached, so it must be the same each time, and in training mode too."""
    model = Classifier(config(), finetuning.CLASSIFIER_DROPOUTS)
    model.encoder.load_state_dict(encoder.encoder.state_dict())
    tokens = torch.randint(0, 64, (9, 4))
    expected = model.eval().encoder(tokens)[0]
    found = finetuning.frozen_output(model.train(), 3, tokens)
    torch.testing.assert_close(found, expected)
    assert model.encoder.training, "the mode is left as it was"
    assert not torch.equal(finetuning.frozen_output(model, 0, tokens), model.encoder.embed(tokens))


EASY = Stage(None, 14, 1e-2)


@pytest.mark.parametrize("head", ["position", "pooling"])
def test_it_learns_an_easy_task(head: str) -> None:
    model, curve = run(EASY, n=160, head=head, changes={"layer_decay": 1.0})
    codes, targets = task(100, seed=1)
    found = predict_probabilities(model, codes, precision="fp32")
    assert (found.argmax(1) == targets).mean() > 0.95
    assert curve[-1]["train_loss"] < 0.3 < curve[0]["train_loss"]


def test_it_learns_several_classes_of_several_lengths() -> None:
    codes, targets = task(240, n_classes=4, lengths=(8, 50))
    model, _ = fine_tune(
        codes,
        targets,
        config("pooling", n_classes=4),
        recipe(EASY, layer_decay=1.0),
        precision="fp32",
        progress=False,
    )
    codes, targets = task(120, n_classes=4, lengths=(8, 50), seed=1)
    found = predict_probabilities(model, codes, precision="fp32")
    assert found.shape == (120, 4)
    assert (found.argmax(1) == targets).mean() > 0.85


def test_phases_under_the_same_weights_are_sequences_of_their_own() -> None:
    codes, targets = task(60, lengths=(12, 40))
    once = replace(config("pooling"), encoder=EncoderConfig(12, 16, 1, KmerTokenizer(3, 2)))
    alike = replace(once, phases=2, phases_alike=True)
    stage = recipe(Stage(None, 2, 1e-2))
    options = {"precision": "fp32", "progress": False}
    together, curve = fine_tune(codes, targets, alike, stage, **options)
    moved = [np.append(one[1:], np.uint8(AMBIGUOUS)) for one in codes]
    both = [*codes, *moved], np.concatenate([targets, targets])
    one, curve_of_one = fine_tune(*both, once, stage, **options)
    assert curve == curve_of_one
    assert close(together, one)
    # What it says is the mean of what it says of each.
    logits = [
        np.log(predict_probabilities(one, phase, precision="fp32")) for phase in (codes, moved)
    ]
    mean = np.exp(np.mean(logits, axis=0))
    found = predict_probabilities(together, codes, precision="fp32")
    np.testing.assert_allclose(found, mean / mean.sum(axis=1, keepdims=True), atol=1e-5)


@pytest.mark.parametrize("length", [20, 21])
@pytest.mark.parametrize("both_strands", [False, True])
def test_phases_are_learnt_from_as_they_are_read(both_strands: bool, length: int) -> None:
    tokenizer = KmerTokenizer(5, 2)
    codes = list(np.random.default_rng(1).integers(0, 4, (3, length)).astype(np.uint8))
    together = TokenizedSequences.of(codes, tokenizer, Readings(both_strands, 2))
    apart = together.apart(2)
    assert len(apart) == 6
    for phase in range(2):
        for row, one in enumerate(codes):
            strands = [one, reverse_complement(one)][: 1 + both_strands]
            moved = [np.append(s[phase:], np.full(phase, AMBIGUOUS, np.uint8)) for s in strands]
            expected = tokenizer.tokenize(np.stack(moved))
            np.testing.assert_array_equal(apart.tokens[3 * phase + row], expected)
            assert apart.codes[3 * phase + row] is one


def test_phases_alike_are_for_a_pooling_head() -> None:
    codes, targets = task(8)
    two = EncoderConfig(12, 16, 1, KmerTokenizer(3, 2))
    wrong = replace(config("position"), encoder=two, phases=2, phases_alike=True)
    with pytest.raises(ValueError, match="pooling head alone"):
        fine_tune(codes, targets, wrong, recipe(Stage(None, 1, 1e-2)), progress=False)


def test_the_seed_decides(encoder: LanguageModel) -> None:
    stages = (Stage(1, 1, 1e-2), Stage(None, 1, 1e-2))
    one, curve = run(*stages, encoder=encoder)
    torch.manual_seed(99)
    same, same_curve = run(*stages, encoder=encoder)
    other, _ = run(*stages, encoder=encoder, seed=1)
    assert close(one, same)
    assert [point["train_loss"] for point in curve] == pytest.approx(
        [point["train_loss"] for point in same_curve], rel=1e-5
    )
    assert not close(one, other, tolerance=1e-3)


def test_validation_is_watched_and_changes_nothing(encoder: LanguageModel) -> None:
    stages = (Stage(1, 1, 1e-2), Stage(None, 2, 1e-2))
    codes, targets = task(30, seed=2)
    plain, curve = run(*stages, encoder=encoder)
    assert all(p["valid_loss"] is None and p["valid_accuracy"] is None for p in curve)
    watched, curve = run(*stages, encoder=encoder, valid=(codes, targets))
    assert close(plain, watched)
    found = predict_probabilities(watched, codes, precision="fp32")
    assert curve[-1]["valid_accuracy"] == pytest.approx((found.argmax(1) == targets).mean())
    expected = -np.log(found[np.arange(30), targets]).mean()
    assert curve[-1]["valid_loss"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("n", [2, 3, 17, 33, 64])
@pytest.mark.parametrize("epochs", [1, 2, 4])
def test_any_number_of_sequences_and_epochs_will_do(n: int, epochs: int) -> None:
    """4 steps, say, are one step of warm-up, which PyTorch's schedule cannot divide by."""
    model, curve = run(Stage(None, epochs, 1e-3), n=n, head="pooling")
    assert len(curve) == epochs
    assert all(np.isfinite(point["train_loss"]) for point in curve)
    assert all(value.isfinite().all() for value in model.state_dict().values())


@pytest.mark.parametrize(("n", "steps"), [(6, 2 * 20), (48, 2 * 21), (200, 2 * 26), (800, 2 * 50)])
def test_few_sequences_go_round_until_there_are_enough_steps(n: int, steps: int) -> None:
    """Batches of 16, two epochs, at least 40 steps."""
    _, curve = run(Stage(0, 2, 1e-2, min_steps=40), n=n, head="pooling")
    assert [point["epoch"] for point in curve] == [1, 2]
    assert curve[-1]["step"] == steps


def test_nothing_is_cached_for_a_single_time(
    encoder: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finetuning, "_cached_output", None)
    _, curve = run(Stage(1, 1, 1e-2), encoder=encoder)
    assert np.isfinite(curve[-1]["train_loss"])


@pytest.mark.parametrize(
    "precision",
    [
        "fp32",
        pytest.param(
            "bf16",
            marks=pytest.mark.skipif(
                not trains_in_bf16(), reason="no LSTM in bf16 for this machine's processor"
            ),
        ),
    ],
)
def test_every_precision_trains(encoder: LanguageModel, precision: str) -> None:
    model, curve = run(
        *(Stage(0, 1, 1e-2), Stage(1, 1, 1e-2), Stage(None, 1, 1e-2)),
        encoder=encoder,
        precision=precision,
    )
    assert np.isfinite(curve[-1]["train_loss"])
    assert all(p.dtype == torch.float32 for p in model.parameters())


def test_recipes_unfreeze_from_the_top_and_end_with_everything() -> None:
    layers = [stage.layers for stage in PRETRAINED.stages]
    assert layers == [*range(len(layers) - 1), None]
    rates = [stage.learning_rate for stage in PRETRAINED.stages]
    assert rates == sorted(rates, reverse=True)
    assert [stage.layers for stage in NAIVE.stages] == [None]
    assert NAIVE.layer_decay == 1
    assert PRETRAINED.layer_decay == 2.6


def test_stages_have_names() -> None:
    names = [stage_name(Stage(layers, 1, 1e-3)) for layers in (0, 1, 2, None)]
    assert names == ["head", "last layer", "last 2 layers", "all layers"]


@pytest.mark.parametrize(("longest", "steps"), [(LENGTH, 3), (400, 6), (2_000, 12)])
def test_one_long_sequence_makes_batches_smaller(
    monkeypatch: pytest.MonkeyPatch, longest: int, steps: int
) -> None:
    codes, targets = task(48)
    codes[0] = np.resize(codes[0], longest)
    # Room for eight sequences of 400 bases, and for fewer of 2,000 than batch norm needs.
    monkeypatch.setattr(finetuning, "MOST_TOKENS", 8 * ENCODER.tokenizer.n_tokens(400))
    _, curve = fine_tune(
        codes,
        targets,
        config("pooling"),
        recipe(Stage(0, 1, 1e-3)),
        precision="fp32",
        progress=False,
    )
    assert curve[-1]["step"] == steps
