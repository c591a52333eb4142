"""The network over bases alone."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genomic_ulmfit.dna.alphabet import AMBIGUOUS
from genomic_ulmfit.models.motifs import MotifNetwork


def network(window: int | None, frames: bool, n_classes: int = 3) -> MotifNetwork:
    torch.manual_seed(0)
    model = MotifNetwork(n_classes, window, frames).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


@settings(deadline=None, max_examples=60)
@given(
    window=st.integers(3, 160),
    stride=st.integers(1, 4),
    more=st.integers(0, 40),
    batch=st.integers(1, 3),
    frames=st.booleans(),
    any_length=st.booleans(),
    seed=st.integers(0, 100),
)
def test_sliding_is_every_window_by_itself(
    window: int, stride: int, more: int, batch: int, frames: bool, any_length: bool, seed: int
) -> None:
    model = network(None if any_length else window, frames)
    draw = torch.Generator().manual_seed(seed)
    codes = torch.randint(0, AMBIGUOUS + 1, (batch, window + more), generator=draw).to(torch.uint8)
    with torch.no_grad():
        together = model.sliding(codes, window, stride)
        starts = range(0, more + 1, stride)
        alone = torch.stack([model(codes[:, start : start + window]) for start in starts])
    assert together.shape == alone.shape
    assert torch.allclose(together, alone, rtol=1e-4, atol=1e-3)
