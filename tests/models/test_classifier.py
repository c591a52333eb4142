"""The classifier: padding, batches and dropout must not leak into what it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn import functional as F

from genomic_ulmfit.data.batches import Batch, TokenizedSequences
from genomic_ulmfit.data.readings import Readings
from genomic_ulmfit.dna.alphabet import AMBIGUOUS, Codes, one_hot, reverse_complement
from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models.awd_lstm import locked_dropout
from genomic_ulmfit.models.classifier import (
    FIXED_LENGTH,
    HEADS,
    Classifier,
    ClassifierConfig,
    PositionHead,
    apart,
    concat_pool,
    side_by_side,
)
from genomic_ulmfit.models.config import Dropouts, EncoderConfig
from genomic_ulmfit.models.precision import best_precision
from genomic_ulmfit.models.prediction import predict_probabilities
from genomic_ulmfit.training.finetuning import fine_tune
from genomic_ulmfit.training.finetuning_recipe import FineTuningRecipe, Stage

ENCODER = EncoderConfig(16, 24, 2, KmerTokenizer(5, 2))


def random_codes(sizes: list[int], seed: int = 0) -> list[Codes]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 4, size).astype(np.uint8) for size in sizes]


READINGS = [Readings(), Readings(True), Readings(False, 2), Readings(True, 2)]


def classifier(
    head: str = "pooling",
    length: int | None = None,
    readings: Readings = READINGS[0],
    phases_alike: bool = False,
) -> Classifier:
    """Random weights of a size at which predictions differ from sequence to sequence."""
    torch.manual_seed(0)
    config = ClassifierConfig(
        ENCODER,
        ("a", "b", "c"),
        head,
        length,
        both_strands=readings.both_strands,
        phases=readings.phases,
        frames=length is not None,
        phases_alike=phases_alike,
    )
    model = Classifier(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(0, 0.15 if name.startswith("position_head") else 0.5)
        model.encoder.embedding.weight[-1].zero_()
    return model.eval()


def test_concat_pool_against_a_loop() -> None:
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(9, 5, 4, generator=generator) - 2
    lengths = torch.tensor([9, 1, 4, 8, 2])
    pooled = concat_pool(hidden, lengths)
    for row, length in enumerate(lengths.tolist()):
        states = hidden[:length, row].tolist()
        columns = list(zip(*states, strict=True))
        expected = [
            *states[-1],
            *(max(column) for column in columns),
            *(sum(column) / length for column in columns),
        ]
        assert pooled[row].tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("rubbish", [1e9, -1e9, float("nan"), float("inf")])
def test_padding_does_not_touch_pooled_features(rubbish: float) -> None:
    hidden = torch.randn(9, 5, 4, generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor([9, 1, 4, 8, 2])
    clean = concat_pool(hidden, lengths)
    for row, length in enumerate(lengths):
        hidden[length:, row] = rubbish
    assert torch.equal(concat_pool(hidden, lengths), clean)


def test_no_gradient_flows_into_padding() -> None:
    hidden = torch.randn(6, 3, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    lengths = torch.tensor([6, 2, 4])
    concat_pool(hidden, lengths).square().sum().backward()
    assert hidden.grad is not None
    for row, length in enumerate(lengths):
        assert not hidden.grad[length:, row].any()
        assert hidden.grad[:length, row].all()


PRECISIONS = [
    ("fp32", 1e-6),
    # bf16 has 8 bits of mantissa: sums in another order differ in the last of them.
    pytest.param(
        "bf16",
        0.02,
        marks=pytest.mark.skipif(
            best_precision() != "bf16", reason="no bf16 LSTM worth using on this machine"
        ),
    ),
]


@pytest.mark.parametrize(("precision", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("head", HEADS)
def test_a_prediction_does_not_depend_on_the_batch(
    head: str, precision: str, tolerance: float
) -> None:
    sizes = [60] * 40 if head in FIXED_LENGTH else [5, 6, 60, 150, 20, 21, 300, 7] * 5
    codes = random_codes(sizes)
    codes[3][2:9] = AMBIGUOUS
    model = classifier(head, 60 if head in FIXED_LENGTH else None)
    alone = np.concatenate(
        [predict_probabilities(model, [one], precision=precision) for one in codes]
    )
    assert alone.std(axis=0).max() > 0.05, "all predictions alike would prove nothing"
    assert alone.sum(axis=1) == pytest.approx(1)
    for size in (3, 256):
        found = predict_probabilities(model, codes, precision=precision, batch_size=size)
        np.testing.assert_allclose(found, alone, rtol=0, atol=tolerance)
    order = np.random.default_rng(1).permutation(len(codes))
    shuffled = predict_probabilities(
        model, [codes[i] for i in order], precision=precision, batch_size=7
    )
    np.testing.assert_allclose(shuffled, alone[order], rtol=0, atol=tolerance)


def test_more_padding_changes_nothing() -> None:
    model = classifier()
    batch = TokenizedSequences.of(random_codes([30, 12]), ENCODER.tokenizer).batch(np.arange(2))
    longer = F.pad(batch.tokens, (0, 0, 0, 25), value=ENCODER.tokenizer.unknown)
    with torch.no_grad():
        expected = model(batch.tokens, batch.lengths, batch.codes)
        found = model(longer, batch.lengths, batch.codes)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("first", [0, 1, 2])
@pytest.mark.parametrize("head", HEADS)
def test_forward_from_goes_on_above_finished_layers(head: str, first: int) -> None:
    model = classifier(head, 40 if head in FIXED_LENGTH else None)
    batch = TokenizedSequences.of(random_codes([40] * 3), ENCODER.tokenizer).batch(np.arange(3))
    with torch.no_grad():
        x = model.encoder.embed(batch.tokens)
        for index in range(first):
            x, _ = model.encoder.run_layer(index, x)
        found = model.forward_from(first, x, batch.lengths, batch.codes)
        expected = model(batch.tokens, batch.lengths, batch.codes)
    torch.testing.assert_close(found, expected)


def test_locked_dropout_keeps_the_mean_of_pooled_features() -> None:
    """Every pooled feature keeps its mean; masks that change over time push up the maxima."""
    torch.manual_seed(0)
    hidden = torch.randn(40, 1, 64)
    lengths = torch.tensor([40])
    plain = concat_pool(hidden, lengths)[0]

    def shift_of_maxima(drop: object) -> float:
        assert callable(drop)
        pooled = torch.stack([concat_pool(drop(hidden), lengths)[0] for _ in range(2000)])
        return float((pooled.mean(0) - plain)[64:128].mean() / plain[64:128].mean())

    assert abs(shift_of_maxima(lambda h: locked_dropout(h, 0.4, True))) < 0.02
    assert shift_of_maxima(lambda h: F.dropout(h, 0.4)) > 0.2


def trained(head: str) -> tuple[Classifier, tuple[Tensor, Tensor, Tensor]]:
    """Learn to tell two copies of a motif anywhere from none."""
    rng = np.random.default_rng(0)
    codes = random_codes([60] * 96)
    targets = np.arange(96) % 2
    for one in np.flatnonzero(targets):
        for lowest in (0, 20):
            at = lowest + rng.integers(14)
            codes[one][at : at + 6] = [3, 0, 3, 0, 0, 3]
    by_position = head in FIXED_LENGTH
    config = ClassifierConfig(
        ENCODER, ("a", "b"), head, 60 if by_position else None, frames=by_position
    )
    recipe = FineTuningRecipe((Stage(None, 12, 1e-2),), 0.3, batch_size=16, layer_decay=1)
    model, _ = fine_tune(codes, targets, config, recipe, precision="fp32", progress=False)
    batch = TokenizedSequences.of(codes, ENCODER.tokenizer).batch(np.arange(96))
    return model, (batch.tokens, batch.lengths, batch.codes)


@torch.no_grad()
def train_and_eval_margins(model: Classifier, inputs: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    """Give the difference of the logits, as a mean over dropout masks and in evaluation mode."""
    torch.manual_seed(0)
    model.train()
    for _ in range(40):
        model(*inputs)  # Lets batch norm see what it would see at the end of training.
    masked = torch.stack([model(*inputs) for _ in range(60)]).mean(0)
    whole = model.eval()(*inputs)
    return masked @ torch.tensor([-1.0, 1.0]), whole @ torch.tensor([-1.0, 1.0])


def offset(masked: Tensor, whole: Tensor) -> float:
    """Give how far training mode lies from evaluation mode, in spreads of the latter."""
    return float(abs((masked - whole).mean()) / whole.std())


@pytest.mark.parametrize("head", ["position", "pooling"])  # a probe is fitted, not trained
def test_training_and_evaluation_mode_agree_in_the_mean(head: str) -> None:
    model, inputs = trained(head)
    masked, whole = train_and_eval_margins(model, inputs)
    assert whole.std() > 2, "the task was learnt"
    assert offset(masked, whole) < 0.1
    assert torch.corrcoef(torch.stack([masked, whole]))[0, 1] > 0.98
    assert float(masked.std() / whole.std()) == pytest.approx(1, abs=0.2)
    assert ((masked > 0) == (whole > 0)).float().mean() > 0.95


def test_dropout_that_changes_over_time_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mistake that the test above is there for: good ranks, calls that are off."""
    model, inputs = trained("pooling")
    monkeypatch.setattr(
        "genomic_ulmfit.models.classifier.concat_pool",
        lambda hidden, lengths: concat_pool(F.dropout(hidden, 0.4, model.training), lengths),
    )
    assert offset(*train_and_eval_margins(model, inputs)) > 0.3


