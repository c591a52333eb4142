"""Variants: read strictly, put into sequences and genomes, scored in the right windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from genomic_ulmfit.dna.alphabet import AMBIGUOUS, Codes, decode, encode, reverse_complement
from genomic_ulmfit.dna.genome import Contig
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.inference.explaining.variant_files import Variant
from genomic_ulmfit.inference.explaining.variants import (
    EFFECT_COLUMNS,
    Effect,
    _windows,
    effect_row,
    variant_effects,
)
from genomic_ulmfit.inference.scanning.scan import Interval, make_settings, scan
from genomic_ulmfit.inference.targets import sequence_log_odds
from genomic_ulmfit.models.classifier import Classifier

# What the model of conftest.py looks for: 13 bases at the anchor of windows of 40.
MOTIF, WINDOW, ANCHOR = "TTGACGTATAATG", 40, 12


def log_odds(codes: Codes) -> float:
    window = decode(codes)[ANCHOR : ANCHOR + len(MOTIF)]
    return 2 - 4 * sum(a != b for a, b in zip(window, MOTIF, strict=True))


def effects(
    model: Classifier,
    contig: Contig,
    *variants: Variant,
    window: int | None = WINDOW,
    around: Codes | None = None,
) -> list[Effect | None]:
    found = variant_effects(
        model,
        variants,
        {contig.name: contig},
        1,
        "fp32",
        anchor=ANCHOR,
        window=window,
        with_context={} if around is None else {contig.name: around},
    )
    return list(found)


def at(contig: Contig, position: int, ref: str, alt: str) -> Variant:
    return Variant(contig.name, position, ".", ref, alt, "line 1")


def contig_with_motif(strand: int, *, circular: bool = False) -> Contig:
    """The motif's first base at 200 (forward) or, on the reverse strand, at base 200."""
    codes = np.random.default_rng(0).integers(0, 4, 400).astype(np.uint8)
    motif = encode(MOTIF)
    if strand > 0:
        codes[200:213] = motif
    else:
        codes[188:201] = reverse_complement(motif)
    return Contig("c", codes, circular)


@pytest.mark.parametrize("strand", [1, -1])
def test_the_window_of_the_site_is_found_on_either_strand(
    motif_model: Classifier, strand: int
) -> None:
    contig = contig_with_motif(strand)
    place = 203 if strand > 0 else 195
    ref = decode(contig.codes[place : place + 1])
    alt = "C" if ref != "C" else "G"
    (found,) = effects(motif_model, contig, at(contig, place, ref, alt))
    assert (found.highest.strand, found.highest.site) == (strand, 200)
    assert (found.highest.log_odds_ref, found.highest.log_odds_alt) == pytest.approx(
        (2, -2), abs=1e-4
    )
    row = effect_row(found)
    sign = "+" if strand > 0 else "-"
    assert row[:8] == ["c", str(place + 1), ".", ref, alt, sign, "201", "4" if strand > 0 else "6"]
    assert float(row[8]) == pytest.approx(1 / (1 + np.exp(-2)), abs=1e-5)
    assert float(row[11]) == pytest.approx(-4, abs=1e-3)
    # Other windows may lose or gain as much, but none more.
    assert abs(float(row[16])) == pytest.approx(4, abs=1e-3)
    assert len(row) == len(EFFECT_COLUMNS) == 17


