"""What a model says does not depend on how many threads compute it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from genomic_ulmfit.dna.genome import Contig
from genomic_ulmfit.inference.embed import embed
from genomic_ulmfit.inference.explaining.mutagenesis import saturation_mutagenesis
from genomic_ulmfit.inference.scanning.scan import Interval, make_settings, scan
from genomic_ulmfit.inference.sequences import Named
from genomic_ulmfit.models.prediction import predict_logits
from genomic_ulmfit.training.features import frozen_states

from .explaining.conftest import LENGTH, classifier

MODEL = classifier("both strands, both phases, with context and probe")
BASES = np.random.default_rng(0).integers(0, 4, 6000).astype(np.uint8)
SEQUENCES = list(BASES[: 40 * LENGTH].reshape(-1, LENGTH))


def scanned(mode: Any) -> np.ndarray:
    settings = make_settings(MODEL, target="b", mode=mode, precision="fp32")
    contig = Contig("c", BASES[: 400 if mode == "exact" else None])
    pieces = list(scan(MODEL, [Interval(contig, 0, len(contig))], settings))
    assert [piece.end for piece in pieces[:-1]] == [piece.start for piece in pieces[1:]]
    return np.concatenate([piece.strands[-1].log_odds for piece in pieces])


def embedded() -> np.ndarray:
    named = [Named(str(i), str(i), codes) for i, codes in enumerate(SEQUENCES)]
    return np.concatenate(
        [part.vectors for part in embed(MODEL.encoder, named, precision="fp32", batch_size=7)]
    )


WORK: dict[str, Callable[[], np.ndarray]] = {
    "dense scan": lambda: scanned("dense"),
    "exact scan": lambda: scanned("exact"),
    "mutagenesis": lambda: saturation_mutagenesis(MODEL, SEQUENCES[:9], 1, "fp32").effects,
    "predict": lambda: predict_logits(MODEL, SEQUENCES, precision="fp32", batch_size=7),
    "embed": embedded,
    "features": lambda: frozen_states(MODEL.encoder, SEQUENCES * 20, precision="fp32"),
}


@cache
def on_one_thread(work: str) -> np.ndarray:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    found = WORK[work]()
    torch.set_num_threads(before)
    return found


@pytest.mark.parametrize("work", list(WORK))
def test_as_on_one_thread(work: str, threads: int) -> None:
    alone = on_one_thread(work)
    assert np.abs(alone).max() > 0.1
    assert WORK[work]() == pytest.approx(alone, abs=2e-3)
    assert torch.get_num_threads() == threads