def position_head(length: int = 30, n_classes: int = 2) -> PositionHead:
    torch.manual_seed(0)
    return PositionHead(16, ENCODER.tokenizer, length, n_classes).eval()


def test_the_position_head_contains_logistic_regression_on_bases() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, AMBIGUOUS + 1, (200, 30)).astype(np.uint8)
    labels = (codes[:, 7] == 2).astype(int)
    features = one_hot(codes).reshape(200, -1)
    regression = LogisticRegression(C=0.5, max_iter=500).fit(features, labels)

    head = position_head(n_classes=2)
    with torch.no_grad():
        head.motifs.weight.zero_()
        head.motifs.bias.copy_(torch.tensor([0.0, *regression.intercept_]))
        weight = torch.from_numpy(regression.coef_)
        head.bases.weight.copy_(torch.cat([torch.zeros_like(weight), weight]))
        hidden = torch.randn(13, 200, 16)
        found = head(hidden, torch.from_numpy(codes)).softmax(-1).numpy()
    np.testing.assert_allclose(found, regression.predict_proba(features), atol=1e-5)


def test_ambiguous_bases_count_nothing() -> None:
    head = position_head()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.normal_()
        hidden = torch.randn(13, 1, 16)
        unknown = torch.full((1, 30), AMBIGUOUS, dtype=torch.uint8)
        nothing = head(hidden, unknown)
        head.bases.weight.normal_()
        assert torch.equal(head(hidden, unknown), nothing)
        unknown[0, 8] = 2
        assert not torch.equal(head(hidden, unknown), nothing)


