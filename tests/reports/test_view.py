"""The page's packing, against slow and obvious references; and what becomes of hostile text."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import zlib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from genomic_ulmfit.dna.alphabet import encode
from genomic_ulmfit.dna.genome import Contig, Gene, Genome
from genomic_ulmfit.dna.packing import PackedBases
from genomic_ulmfit.inference.scanning.scan import ScanSettings, StrandScores
from genomic_ulmfit.inference.scanning.scan_files import CalledSite, ScanFiles
from genomic_ulmfit.inference.scanning.tracks import Spans, spans_of
from genomic_ulmfit.reports.view import (
    LIMIT,
    ambiguous_runs,
    bin_scores,
    compress,
    quantise,
    render_view,
    restore,
)

NAUGHTY = "</script><script>alert(1)</script><img src=x onerror=alert(1)>&\"'"


def log_odds(probability: float) -> float:
    return math.log(probability / (1 - probability))


@given(arrays.arrays(np.float64, st.integers(0, 40), elements=st.floats(0, 1)))
def test_a_score_survives_within_half_a_step(values: np.ndarray) -> None:
    codes = quantise(values)
    assert codes.dtype == np.uint8
    for value, back in zip(values.tolist(), restore(codes).tolist(), strict=True):
        assert abs(value - back) <= 0.01
        shown = min(max(value, 0.0001), 0.9999)
        assert abs(log_odds(shown) - log_odds(back)) <= LIMIT / 254 + 1e-6
    # Never out of order, and writing what was read changes nothing.
    assert (np.diff(codes[np.argsort(values)].astype(int)) >= 0).all()
    assert (quantise(restore(codes)) == codes).all()


def test_ends_and_gaps_of_the_scale() -> None:
    assert quantise(np.array([np.nan, 0, 0.0001, 0.5, 0.9999, 1])).tolist() == [
        0,
        1,
        1,
        128,
        255,
        255,
    ]
    assert np.isnan(restore(np.array([0], dtype=np.uint8)))[0]
    assert restore(np.array([1, 128, 255], dtype=np.uint8)) == pytest.approx([0.0001, 0.5, 0.9999])


@settings(max_examples=200)
@example(10, False, -1, 2, 9, 0)
@example(11, False, -1, 2, 9, 0)
@given(
    st.integers(10, 70),
    st.booleans(),
    st.sampled_from((1, -1)),
    st.integers(1, 7),
    st.integers(0, 9),
    st.integers(0, 2**32 - 1),
)
def test_every_base_keeps_the_score_of_its_window(
    length: int, circular: bool, strand: int, step: int, anchor: int, seed: int
) -> None:
    by = ScanSettings(10, anchor, step, 1, "dense", "fp32")
    starts = np.arange(0, length if circular else length - 10 + 1, step)
    anchors = (starts + anchor) % length
    anchors = np.sort(anchors if strand > 0 else length - 1 - anchors)
    generator = np.random.default_rng(seed)
    scores = generator.normal(0, 3, len(anchors)).astype(np.float32)
    scores[generator.random(len(anchors)) < 0.2] = np.nan
    spans = spans_of(
        Contig("c", np.zeros(length, np.uint8), circular), strand, StrandScores(anchors, scores), by
    )
    if not len(spans.starts):
        return
    origin, codes = bin_scores(spans, length, step)
    assert -step < origin <= 0
    assert origin + len(codes) * step >= length

    # What each base is given, one base at a time.
    wanted = [0] * length
    for start, end, value in zip(*(column.tolist() for column in spans), strict=True):
        for base in range(start, end):
            wanted[base] = int(quantise(np.array([value]))[0])
    found = [int(codes[(base - origin) // step]) for base in range(length)]
    if circular:
        # Where the last window meets the first, windows may share a bin: the higher stays.
        for number, code in enumerate(codes.tolist()):
            begin = origin + number * step
            inside = wanted[max(0, begin) : max(0, begin + step)]
            assert code == max(inside, default=0)
    else:
        assert found == wanted


def test_a_contig_without_scores_has_no_bins() -> None:
    assert bin_scores(None, 100, 2)[1].tolist() == []


@given(st.binary(max_size=300))
def test_compressed_bytes_come_back(raw: bytes) -> None:
    packed = compress(np.frombuffer(raw, dtype=np.uint8))
    assert re.fullmatch(r"[A-Za-z0-9+/=]*", packed)
    assert zlib.decompress(base64.b64decode(packed)) == raw


@given(st.lists(st.text("ACGTN", min_size=1, max_size=30), min_size=1, max_size=4))
def test_ambiguous_bases_are_counted_through_all_contigs(sequences: list[str]) -> None:
    contigs = [Contig(str(i), encode(sequence)) for i, sequence in enumerate(sequences)]
    starts, ends = ambiguous_runs(contigs)
    found = [base for start, end in zip(starts, ends, strict=True) for base in range(start, end)]
    assert found == [i for i, letter in enumerate("".join(sequences)) if letter == "N"]


class _Page(HTMLParser):
    """Tags, and the text of scripts by their ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str | None, str] = {}
        self.text = ""
        self.at: str | None = None
        self.in_script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.in_script, self.at = True, dict(attrs).get("id")

    def handle_endtag(self, tag: str) -> None:
        self.in_script = self.in_script and tag != "script"

    def handle_data(self, data: str) -> None:
        if self.in_script:
            self.scripts[self.at] = self.scripts.get(self.at, "") + data
        else:
            self.text += data


