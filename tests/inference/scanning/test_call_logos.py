"""Contributions of called sites: those of the model on the window that was called."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from genomic_ulmfit.dna.alphabet import Codes, reverse_complement
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.inference.explaining.attribution import Attribution
from genomic_ulmfit.inference.scanning import call_logos
from genomic_ulmfit.inference.scanning.call_logos import call_contributions
from genomic_ulmfit.models.classifier import Classifier

from ..conftest import ANCHOR, MOTIF, WINDOW, planted

PLACES = {"window": WINDOW, "anchor": ANCHOR, "precision": "fp32"}


def test_the_motif_is_what_speaks_for_a_site(motif_model: Classifier) -> None:
    contig = planted(300, [100, 2], [200], circular=True)
    # On the reverse strand the motif's first base is its anchor, too.
    sites = [(contig, 100, 1), (contig, 200, -1), (contig, 2, 1)]
    found = call_contributions(motif_model, sites, 1, **PLACES)
    assert found.shape == (3, WINDOW)
    inside = slice(ANCHOR, ANCHOR + len(MOTIF))
    for values in found:
        assert values[inside].sum() > 0.9 * np.abs(values).sum()


@pytest.mark.parametrize(
    ("start", "around"), [(0, 0), (31, 0), (35, 32), (63, 32), (64, 64), (200, 64), (330, 0)]
)
@pytest.mark.parametrize("strand", [1, -1])
def test_a_site_is_read_with_the_context_there_is(
    monkeypatch: pytest.MonkeyPatch, motif_model: Classifier, start: int, around: int, strand: int
) -> None:
    model = Classifier(replace(motif_model.config, context=64)).eval()
    contig = planted(400, [], [])
    read: list[Codes] = []

    def note(model: Classifier, codes: list[Codes], *_: object) -> Attribution:
        read.extend(codes)
        return Attribution(*(np.zeros(0, np.float32) for _ in range(3)))

    monkeypatch.setattr(call_logos, "integrated_gradients", note)
    place = start + (ANCHOR if strand > 0 else WINDOW - 1 - ANCHOR)
    call_contributions(model, [(contig, place, strand)], 1, **PLACES)
    expected = contig.codes[start - around : start + WINDOW + around]
    assert (read[0] == (expected if strand > 0 else reverse_complement(expected))).all()


def test_on_a_small_circle_context_goes_round(
    monkeypatch: pytest.MonkeyPatch, motif_model: Classifier
) -> None:
    model = Classifier(replace(motif_model.config, context=64)).eval()
    contig = planted(100, [], [], circular=True)
    read: list[Codes] = []

    def note(model: Classifier, codes: list[Codes], *_: object) -> Attribution:
        read.extend(codes)
        return Attribution(*(np.zeros(0, np.float32) for _ in range(3)))

    monkeypatch.setattr(call_logos, "integrated_gradients", note)
    call_contributions(model, [(contig, 3, 1)], 1, **PLACES)
    start = 3 - ANCHOR
    assert (read[0] == contig.codes[np.arange(start - 64, start + WINDOW + 64) % 100]).all()


def test_a_window_off_the_contig_is_refused(motif_model: Classifier) -> None:
    contig = planted(100, [], [])
    with pytest.raises(InputError, match="base 4 is not on the contig"):
        call_contributions(motif_model, [(contig, 3, 1)], 1, **PLACES)