def test_the_position_head_sees_where_and_the_pooling_head_alone_decides_at_first() -> None:
    torch.manual_seed(0)
    config = ClassifierConfig(ENCODER, ("a", "b"), "position", 60)
    model = Classifier(config).eval()
    assert model.position_head is not None
    batch = TokenizedSequences.of(random_codes([60] * 4), ENCODER.tokenizer).batch(np.arange(4))
    inputs = (batch.tokens, batch.lengths, batch.codes)
    with torch.no_grad():
        hidden, _, _ = model.encoder(batch.tokens)
        from_position = model.position_head(hidden, batch.codes)
        assert from_position.std(dim=0).max() == 0
        torch.testing.assert_close(
            model(*inputs), model.pooling_head(hidden, batch.lengths) + from_position
        )


@pytest.mark.parametrize("length", [5, 6, 7, 8, 9, 10, 81])
def test_any_length_from_one_kmer_on_has_a_position_head(length: int) -> None:
    model = classifier("position", length)
    codes = random_codes([length] * 3)
    assert predict_probabilities(model, codes, precision="fp32").shape == (3, 3)
    with pytest.raises(InputError, match=f"sequence 2: has {length + 1} bases"):
        predict_probabilities(model, [codes[0], *random_codes([length + 1])], precision="fp32")


