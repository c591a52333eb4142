"""Training text and held-out regions: every base once, nothing on both sides."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from genomic_ulmfit.data import corpus as corpus_module
from genomic_ulmfit.data.corpus import (
    HELD_OUT_SHARE,
    PIECE,
    SHORTEST_PIECE,
    Corpus,
    build_corpus,
)
from genomic_ulmfit.dna.alphabet import AMBIGUOUS, Codes, decode
from genomic_ulmfit.dna.genome import Contig, Genome
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import file_sha256

sizes_of_contigs = st.lists(st.integers(60, 3000), min_size=1, max_size=6)
ambiguous_places = st.lists(st.integers(0, 20_000), max_size=12)


def random_genome(
    sizes: list[int], ambiguous: list[int] | None = None, seed: int = 0, name: str = "g"
) -> Genome:
    rng = np.random.default_rng(seed)
    text = rng.integers(0, 4, sum(sizes)).astype(np.uint8)
    for position in ambiguous or []:
        text[position % len(text)] = AMBIGUOUS
    parts = np.split(text, np.cumsum(sizes)[:-1])
    return Genome(name, tuple(Contig(f"{name}.{i}", part) for i, part in enumerate(parts)))


def small_corpus(genomes: list[Genome], share: float = 0.1) -> Corpus:
    """Build a corpus with pieces and regions so small that short genomes have several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus_module, "PIECE", 400)
        patch.setattr(corpus_module, "HELD_OUT_REGION", 200)
        return build_corpus(genomes, share)


def places(pieces: Iterable[Codes], genome: Genome) -> list[tuple[int, int, int]]:
    """Find pieces by their letters, as (contig, start, end): random text repeats no 50 bases."""
    texts = [contig.codes.tobytes() for contig in genome.contigs]
    found = []
    for piece in pieces:
        raw = piece.tobytes()
        hits = [
            (number, at, at + len(raw))
            for number, text in enumerate(texts)
            if (at := text.find(raw)) >= 0
        ]
        assert len(hits) == 1
        found += hits
    return found


@settings(max_examples=60)
@given(sizes_of_contigs, ambiguous_places, st.sampled_from([0.05, 0.1, 0.3]))
def test_each_base_is_trained_on_or_held_out_or_in_a_scrap(
    sizes: list[int], ambiguous: list[int], share: float
) -> None:
    genome = random_genome(sizes, ambiguous)
    try:
        corpus = small_corpus([genome], share)
    except InputError:
        reject()
    taken = [np.zeros(size, dtype=int) for size in sizes]
    texts = itertools.chain(corpus.training_text(), corpus.held_out_text())
    for contig, start, end in places(texts, genome):
        assert end - start >= SHORTEST_PIECE
        taken[contig][start:end] += 1
    assert max(int(marks.max()) for marks in taken) == 1
    assert corpus.train["length"].max() <= 400
    for contig, marks in zip(genome.contigs, taken, strict=True):
        assert not marks[contig.codes == AMBIGUOUS].any()
        left = (marks == 0) & (contig.codes != AMBIGUOUS)
        for is_left, run in itertools.groupby(left):
            # Scraps lie between two cuts: an ambiguous base, a region's edge, a contig's end.
            assert not is_left or len(list(run)) < 2 * SHORTEST_PIECE
    assert corpus.n_train == sum(map(len, corpus.training_text()))
    assert corpus.n_held_out == sum(map(len, corpus.held_out_text()))
    (described,) = corpus.genomes
    assert described.n_bases == sum(sizes)
    assert described.n_ambiguous == sum((c.codes == AMBIGUOUS).sum() for c in genome.contigs)


def test_held_out_regions_are_long_even_and_few() -> None:
    genome = random_genome([700_000])
    corpus = build_corpus([genome])
    assert corpus.n_held_out / genome.n_bases == pytest.approx(HELD_OUT_SHARE, rel=0.001)
    assert corpus.n_train + corpus.n_held_out == genome.n_bases
    regions = places(corpus.held_out_text(), genome)
    assert len(regions) == 3
    for _, start, end in regions:
        assert 11_000 < end - start < 13_000
    gaps = np.diff([start for _, start, _ in regions])
    assert gaps.max() - gaps.min() <= 1
    lengths = corpus.train["length"]
    assert lengths.max() <= PIECE
    assert lengths.min() > PIECE / 2, "pieces are even, not a long run's leftovers"