@pytest.mark.parametrize("strand", [1, -1])
@pytest.mark.parametrize(("ref", "alt"), [(1, 0), (5, 0), (0, 1), (0, 6), (3, 2), (2, 2)])
@pytest.mark.parametrize("place", [185, 190, 199, 206, 220])
def test_against_every_window_cut_from_the_changed_genome(
    motif_model: Classifier, strand: int, ref: int, alt: int, place: int
) -> None:
    """The reported window is the best one by the slow way: whole genomes, all sites."""
    contig = contig_with_motif(strand)
    before = decode(contig.codes[place - 1 : place + ref])
    inserted = "GATTACA"[:alt] if ref != alt else "CG"
    variant = at(contig, place - 1, before, before[0] + inserted)
    (found,) = effects(motif_model, contig, variant)

    start, removed, added = variant.trimmed()
    changed = np.concatenate(
        [contig.codes[:start], encode(added), contig.codes[start + len(removed) :]]
    )
    best = -np.inf
    for way in (1, -1):
        old = contig.codes if way > 0 else reverse_complement(contig.codes)
        new = changed if way > 0 else reverse_complement(changed)
        begin = start if way > 0 else len(old) - start - len(removed)
        for site in range(ANCHOR, len(old) - WINDOW + ANCHOR):
            if begin <= site < begin + len(removed) and len(removed) != len(added):
                continue
            shift = len(added) - len(removed) if site >= begin + len(removed) else 0
            one = old[site - ANCHOR :][:WINDOW]
            other = new[site + shift - ANCHOR :][:WINDOW]
            if len(other) < WINDOW or decode(one) == decode(other):
                continue
            best = max(best, log_odds(one), log_odds(other))
    assert max(found.highest.log_odds_ref, found.highest.log_odds_alt) == pytest.approx(
        best, abs=1e-3
    )
    assert found.highest.strand == strand or best < 2


def test_over_the_origin_of_a_circle(motif_model: Classifier) -> None:
    linear = contig_with_motif(1)
    turned = Contig("c", np.roll(linear.codes, -205), circular=True)
    ref = decode(turned.codes[1:2])
    (found,) = effects(motif_model, turned, at(turned, 1, ref, "C" if ref != "C" else "G"))
    assert (found.highest.strand, found.highest.site) == (1, 395)
    assert found.highest.log_odds_ref - found.highest.log_odds_alt == pytest.approx(4, abs=1e-3)


@pytest.mark.parametrize("context", [0, 30])
@pytest.mark.parametrize(("ref", "alt"), [(1, 1), (1, 4), (4, 1)])
@pytest.mark.parametrize("length", [45, 60, 90, 140])
def test_small_circles_have_all_their_windows(
    length: int, ref: int, alt: int, context: int
) -> None:
    """As cut from the reference and from the changed circle, each turned to every base."""
    rng = np.random.default_rng(length)
    circle = Contig("c", rng.integers(0, 4, length).astype(np.uint8), circular=True)
    old = decode(circle.codes)
    there = old[20 : 20 + ref]
    allele = {1: "A" if there[0] != "A" else "C", 4: there[0] + "GGT"}[alt]
    variant = at(circle, 20, there, allele)
    start, removed, added = variant.trimmed()
    new = old[:start] + added + old[start + len(removed) :]

    def cut(text: str, site: int, reach: int) -> str:
        first = site - ANCHOR - reach
        return "".join(text[i % len(text)] for i in range(first, first + WINDOW + 2 * reach))

    wanted = set()
    for site in range(length):
        moved = site + (len(added) - len(removed) if site >= start + len(removed) else 0)
        if start <= site < start + len(removed) and len(removed) != len(added):
            continue
        if cut(old, site, 0) != cut(new, moved, 0):
            wanted.add((cut(old, site, context), cut(new, moved, context)))
    found = {
        (decode(pair.ref), decode(pair.alt))
        for pair in _windows(variant, circle, WINDOW, ANCHOR, context)[0]
        if pair.strand > 0 and not np.array_equal(pair.ref, pair.alt)
    }
    assert wanted <= found
    pairs, _ = _windows(variant, circle, WINDOW, ANCHOR, context)
    assert {len(pair.ref) for pair in pairs} == {WINDOW + 2 * context}