def test_nothing_to_predict() -> None:
    assert predict_probabilities(classifier(), [], precision="fp32").shape == (0, 3)


def test_impossible_heads_are_refused() -> None:
    with pytest.raises(InputError, match="head: got 'max', allowed are position, pooling"):
        ClassifierConfig(ENCODER, ("a", "b"), "max")
    with pytest.raises(InputError, match="'position' needs sequences of one length"):
        ClassifierConfig(ENCODER, ("a", "b"), "position")


def test_configurations_survive_json() -> None:
    config = ClassifierConfig(ENCODER, ("1", "2"), "position", 40, integer_labels=True)
    assert ClassifierConfig.from_dict(config.to_dict()) == config
    assert Classifier(config, Dropouts(output=0.3)).config is config


@pytest.mark.parametrize("readings", READINGS)
@pytest.mark.parametrize("head", FIXED_LENGTH)
def test_context_moves_the_state_and_is_not_scored(head: str, readings: Readings) -> None:
    model = classifier(head, 30, readings)
    before, window, after = random_codes([20, 30, 20])

    def batch(codes: Codes) -> Batch:
        sequences = TokenizedSequences.of([codes], ENCODER.tokenizer, readings)
        return sequences.batch(np.array([0]))

    whole = batch(np.concatenate([before, window, after]))
    with torch.no_grad():
        found = model(*whole[1:])
        hidden, _, _ = model.encoder(whole.tokens)
        hidden = hidden[10 : 10 + ENCODER.tokenizer.n_tokens(30)]
        codes = torch.from_numpy(window)[None]
        if model.probe_head is not None:
            expected = model.probe_head(model.side_by_side(hidden), codes)
        else:
            assert model.pooling_head is not None
            assert model.position_head is not None
            expected = model.pooling_head(hidden, torch.tensor([len(hidden)]))
            expected = expected + model.position_head(model.side_by_side(hidden), codes)
        alone = model(*batch(window)[1:])
    torch.testing.assert_close(found, expected)
    assert (found - alone).abs().max() > 1e-3


@pytest.mark.parametrize("readings", READINGS)
def test_no_gradient_runs_into_context(readings: Readings) -> None:
    model = classifier("position", 30, readings)
    shape = (33, 2 * readings.count, 16)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0), requires_grad=True)
    codes = torch.from_numpy(np.stack(random_codes([70, 70])))
    model.forward_from(0, x, torch.tensor([33, 33]), codes).square().sum().backward()
    assert x.grad is not None
    inside = slice(10, 10 + ENCODER.tokenizer.n_tokens(30))
    assert x.grad[inside].abs().sum((1, 2)).all()
    x.grad[inside] = 0
    assert not x.grad.any()