def made_up(name: str = "ctg") -> ScanFiles:
    """Two contigs, the first a circle with a gene and a call over its origin."""
    first = Contig(
        name,
        encode("ACGTN" * 12),
        True,
        (Gene("abcA", 10, 40, 1), Gene(name, 50, 70, -1)),
    )
    second = Contig("bare", encode("GATTACA" * 3))
    spans = Spans(np.array([0, 2]), np.array([2, 4]), np.array([0.25, 0.75], dtype=np.float32))
    summary = {
        "genome": {"name": name, "file": name, "simulated": True},
        "model": {"folder": name, "class": name},
        "settings": {"mode": "dense", "window": 12, "anchor": 4, "step": 2, "regions": name},
        "threshold": {"probability": 0.5, "expected_calls_by_chance_per_mbp": None},
        "bases_scanned": 60,
        "calls": {"all": 2},
        "densest_region": {"contig": name, "start": 0, "end": 60},
        "notes": [name],
    }
    calls = (
        CalledSite(name, 5, 1, "promoter_1", 1.0986, "abcA", 5),
        CalledSite(name, 12, -1, name, 3.25, name, 3),
        CalledSite("bare", 3, 1, "promoter_3", 1.5, "", None),
    )
    genome = Genome(name, (first, second), (name,), simulated=True)
    tracks = {1: {name: spans}, -1: {"bare": spans}}
    return ScanFiles(Path("x"), summary, genome, calls, tracks)


def test_the_page_holds_everything() -> None:
    page = _Page(render_view(made_up()))
    content = json.loads(page.scripts["content"])
    assert content["contigs"]["name"] == ["ctg", "bare"]
    assert content["contigs"]["length"] == [60, 21]
    # A gene is found by the place of its start, over the origin too.
    assert content["calls"]["gene"] == [0, 1, -1]
    assert content["calls"]["distance"] == [5, 3, None]
    packed = {
        name: np.frombuffer(zlib.decompress(base64.b64decode(page.scripts[name])), np.uint8)
        for name in ("forward", "reverse", "sequence")
    }
    sequence = PackedBases(packed["sequence"]).read(0, 81)
    unknown = content["unknown"]
    for start, end in zip(unknown["start"], unknown["end"], strict=True):
        sequence[start:end] = 4
    contigs = made_up().genome.contigs
    assert (sequence == np.concatenate([contig.codes for contig in contigs])).all()
    assert content["contigs"]["forward"] == [[0, 30], [0, 0]]
    assert content["contigs"]["reverse"] == [[0, 0], [0, 11]]
    assert restore(packed["forward"][:3]) == pytest.approx(
        [0.25, 0.75, math.nan], abs=0.01, nan_ok=True
    )
    assert (packed["reverse"][:2] == packed["forward"][:2]).all()


def test_nothing_from_files_becomes_markup_or_script() -> None:
    plain = _Page(render_view(made_up()))
    page = _Page(render_view(made_up(NAUGHTY)))
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags]
    assert page.scripts[None] == plain.scripts[None]
    assert json.loads(page.scripts["content"])["genes"]["name"] == ["abcA", NAUGHTY]
    assert page.text.count(NAUGHTY) >= 5


def test_the_page_asks_for_nothing_from_elsewhere() -> None:
    text = render_view(made_up())
    page = _Page(text)
    for tag, attributes in page.tags:
        assert "src" not in attributes, tag
        assert attributes.get("href", "#").startswith(("#", "data:"))
    (policy,) = (a["content"] for _, a in page.tags if a.get("http-equiv"))
    assert "default-src 'none'" in policy
    # The one script that the policy lets run is the one that is there.
    script = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert len(script) == 1
    digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "url(" not in text
    assert "@import" not in text


def test_a_simulated_genome_is_called_so() -> None:
    assert "SIMULATED: Scan of" in render_view(made_up())