@pytest.mark.parametrize(
    ("place", "ref", "alt", "expected", "filled"),
    [
        (14, "G", "C", -2, 0),
        # What lies before the site moves away from it, what lies behind stays.
        (3, "A", "ATTT", 2, 0),
        (30, "A", "ATTT", 2, 0),
        (3, "AAA", "A", 2, 2),
        (30, "AAA", "A", 2, 2),
        # Just before the site, so that it does not move away from the start codon behind it.
        (11, "A", "ATT", 2, 0),
    ],
)
def test_in_a_sequence_the_site_stays_where_it_is(
    motif_model: Classifier, place: int, ref: str, alt: str, expected: float, filled: int
) -> None:
    sequence = "A" * ANCHOR + MOTIF + "A" * (WINDOW - ANCHOR - len(MOTIF))
    contig = Contig("s", encode(sequence))
    (found,) = effects(motif_model, contig, at(contig, place, ref, alt), window=None)
    assert found.highest.log_odds_ref == pytest.approx(2, abs=1e-4)
    assert found.highest.log_odds_alt == pytest.approx(expected, abs=1e-4)
    assert found.highest.filled == filled


@pytest.mark.parametrize(("ref", "alt"), [("G", "C"), ("GAC", "G"), ("G", "GTTT")])
@pytest.mark.parametrize("place", [3, 30])
def test_what_stands_around_a_sequence_is_read(
    motif_model: Classifier, place: int, ref: str, alt: str
) -> None:
    model = Classifier(replace(motif_model.config, context=10)).eval()
    model.load_state_dict(motif_model.state_dict())
    # Long enough for what follows a deletion to come from the context.
    context = decode(np.random.default_rng(1).integers(0, 4, 2 * 10).astype(np.uint8))
    inside = "A" * ANCHOR + MOTIF + "A" * (WINDOW - ANCHOR - len(MOTIF))
    inside = inside[:place] + ref + inside[place + len(ref) :]
    contig = Contig("s", encode(inside))
    whole = context[:10] + inside + context[10:]
    (found,) = effects(
        model, contig, at(contig, place, ref, alt), window=None, around=encode(whole)
    )
    changed = whole[: 10 + place] + alt + whole[10 + place + len(ref) :]
    # The site stays where it is, and unknown bases stand at the far end if any do.
    missing = len(whole) - len(changed)
    if place < ANCHOR:
        changed = "N" * missing + changed[max(0, -missing) :]
    else:
        changed = changed[: len(whole)] + "N" * missing
    assert found is not None
    assert (found.highest.site, found.highest.filled) == (ANCHOR, max(0, missing))
    wanted = sequence_log_odds(model, [encode(whole), encode(changed)], 1, "fp32")
    assert [found.highest.log_odds_ref, found.highest.log_odds_alt] == pytest.approx(
        wanted.tolist(), abs=1e-5
    )


def test_what_no_window_holds_is_none(motif_model: Classifier) -> None:
    contig = contig_with_motif(1)
    tiny = Contig("t", contig.codes[:20])
    variants = [
        at(tiny, 5, decode(tiny.codes[5:6]), "ACGT"),
        at(contig, 203, decode(contig.codes[203:204]), "ACGT"),
        at(tiny, 6, decode(tiny.codes[6:7]), "ACGT"),
    ]
    found = list(
        variant_effects(
            motif_model,
            variants,
            {"c": contig, "t": tiny},
            1,
            "fp32",
            anchor=ANCHOR,
            window=WINDOW,
        )
    )
    assert [effect is None for effect in found] == [True, False, True]
    assert effects(motif_model, tiny, variants[0]) == [None]