@pytest.mark.parametrize(("phases", "alike"), [(1, False), (2, False), (2, True)])
@pytest.mark.parametrize("head", HEADS)
def test_what_is_read_along_the_other_strand_and_in_the_other_phase(
    head: str, phases: int, alike: bool
) -> None:
    sizes = [30, 30, 30] if head in FIXED_LENGTH else [30, 17, 24]
    model = classifier(head, 30 if head in FIXED_LENGTH else None, Readings(True, phases), alike)
    codes = random_codes(sizes)
    together = predict_probabilities(model, codes, precision="fp32")
    for row, sequence in enumerate(codes):
        tokens = [
            torch.from_numpy(ENCODER.tokenizer.tokenize(moved).astype(np.int64))[:, None]
            for strand in (sequence, reverse_complement(sequence))
            for moved in (strand, np.append(strand[1:], np.uint8(AMBIGUOUS)))[:phases]
        ]
        with torch.no_grad():
            read = [model.encoder(one)[0] for one in tokens]
            beside = torch.cat([*read[:phases], *(one.flip(0) for one in read[phases:])], dim=2)
            bases = torch.from_numpy(sequence)[None]
            if model.probe_head is not None:
                logits = model.probe_head(beside, bases)
            else:
                assert model.pooling_head is not None
                length = torch.tensor([len(beside)])
                pooled = [concat_pool(one, length) for one in read]
                # What is pooled along both strands in one phase, and then in the other.
                opinions = [pooled[0::2], pooled[1::2]] if alike else [pooled]
                scored = [model.pooling_head.layers(torch.cat(one, dim=1)) for one in opinions]
                logits = torch.stack(scored).mean(0)
                if model.position_head is not None:
                    logits = logits + model.position_head(beside, bases)
        expected = logits.softmax(-1)[0].numpy()
        np.testing.assert_allclose(together[row], expected, atol=1e-5)


def test_tokens_of_both_strands_side_by_side_are_of_the_same_bases() -> None:
    model = classifier("position", 31, Readings(True))
    (sequence,) = random_codes([31])
    tokens = [ENCODER.tokenizer.tokenize(s) for s in (sequence, reverse_complement(sequence))]
    hidden = torch.from_numpy(np.stack(tokens).astype(np.int64)).T[:, :, None].float()
    beside = model.side_by_side(hidden)[:, 0].long().numpy()
    for place, (token, complement) in enumerate(beside):
        kmer = sequence[2 * place : 2 * place + 5]
        assert token == ENCODER.tokenizer.tokenize(kmer)[0]
        assert complement == ENCODER.tokenizer.tokenize(reverse_complement(kmer))[0]


@pytest.mark.parametrize("readings", READINGS)
def test_apart_undoes_side_by_side(readings: Readings) -> None:
    hidden = torch.randn(7, 3 * readings.count, 4, generator=torch.Generator().manual_seed(0))
    beside = side_by_side(hidden, readings)
    assert beside.shape == (7, 3, 4 * readings.count)
    assert torch.equal(apart(beside, readings), hidden)


@pytest.mark.parametrize("phases", [0, 3])
def test_phases_that_no_tokenizer_has(phases: int) -> None:
    with pytest.raises(InputError, match="phases: got"):
        ClassifierConfig(ENCODER, ("a",), "position", 30, phases=phases)


@pytest.mark.parametrize(
    "changed", [{"context": 3}, {"context": -2}, {"context": 4, "head": "pooling", "length": None}]
)
def test_context_that_no_model_can_have(changed: dict) -> None:
    with pytest.raises(InputError, match="context: got"):
        ClassifierConfig(**{"encoder": ENCODER, "classes": ("a",), "length": 30, **changed})


def test_sequences_with_and_without_context_are_not_padded_to_one_length() -> None:
    model = classifier("position", 30)
    model.config = replace(model.config, context=20)
    mixed = random_codes([70, 30, 30, 70, 70])
    together = predict_probabilities(model, mixed, precision="fp32")
    for row, codes in enumerate(mixed):
        alone = predict_probabilities(model, [codes], precision="fp32")[0]
        np.testing.assert_allclose(together[row], alone, atol=1e-6)
    with pytest.raises(InputError, match=r"of 30 \(or 70, with 20 bases of context on either"):
        predict_probabilities(model, random_codes([40]))
