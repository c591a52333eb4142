"""The encoder against a plain LSTM stack, and each dropout against what it promises."""

from __future__ import annotations

from dataclasses import asdict

import pytest
import torch
from torch import Tensor, nn

from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models.awd_lstm import AWDLSTM, kept, locked_dropout
from genomic_ulmfit.models.config import Dropouts, EncoderConfig, preset

TOKENIZER = KmerTokenizer(3, 1)
CONFIG = EncoderConfig(embedding=6, hidden=10, layers=3, tokenizer=TOKENIZER)
NAMES = list(asdict(Dropouts()))


def encoder(dropouts: Dropouts | None = None, config: EncoderConfig = CONFIG) -> AWDLSTM:
    torch.manual_seed(0)
    return AWDLSTM(config, dropouts)


def some_tokens(time: int = 12, batch: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, TOKENIZER.unknown, (time, batch), generator=generator)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_without_dropout_it_is_a_stack_of_lstm_layers(layers: int, training: bool) -> None:
    model = encoder(config=EncoderConfig(6, 10, layers, TOKENIZER)).train(training)
    stack = []
    for index in range(layers):
        sizes = [6, *[10] * (layers - 1), 6]
        stack.append(nn.LSTM(sizes[index], sizes[index + 1]))
        stack[-1].load_state_dict(model.layers[index].state_dict())

    tokens = some_tokens()
    expected = model.embedding.weight[tokens]
    last = []
    for layer in stack:
        expected, state = layer(expected)
        last.append(state)
    raw, dropped, state = model(tokens)
    torch.testing.assert_close(raw, expected)
    torch.testing.assert_close(dropped, expected)
    for (h, c), (expected_h, expected_c) in zip(state, last, strict=True):
        torch.testing.assert_close(h, expected_h.detach())
        torch.testing.assert_close(c, expected_c.detach())


def test_it_equals_pytorchs_own_stack_of_equal_layers() -> None:
    model = encoder(config=EncoderConfig(8, 8, 3, TOKENIZER))
    stack = nn.LSTM(8, 8, num_layers=3)
    weights = {
        f"{name[:-1]}{index}": value
        for index, layer in enumerate(model.layers)
        for name, value in layer.state_dict().items()
    }
    stack.load_state_dict(weights)
    tokens = some_tokens()
    expected, (h, c) = stack(model.embedding(tokens))
    raw, _, state = model(tokens)
    torch.testing.assert_close(raw, expected)
    torch.testing.assert_close(torch.cat([pair[0] for pair in state]), h.detach())
    torch.testing.assert_close(torch.cat([pair[1] for pair in state]), c.detach())


@pytest.mark.parametrize("training", [True, False])
def test_text_may_be_read_in_pieces(training: bool) -> None:
    model = encoder().train(training)
    tokens = some_tokens(time=13)
    whole, _, last = model(tokens)
    pieces, state = [], None
    for piece in tokens.split([5, 1, 7]):
        output, _, state = model(piece, state)
        pieces.append(output)
    torch.testing.assert_close(torch.cat(pieces), whole)
    assert state is not None
    for pair, expected in zip(state, last, strict=True):
        torch.testing.assert_close(pair, expected)
        assert not any(part.requires_grad for part in pair)


@pytest.mark.parametrize("name", NAMES)
def test_each_dropout_acts_in_training_only(name: str) -> None:
    tokens = some_tokens()
    plain = encoder().eval()(tokens)[1]
    model = encoder(Dropouts(**{name: 0.5}))
    once, again = model.train()(tokens)[1], model(tokens)[1]
    assert not torch.allclose(once, plain)
    assert not torch.allclose(once, again)
    torch.testing.assert_close(model.eval()(tokens)[1], plain, rtol=0, atol=0)


def test_a_locked_mask_is_one_per_sequence() -> None:
    torch.manual_seed(0)
    x = torch.ones(7, 5, 400)
    dropped = locked_dropout(x, 0.3, training=True)
    assert sorted(dropped.unique().tolist()) == pytest.approx([0, 1 / 0.7])
    assert (dropped == dropped[:1]).all(), "the same at every time step"
    for one in range(5):
        for other in range(one):
            assert (dropped[0, one] != dropped[0, other]).any()
    assert dropped.mean().item() == pytest.approx(1, abs=0.05)
    assert locked_dropout(x, 0.3, training=False) is x
    assert locked_dropout(x, 0.0, training=True) is x


