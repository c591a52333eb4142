"""One pass over a strand must say what the head says to every window by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from genomic_ulmfit.data.readings import Readings, shifted
from genomic_ulmfit.dna.alphabet import AMBIGUOUS, Codes, reverse_complement
from genomic_ulmfit.dna.genome import Contig
from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.inference.windows import dense, exact
from genomic_ulmfit.inference.windows.dense import dense_logits, sliding_max
from genomic_ulmfit.inference.windows.exact import exact_logits
from genomic_ulmfit.inference.windows.runs import Run, cut_runs
from genomic_ulmfit.models.classifier import FIXED_LENGTH, HEADS, Classifier, ClassifierConfig
from genomic_ulmfit.models.config import EncoderConfig
from genomic_ulmfit.models.motifs import MotifNetwork

READINGS = [Readings(), Readings(True), Readings(False, 2), Readings(True, 2)]


def classifier(
    head: str,
    window: int,
    tokenizer: KmerTokenizer,
    readings: Readings = READINGS[0],
    phases_alike: bool = False,
) -> Classifier:
    """Random weights of a size at which every part of the head is heard."""
    torch.manual_seed(0)
    encoder = EncoderConfig(12, 20, 2, tokenizer)
    length = window if head in FIXED_LENGTH else None
    config = ClassifierConfig(
        encoder,
        ("a", "b", "c"),
        head,
        length,
        both_strands=readings.both_strands,
        phases=min(readings.phases, tokenizer.stride),
        frames=head in FIXED_LENGTH,
        phases_alike=phases_alike,
    )
    model = Classifier(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(0, 1 if name.startswith(("encoder", "pooling")) else 0.4)
        model.encoder.embedding.weight[-1].zero_()
        for name, buffer in model.named_buffers():
            if buffer.dtype.is_floating_point:
                buffer.uniform_(0.5, 2) if "var" in name else buffer.normal_()
    return model.eval()


def read(model: Classifier, codes: Codes) -> Tensor:
    tokens = model.config.encoder.tokenizer.tokenize(codes).astype(np.int64)
    with torch.no_grad():
        hidden, _, _ = model.encoder(torch.from_numpy(tokens)[:, None])
    return hidden


def window_by_window(model: Classifier, run: Run, window: int) -> Tensor:
    """The heads as they are, on every window's part of what was read along its strand.

    With both strands, what was read along the other one is cut by the window's own coordinates
    there.
    """
    tokenizer = model.config.encoder.tokenizer
    width = tokenizer.n_tokens(window)
    phases = range(model.config.phases)
    forward = [read(model, shifted(run.codes, phase)) for phase in phases]
    turned = reverse_complement(run.codes)
    backward = [read(model, shifted(turned, phase)) for phase in phases]
    rows = []
    for number in range(run.count):
        start = run.before + number * run.spacing
        end = len(run.codes) - start - window
        parts = [one[start // tokenizer.stride :][:width] for one in forward]
        if model.config.both_strands:
            parts += [one[end // tokenizer.stride :][:width] for one in backward]
        codes = torch.from_numpy(run.codes[None, start : start + window].copy())
        with torch.no_grad():
            hidden = torch.cat(parts, dim=1)
            if model.probe_head is not None:
                rows.append(model.probe_head(model.side_by_side(hidden), codes)[0])
                continue
            assert model.pooling_head is not None
            logits = model.pooling_head(hidden, torch.tensor([width]))
            if model.position_head is not None:
                logits = logits + model.position_head(model.side_by_side(hidden), codes)
            rows.append(logits[0])
    return torch.stack(rows)


def on_either_strand(model: Classifier, run: Run, window: int) -> dict[int, Tensor]:
    reverse = window_by_window(model, run.along(-1), window)
    return {1: window_by_window(model, run, window), -1: reverse.flip(0)}


def random_run(
    window: int, *, count: int, context: int, spacing: int, seed: int, share_n: float = 0.02
) -> Run:
    rng = np.random.default_rng(seed)
    after = context // 2 - context // 2 % 6
    codes = rng.integers(0, 4, context + (count - 1) * spacing + window + after).astype(np.uint8)
    codes[rng.random(len(codes)) < share_n] = AMBIGUOUS
    return Run(codes, context, after, count, spacing)


@pytest.mark.parametrize(
    ("readings", "alike"),
    [*((one, False) for one in READINGS), (READINGS[2], True), (READINGS[3], True)],
)
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize(
    ("window", "k", "stride"), [(40, 5, 2), (41, 5, 2), (42, 4, 3), (9, 5, 2), (13, 3, 1)]
)
def test_against_the_head_on_every_window(
    monkeypatch: pytest.MonkeyPatch,
    head: str,
    window: int,
    k: int,
    stride: int,
    readings: Readings,
    alike: bool,
) -> None:
    tokenizer = KmerTokenizer(k, stride)
    model = classifier(head, window, tokenizer, readings, alike)
    runs = [
        random_run(window, count=30, context=12 * stride, spacing=stride, seed=1),
        random_run(window, count=1, context=0, spacing=stride, seed=2),
        random_run(window, count=7, context=3 * stride, spacing=2 * stride, seed=3),
    ]
    # Few tokens at a time and few streams, so that pieces and batches have seams.
    monkeypatch.setattr(dense, "PIECE", 11)
    monkeypatch.setattr(dense, "READ_AT_ONCE", 9)
    monkeypatch.setattr(dense, "STREAMS", 2)
    for run, found in zip(runs, dense_logits(model, runs, window, "fp32"), strict=True):
        for strand, expected in on_either_strand(model, run, window).items():
            assert found[strand].shape == expected.shape == (run.count, 3)
            assert torch.allclose(found[strand], expected, atol=3e-4, rtol=1e-4)
            assert run.count == 1 or expected.std(0).min() > 0.05


@pytest.mark.parametrize("readings", READINGS)
@pytest.mark.parametrize("head", FIXED_LENGTH)
@pytest.mark.parametrize(("context", "around"), [(0, 6), (64, 70), (64, 6), (64, 0)])
def test_exact_is_the_model_on_each_window(
    head: str, context: int, around: int, readings: Readings
) -> None:
    model = classifier(head, 40, KmerTokenizer(5, 2), readings)
    model.config = replace(model.config, context=context)
    run = random_run(40, count=23, context=around, spacing=4, seed=5)
    (found,) = exact_logits(model, [run], 40, "fp32")
    for strand in (1, -1):
        assert len(found[strand]) == run.count
    for number in range(run.count):
        start = run.before + 4 * number
        there = min(start, len(run.codes) - start - 40)
        # Whole steps of 16 tokens where the contig ends too near.
        wanted = context if there >= context else there - there % 32
        codes = run.codes[start - wanted : start + 40 + wanted]
        expected = on_either_strand(model, Run(codes, wanted, wanted, 1, 2), 40)
        for strand in (1, -1):
            assert torch.allclose(expected[strand][0], found[strand][number], atol=2e-4)


@pytest.mark.parametrize("readings", READINGS)
@pytest.mark.parametrize("head", HEADS)
def test_dense_is_exact_for_a_window_alone(head: str, readings: Readings) -> None:
    model = classifier(head, 40, KmerTokenizer(5, 2), readings)
    runs = [random_run(40, count=1, context=0, spacing=2, seed=seed) for seed in range(5)]
    for by_dense, by_exact in zip(
        dense_logits(model, runs, 40, "fp32"), exact_logits(model, runs, 40, "fp32"), strict=True
    ):
        for strand in (1, -1):
            assert torch.allclose(by_dense[strand], by_exact[strand], atol=3e-4)


def test_exact_results_come_one_run_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    model = classifier("position", 40, KmerTokenizer(5, 2))
    runs = [random_run(40, count=2, context=0, spacing=2, seed=seed) for seed in range(3)]
    plain, scored = exact._along, []

    def count(*given: Any) -> torch.Tensor:
        scored.append(given)
        return plain(*given)

    monkeypatch.setattr(exact, "_along", count)
    found = exact_logits(model, runs, 40, "fp32")
    next(found)
    assert len(scored) == 2
    # The modes it computes in are not those of its reader.
    assert torch.is_grad_enabled()
    assert len(list(found)) == 2


def test_a_probe_weighs_states_in_their_own_precision() -> None:
    head = classifier("probe", 40, KmerTokenizer(5, 2), Readings(True)).probe_head
    assert head is not None
    codes = torch.randint(0, 4, (3, 40 + 2 * 99), dtype=torch.uint8)
    # What a bf16 encoder hands on: nothing is lost in rounding it again.
    hidden = torch.tanh(torch.randn(head.states.shape[0] + 99, 3, 24)).bfloat16()
    with torch.no_grad():
        rough = head.sliding(hidden, codes, 2)
        fine = head.sliding(hidden.float(), codes, 2)
    assert rough.dtype == torch.float32
    assert (rough - fine).abs().max() < 0.02 * fine.std()
    assert (rough - fine).std() < 0.005 * fine.std()


def test_a_network_with_a_probe_beside_it() -> None:
    tokenizer = KmerTokenizer(5, 2)
    network = classifier("position", 40, tokenizer, Readings(True, 2))
    probe = classifier("probe", 40, tokenizer, Readings(True, 2))
    both = Classifier(replace(network.config, with_probe=True)).eval()
    probe.encoder = network.encoder
    both.load_state_dict({**probe.state_dict(), **network.state_dict()})
    runs = [random_run(40, count=9, context=10, spacing=2, seed=seed) for seed in range(3)]
    found = dense_logits(both, runs, 40, "fp32")
    parts = [dense_logits(part, runs, 40, "fp32") for part in (network, probe)]
    for together, one, other in zip(found, *parts, strict=True):
        for strand in (1, -1):
            mean = (one[strand] + other[strand]) / 2
            assert torch.allclose(together[strand], mean, atol=1e-5)
    single = [random_run(40, count=1, context=0, spacing=2, seed=seed) for seed in range(3)]
    for by_dense, by_exact in zip(
        dense_logits(both, single, 40, "fp32"), exact_logits(both, single, 40, "fp32"), strict=True
    ):
        assert torch.allclose(by_dense[-1], by_exact[-1], atol=3e-4)


@pytest.mark.parametrize(("window", "k", "stride"), [(40, 5, 2), (41, 5, 2), (42, 4, 3)])
def test_a_network_over_bases_beside_it(
    monkeypatch: pytest.MonkeyPatch, window: int, k: int, stride: int
) -> None:
    monkeypatch.setattr(MotifNetwork, "AT_ONCE", 5)
    monkeypatch.setattr(dense, "PIECE", 11)
    network = classifier("position", window, KmerTokenizer(k, stride), Readings(True, 2))
    both = Classifier(replace(network.config, with_motifs=True)).eval()
    both.load_state_dict({**both.state_dict(), **network.state_dict()})
    assert both.motifs is not None
    run = random_run(window, count=30, context=12 * stride, spacing=stride, seed=1)
    (found,) = dense_logits(both, [run], window, "fp32")
    (alone,) = dense_logits(network, [run], window, "fp32")
    for number in range(run.count):
        start = run.before + number * run.spacing
        codes = run.codes[start : start + window].copy()
        for strand, seen in ((1, codes), (-1, reverse_complement(codes))):
            with torch.no_grad():
                expected = (
                    both.motifs(torch.from_numpy(seen)[None])[0] + alone[strand][number]
                ) / 2
            assert torch.allclose(found[strand][number], expected, atol=3e-4)


@given(st.integers(1, 40), st.integers(0, 30), st.integers(0, 2**32 - 1))
def test_sliding_max(width: int, extra: int, seed: int) -> None:
    x = torch.from_numpy(np.random.default_rng(seed).normal(size=(width + extra, 2)))
    expected = torch.stack([x[i : i + width].amax(0) for i in range(extra + 1)])
    assert torch.equal(sliding_max(x, width), expected)


@settings(max_examples=60)
@given(
    length=st.integers(20, 60),
    circular=st.booleans(),
    step=st.integers(1, 5),
    stride=st.integers(1, 3),
    context=st.integers(0, 90),
    bounds=st.tuples(st.integers(0, 59), st.integers(0, 59)),
)
def test_runs_hold_every_window_once(
    length: int,
    circular: bool,
    step: int,
    stride: int,
    context: int,
    bounds: tuple[int, int],
) -> None:
    window = 20
    codes = np.random.default_rng(length).integers(0, 4, length).astype(np.uint8)
    contig = Contig("c", codes, circular)
    n_starts = length if circular else length - window + 1
    first, last = (min(bound, n_starts) for bound in sorted(bounds))
    found = {}
    for start, run in cut_runs(
        contig, first, last, window=window, step=step, stride=stride, context=context
    ):
        assert run.spacing % stride == run.before % stride == run.after % stride == 0
        assert len(run.codes) == run.before + (run.count - 1) * run.spacing + window + run.after
        if circular:
            assert run.before == run.after == context - context % stride
        else:
            end = start + (run.count - 1) * run.spacing + window
            assert run.before == min(context, start) // stride * stride
            assert run.after == min(context, length - end) // stride * stride
        for number in range(run.count):
            place = start + number * run.spacing
            assert place not in found
            found[place] = run.codes[run.before + number * run.spacing :][:window]
        back = run.along(-1)
        assert (back.before, back.after) == (run.after, run.before)
        assert np.array_equal(back.codes, reverse_complement(run.codes))
        assert run.along(1) is run
    assert sorted(found) == [place for place in range(first, last) if place % step == 0]
    for place, bases in found.items():
        assert np.array_equal(bases, contig.window(place, place + window, 1))


def test_ambiguous_bases_are_counted() -> None:
    run = random_run(10, count=12, context=4, spacing=3, seed=0, share_n=0.3)
    expected = [(run.codes[4 + 3 * i :][:10] == AMBIGUOUS).sum() for i in range(12)]
    assert run.ambiguous(10).tolist() == expected


def test_what_no_window_needs_is_not_read() -> None:
    window, context = 40, 60
    model = classifier("pooling", window, KmerTokenizer(5, 2), Readings(True))
    codes = np.random.default_rng(0).integers(0, 4, 2 * context + window + 100).astype(np.uint8)
    read = []
    model.encoder.register_forward_pre_hook(lambda _, tokens: read.append(len(tokens[0])))
    dense_logits(model, [Run(codes, context, context, 51, 2)], window, "fp32")
    # Context before the windows of each strand, not what is context for the other strand alone.
    assert sum(read) == KmerTokenizer(5, 2).n_tokens(context + window + 100)
