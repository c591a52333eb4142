"""Small models of every kind, and sequences that they take."""

from __future__ import annotations

import numpy as np
import torch

from genomic_ulmfit.dna.alphabet import AMBIGUOUS, Codes
from genomic_ulmfit.dna.tokenizer import KmerTokenizer
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
    "pooling, both strands, both phases alike",
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
        phases_alike="alike" in kind,
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