@pytest.mark.parametrize("rate", [0.001, 0.15, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_mask_drops_its_share_and_places_know_nothing_of_each_other(
    rate: float, dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    n = 200_002  # No multiple of the four places that a random number is cut into.
    mask = kept((2, n // 2), rate, torch.ones((), dtype=dtype))
    assert mask.shape == (2, n // 2)
    assert mask.dtype == dtype
    scale = torch.tensor(1 / (1 - rate), dtype=dtype)
    torch.testing.assert_close(mask.unique(), torch.stack([torch.zeros_like(scale), scale]))
    dropped = (mask.flatten() == 0).double()
    error = (rate * (1 - rate) / n) ** 0.5
    assert dropped.mean().item() == pytest.approx(rate, abs=5 * error)
    for distance in range(1, 9):
        both = (dropped[distance:] * dropped[:-distance]).mean().item()
        assert both == pytest.approx(rate**2, abs=5 * error)


def test_masks_follow_the_seed() -> None:
    torch.manual_seed(3)
    first, second = kept((50, 50), 0.4, torch.ones(())), kept((50, 50), 0.4, torch.ones(()))
    torch.manual_seed(3)
    assert torch.equal(kept((50, 50), 0.4, torch.ones(())), first)
    assert not torch.equal(first, second)


def test_embedding_dropout_takes_whole_kmers() -> None:
    model = encoder(Dropouts(embedding=0.4)).train()
    tokens = some_tokens(time=40, batch=8)
    embedded = model.embed(tokens)
    kinds = set()
    for token in tokens.unique():
        vectors = embedded[tokens == token]
        assert (vectors == vectors[0]).all(), "wherever the k-mer occurs"
        dropped = not vectors.any()
        kinds.add(dropped)
        if not dropped:
            torch.testing.assert_close(vectors[0], model.embedding.weight[token] / 0.6)
    assert kinds == {True, False}


@pytest.mark.parametrize(
    ("name", "masked", "untouched"), [("input", [0], [1, 2]), ("hidden", [1, 2], [0])]
)
def test_input_and_hidden_dropout_mask_channels_between_layers(
    name: str, masked: list[int], untouched: list[int]
) -> None:
    model = encoder(Dropouts(**{name: 0.5})).train()
    tokens = some_tokens(time=9, batch=6)
    into: dict[int, Tensor] = {}
    out_of: dict[int, Tensor] = {-1: model.embedding.weight[tokens]}
    for index, layer in enumerate(model.layers):

        def keep(
            _: nn.Module, inputs: tuple[Tensor], output: tuple[Tensor], index: int = index
        ) -> None:
            into[index], out_of[index] = inputs[0], output[0]

        layer.register_forward_hook(keep)
    model(tokens)
    for index in untouched:
        torch.testing.assert_close(into[index], out_of[index - 1])
    for index in masked:
        ratio = into[index] / out_of[index - 1]
        assert sorted(ratio.round(decimals=3).unique().tolist()) == [0, 2]
        assert (ratio.round() == ratio[:1].round()).all(), "constant over time"
        assert (ratio[0, 0].round() != ratio[0, 1:].round()).any(), "differs between sequences"


def test_output_dropout_leaves_the_raw_output() -> None:
    model = encoder(Dropouts(output=0.5)).train()
    tokens = some_tokens(batch=6)
    raw, dropped, _ = model(tokens)
    torch.testing.assert_close(raw, encoder().train()(tokens)[0])
    ratio = (dropped / raw).round(decimals=3)
    assert sorted(ratio.unique().tolist()) == [0, 2]
    assert (ratio == ratio[:1]).all()


def test_weight_drop_is_one_mask_on_the_recurrent_matrix_for_a_whole_pass() -> None:
    model = encoder(Dropouts(weight=0.5)).train()
    tokens = some_tokens()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    names = [name for name, _ in model.named_parameters()]
    raw, _, _ = model(tokens)
    raw.square().sum().backward()

    x = model.embedding.weight[tokens]
    for layer in model.layers:
        parameter = layer.get_parameter("weight_hh_l0")
        assert parameter.grad is not None
        # A dropped entry took no part, so no gradient reaches it.
        kept = parameter.grad != 0
        assert 0.3 < kept.float().mean() < 0.7
        plain = nn.LSTM(layer.input_size, layer.hidden_size)
        weights = dict(layer.state_dict())
        weights["weight_hh_l0"] = parameter.detach() * kept * 2
        plain.load_state_dict(weights)
        x, _ = plain(x)
        for name in ("weight_ih_l0", "bias_ih_l0", "bias_hh_l0"):
            gradient = layer.get_parameter(name).grad
            assert gradient is not None
            assert gradient.ne(0).all()
    torch.testing.assert_close(raw, x)

    assert [name for name, _ in model.named_parameters()] == names
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), f"{name} was changed by a forward pass"


@pytest.mark.parametrize("first", [0, 1, 2, 3])
def test_forward_from_goes_on_above_finished_layers(first: int) -> None:
    model = encoder(Dropouts(*[0.3] * 5)).eval()
    tokens = some_tokens()
    raw, dropped, state = model(tokens)
    x = model.embed(tokens)
    for index in range(first):
        x, _ = model.run_layer(index, x)
    raw_from, dropped_from, state_from = model.forward_from(first, x)
    torch.testing.assert_close(raw_from, raw)
    torch.testing.assert_close(dropped_from, dropped)
    assert len(state_from) == 3 - first
    for pair, expected in zip(state_from, state[first:], strict=True):
        torch.testing.assert_close(pair, expected)


def test_forward_from_goes_on_from_a_state() -> None:
    model = encoder().eval()
    tokens = some_tokens()
    whole, _, _ = model(tokens)
    x, lowest = model.run_layer(0, model.embed(tokens[:5]))
    _, _, state = model.forward_from(1, x)
    x, _ = model.run_layer(0, model.embed(tokens[5:]), lowest)
    rest, _, _ = model.forward_from(1, x, state)
    torch.testing.assert_close(rest, whole[5:])


def test_forward_from_draws_the_same_dropout_as_forward() -> None:
    model = encoder(Dropouts(*[0.3] * 5)).train()
    tokens = some_tokens()
    torch.manual_seed(3)
    expected = model(tokens)[1]
    torch.manual_seed(3)
    torch.testing.assert_close(model.forward_from(0, model.embed(tokens))[1], expected)


def test_the_unknown_token_embeds_as_zeros_and_stays_there() -> None:
    model = encoder(Dropouts(embedding=0.1)).train()
    tokens = some_tokens()
    tokens[::2] = TOKENIZER.unknown
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.1)
    before = model.embedding.weight.detach().clone()
    for _ in range(3):
        optimizer.zero_grad()
        model(tokens)[0].square().sum().backward()
        optimizer.step()
    after = model.embedding.weight.detach()
    assert not torch.equal(before[:-1], after[:-1])
    for mode in (True, False):
        model.train(mode)
        assert not model.embed(torch.tensor([[TOKENIZER.unknown]])).any()


@pytest.mark.parametrize(("name", "million"), [("small", 4.7), ("paper", 20.6)])
def test_presets_have_their_sizes(name: str, million: float) -> None:
    with torch.device("meta"):
        model = AWDLSTM(preset(name))
    n_parameters = sum(parameter.numel() for parameter in model.parameters())
    assert round(n_parameters / 1e6, 1) == million
    assert model.config.tokenizer == KmerTokenizer(5, 2)


def test_unknown_presets_are_refused() -> None:
    with pytest.raises(InputError, match="preset: got 'huge', allowed are tiny, small, paper"):
        preset("huge")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_impossible_rates_are_refused(name: str, rate: float) -> None:
    with pytest.raises(InputError, match=f"dropout {name}: got {rate}"):
        Dropouts(**{name: rate})


@pytest.mark.parametrize("name", ["embedding", "hidden", "layers"])
def test_impossible_sizes_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"{name}: got 0, allowed is 1 or more"):
        EncoderConfig(**{name: 0})


def test_configurations_survive_json() -> None:
    assert EncoderConfig.from_dict(CONFIG.to_dict()) == CONFIG
    assert Dropouts(0.1, 0.2, 0.3, 0.4, 0.5).scaled(0.5) == Dropouts(0.05, 0.1, 0.15, 0.2, 0.25)
