"""The language model's head: a softmax over what can follow, with tied weights."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models.awd_lstm import AWDLSTM
from genomic_ulmfit.models.config import Dropouts, EncoderConfig
from genomic_ulmfit.models.language_model import (
    DECODERS,
    LanguageModel,
    activation_regularisation,
)


def language_model(
    k: int = 3, stride: int = 1, dropouts: Dropouts | None = None, decoder: str = "tied"
) -> LanguageModel:
    torch.manual_seed(0)
    config = EncoderConfig(8, 12, 2, KmerTokenizer(k, stride))
    model = LanguageModel(AWDLSTM(config, dropouts), decoder)
    with torch.no_grad():
        model.bias.normal_()
        model.encoder.embedding.weight[:-1].normal_()
    return model


def some_tokens(k: int, time: int = 6, batch: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 4**k, (time, batch), generator=generator)


def kmers(k: int) -> list[str]:
    return ["".join(letters) for letters in itertools.product("ACGT", repeat=k)]


@pytest.mark.parametrize(("k", "stride"), [(3, 1), (3, 2), (4, 3), (2, 2), (1, 1), (5, 2)])
def test_it_is_the_full_softmax_renormalised_over_what_can_follow(k: int, stride: int) -> None:
    model = language_model(k, stride).double().eval()
    tokens = some_tokens(k)
    logits, _, hidden, _ = model(tokens)
    assert logits.shape == (*tokens.shape, 4**stride)
    found = logits.softmax(-1)

    words = kmers(k)
    weight = model.encoder.embedding.weight
    for step, column in itertools.product(*map(range, tokens.shape)):
        scores = weight[: len(words)] @ hidden[step, column] + model.bias
        full = scores.softmax(0)
        before = words[tokens[step, column]]
        share = {}
        for word, probability in zip(words, full.tolist(), strict=True):
            if word.startswith(before[stride:]):
                share[word[k - stride :]] = probability
        assert len(share) == 4**stride
        total = sum(share.values())
        expected = [share[news] / total for news in kmers(stride)]
        assert found[step, column].tolist() == pytest.approx(expected, rel=1e-9)


def test_classes_are_what_the_tokenizer_calls_new_bases() -> None:
    tokenizer = KmerTokenizer(3, 2)
    model = language_model(3, 2).eval()
    with torch.no_grad():
        model.encoder.embedding.weight.zero_()
        model.bias.zero_()
        following = kmers(3).index("GTC")
        model.bias[following] = 50.0
    logits, *_ = model(torch.tensor([[kmers(3).index("AAG")], [kmers(3).index("AAC")]]))
    assert int(logits[0, 0].argmax()) == int(tokenizer.new_bases(torch.tensor(following).numpy()))
    assert logits[1].unique().tolist() == [0], "GTC cannot follow AAC"


@pytest.mark.parametrize("decoder", DECODERS)
def test_nothing_ahead_is_seen(decoder: str) -> None:
    model = language_model(5, 2, decoder=decoder).eval()
    tokens = some_tokens(5, time=10)
    changed = tokens.clone()
    changed[6:] = (changed[6:] + 1) % 4**5
    logits, _, _, _ = model(tokens)
    other, _, _, _ = model(changed)
    torch.testing.assert_close(logits[:6], other[:6], rtol=0, atol=0)
    assert (logits[6:] != other[6:]).any()


def test_decoder_and_embedding_are_one_matrix() -> None:
    model = language_model(3, 1)
    sizes = [tuple(parameter.shape) for _, parameter in model.named_parameters()]
    assert sizes.count((4**3 + 1, 8)) == 1
    assert sizes.count((4**3,)) == 1

    always = kmers(3).index("AAA")
    logits, *_ = model(torch.full((5, 2), always))
    logits.logsumexp(-1).sum().backward()
    gradient = model.encoder.embedding.weight.grad
    assert gradient is not None
    # AAC, AAG and AAT were never read: what reaches them came through the decoder.
    reached = {word for word, row in zip(kmers(3), gradient, strict=False) if row.any()}
    assert reached == {"AAA", "AAC", "AAG", "AAT"}
    assert not gradient[-1].any()

    with torch.no_grad():
        before = model(torch.full((1, 1), always))[0]
        model.encoder.embedding.weight[kmers(3).index("AAT")] += 1
        after = model(torch.full((1, 1), always))[0]
    assert (before != after).tolist() == [[[False, False, False, True]]]


@pytest.mark.parametrize("decoder", DECODERS)
def test_state_is_carried_over(decoder: str) -> None:
    model = language_model(3, 1, decoder=decoder).eval()
    tokens = some_tokens(3, time=9)
    whole, *_ = model(tokens)
    first, _, _, state = model(tokens[:4])
    rest, *_ = model(tokens[4:], state)
    torch.testing.assert_close(torch.cat([first, rest]), whole)


@pytest.mark.parametrize(("k", "stride"), [(3, 1), (5, 2)])
def test_the_open_decoder_is_a_softmax_over_the_new_bases(k: int, stride: int) -> None:
    model = language_model(k, stride, Dropouts(output=0.5), decoder="open").train()
    tokens = some_tokens(k)
    logits, _, hidden, _ = model(tokens)
    assert logits.shape == (*tokens.shape, 4**stride)
    torch.testing.assert_close(logits, hidden @ model.weight.T + model.bias)
    logits.logsumexp(-1).sum().backward()
    gradient = model.encoder.embedding.weight.grad
    assert gradient is not None
    reached = {token for token, row in enumerate(gradient) if row.any()}
    assert reached == set(tokens.flatten().tolist()), "only what was read"


def test_unknown_decoders_are_refused() -> None:
    with pytest.raises(InputError, match="decoder: got 'none', allowed are open, tied"):
        language_model(decoder="none")


def test_scores_come_from_the_dropped_output() -> None:
    model = language_model(3, 1, Dropouts(output=0.5)).train()
    tokens = some_tokens(3)
    logits, raw, dropped, _ = model(tokens)
    assert (raw != dropped).any()
    word = int(tokens[0, 0])
    following = [other for other in range(4**3) if other // 4 == word % 16]
    expected = model.encoder.embedding.weight[following] @ dropped[0, 0] + model.bias[following]
    torch.testing.assert_close(logits[0, 0], expected)


def test_activation_regularisation_by_hand() -> None:
    raw = torch.tensor([[[1.0, 2.0]], [[4.0, 0.0]], [[4.0, 1.0]]])
    dropped = torch.tensor([[[2.0, 0.0]], [[0.0, 0.0]], [[4.0, 2.0]]])
    # Squares of `dropped`: 4 + 16 + 4 over 6 numbers; of raw's steps: 9 + 4 + 0 + 1 over 4.
    assert float(activation_regularisation(raw, dropped, 2.0, 0.0)) == pytest.approx(8.0)
    assert float(activation_regularisation(raw, dropped, 0.0, 1.0)) == pytest.approx(3.5)
    assert float(activation_regularisation(raw, dropped, 2.0, 3.0)) == pytest.approx(18.5)
    assert activation_regularisation(raw, dropped, 0.0, 0.0) == 0.0
    assert float(activation_regularisation(raw[:1], dropped[:1], 0.0, 1.0)) == 0.0
