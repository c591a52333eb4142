"""Open reading frames against codon by codon."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genomic_ulmfit.dna.alphabet import AMBIGUOUS, decode, encode, reverse_complement
from genomic_ulmfit.models.bases import one_hot
from genomic_ulmfit.models.frames import CHANNELS, ReadingFrames, open_frames, segments

STOPS = {"TAA", "TAG", "TGA"}


def is_open(sequence: str, start: int, end: int, frame: int, strand: int) -> bool:
    """Frames are counted from the segment's first base on the given strand, on both strands."""
    for at in range(start + frame, end - 2, 3):
        codon = sequence[at : at + 3]
        if strand < 0:
            codon = decode(reverse_complement(encode(codon)))
        if codon in STOPS:
            return False
    return True


def slowly(sequence: str, start: int, end: int) -> list[float]:
    found = []
    for strand in (1, -1):
        frames = [is_open(sequence, start, end, frame, strand) for frame in range(3)]
        found += [*map(float, frames), float(any(frames))]
    return found


@given(
    st.text("ACGTN", min_size=1, max_size=120),
    st.integers(1, 3),
    st.integers(1, 4),
)
def test_against_codon_by_codon(sequence: str, stride: int, count: int) -> None:
    window = len(sequence) - (count - 1) * stride
    if window < 1:
        return
    within = segments(window)
    bases = one_hot(torch.from_numpy(encode(sequence))[None])
    for (start, end), found in zip(within, open_frames(bases, within, stride, count), strict=True):
        assert found.shape == (count, 1, CHANNELS)
        for number in range(count):
            expected = slowly(sequence[number * stride :], start, end)
            assert found[number, 0].tolist() == expected


@given(st.integers(1, 400))
def test_segments_cover_the_sequence_and_stay_within(n_bases: int) -> None:
    found = segments(n_bases)
    assert (0, n_bases) in found
    assert len(set(found)) == len(found)
    assert all(0 <= start < end <= n_bases for start, end in found)
    for length in {end - start for start, end in found} - {n_bases}:
        ends = [end for start, end in found if end - start == length]
        assert min(ends) == length
        assert max(ends) == n_bases
        assert max(np.diff(sorted(ends)), default=0) <= length // 2


def test_a_mixture_is_as_open_as_sequences_drawn_from_it() -> None:
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(4), size=33)
    mixed = torch.from_numpy(shares).float()[None]
    drawn = np.stack([rng.choice(4, size=20_000, p=share) for share in shares], axis=1)
    bases = one_hot(torch.from_numpy(drawn.astype(np.uint8)))
    within = segments(33)
    for of_mixture, of_draws in zip(
        open_frames(mixed, within), open_frames(bases, within), strict=True
    ):
        # Neighbouring frames share bases, so "any" is only nearly what independence gives.
        assert torch.allclose(of_mixture[0, 0, :3], of_draws[0, :, :3].mean(0), atol=0.015)
        assert torch.allclose(of_mixture[0, 0], of_draws[0].mean(0), atol=0.05)


def test_scores_are_linear_in_open_frames_and_have_gradients() -> None:
    torch.manual_seed(0)
    layer = ReadingFrames(75, 3)
    codes = torch.randint(0, AMBIGUOUS + 1, (6, 75), dtype=torch.uint8)
    assert layer(one_hot(codes)).abs().max() == 0
    with torch.no_grad():
        layer.weight.normal_()
    bases = one_hot(codes).requires_grad_()
    scores = layer(bases)
    parts = torch.stack(list(open_frames(one_hot(codes), segments(75))))[:, 0]
    assert torch.allclose(scores, torch.einsum("sbk,skc->bc", parts, layer.weight), atol=1e-5)
    scores.sum().backward()
    assert bases.grad is not None
    assert bases.grad.isfinite().all()


@pytest.mark.parametrize(("n_bases", "stride", "count"), [(5, 2, 4), (81, 2, 9), (150, 3, 7)])
def test_sliding_is_window_by_window(n_bases: int, stride: int, count: int) -> None:
    torch.manual_seed(1)
    layer = ReadingFrames(n_bases, 2)
    with torch.no_grad():
        layer.weight.normal_()
    length = n_bases + (count - 1) * stride
    bases = one_hot(torch.randint(0, 5, (3, length), dtype=torch.uint8))
    found = layer.sliding(bases, stride, count)
    for number in range(count):
        window = bases[:, number * stride : number * stride + n_bases]
        assert torch.allclose(found[number], layer(window), atol=1e-5)
