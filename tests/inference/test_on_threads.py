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
from genomic_ulmfit.models import awd_lstm
from genomic_ulmfit.models.precision import trains_in_bf16
from genomic_ulmfit.models.prediction import predict_logits
from genomic_ulmfit.models.threads import NotWanted
from genomic_ulmfit.training.features import frozen_states

from .explaining.conftest import LENGTH, classifier

MODEL = classifier("both strands, both phases, with context and probe")
BASES = np.random.default_rng(0).integers(0, 4, 6000).astype(np.uint8)
SEQUENCES = list(BASES[: 40 * LENGTH].reshape(-1, LENGTH))


def scanned(mode: Any, precision: str) -> np.ndarray:
    settings = make_settings(MODEL, target="b", mode=mode, precision=precision)
    contig = Contig("c", BASES[: 400 if mode == "exact" else None])
    pieces = list(scan(MODEL, [Interval(contig, 0, len(contig))], settings))
    assert [piece.end for piece in pieces[:-1]] == [piece.start for piece in pieces[1:]]
    return np.concatenate([piece.strands[-1].log_odds for piece in pieces])


def embedded(precision: str) -> np.ndarray:
    named = [Named(str(i), str(i), codes) for i, codes in enumerate(SEQUENCES)]
    return np.concatenate(
        [part.vectors for part in embed(MODEL.encoder, named, precision=precision, batch_size=7)]
    )


WORK: dict[str, Callable[[str], np.ndarray]] = {
    "dense scan": lambda precision: scanned("dense", precision),
    "exact scan": lambda precision: scanned("exact", precision),
    "mutagenesis": lambda precision: (
        saturation_mutagenesis(MODEL, SEQUENCES[:9], 1, precision).effects
    ),
    "predict": lambda precision: predict_logits(
        MODEL, SEQUENCES, precision=precision, batch_size=7
    ),
    "embed": embedded,
    "features": lambda precision: frozen_states(MODEL.encoder, SEQUENCES * 20, precision=precision),
}


@cache
def on_one_thread(work: str) -> np.ndarray:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return WORK[work]("fp32")
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("work", list(WORK))
def test_as_on_one_thread(work: str, threads: int) -> None:
    alone = on_one_thread(work)
    assert np.abs(alone).max() > 0.1
    assert WORK[work]("fp32") == pytest.approx(alone, abs=2e-3)
    assert torch.get_num_threads() == threads


@pytest.mark.skipif(not trains_in_bf16(), reason="no LSTM in bf16 on this processor")
@pytest.mark.parametrize("work", list(WORK))
def test_threads_compute_without_gradients_in_the_precision_that_was_asked_for(
    work: str, threads: int
) -> None:
    seen = set()

    def look(*_: object) -> None:
        seen.add((torch.is_autocast_enabled("cpu"), torch.is_grad_enabled()))

    hook = MODEL.encoder.layers[0].register_forward_hook(look)
    try:
        WORK[work]("bf16")
        assert seen == {(True, False)}
        seen.clear()
        WORK[work]("fp32")
        assert seen == {(False, False)}
    finally:
        hook.remove()


@pytest.mark.parametrize("work", list(WORK))
def test_a_thread_that_nobody_waits_for_stops_within_a_layer(
    work: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never() -> None:
        raise NotWanted

    monkeypatch.setattr(awd_lstm, "still_wanted", never)
    with pytest.raises(NotWanted):
        WORK[work]("fp32")
