"""Reading prefixes once must say what predicting every edited sequence by itself says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genomic_ulmfit.dna.alphabet import AMBIGUOUS, Codes
from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.inference.explaining import edits as edits_module
from genomic_ulmfit.inference.explaining.attribution import integrated_gradients, mixed_logits
from genomic_ulmfit.inference.explaining.mutagenesis import saturation_mutagenesis
from genomic_ulmfit.inference.explaining.perturbation import window_perturbation
from genomic_ulmfit.inference.targets import sequence_log_odds, target_index
from genomic_ulmfit.models.bases import one_hot
from genomic_ulmfit.models.classifier import Classifier, ClassifierConfig
from genomic_ulmfit.models.config import EncoderConfig
from genomic_ulmfit.models.prediction import predict_probabilities

LENGTH, CONTEXT = 23, 6
KINDS = (
    "position",
    "pooling",
    "probe",
    "position and probe",
    "with context",
    "both strands",
    "pooling, both strands",
    "both strands with context and probe",
    "both phases",
    "both strands, both phases, with context and probe",
    "pooling, both strands, both phases",
    "both strands with context and probe and motifs",
)


def classifier(kind: str, tokenizer: KmerTokenizer | None = None) -> Classifier:
    """Random weights of a size at which every part is heard."""
    torch.manual_seed(0)
    tokenizer = tokenizer or KmerTokenizer(5, 2)
    config = ClassifierConfig(
        EncoderConfig(12, 20, 2, tokenizer),
        ("a", "b", "c"),
        next((head for head in ("pooling", "probe") if kind.startswith(head)), "position"),
        None if kind.startswith("pooling") else LENGTH,
        with_probe="and probe" in kind,
        context=CONTEXT if "context" in kind else 0,
        both_strands="both strands" in kind,
        phases=2 if "both phases" in kind else 1,
        with_motifs="motifs" in kind,
        frames=not kind.startswith("pooling"),
    )
    model = Classifier(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(0, 0.7 if "encoder" in name or "pooling" in name else 0.3)
        model.encoder.embedding.weight[-1].zero_()
        for name, buffer in model.named_buffers():
            if buffer.dtype.is_floating_point:
                buffer.uniform_(0.5, 2) if "var" in name else buffer.normal_()
    return model.eval()


def sequences(kind: str) -> list[Codes]:
    rng = np.random.default_rng(3)
    lengths = [LENGTH, LENGTH, LENGTH]
    if kind.startswith("pooling"):
        lengths = [23, 9, 30]
    if "context" in kind:
        lengths = [LENGTH + 2 * CONTEXT, LENGTH, LENGTH + 2 * CONTEXT]
    codes = [rng.integers(0, 4, length).astype(np.uint8) for length in lengths]
    codes[1][4] = AMBIGUOUS
    return codes


def context_of(kind: str, codes: Codes) -> int:
    return 0 if kind.startswith("pooling") else (len(codes) - LENGTH) // 2


def slow_log_odds(model: Classifier, codes: Codes) -> float:
    chances = predict_probabilities(model, [codes], precision="fp32")[0]
    return float(np.log(chances[1]) - np.log(chances[0] + chances[2]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tokenizer", [KmerTokenizer(5, 2), KmerTokenizer(4, 3)])
def test_against_every_mutant_by_itself(
    monkeypatch: pytest.MonkeyPatch, kind: str, tokenizer: KmerTokenizer
) -> None:
    # Few at a time, so that batches have seams.
    monkeypatch.setattr(edits_module, "SEQUENCES", 2)
    monkeypatch.setattr(edits_module, "TOKENS", 70)
    monkeypatch.setattr(edits_module, "KEPT", 40)
    model, codes = classifier(kind, tokenizer), sequences(kind)
    reported: list[int] = []
    found = saturation_mutagenesis(model, codes, 1, "fp32", reported.append)
    assert reported[-1] == len(codes)
    longest = 30 if kind.startswith("pooling") else LENGTH
    assert found.effects.shape == (3, longest, 4)
    largest = 0.0
    for row, sequence in enumerate(codes):
        before = context_of(kind, sequence)
        base = slow_log_odds(model, sequence)
        assert found.log_odds[row] == pytest.approx(base, abs=2e-3)
        assert np.isnan(found.effects[row, len(sequence) - 2 * before :]).all()
        for place in range(len(sequence) - 2 * before):
            for letter in range(4):
                mutant = sequence.copy()
                mutant[before + place] = letter
                expected = slow_log_odds(model, mutant) - base
                assert found.effects[row, place, letter] == pytest.approx(expected, abs=4e-3)
                largest = max(largest, abs(expected))
    assert largest > 0.1


def test_importance_is_the_mean_loss() -> None:
    model, codes = classifier("position"), sequences("position")
    found = saturation_mutagenesis(model, codes, 1, "fp32")
    importance = found.importance(codes)
    assert np.isnan(importance[1, 4])
    others = [letter for letter in range(4) if letter != codes[0][7]]
    assert importance[0, 7] == pytest.approx(-found.effects[0, 7, others].mean(), abs=1e-5)
    assert found.effects[0, 7, codes[0][7]] == 0


@pytest.mark.parametrize("kind", ["pooling, both strands", "probe", "with context"])
def test_windows_against_every_window_by_itself(kind: str) -> None:
    model, codes = classifier(kind), sequences(kind)
    found = window_perturbation(model, codes, 1, "fp32", 10)
    for row, sequence in enumerate(codes):
        before = context_of(kind, sequence)
        base = slow_log_odds(model, sequence)
        for column, start in enumerate(found.starts):
            last = len(sequence) - 2 * before - 10
            # A window at another one's end.
            if start > last or (start % 5 and start != last):
                assert np.isnan(found.effects[row, column])
                continue
            scores = []
            for by in (1, 2, 3):
                edited = sequence.copy()
                part = edited[before + start : before + start + 10]
                part[part < 4] = (part[part < 4] + by) % 4
                scores.append(slow_log_odds(model, edited))
            expected = np.mean(scores) - base
            assert found.effects[row, column] == pytest.approx(expected, abs=4e-3)
    importance = found.importance(30)
    # Windows reach the last base of every sequence that is as wide as one.
    for row, sequence in enumerate(codes):
        n = len(sequence) - 2 * context_of(kind, sequence)
        assert np.isnan(importance[row, :n]).any() == (n < 10)
    assert importance[0, 4] == pytest.approx(-found.effects[0, 0], abs=1e-5)
    assert importance[0, 7] == pytest.approx(-found.effects[0, :2].mean(), abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_mixtures_of_certain_bases_are_the_classifier(kind: str) -> None:
    model = classifier(kind)
    for codes in sequences(kind):
        tokens = model.config.encoder.tokenizer.n_tokens(len(codes))
        with torch.no_grad():
            found = mixed_logits(
                model,
                one_hot(torch.from_numpy(codes)[None]),
                torch.tensor([len(codes)]),
                torch.tensor([tokens]),
                "fp32",
            ).softmax(1)
        expected = predict_probabilities(model, [codes], precision="fp32")
        assert found.numpy() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_add_up_to_the_log_odds(kind: str) -> None:
    model, codes = classifier(kind), sequences(kind)
    # Gentle weights: 16 points integrate a smooth function well.
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.4)
    found = integrated_gradients(model, codes, 1, "fp32")
    assert found.log_odds == pytest.approx(sequence_log_odds(model, codes, 1, "fp32"), abs=1e-4)
    spread = np.abs(found.contributions[~np.isnan(found.contributions)]).sum()
    assert np.abs(found.residual).max() < 0.02 * spread
    assert found.contributions[1, 4] == 0
    if kind.startswith("pooling"):
        assert np.isnan(found.contributions[1, 9:]).all()


def test_a_known_motif_is_found_base_by_base(motif_model: Classifier) -> None:
    """Each base of the motif is worth 4 and all others nothing, whatever the method."""
    rng = np.random.default_rng(0)
    codes = [rng.integers(0, 4, 40).astype(np.uint8)]
    motif = [3, 3, 2, 0, 1, 2, 3, 0, 3, 0, 0, 3, 2]
    codes[0][12:25] = motif
    found = saturation_mutagenesis(motif_model, codes, 1, "fp32")
    worth = np.zeros(40)
    worth[12:25] = 4
    assert found.log_odds[0] == pytest.approx(2, abs=1e-4)
    assert found.importance(codes)[0] == pytest.approx(worth, abs=1e-4)
    gradient = integrated_gradients(motif_model, codes, 1, "fp32").contributions[0]
    # Against equal parts of all bases a right base is worth three quarters of its weight.
    assert gradient == pytest.approx(0.75 * worth, abs=1e-4)


def test_which_class() -> None:
    assert target_index(("a", "b"), None) == 1
    assert target_index(("a", "b", "c"), "a") == 0
    with pytest.raises(ValueError, match="knows 3 classes; say which"):
        target_index(("a", "b", "c"), None)
    with pytest.raises(ValueError, match="got 'x', allowed are a, b"):
        target_index(("a", "b"), "x")