def test_each_genome_is_divided_as_if_it_were_alone() -> None:
    genomes = [random_genome([5_000], [70], seed=1), random_genome([3_001, 4_000], seed=2)]
    corpus = build_corpus(genomes)
    for number, genome in enumerate(genomes):
        alone = build_corpus([genome])
        for table, expected in (
            (corpus.train, alone.train),
            (corpus.held_out, alone.held_out),
        ):
            own = table[table["genome"] == number]
            assert len(own) == len(expected) > 0
            for one, other in zip(own, expected, strict=True):
                assert np.array_equal(corpus.codes(one), alone.codes(other))
    assert (np.diff(corpus.train["start"]) > 0).all(), "in the order of the text"


def test_what_is_there_already_moves_no_region() -> None:
    """Else one corpus would train on what another holds out."""
    plasmid, *rest = random_genome([5_000, 90_000, 7_000], seed=1).contigs
    genome = Genome("g", (plasmid, *rest))
    alone = build_corpus([genome])
    both = build_corpus([Genome("h", (plasmid, *random_genome([50_000], seed=2).contigs)), genome])
    assert both.genomes[1].n_bases == 97_000
    held_out = places(alone.held_out_text(), genome)
    own = both.held_out[both.held_out["genome"] == 1]
    found = places([both.codes(one) for one in own], genome)
    assert found == [place for place in held_out if place[0] > 0]


def test_where_a_genome_comes_from_is_recorded(tmp_path: Path) -> None:
    genome = random_genome([3_000, 200])
    path = tmp_path / "g.fna"
    path.write_text(f">g\n{decode(genome.contigs[0].codes)}\n")
    (described,) = build_corpus([genome], files=[path]).genomes
    assert described.accessions == ("g.0", "g.1")
    assert (described.name, described.file) == ("g", "g.fna")
    assert described.sha256 == file_sha256(path)


def test_too_little_text_is_refused() -> None:
    for genome in (
        random_genome([60]),
        random_genome([3_000], ambiguous=list(range(0, 3_000, 20))),
    ):
        with pytest.raises(InputError, match="g: too little unambiguous sequence"):
            build_corpus([genome])


@pytest.fixture
def three() -> Corpus:
    return small_corpus(
        [
            random_genome([4_000, 900], seed=0, name="Escherichia_coli"),
            random_genome([5_000], seed=1, name="Shigella_boydii"),
            random_genome([4_500], seed=2, name="Bacillus_subtilis"),
        ]
    )


@pytest.mark.parametrize(
    ("patterns", "excluded"),
    [
        (["Escherichia_coli"], (0,)),
        (["escherichia*", "SHIGELLA_*"], (0, 1)),
        (["Bacillus_subtilis.0"], (2,)),
        (["*.1"], (0,)),
    ],
)
def test_genomes_are_left_out_by_name_or_accession(
    three: Corpus, patterns: list[str], excluded: tuple[int, ...]
) -> None:
    assert three.excluded == ()
    rest = three.without_genomes(patterns)
    assert rest.excluded == excluded
    kept = three.train[~np.isin(three.train["genome"], excluded)]
    assert np.array_equal(rest.train, kept)
    assert np.array_equal(rest.held_out, three.held_out), "the loss on them can be measured"
    assert rest.sha256 != three.sha256


def test_genomes_are_left_out_by_file_name(tmp_path: Path) -> None:
    paths = [tmp_path / "one.fna", tmp_path / "two.fna"]
    for path in paths:
        path.write_text(">x\nACGT\n")
    genomes = [random_genome([4_000], seed=seed, name=f"g{seed}") for seed in range(2)]
    corpus = build_corpus(genomes, files=paths)
    assert corpus.without_genomes(["two.fna"]).excluded == (1,)


def test_a_genome_that_is_not_there_cannot_be_left_out(three: Corpus) -> None:
    with pytest.raises(InputError, match=r"'E\. coli' is no name.*Escherichia_coli, Shigella_"):
        three.without_genomes(["Bacillus*", "E. coli"])
    with pytest.raises(InputError, match="no training text is left"):
        three.without_genomes(["*"])


