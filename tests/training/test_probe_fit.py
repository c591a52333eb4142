"""The probe against slow and obvious references."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genomic_ulmfit.data.readings import Readings
from genomic_ulmfit.dna.alphabet import AMBIGUOUS, Codes, decode, reverse_complement
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models.config import EncoderConfig
from genomic_ulmfit.models.frames import segments
from genomic_ulmfit.models.language_model import LanguageModel
from genomic_ulmfit.models.precision import best_precision
from genomic_ulmfit.models.prediction import predict_probabilities
from genomic_ulmfit.models.probe import ProbeHead, words_of
from genomic_ulmfit.models.store import load_classifier, save_classifier
from genomic_ulmfit.training import kernel_ridge, probe_fit
from genomic_ulmfit.training.features import States, frozen_states
from genomic_ulmfit.training.probe_fit import (
    fit_head,
    fit_probe,
    head_logits,
    head_probabilities,
)
from genomic_ulmfit.training.recipes import ProbeRecipe

# As the fixtures have them.
SMALL = EncoderConfig(embedding=12, hidden=16, layers=1)
LENGTH = 61


def test_few_labels_find_a_start_codon(
    encoder: LanguageModel, windows: Callable[..., Any], config: Callable[..., Any]
) -> None:
    codes, targets = windows(24)
    model = fit_probe(codes, targets, config(), ProbeRecipe(4.0), encoder, precision="fp32")
    others, truth = windows(400, seed=1)
    probabilities = predict_probabilities(model, others, precision="fp32")
    assert (probabilities.argmax(1) == truth).mean() > 0.9
    # The weights say where it is.
    assert model.probe_head is not None
    assert int(model.probe_head.words.detach().abs().sum((1, 2)).argmax()) == 30


def test_scores_are_kernel_ridge_regression(
    encoder: LanguageModel, windows: Callable[..., Any]
) -> None:
    codes, targets = windows(40)
    states = frozen_states(encoder.encoder, codes, precision="fp32")
    others, _ = windows(30, seed=1)
    other_states = frozen_states(encoder.encoder, others, precision="fp32")
    head = fit_head(codes, targets, 2, ProbeRecipe(2.0), states.__getitem__, frames=True)

    every, all_states = [*codes, *others], np.concatenate([states, other_states]).astype(float)
    words = [[tuple(c[p : p + 3]) for p in range(LENGTH - 2)] for c in every]
    kernels = []  # One for each place, over all sequences, and its share.
    for length, step in ((1, 1), (5, 2), (20, 8)):
        last = LENGTH - 2 - length
        for start in sorted({*range(0, last, step), last}):
            counts = [Counter(w[start : start + length]) for w in words]
            shared = [[sum(a[k] * b[k] for k in a) for b in counts] for a in counts]
            kernels.append((np.array(shared, float) / length**2, 2.0))
    for length, step in ((4, 2), (8, 4), (24, 8)):
        last = states.shape[1] - length
        for start in sorted({*range(0, last, step), last}):
            means = all_states[:, start : start + length].mean(1)
            kernels.append((means @ means.T, 1.0))
    for start, end in segments(LENGTH):
        is_open = np.array([_open(decode(c[start:end])) for c in every])
        kernels.append((is_open @ is_open.T, 2.0))
    n = len(codes)
    signs = np.where(targets == 1, 1.0, -1.0)
    centre = np.eye(n) - 1 / n
    total = np.zeros((len(every), len(every)))
    for kernel, share in kernels:
        inner = centre @ kernel[:n, :n] @ centre
        size = np.trace(inner) / n
        np.fill_diagonal(inner, 0)
        agreement = max(0.0, signs @ inner @ signs / np.linalg.norm(inner))
        total += share * kernel * agreement / size

    def scores_of(rows: np.ndarray, ridge: float) -> np.ndarray:
        """Predict all sequences from some."""
        inner = total[np.ix_(rows, rows)]
        middle = np.eye(len(rows)) - 1 / len(rows)
        strength = ridge * np.trace(centre @ total[:n, :n] @ centre) / n
        system = middle @ inner @ middle + strength * np.eye(len(rows))
        solved = np.linalg.solve(system, signs[rows] - signs[rows].mean())
        raw = total[:, rows] @ solved
        return raw - raw[rows].mean() + signs[rows].mean()

    errors = [
        np.mean([(scores_of(np.delete(np.arange(n), i), r)[i] - signs[i]) ** 2 for i in range(n)])
        for r in kernel_ridge.RIDGES
    ]
    expected = scores_of(np.arange(n), kernel_ridge.RIDGES[int(np.argmin(errors))])[n:]

    with torch.no_grad():
        hidden = torch.from_numpy(other_states.astype(np.float32)).transpose(0, 1)
        logits = head(hidden, torch.from_numpy(np.stack(others)))
    scores = (logits[:, 1] - logits[:, 0]).double().numpy()
    # The same up to the calibration's gain and bias.
    gain, bias = np.polyfit(expected, scores, 1)
    assert gain > 0
    assert np.abs(gain * expected + bias - scores).max() < 1e-3 * np.abs(scores).max()


def _open(sequence: str) -> list[float]:
    """Which frames of either strand, and whether any, have no stop codon."""
    found: list[float] = []
    for stops in (("TAA", "TAG", "TGA"), ("TTA", "CTA", "TCA")):
        codons = [[sequence[i : i + 3] for i in range(f, len(sequence) - 2, 3)] for f in range(3)]
        frames = [float(not set(frame) & set(stops)) for frame in codons]
        found += [*frames, max(frames)]
    return found


def test_a_closed_frame_is_evidence_that_no_position_gives() -> None:
    """A stop codon anywhere, in a frame of any phase: all that tells the classes apart."""
    rng = np.random.default_rng(0)
    sense = [c for c in range(64) if c not in (48, 50, 56)]
    codes = []
    for number in range(600):
        codons = rng.choice(sense, size=51)
        bases = np.stack([codons // 16, codons // 4 % 4, codons % 4], axis=1).ravel()
        sequence = bases[(phase := rng.integers(3)) : phase + 150].astype(np.uint8)
        if number % 2:
            # A stop in the one open frame, and the same three bases out of frame.
            at = -phase % 3 + 3 * rng.integers(20, 28)
            sequence[at : at + 3] = (3, 0, 0)
        else:
            at = (1 - phase) % 3 + 3 * rng.integers(20, 28)
            sequence[at : at + 3] = (3, 0, 0)
        codes.append(sequence)
    targets = (np.arange(600) % 2).astype(np.intp)
    learnt, scored = slice(400), slice(400, None)

    def accuracy(frames: bool) -> float:
        recipe = ProbeRecipe(1.0)
        head = fit_head(codes[learnt], targets[learnt], 2, recipe, frames=frames)
        calls = head_probabilities(head, codes[scored]).argmax(1)
        return float((calls == targets[scored]).mean())

    assert accuracy(True) > accuracy(False) + 0.1


def test_left_out_scores_are_those_of_leaving_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_ridge, "RIDGES", (0.3,))
    rng = np.random.default_rng(0)
    features = rng.normal(size=(14, 5)).astype(np.float32)
    wanted = np.eye(3, dtype=np.float32)[rng.integers(3, size=14)]
    kernel = features @ features.T
    found = kernel_ridge.fit_ridge(kernel, wanted)
    centred = features - features.mean(0)
    strength = 0.3 * (centred**2).sum() / 14
    for i in range(14):
        rest = np.delete(np.arange(14), i)
        x, y = features[rest].astype(float), wanted[rest].astype(float)
        centred = x - x.mean(0)
        weights = np.linalg.solve(
            centred.T @ centred + strength * np.eye(5), centred.T @ (y - y.mean(0))
        )
        expected = (features[i] - x.mean(0)) @ weights + y.mean(0)
        assert found.left_out[i] == pytest.approx(expected, abs=1e-4)


def test_probabilities_are_not_certain_of_noise(encoder: LanguageModel) -> None:
    rng = np.random.default_rng(0)
    codes = list(rng.integers(4, size=(40, LENGTH)).astype(np.uint8))
    targets = rng.permutation(np.repeat([0, 1], 20)).astype(np.intp)
    states = frozen_states(encoder.encoder, codes, precision="fp32")
    head = fit_head(codes, targets, 2, ProbeRecipe(1.0), states.__getitem__)
    others = list(rng.integers(4, size=(200, LENGTH)).astype(np.uint8))
    other_states = frozen_states(encoder.encoder, others, precision="fp32")
    assert head_probabilities(head, others, other_states).max(1).mean() < 0.9


def test_three_classes_and_ambiguous_bases(
    encoder: LanguageModel, windows: Callable[..., Any], config: Callable[..., Any]
) -> None:
    codes, _ = windows(60)
    targets = np.arange(60, dtype=np.intp) % 3
    for i, sequence in enumerate(codes):
        sequence[10:14] = targets[i]
    codes[0][40:45] = AMBIGUOUS
    model = fit_probe(codes, targets, config(3), ProbeRecipe(4.0), encoder, precision="fp32")
    probabilities = predict_probabilities(model, codes, precision="fp32")
    assert probabilities.shape == (60, 3)
    assert (probabilities.argmax(1) == targets).mean() > 0.95


def test_one_class_is_refused(encoder: LanguageModel, windows: Callable[..., Any]) -> None:
    codes, _ = windows(10)
    with pytest.raises(InputError, match="one class"):
        fit_head(codes, np.zeros(10, np.intp), 2, ProbeRecipe(1.0))


def test_more_sequences_than_fit_together_are_fitted_in_parts(
    encoder: LanguageModel,
    monkeypatch: pytest.MonkeyPatch,
    windows: Callable[..., Any],
    config: Callable[..., Any],
) -> None:
    monkeypatch.setattr(probe_fit, "MOST_FOR_FIT", 50)
    monkeypatch.setattr(probe_fit, "MOST_FOR_EVIDENCE", 30)
    codes, targets = windows(200)
    states = frozen_states(encoder.encoder, codes, precision="fp32")
    options = {"encoder": encoder, "precision": "fp32"}
    model = fit_probe(codes, targets, config(), ProbeRecipe(4.0), states=states, **options)
    found = predict_probabilities(model, codes, precision="fp32")
    assert (found.argmax(1) == targets).mean() > 0.9
    computed = fit_probe(codes, targets, config(), ProbeRecipe(4.0), **options)
    assert predict_probabilities(computed, codes, precision="fp32") == pytest.approx(
        found, abs=2e-3
    )
    parts = probe_fit._parts(targets, probe_fit.MOST_FOR_FIT, 0)
    assert sorted(np.concatenate(parts)) == list(range(200))
    heads = [
        fit_head(
            [codes[i] for i in part],
            targets[part],
            2,
            ProbeRecipe(4.0),
            states[part].__getitem__,
            frames=True,
        )
        for part in parts
    ]
    odds = np.log([head_probabilities(head, codes, states) for head in heads])
    mean = (odds[..., 1] - odds[..., 0]).mean(axis=0)
    of_model = np.log(found[:, 1] / found[:, 0])
    # Calibrated: another gain and another bias of the same mean.
    assert np.corrcoef(mean, of_model)[0, 1] > 0.9999


@pytest.mark.parametrize("n_rare", [1, 2, 7])
def test_every_part_has_its_share_of_every_class(n_rare: int) -> None:
    targets = np.zeros(230, np.intp)
    targets[:n_rare] = 1
    parts = probe_fit._parts(targets, 50, 3)
    assert len(parts) == 5
    assert {len(part) for part in parts} <= set(range(45, 55))
    assert set(np.concatenate(parts)) == set(range(230))
    assert all(targets[part].any() for part in parts)


def test_long_sequences_are_fitted_in_more_parts(
    encoder: LanguageModel,
    monkeypatch: pytest.MonkeyPatch,
    windows: Callable[..., Any],
    config: Callable[..., Any],
) -> None:
    codes, targets = windows(200)
    options: dict[str, Any] = {"encoder": encoder, "precision": "fp32"}
    whole = fit_probe(codes, targets, config(), ProbeRecipe(4.0), **options)
    values = SMALL.tokenizer.n_tokens(LENGTH) * SMALL.embedding
    monkeypatch.setattr(probe_fit, "MOST_STATES", 70 * values)
    sizes: list[int] = []
    fit_part = probe_fit._fit_part

    def noted(codes: list[Codes], *rest: Any, **more: Any) -> ProbeHead:
        sizes.append(len(codes))
        return fit_part(codes, *rest, **more)

    monkeypatch.setattr(probe_fit, "_fit_part", noted)
    parts = fit_probe(codes, targets, config(), ProbeRecipe(4.0), **options)
    assert sizes == [66, 67, 67] or sorted(sizes) == [66, 66, 68]
    found = [predict_probabilities(one, codes, precision="fp32")[:, 1] for one in (whole, parts)]
    assert np.corrcoef(*found)[0, 1] > 0.9


def test_a_probe_is_a_model_folder(
    encoder: LanguageModel, tmp_path: Path, windows: Callable[..., Any], config: Callable[..., Any]
) -> None:
    codes, targets = windows(20)
    model = fit_probe(codes, targets, config(), ProbeRecipe(4.0), encoder, precision="fp32")
    save_classifier(model, tmp_path / "model", "# card\n", {})
    again = load_classifier(tmp_path / "model")
    assert again.config == model.config
    assert (
        predict_probabilities(again, codes, precision="fp32")
        == predict_probabilities(model, codes, precision="fp32")
    ).all()


def test_a_head_from_stored_states_is_the_whole_model(
    encoder: LanguageModel, windows: Callable[..., Any], config: Callable[..., Any]
) -> None:
    codes, targets = windows(20)
    model = fit_probe(codes, targets, config(), ProbeRecipe(4.0), encoder, precision="fp32")
    assert model.probe_head is not None
    states = frozen_states(encoder.encoder, codes, precision="fp32")
    assert head_probabilities(model.probe_head, codes, states) == pytest.approx(
        predict_probabilities(model, codes, precision="fp32"), abs=5e-3
    )


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 99), st.integers(12, 30), st.integers(0, 6))
def test_sliding_is_every_window_by_itself(seed: int, window: int, more: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    tokenizer = SMALL.tokenizer
    n_tokens = tokenizer.n_tokens(window)
    head = ProbeHead(6, n_tokens, window, 2)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.normal_(generator=generator)
    bases = window + more * tokenizer.stride
    codes = torch.randint(5, (3, bases), generator=generator, dtype=torch.uint8)
    hidden = torch.randn(tokenizer.n_tokens(bases), 3, 6, generator=generator)
    with torch.no_grad():
        together = head.sliding(hidden, codes, tokenizer.stride)
        assert together.shape == (more + 1, 3, 2)
        for i in range(more + 1):
            alone = head(
                hidden[i : i + n_tokens],
                codes[:, i * tokenizer.stride : i * tokenizer.stride + window],
            )
            assert torch.allclose(together[i], alone, atol=1e-4)


def test_words_of_bases() -> None:
    codes = torch.tensor([[0, 3, 2, AMBIGUOUS, 1]], dtype=torch.uint8)
    assert words_of(codes).tolist() == [[0 * 16 + 3 * 4 + 2, 64, 64]]


def test_a_probe_in_parts_needs_no_encoder(
    monkeypatch: pytest.MonkeyPatch, windows: Callable[..., Any]
) -> None:
    codes, targets = windows(200)
    whole = fit_head(codes, targets, 2, ProbeRecipe(4.0))
    monkeypatch.setattr(probe_fit, "MOST_FOR_FIT", 80)
    parts = fit_head(codes, targets, 2, ProbeRecipe(4.0))
    others, truth = windows(200, seed=1)
    of_whole, of_parts = (head_probabilities(head, others)[:, 1] for head in (whole, parts))
    assert not np.array_equal(of_whole, of_parts)
    assert ((of_parts > 0.5) == truth).mean() > 0.9
    assert np.corrcoef(of_whole, of_parts)[0, 1] > 0.9


@pytest.mark.parametrize("readings", [Readings(), Readings(True), Readings(True, 2)])
def test_a_probe_of_windows_with_context(
    encoder: LanguageModel,
    readings: Readings,
    windows: Callable[..., Any],
    config: Callable[..., Any],
) -> None:
    codes, targets = windows(40)
    sides = [c[:20] for c in windows(80, seed=9)[0]]
    longer = [np.concatenate(parts) for parts in zip(sides[:40], codes, sides[40:], strict=True)]
    inside = slice(10, 10 + SMALL.tokenizer.n_tokens(LENGTH))

    def read(sequences: list[Codes], phase: int) -> States:
        moved = [np.append(c[phase:], [AMBIGUOUS] * phase).astype(np.uint8) for c in sequences]
        return frozen_states(encoder.encoder, moved, precision="fp32")[:, inside]

    phases = range(readings.phases)
    parts = [read(longer, phase) for phase in phases]
    if readings.both_strands:
        complements = [reverse_complement(c) for c in longer]
        parts += [read(complements, phase)[:, ::-1] for phase in phases]
    states = np.concatenate(parts, axis=2)
    np.testing.assert_array_equal(
        frozen_states(encoder.encoder, longer, context=20, readings=readings, precision="fp32"),
        states,
    )
    rough = frozen_states(
        encoder.encoder, longer, context=20, readings=readings, precision=best_precision()
    )
    np.testing.assert_allclose(rough.astype(np.float32), states.astype(np.float32), atol=0.02)
    wanted = replace(
        config(), context=20, both_strands=readings.both_strands, phases=readings.phases
    )
    model = fit_probe(longer, targets, wanted, ProbeRecipe(4.0), encoder, precision="fp32")
    assert model.probe_head is not None
    expected = head_probabilities(model.probe_head, codes, states)
    found = predict_probabilities(model, longer, precision="fp32")
    np.testing.assert_allclose(found, expected, atol=2e-3)


@pytest.mark.parametrize("n", [20, 100])
def test_labels_that_say_nothing_make_nobody_sure(windows: Callable[..., Any], n: int) -> None:
    """The evidence of places has seen every label: scores that it made would look right."""
    rng = np.random.default_rng(0)
    sure = []
    for seed in range(4):
        codes, _ = windows(n, seed=seed)
        head = fit_head(codes, rng.permutation(np.arange(n) % 2), 2, ProbeRecipe(4.0), seed=seed)
        others, _ = windows(200, seed=50 + seed)
        sure.append(head_probabilities(head, others).max(axis=1).mean())
    assert np.mean(sure) < 0.62


def test_what_is_likelier_stays_so_however_sure_it_is(
    windows: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    codes, targets = windows(24)
    others, _ = windows(300, seed=1)
    found = []
    for sure in (probe_fit._how_sure, lambda *_: np.float32(1)):
        monkeypatch.setattr(probe_fit, "_how_sure", sure)
        found.append(head_logits(fit_head(codes, targets, 2, ProbeRecipe(4.0)), others))
    now, before = (logits[:, 1] - logits[:, 0] for logits in found)
    assert ((now > 0) == (before > 0)).all()
    factor = now / before
    assert factor == pytest.approx(factor[0], rel=1e-3)
    assert 0.3 < factor[0] <= 1


@pytest.mark.parametrize("n", [4, 10, 40])
def test_sequences_that_nothing_tells_apart(windows: Callable[..., Any], n: int) -> None:
    codes, _ = windows(1)
    head = fit_head(codes * n, np.arange(n) % 2, 2, ProbeRecipe(4.0), frames=True)
    assert head_probabilities(head, codes) == pytest.approx(0.5, abs=1e-3)
