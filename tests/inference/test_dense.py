"""One pass over a strand must say what the head says to every window by itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from genomic_ulmfit.dna.alphabet import AMBIGUOUS
from genomic_ulmfit.dna.genome import Contig
from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.inference import dense
from genomic_ulmfit.inference.dense import dense_logits, sliding_max
from genomic_ulmfit.inference.exact import exact_logits
from genomic_ulmfit.inference.runs import Run, cut_runs
from genomic_ulmfit.models.classifier import FIXED_LENGTH, HEADS, Classifier, ClassifierConfig
from genomic_ulmfit.models.config import EncoderConfig


def classifier(head: str, window: int, tokenizer: KmerTokenizer) -> Classifier:
    """Random weights of a size at which every part of the head is heard."""
    torch.manual_seed(0)
    encoder = EncoderConfig(12, 20, 2, tokenizer)
    length = window if head in FIXED_LENGTH else None
    model = Classifier(ClassifierConfig(encoder, ("a", "b", "c"), head, length))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(0, 1 if name.startswith(("encoder", "pooling")) else 0.4)
        model.encoder.embedding.weight[-1].zero_()
        for name, buffer in model.named_buffers():
            if buffer.dtype.is_floating_point:
                buffer.uniform_(0.5, 2) if "var" in name else buffer.normal_()
    return model.eval()


def window_by_window(model: Classifier, run: Run, window: int) -> Tensor:
    """The heads as they are, on every window's part of the run's hidden states."""
    tokenizer = model.config.encoder.tokenizer
    width = tokenizer.n_tokens(window)
    tokens = torch.from_numpy(tokenizer.tokenize(run.codes).astype(np.int64))[:, None]
    rows = []
    with torch.no_grad():
        hidden, _, _ = model.encoder(tokens)
        for number in range(run.count):
            start = run.context + number * run.spacing
            part = hidden[start // tokenizer.stride :][:width]
            codes = torch.from_numpy(run.codes[None, start : start + window].copy())
            if model.probe_head is not None:
                rows.append(model.probe_head(part, codes)[0])
                continue
            assert model.pooling_head is not None
            logits = model.pooling_head(part, torch.tensor([width]))
            if model.position_head is not None:
                logits = logits + model.position_head(part, codes)
            rows.append(logits[0])
    return torch.stack(rows)


def random_run(
    window: int, *, count: int, context: int, spacing: int, seed: int, share_n: float = 0.02
) -> Run:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, context + (count - 1) * spacing + window).astype(np.uint8)
    codes[rng.random(len(codes)) < share_n] = AMBIGUOUS
    return Run(codes, context, count, spacing)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize(
    ("window", "k", "stride"), [(40, 5, 2), (41, 5, 2), (42, 4, 3), (9, 5, 2), (13, 3, 1)]
)
def test_against_the_head_on_every_window(
    monkeypatch: pytest.MonkeyPatch, head: str, window: int, k: int, stride: int
) -> None:
    tokenizer = KmerTokenizer(k, stride)
    model = classifier(head, window, tokenizer)
    runs = [
        random_run(window, count=30, context=8 * stride, spacing=stride, seed=1),
        random_run(window, count=1, context=0, spacing=stride, seed=2),
        random_run(window, count=7, context=3 * stride, spacing=2 * stride, seed=3),
    ]
    # Few tokens at a time and few streams, so that pieces and batches have seams.
    monkeypatch.setattr(dense, "PIECE", 11)
    monkeypatch.setattr(dense, "STREAMS", 2)
    for run, found in zip(runs, dense_logits(model, runs, window, "fp32"), strict=True):
        expected = window_by_window(model, run, window)
        assert found.shape == expected.shape == (run.count, 3)
        assert torch.allclose(found, expected, atol=2e-4, rtol=1e-4)
        assert run.count == 1 or expected.std(0).min() > 0.05


def test_exact_is_the_model_on_each_window() -> None:
    model = classifier("position", 40, KmerTokenizer(5, 2))
    run = random_run(40, count=9, context=6, spacing=4, seed=5)
    (found,) = exact_logits(model, [run], 40, "fp32")
    for number, logits in enumerate(found):
        codes = run.codes[6 + 4 * number :][:40]
        alone = Run(codes, 0, 1, 2)
        assert torch.allclose(window_by_window(model, alone, 40)[0], logits, atol=1e-4)


def test_dense_and_exact_agree_where_there_is_no_left_context() -> None:
    model = classifier("position", 40, KmerTokenizer(5, 2))
    runs = [random_run(40, count=1, context=0, spacing=2, seed=seed) for seed in range(5)]
    by_dense = torch.cat(dense_logits(model, runs, 40, "fp32"))
    by_exact = torch.cat(exact_logits(model, runs, 40, "fp32"))
    assert torch.allclose(by_dense, by_exact, atol=2e-4)


@given(st.integers(1, 40), st.integers(0, 30), st.integers(0, 2**32 - 1))
def test_sliding_max(width: int, extra: int, seed: int) -> None:
    x = torch.from_numpy(np.random.default_rng(seed).normal(size=(width + extra, 2)))
    expected = torch.stack([x[i : i + width].amax(0) for i in range(extra + 1)])
    assert torch.equal(sliding_max(x, width), expected)


@settings(max_examples=60)
@given(
    length=st.integers(20, 60),
    circular=st.booleans(),
    strand=st.sampled_from((1, -1)),
    step=st.integers(1, 5),
    stride=st.integers(1, 3),
    context=st.integers(0, 90),
    bounds=st.tuples(st.integers(0, 59), st.integers(0, 59)),
)
def test_runs_hold_every_window_once(
    length: int,
    circular: bool,
    strand: int,
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
        contig, strand, first, last, window=window, step=step, stride=stride, context=context
    ):
        assert run.spacing % stride == run.context % stride == 0
        assert run.context <= (context if circular else start)
        assert len(run.codes) == run.context + (run.count - 1) * run.spacing + window
        for number in range(run.count):
            place = start + number * run.spacing
            assert place not in found
            found[place] = run.codes[run.context + number * run.spacing :][:window]
    assert sorted(found) == [place for place in range(first, last) if place % step == 0]
    for place, bases in found.items():
        begin = place if strand > 0 else length - place - window
        assert np.array_equal(bases, contig.window(begin, begin + window, strand))


def test_ambiguous_bases_are_counted() -> None:
    run = random_run(10, count=12, context=4, spacing=3, seed=0, share_n=0.3)
    expected = [(run.codes[4 + 3 * i :][:10] == AMBIGUOUS).sum() for i in range(12)]
    assert run.ambiguous(10).tolist() == expected