def windows_table(*rows: tuple[str, int, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["contig", "start", "end"])


@settings(max_examples=60)
@given(
    sizes_of_contigs,
    ambiguous_places,
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2999), st.integers(1, 500)), max_size=15),
)
def test_windows_are_cut_out_of_the_training_text_and_nothing_else_is(
    sizes: list[int], ambiguous: list[int], drawn: list[tuple[int, int, int]]
) -> None:
    genome = random_genome(sizes, ambiguous)
    try:
        corpus = small_corpus([random_genome([3_000], seed=9, name="first"), genome])
    except InputError:
        reject()
    cut = [np.zeros(size, dtype=bool) for size in sizes]
    rows = []
    for number, start, length in drawn:
        number %= len(sizes)
        start, length = start % sizes[number], min(length, sizes[number])
        rows.append((f"g.{number}", start, start + length))
        cut[number][np.arange(start, start + length) % sizes[number]] = True
    expected = [corpus.codes(row) for row in corpus.train[corpus.train["genome"] == 0]]
    own = corpus.train[corpus.train["genome"] == 1]
    for number, start, end in places(map(corpus.codes, own), genome):
        at = start
        for is_cut, run in itertools.groupby(cut[number][start:end]):
            length = len(list(run))
            if not is_cut and length >= SHORTEST_PIECE:
                expected.append(genome.contigs[number].codes[at : at + length])
            at += length
    rest = corpus.without_windows(windows_table(*rows))
    found = list(rest.training_text())
    assert [piece.tobytes() for piece in found] == [piece.tobytes() for piece in expected]
    assert np.array_equal(rest.held_out, corpus.held_out)


def test_windows_that_cannot_be_cut_out(three: Corpus) -> None:
    for row, message in (
        (("Escherichia_coli", 0, 100), "contig 'Escherichia_coli' is not in this corpus"),
        (("Escherichia_coli.1", 900, 950), "900-950 lies outside of contig .* of 900 bases"),
        (("Escherichia_coli.1", -1, 50), "-1-50 lies outside"),
        (("Escherichia_coli.1", 5, 906), "5-906 lies outside"),
        (("Escherichia_coli.1", 5, 5), "5-5 lies outside"),
    ):
        with pytest.raises(InputError, match=message):
            three.without_windows(windows_table(row))
    twins = build_corpus([random_genome([4_000], seed=seed) for seed in range(2)])
    with pytest.raises(InputError, match=r"contig 'g\.0' is of several genomes"):
        twins.without_windows(windows_table(("g.0", 0, 100)))
    alone = build_corpus([random_genome([4_000])])
    with pytest.raises(InputError, match="no training text is left"):
        alone.without_windows(windows_table(("g.0", 0, 4_000)))


def test_the_digest_tells_texts_and_cuts_apart(three: Corpus) -> None:
    genomes = [random_genome([4_000], seed=seed) for seed in range(2)]
    assert build_corpus(genomes).sha256 == build_corpus(genomes).sha256
    assert build_corpus(genomes).sha256 != build_corpus(genomes[::-1]).sha256
    cut = three.without_windows(windows_table(("Shigella_boydii.0", 2_000, 2_100)))
    assert len({three.sha256, cut.sha256, build_corpus(genomes).sha256}) == 3


def test_regions_of_genomes_that_are_not_trained_on_can_be_left_out(three: Corpus) -> None:
    assert three.without_excluded_regions().held_out.tolist() == three.held_out.tolist()
    rest = three.without_genomes([three.genomes[1].name])
    assert set(rest.held_out["genome"]) == {0, 1, 2}
    kept = rest.without_excluded_regions()
    assert set(kept.held_out["genome"]) == {0, 2}
    assert kept.train.tolist() == rest.train.tolist()


def test_a_name_with_brackets_is_a_name_first() -> None:
    rng = np.random.default_rng(0)
    genomes = [
        Genome(name, (Contig(name, rng.integers(0, 4, 20_000).astype(np.uint8)),))
        for name in ("E[coli]", "Ec")
    ]
    corpus = build_corpus(genomes)
    kept = corpus.without_genomes(["E[coli]"])
    assert set(kept.train["genome"].tolist()) == {1}
