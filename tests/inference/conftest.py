"""A classifier whose answer is known: it finds one motif, at one place of the window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from genomic_ulmfit.dna.alphabet import BASES, Codes, encode
from genomic_ulmfit.dna.genome import Contig
from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.models.classifier import Classifier, ClassifierConfig
from genomic_ulmfit.models.config import EncoderConfig
from genomic_ulmfit.models.store import save_classifier

MOTIF = "TTGACGTATAATG"
WINDOW, ANCHOR = 40, 12


def log_odds(codes: Codes) -> float:
    """What the model says of a window: 2 for the motif at the anchor, -2 for one mismatch."""
    motif = encode(MOTIF)
    matches = int((codes[ANCHOR : ANCHOR + len(motif)] == motif).sum())
    return 4.0 * (matches - len(motif)) + 2


def make_motif_model() -> Classifier:
    encoder = EncoderConfig(8, 8, 1, KmerTokenizer(5, 2))
    model = Classifier(ClassifierConfig(encoder, ("other", "promoter"), "position", WINDOW))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        head = model.position_head
        assert head is not None
        weight = head.bases.weight.unflatten(1, (WINDOW, len(BASES)))
        for place, code in enumerate(encode(MOTIF)):
            weight[1, ANCHOR + place, code] = 4
        head.motifs.bias[1] = 2 - 4 * len(MOTIF)
    return model.eval()


@pytest.fixture(scope="session")
def motif_model() -> Classifier:
    return make_motif_model()


@pytest.fixture(scope="session")
def motif_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("motif") / "model"
    save_classifier(make_motif_model(), folder, "finds a motif", {})
    return folder


def planted(
    length: int, forward: list[int], reverse: list[int], *, circular: bool = False, seed: int = 0
) -> Contig:
    """A contig with the motif's first base at some places of either strand, both 0-based."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, length).astype(np.uint8)
    motif = encode(MOTIF)
    for place in forward:
        codes[(place + np.arange(len(motif))) % length] = motif
    for place in reverse:
        codes[(place - np.arange(len(motif))) % length] = 3 - motif
    return Contig(f"planted{seed}", codes, circular)