def test_many_keep_their_order(motif_model: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genomic_ulmfit.inference.explaining.variants.AT_A_TIME", 100)
    contig = contig_with_motif(1)
    places = [300, 203, 60, 210, 203]
    variants = [
        at(
            contig,
            place,
            ref := decode(contig.codes[place : place + 1]),
            "A" if ref != "A" else "T",
        )
        for place in places
    ]
    found = effects(motif_model, contig, *variants)
    assert [effect.variant for effect in found] == variants
    assert found[1][1:] == found[4][1:]


def test_refused_by_line(motif_model: Classifier) -> None:
    contig = contig_with_motif(1)

    def refused(variant: Variant) -> str:
        with pytest.raises(InputError) as caught:
            effects(motif_model, contig, variant)
        return str(caught.value)

    wrong = "A" if contig.codes[10] != 0 else "C"
    message = refused(at(contig, 10, wrong, "G" if wrong != "G" else "T"))
    assert message.startswith(f"line 1: the reference allele is {wrong}, but c has")
    assert "at base 11" in message
    assert "there is no sequence 'x'; there are c" in refused(
        Variant("x", 1, ".", "A", "C", "line 1")
    )
    assert "ends at base 401, but c has 400" in refused(at(contig, 399, "AC", "A"))
    unknown = Contig("c", np.full(100, AMBIGUOUS, np.uint8))
    with pytest.raises(InputError, match="but c has N at base 51"):
        effects(motif_model, unknown, at(unknown, 50, "A", "C"))


def test_a_window_that_an_allele_does_not_change_is_not_told_of(motif_model: Classifier) -> None:
    # In a run of one base, one more of it moves what lies behind: windows within stay as they are.
    generator = torch.manual_seed(0)
    model = Classifier(motif_model.config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0, 0.3, generator=generator)
    for place in (15, 40, 65):
        of = Contig("c", encode("GATTACAG" * 5 + "T" * 60 + "CATG" * 10))
        (effect,) = effects(model, of, at(of, place + 25, "T", "TT"))
        assert effect is not None
        assert effect.highest.log_odds_ref != effect.highest.log_odds_alt


@pytest.mark.parametrize("circular", [False, True])
@pytest.mark.parametrize("both_strands", [False, True])
def test_a_model_with_context_scores_as_a_scan_of_either_genome_does(
    motif_model: Classifier, circular: bool, both_strands: bool
) -> None:
    config = replace(motif_model.config, context=30, both_strands=both_strands)
    generator = torch.manual_seed(0)
    model = Classifier(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0, 0.3, generator=generator)
    contig = Contig("c", np.random.default_rng(3).integers(0, 4, 400).astype(np.uint8), circular)
    settings = make_settings(model, anchor=ANCHOR, step=1, target="promoter", precision="fp32")

    def scores(codes: Codes) -> dict[int, dict[int, float]]:
        whole = Contig("c", codes, circular)
        (piece,) = scan(model, [Interval(whole, 0, len(whole))], settings)
        return {
            strand: dict(zip(of.anchors.tolist(), of.log_odds.tolist(), strict=True))
            for strand, of in piece.strands.items()
        }

    for ref, alt in ((1, "G"), (1, "GATT"), (4, "")):
        first = decode(contig.codes[200 : 200 + ref])
        allele = first[0] + alt if len(alt) != 1 else ("G" if first != "G" else "C")
        variant = at(contig, 200, first, allele)
        (found,) = effects(model, contig, variant)
        start, removed, added = variant.trimmed()
        changed = [contig.codes[:start], encode(added), contig.codes[start + len(removed) :]]
        before, after = scores(contig.codes), scores(np.concatenate(changed))
        for change in (found.highest, found.largest):
            moved = change.site
            if moved >= start + len(removed):
                moved += len(added) - len(removed)
            wanted = before[change.strand][change.site], after[change.strand][moved]
            # A scan reads more of what stands before.
            scored = change.log_odds_ref, change.log_odds_alt
            assert scored == pytest.approx(wanted, rel=1e-3, abs=0.02)
        differences = [
            after[strand].get(site + (len(added) - len(removed) if site >= start else 0), 0) - score
            for strand in (1, -1)
            for site, score in before[strand].items()
            if abs(site - 200) < 30 and not start <= site < start + len(removed)
        ]
        assert abs(found.largest.difference) >= max(map(abs, differences)) - 0.05
