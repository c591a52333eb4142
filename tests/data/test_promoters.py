"""Promoter windows against slices of strings."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genomic_ulmfit.data.negatives import (
    TRIM,
    Window,
    background_windows,
    intergenic_windows,
)
from genomic_ulmfit.data.promoters import COLUMNS, OTHER, PROMOTER, promoter_table, tss_table
from genomic_ulmfit.dna.alphabet import decode, encode
from genomic_ulmfit.dna.genome import Contig, Gene, Genome
from genomic_ulmfit.dna.readers import read_genome
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.evaluation.scan_sites import read_truth

K12 = (
    Path(os.environ.get("GENOMIC_ULMFIT_DATA", Path(__file__).parents[2].parent / "shared"))
    / "genomes"
    / "NC_000913.3.gbk.gz"
)


def random_dna(length: int, seed: int) -> str:
    return "".join(random.Random(seed).choices("ACGT", k=length))


def reverse_complement(sequence: str) -> str:
    return sequence[::-1].translate(str.maketrans("ACGTN", "TGCAN"))


def genome_of(sequence: str, *genes: Gene, circular: bool = True, name: str = "c1") -> Genome:
    return Genome("test", (Contig(name, encode(sequence), circular, genes),))


def read(sequence: str, start: int, end: int, strand: str) -> str:
    """Cut a window out of a circular sequence, one base after the other."""
    window = "".join(sequence[i % len(sequence)] for i in range(start, end))
    return window if strand == "+" else reverse_complement(window)


def positives(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["label"] == PROMOTER]


def negatives(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["label"] == OTHER]


def test_columns_and_order() -> None:
    sequence = random_dna(2000, 0)
    genome = genome_of(sequence, Gene("first", 200, 700, 1), Gene("second", 900, 1500, -1))
    table = promoter_table(genome)
    assert tuple(table.columns) == COLUMNS
    assert table["id"].tolist() == ["promoter_1", "promoter_2", "coding_1", "coding_2"]
    assert table["label"].tolist() == [1, 1, 0, 0]
    assert table["gene"].tolist() == ["first", "second"] * 2
    assert table["strand"].tolist() == ["+", "-"] * 2
    assert set(table["contig"]) == {"c1"}
    assert set(table["contig_length"]) == {2000}
    assert table.attrs["notes"] == []


def test_window_around_the_start_codon_on_either_strand() -> None:
    upstream, body = random_dna(100, 1), "ATG" + random_dna(297, 2)
    unit = upstream + body
    sequence = random_dna(50, 3) + unit + random_dna(50, 4) + reverse_complement(unit) + "A" * 50
    genome = genome_of(sequence, Gene("plus", 150, 450, 1), Gene("minus", 500, 800, -1))
    windows = positives(promoter_table(genome))
    assert windows["sequence"].tolist() == [unit[:150], unit[:150]]
    assert windows[["start", "end"]].to_numpy().tolist() == [[50, 200], [750, 900]]


def test_negative_downstream_stops_before_the_start_codon() -> None:
    sequence = random_dna(600, 1)
    genome = genome_of(sequence, Gene("plus", 150, 500, 1), Gene("minus", 150, 500, -1))
    windows = positives(promoter_table(genome, upstream=100, downstream=-12))
    assert windows["sequence"].tolist() == [
        sequence[50:138],
        reverse_complement(sequence[512:600]),
    ]


@settings(deadline=None)
@given(st.data())
def test_windows_equal_slices_of_a_string(data: st.DataObject) -> None:
    length = data.draw(st.integers(300, 500))
    sequence = random_dna(length, data.draw(st.integers(0, 9)))
    genes = [
        Gene(f"g{i}", start, start + data.draw(st.integers(3, length)), strand)
        for i, (start, strand) in enumerate(
            data.draw(
                st.lists(
                    st.tuples(st.integers(0, length - 1), st.sampled_from((1, -1))),
                    min_size=1,
                    max_size=6,
                )
            )
        )
    ]
    # One with room for a negative, wherever the others lie.
    genes.append(Gene("roomy", 10, 290, -1))
    upstream, downstream = data.draw(st.integers(10, 40)), data.draw(st.integers(5, 40))
    size = upstream + downstream
    table = promoter_table(
        genome_of(sequence, *genes), upstream, downstream, seed=data.draw(st.integers(0, 9))
    )

    by_name = {gene.name: gene for gene in genes}
    assert positives(table)["gene"].tolist() == list(by_name)
    assert negatives(table)["gene"].tolist() == [
        gene.name for gene in genes if len(gene) - 2 * TRIM > size
    ]
    for row in table.itertuples():
        gene = by_name[row.gene]
        assert row.strand == "+-"[gene.strand < 0]
        assert 0 <= row.start < length
        assert row.end - row.start == size
        assert row.sequence == read(sequence, row.start, row.end, row.strand)
        if row.label == PROMOTER:
            expected = gene.start - upstream if gene.strand > 0 else gene.end - downstream
            assert (row.start - expected) % length == 0
        else:
            offset = (row.start - gene.start) % length
            assert TRIM <= offset <= len(gene) - TRIM - size


def test_every_place_inside_a_gene_can_be_drawn_and_no_other() -> None:
    # 151 bases are left after trimming: two places.
    genome = genome_of(random_dna(251, 0), *[Gene("g", 0, 251, 1)] * 60)
    assert set(negatives(promoter_table(genome))["start"]) == {50, 51}


def test_exactly_a_window_left_after_trimming_is_too_short() -> None:
    genome = genome_of(random_dna(1000, 0), Gene("no", 0, 250, 1), Gene("yes", 300, 551, 1))
    table = promoter_table(genome)
    assert negatives(table)["gene"].tolist() == ["yes"]
    assert table.attrs["notes"] == [
        "1 CDS gave no coding window: too short for 150 bases after trimming 50 from either end."
    ]


def test_seed_moves_negatives_only() -> None:
    genome = genome_of(random_dna(5000, 0), *(Gene(f"g{i}", i, i + 900, 1) for i in range(20)))
    first, again, other = (promoter_table(genome, seed=seed) for seed in (0, 0, 1))
    assert first.equals(again)
    assert positives(first).equals(positives(other))
    assert not negatives(first).equals(negatives(other))


def test_windows_off_a_linear_contig_are_counted() -> None:
    genome = genome_of(
        random_dna(1000, 0),
        Gene("front", 99, 600, 1),
        Gene("fits", 100, 600, 1),
        Gene("back", 300, 901, -1),
        circular=False,
    )
    table = promoter_table(genome)
    assert positives(table)["gene"].tolist() == ["fits"]
    assert table.attrs["notes"] == [
        "2 CDS gave no promoter window: it would run off the end of its contig."
    ]


def test_open_starts_are_counted_and_keep_their_coding_window() -> None:
    genome = genome_of(
        random_dna(2000, 0),
        Gene("open", 100, 900, 1, start_known=False),
        Gene("known", 1000, 1900, 1),
    )
    table = promoter_table(genome)
    assert positives(table)["gene"].tolist() == ["known"]
    assert negatives(table)["gene"].tolist() == ["open", "known"]
    assert table.attrs["notes"] == [
        "1 CDS gave no promoter window: the annotation leaves their start open."
    ]


def test_ambiguous_windows_are_dropped_and_counted() -> None:
    sequence = random_dna(3000, 0)
    sequence = sequence[:150] + "N" + sequence[151:1250] + "R" * 200 + sequence[1450:]
    genome = genome_of(
        sequence,
        Gene("upstream", 200, 800, 1),
        Gene("inside", 1100, 1600, 1),
        Gene("clean", 1800, 2900, 1),
    )
    table = promoter_table(genome)
    assert positives(table)["gene"].tolist() == ["inside", "clean"]
    assert negatives(table)["gene"].tolist() == ["upstream", "clean"]
    assert table.attrs["notes"] == [
        "1 promoter windows were left out: they hold ambiguous bases.",
        "1 coding windows were left out: they hold ambiguous bases or leave their contig.",
    ]


def test_genes_are_numbered_through_all_contigs() -> None:
    contigs = tuple(
        Contig(name, encode(random_dna(900, i)), True, (Gene("same", 200, 800, 1),))
        for i, name in enumerate(("c1", "c2"))
    )
    table = promoter_table(Genome("test", contigs))
    assert table["id"].is_unique
    assert table["contig"].tolist() == ["c1", "c2", "c1", "c2"]


@pytest.mark.parametrize(
    ("genes", "arguments", "message"),
    [
        ((), {}, "no CDS is annotated"),
        ((Gene("g", 200, 900, 1),), {"upstream": -1}, "upstream: got -1"),
        ((Gene("g", 200, 900, 1),), {"upstream": 20, "downstream": -6}, "windows of 14 bases"),
        ((Gene("g", 200, 400, 1),), {}, "none of 1 CDS gives a coding window. 1 CDS"),
        ((Gene("g", 200, 900, 1, False),), {}, "none of 1 CDS gives a promoter window. 1 CDS"),
    ],
)
def test_unusable_input(genes: tuple[Gene, ...], arguments: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        promoter_table(genome_of(random_dna(1000, 0), *genes), **arguments)


def test_counts_on_e_coli() -> None:
    if not K12.exists():
        pytest.skip(f"{K12} is not there")
    table = promoter_table(read_genome(K12))
    assert len(positives(table)) == 4319
    assert len(negatives(table)) == 4003
    assert set(table["sequence"].str.len()) == {150}
    starts = positives(table)["sequence"].str[100:103].value_counts(normalize=True)
    assert starts["ATG"] > 0.85


def bed(folder: Path, *lines: str) -> Path:
    path = folder / "sites.bed"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_framing_is_named() -> None:
    genome = genome_of(random_dna(1000, 0), Gene("g", 200, 900, 1))
    assert set(promoter_table(genome)["framing"]) == {"anchored"}
    assert set(promoter_table(genome, 100, -12)["framing"]) == {"upstream"}


def test_tss_windows_on_either_strand(tmp_path: Path) -> None:
    sequence = random_dna(1000, 0)
    genome = genome_of(sequence, Gene("g", 300, 900, 1))
    sites = bed(tmp_path, "c1\t200\t201\ta\t0\t+", "c1\t500\t501\tb\t0\t-", "c1\t10\t11\tc\t0\t+")
    table = tss_table(genome, sites, upstream=60, downstream=20)
    windows = positives(table)
    assert windows["id"].tolist() == ["tss_1", "tss_2", "tss_3"]
    assert windows[["start", "end"]].to_numpy().tolist() == [[140, 220], [481, 561], [950, 1030]]
    for row in windows.itertuples():
        assert row.sequence == read(sequence, row.start, row.end, row.strand)
    # The site itself is the base at index 60.
    assert windows["sequence"].str[60].tolist() == [
        sequence[200],
        reverse_complement(sequence[500]),
        sequence[10],
    ]
    assert tuple(table.columns) == COLUMNS
    assert set(table["framing"]) == {"tss"}
    assert negatives(table)["gene"].tolist() == ["g"]


def test_no_negative_covers_a_tss_within_a_gene(tmp_path: Path) -> None:
    genome = genome_of(random_dna(2000, 0), Gene("a", 100, 500, 1), Gene("b", 600, 900, -1))
    # Room is left in the first gene behind its sites, of either strand, none in the second.
    sites = bed(
        tmp_path,
        "c1\t230\t231\ta\t0\t+",
        "c1\t260\t261\tb\t0\t-",
        "c1\t720\t721\tc\t0\t+",
        "c1\t780\t781\td\t0\t-",
    )
    for seed in range(20):
        table = tss_table(genome, sites, upstream=60, downstream=20, seed=seed)
        (only,) = negatives(table).itertuples()
        assert only.gene == "a"
        taken = [range(row.start, row.end) for row in positives(table).itertuples()]
        assert not any(base in span for span in taken for base in range(only.start, only.end))
    assert (
        "1 CDS gave no coding window: there is no place in them without a transcription start "
        "site." in table.attrs["notes"]
    )


def test_what_stands_before_a_window(tmp_path: Path) -> None:
    sequence = random_dna(1000, 0)
    genes = (Gene("f", 300, 600, 1), Gene("r", 620, 900, -1))
    sites = bed(tmp_path, "c1\t200\t201\ta\t0\t+", "c1\t500\t501\tb\t0\t-", "c1\t70\t71\tc\t0\t+")
    for table, anchor in (
        (promoter_table(genome_of(sequence, *genes), context=30), 100),
        (tss_table(genome_of(sequence, *genes), sites, context=30), 60),
    ):
        assert tuple(table.columns) == (*COLUMNS, "before", "after")
        assert set(table["anchor"]) == {anchor}
        for row in table.itertuples():
            left = read(sequence, row.start - 30, row.start, row.strand)
            right = read(sequence, row.end, row.end + 30, row.strand)
            assert (row.before, row.after) == (
                (left, right) if row.strand == "+" else (right, left)
            )
    linear = tss_table(genome_of(sequence, *genes, circular=False), sites, context=30)
    assert positives(linear)["id"].tolist() == ["tss_1", "tss_2"]
    assert "1 windows were left out: their contig has less than 30" in linear.attrs["notes"][-1]
    with pytest.raises(InputError, match="--context: got -1"):
        promoter_table(genome_of(sequence, *genes), context=-1)
    with pytest.raises(InputError, match="--context: got 999, but no promoter window"):
        promoter_table(genome_of(sequence, *genes, circular=False), context=999)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 99), st.booleans())
def test_background_keeps_its_distance(seed: int, circular: bool) -> None:
    sequence = random_dna(3000, seed)
    genome = genome_of(sequence, circular=circular)
    contig = genome.contigs[0]
    sites = [
        Window(f"p{start}", contig, start, strand, contig.window(start, start + 80, strand), "")
        for start, strand in ((100, 1), (900, 1), (2000, -1))
    ]
    windows = background_windows(genome, sites, sites, 60, np.random.default_rng(seed))
    assert [window.name for window in windows] == [f"background_{n}" for n in range(1, 13)]
    for window in windows:
        expected = read(sequence, window.start, window.start + 80, "+-"[window.strand < 0])
        assert decode(window.codes) == expected
        apart = []
        for site in sites:
            if site.strand == window.strand:
                distance = abs(site.start - window.start)
                apart.append(min(distance % 3000, -distance % 3000) if circular else distance)
        assert min(apart) > 50


def test_half_of_the_background_is_near_a_site() -> None:
    contig = genome_of(random_dna(60_000, 0)).contigs[0]
    sites = [
        Window(f"p{start}", contig, start, 1, contig.window(start, start + 80, 1), "")
        for start in range(1000, 60_000, 3000)
    ]
    genome = Genome("test", (contig,))
    windows = background_windows(genome, sites, sites, 60, np.random.default_rng(0))
    assert len(windows) == 80
    near = [w for w in windows if min(abs(s.start - w.start) for s in sites) <= 250]
    # 40 on their strand, and a sixth of the others on either by chance.
    assert 30 <= len(near) <= 60
    reverse = sum(window.strand < 0 for window in windows)
    assert 10 <= reverse <= 30


def test_a_genome_without_room_for_background(tmp_path: Path) -> None:
    lines = [f"c1\t{place}\t{place + 1}\tt\t0\t{s}" for place in range(0, 400, 40) for s in "+-"]
    genome = genome_of(random_dna(400, 0))
    with pytest.raises(InputError, match="no background window can be cut"):
        tss_table(genome, bed(tmp_path, *lines), "background")


def test_a_site_is_where_an_evaluation_of_a_scan_has_it(tmp_path: Path) -> None:
    genome = genome_of(random_dna(3000, 0))
    lines = (
        "c1\t1000\t1031\ta\t0\t+",
        "c1\t2000\t2031\tb\t0\t-",
        "c1\t650\t760\tc\t0\t+\t700\t701",
    )
    path = bed(tmp_path, *lines)
    found = positives(tss_table(genome, path, "background", 60, 20))
    sites = read_truth(path)
    assert [site.position for site in sites] == [1000, 2030, 700]
    for row, site in zip(found.itertuples(), sites, strict=True):
        place = row.start + 60 if row.strand == "+" else row.end - 1 - 60
        assert place == site.position


def test_a_thick_base_outside_of_its_interval_is_no_site(tmp_path: Path) -> None:
    """It could lie beyond the contig."""
    path = bed(tmp_path, "c1\t1000\t1001\ta\t0\t+\t9000\t9001")
    assert [site.position for site in read_truth(path)] == [1000]
    (start,) = positives(tss_table(genome_of(random_dna(3000, 0)), path, "background"))["start"]
    assert start == 1000 - 60


def test_a_context_that_leaves_no_promoter(tmp_path: Path) -> None:
    sequence = random_dna(3000, 0)
    genome = genome_of(sequence, circular=False)
    path = bed(tmp_path, "c1\t100\t101\ta\t0\t+", "c1\t2900\t2901\ta\t0\t+")
    with pytest.raises(InputError, match=r"^--context: got 200, but no promoter window"):
        tss_table(genome, path, "background", 60, 20, context=200)


def test_repeated_and_unusable_tss_are_counted(tmp_path: Path) -> None:
    sequence = random_dna(1000, 0)[:-1] + "N"
    genome = genome_of(sequence, Gene("g", 300, 900, 1), circular=False)
    line = "c1\t200\t201\ta\t0\t+"
    edge = "c1\t10\t11\ta\t0\t+"
    sites = bed(tmp_path, line, line, edge, "c1\t985\t986\ta\t0\t-", edge)
    table = tss_table(genome, sites)
    assert positives(table)["id"].tolist() == ["tss_1"]
    assert table.attrs["notes"] == [
        "2 TSS were listed before and count once.",
        "2 TSS gave no window: it would run off the end of its contig.",
    ]


@settings(deadline=None)
@given(st.integers(0, 99), st.integers(15, 60))
def test_intergenic_windows_touch_neither_genes_nor_promoters(seed: int, length: int) -> None:
    sequence = random_dna(900, seed)
    sequence = sequence[:600] + "N" + sequence[601:]
    genome = genome_of(sequence, Gene("a", 100, 300, 1), Gene("over", 850, 920, -1))
    start = 400
    avoid = Window("p", genome.contigs[0], start, 1, encode(sequence[start : start + length]), "")
    windows = intergenic_windows(genome, length, [avoid], np.random.default_rng(seed))
    taken = [*range(100, 300), *range(850, 900), *range(20), *range(start, start + length), 600]
    seen: list[int] = []
    for window in windows:
        covered = range(window.start, window.start + length)
        assert not set(covered) & {*taken, *seen}
        seen += covered
        expected = sequence[window.start : window.start + length]
        assert decode(window.codes) == (
            expected if window.strand > 0 else reverse_complement(expected)
        )
    # Whatever is left is too short for one more.
    free = sorted(set(range(900)) - set(taken))
    stretches = np.split(free, np.flatnonzero(np.diff(free) > 1) + 1)
    assert len(windows) == sum(len(stretch) // length for stretch in stretches)


def test_shuffled_negatives_stand_where_their_promoter_does(tmp_path: Path) -> None:
    genome = genome_of(random_dna(1000, 0))
    sites = bed(tmp_path, "c1\t200\t201\ta\t0\t+", "c1\t500\t501\tb\t0\t-")
    table = tss_table(genome, sites, "shuffled")
    one, other = positives(table), negatives(table)
    place = ["contig", "start", "end", "strand"]
    assert (one[place].to_numpy() == other[place].to_numpy()).all()
    for left, right in zip(one["sequence"], other["sequence"], strict=True):
        assert left != right
        assert sorted(left) == sorted(right)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("c2\t1\t2\ta\t0\t+", "line 1: contig 'c2' is not in test, which has c1"),
        ("c1\t1\t2", "needs its strand"),
        ("c1\t1\t1\ta\t0\t+", "is no place"),
        ("c1\t1000\t1001\ta\t0\t+", "is no place"),
    ],
)
def test_unusable_tss(tmp_path: Path, line: str, message: str) -> None:
    genome = genome_of(random_dna(1000, 0), Gene("g", 300, 900, 1))
    with pytest.raises(InputError, match=message):
        tss_table(genome, bed(tmp_path, line))
    with pytest.raises(InputError, match="--negatives: got 'all'"):
        tss_table(genome, bed(tmp_path, line), "all")


@pytest.mark.parametrize("kind", ["cds", "intergenic", "background"])
@pytest.mark.parametrize("seed", range(4))
def test_negatives_keep_away_from_sites_that_give_no_window(
    kind: str, seed: int, tmp_path: Path
) -> None:
    sequence = random_dna(4000, seed)
    # One site has an ambiguous base in its window, one is too near the end, one has another name.
    sequence = sequence[:1510] + "N" + sequence[1511:]
    genes = (Gene("a", 1000, 2000, 1), Gene("b", 2500, 3990, -1))
    genome = genome_of(sequence, *genes, circular=False)
    places = (("kept", 700, "+"), ("kept", 1500, "+"), ("kept", 40, "+"), ("other", 3000, "-"))
    lines = [f"c1\t{place}\t{place + 1}\t{name}\t0\t{s}" for name, place, s in places]
    table = tss_table(genome, bed(tmp_path, *lines), kind, seed=seed, name="kept")
    assert positives(table)["id"].tolist() == ["tss_1"]
    assert any("1 TSS have another name than 'kept'" in note for note in table.attrs["notes"])
    for row in negatives(table).itertuples():
        site = row.start + 60 if row.strand == "+" else row.end - 61
        for _, place, strand in places:
            if kind == "background" and strand == row.strand:
                assert abs(site - place) > 50
            elif kind != "background":
                first = place - 60 if strand == "+" else place - 19
                assert row.end <= first or row.start >= first + 80


def test_a_name_that_no_site_has(tmp_path: Path) -> None:
    sites = bed(tmp_path, "c1\t200\t201\ttrain\t0\t+", "c1\t500\t501\ttest\t0\t+")
    genome = genome_of(random_dna(1000, 0), Gene("g", 300, 900, 1))
    with pytest.raises(InputError, match=r"--tss-name: got 'Train'.*names found are test, train"):
        tss_table(genome, sites, name="Train")


def test_intergenic_windows_keep_out_of_cds_that_are_no_genes() -> None:
    contig = Contig("c1", encode(random_dna(900, 0)), other_cds=((100, 400), (600, 900)))
    windows = intergenic_windows(Genome("test", (contig,)), 50, (), np.random.default_rng(0))
    assert windows
    for window in windows:
        assert window.start + 50 <= 100 or (window.start >= 400 and window.start + 50 <= 600)


@pytest.mark.parametrize(("upstream", "downstream"), [(2**62, 50), (100, -(2**62)), (100, 10**9)])
def test_absurd_windows(upstream: int, downstream: int) -> None:
    genome = genome_of(random_dna(1000, 0), Gene("g", 300, 900, 1))
    with pytest.raises(InputError, match=r"stream: got -?\d+, allowed are"):
        promoter_table(genome, upstream, downstream)
