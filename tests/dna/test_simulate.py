import gzip
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genomic_ulmfit.dna.alphabet import decode, encode
from genomic_ulmfit.dna.genome import Contig, Gene, Genome
from genomic_ulmfit.dna.readers import read_genome
from genomic_ulmfit.dna.simulate import simulate_genome, write_genbank
from genomic_ulmfit.errors import InputError

# A busy machine must not fail a test of what is computed.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

STOPS = {"TAA", "TAG", "TGA"}


@pytest.fixture(scope="module")
def genome():
    return simulate_genome(2000, seed=1)


@pytest.fixture(scope="module")
def contig(genome):
    return genome.contigs[0]


@pytest.fixture(scope="module")
def coding(contig):
    return [decode(contig.window(gene.start, gene.end, gene.strand)) for gene in contig.genes]


def codons(sequence):
    return [sequence[i : i + 3] for i in range(0, len(sequence), 3)]


def same_contig(a, b):
    return a.codes.tolist() == b.codes.tolist() and (a.name, a.circular, a.genes, a.tss) == (
        b.name,
        b.circular,
        b.genes,
        b.tss,
    )


def motif_profile(contig, sites, motif, offsets, mismatches=1):
    """Count sites with `motif` (within so many mismatches) starting at each offset from them."""
    hits = dict.fromkeys(offsets, 0)
    for position, strand in sites:
        for offset in offsets:
            start = position + offset if strand > 0 else position - offset - len(motif) + 1
            word = decode(contig.window(start, start + len(motif), strand))
            differing = sum(a != b for a, b in zip(word, motif, strict=True))
            hits[offset] += differing <= mismatches
    return hits


def assert_enriched(hits, where, peak, times):
    """Hits per offset are `times` as many inside `where` as outside, highest close to `peak`."""
    inside = [count for offset, count in hits.items() if offset in where]
    outside = [count for offset, count in hits.items() if offset not in where]
    assert np.mean(inside) > times * np.mean(outside)
    assert abs(max(hits, key=hits.__getitem__) - peak) <= 1


def test_one_circular_contig_marked_as_simulated(genome, contig):
    assert genome.simulated
    assert len(genome.contigs) == 1
    assert contig.circular
    assert genome.n_genes == 2000
    assert set(np.unique(contig.codes)) == {0, 1, 2, 3}


def test_genes_are_in_order_apart_from_each_other_and_on_both_strands(contig):
    for left, right in zip(contig.genes[:-1], contig.genes[1:], strict=True):
        assert left.end < right.start
    assert contig.genes[0].start > 0
    assert contig.genes[-1].end < len(contig)
    assert len({gene.name for gene in contig.genes}) == len(contig.genes)
    assert 0.4 < np.mean([gene.strand > 0 for gene in contig.genes]) < 0.6


def test_every_gene_is_an_open_reading_frame(coding):
    for sequence in coding:
        assert len(sequence) % 3 == 0
        start, *inside, stop = codons(sequence)
        assert start in {"ATG", "GTG", "TTG"}
        assert stop in STOPS
        assert STOPS.isdisjoint(inside)


def test_start_and_stop_codons_are_as_frequent_as_in_e_coli(coding):
    starts = Counter(sequence[:3] for sequence in coding)
    stops = Counter(sequence[-3:] for sequence in coding)
    assert 0.85 < starts["ATG"] / len(coding) < 0.95
    assert starts["GTG"] > starts["TTG"] > 0
    assert stops["TAA"] > stops["TGA"] > stops["TAG"] > 0


def test_codon_usage_is_that_of_e_coli(coding):
    used = Counter(codon for sequence in coding for codon in codons(sequence)[1:-1])
    share = {codon: 1000 * count / used.total() for codon, count in used.items()}
    # Leucine and arginine, the amino acids with the strongest preferences.
    assert share["CTG"] == pytest.approx(53.3, abs=2)
    assert share["CTA"] == pytest.approx(3.9, abs=1)
    assert share["CGT"] == pytest.approx(21.1, abs=2)
    assert share["AGG"] == pytest.approx(1.2, abs=0.5)


def test_gene_lengths_are_bacterial(coding):
    lengths = [len(sequence) for sequence in coding]
    assert 700 < np.median(lengths) < 900
    assert np.percentile(lengths, 5) < 350
    assert np.percentile(lengths, 95) > 1800
    assert min(lengths) >= 90


def test_dna_between_genes_is_richer_in_a_and_t(contig):
    inside = np.zeros(len(contig), dtype=bool)
    for gene in contig.genes:
        inside[gene.start : gene.end] = True
    gc = (contig.codes == 1) | (contig.codes == 2)
    assert gc[~inside].mean() + 0.08 < gc[inside].mean()
    assert 0.05 < (~inside).mean() < 0.25


def test_every_tss_leads_an_operon(contig):
    n_leading = 0
    starts = {
        strand: np.array(
            sorted(
                gene.start if strand > 0 else gene.end - 1
                for gene in contig.genes
                if gene.strand == strand
            )
        )
        for strand in (1, -1)
    }
    for position, strand in contig.tss:
        distances = (starts[strand] - position) * strand
        leader = distances[distances > 0].min()
        assert 22 <= leader <= 301
        n_leading += 1
    assert n_leading == len(contig.tss)
    # About a third of the genes lie further back in an operon.
    assert 0.5 < len(contig.tss) / len(contig.genes) < 0.75


def test_tss_are_mostly_purines(contig):
    bases = Counter(decode(contig.window(p, p + 1, strand)) for p, strand in contig.tss)
    assert (bases["A"] + bases["G"]) / bases.total() > 0.75
    assert bases["A"] > bases["G"]


def test_minus_10_box_is_at_its_place(contig):
    hits = motif_profile(contig, contig.tss, "TATAAT", range(-60, 20))
    assert_enriched(hits, range(-14, -9), peak=-12, times=4)
    # Degenerate: most promoters do not have the perfect box.
    perfect = motif_profile(contig, contig.tss, "TATAAT", range(-14, -9), mismatches=0)
    assert sum(perfect.values()) < 0.25 * len(contig.tss)


def test_minus_35_box_is_at_its_place(contig):
    hits = motif_profile(contig, contig.tss, "TTGACA", range(-80, 20))
    assert_enriched(hits, range(-39, -30), peak=-35, times=4)
    perfect = motif_profile(contig, contig.tss, "TTGACA", range(-39, -30), mismatches=0)
    assert sum(perfect.values()) < 0.25 * len(contig.tss)


def test_shine_dalgarno_is_before_every_start_codon(contig):
    sites = [(g.start if g.strand > 0 else g.end - 1, g.strand) for g in contig.genes]
    hits = motif_profile(contig, sites, "AGGAGG", range(-40, 10))
    assert_enriched(hits, range(-15, -10), peak=-13, times=8)


def test_the_seed_decides():
    first, again, other = (simulate_genome(20, seed) for seed in (3, 3, 4))
    assert same_contig(first.contigs[0], again.contigs[0])
    assert not np.array_equal(first.contigs[0].codes[:500], other.contigs[0].codes[:500])


@pytest.mark.parametrize("n_genes", [1, 2, 7])
def test_small_genomes_have_just_so_many_genes(n_genes):
    assert simulate_genome(n_genes).n_genes == n_genes


@pytest.mark.parametrize(("n_genes", "seed"), [(0, 0), (-5, 0), (10, -1)])
def test_impossible_arguments_are_refused(n_genes, seed):
    with pytest.raises(InputError, match=r"got (0|-5|-1)[,.]"):
        simulate_genome(n_genes, seed)


@pytest.mark.parametrize("file", ["sim.gbk", "sim.gbk.gz"])
def test_round_trip_through_genbank(tmp_path, file):
    genome = simulate_genome(30, seed=5)
    write_genbank(genome, tmp_path / "new" / file)
    back = read_genome(tmp_path / "new" / file)
    assert same_contig(back.contigs[0], genome.contigs[0])
    assert (back.name, back.simulated, back.notes) == ("sim", True, ())
    assert [path.name for path in (tmp_path / "new").iterdir()] == [file]


def test_the_same_genome_gives_the_same_file(tmp_path):
    genome = simulate_genome(5)
    for name in ("a.gbk", "b.gbk", "a.gbk.gz", "b.gbk.gz"):
        write_genbank(genome, tmp_path / name)
    assert (tmp_path / "a.gbk").read_bytes() == (tmp_path / "b.gbk").read_bytes()
    assert (tmp_path / "a.gbk.gz").read_bytes() == (tmp_path / "b.gbk.gz").read_bytes()
    unpacked = gzip.decompress((tmp_path / "a.gbk.gz").read_bytes())
    assert unpacked == (tmp_path / "a.gbk").read_bytes()


@unhurried
@given(
    st.booleans(),
    st.lists(
        st.tuples(st.integers(0, 79), st.integers(3, 79), st.sampled_from([1, -1]), st.booleans()),
        max_size=5,
    ),
)
def test_any_genes_survive_the_round_trip(tmp_path_factory, circular, places):
    length = 80
    genes = [
        Gene(f"g{number}", start, start + span, strand, start_known)
        for number, (start, span, strand, start_known) in enumerate(places)
        if circular or start + span <= length
    ]
    genes.sort(key=lambda gene: (gene.start, gene.end))
    contigs = (
        Contig("first", encode("ACGTN" * 16), circular, tuple(genes), tss=((3, -1), (9, 1))),
        Contig("second", encode("GATTACA")),
    )
    path = tmp_path_factory.mktemp("round") / "x.gbk"
    write_genbank(Genome("x", contigs), path)
    back = read_genome(path)
    assert back.notes == ()
    assert not back.simulated
    assert len(back.contigs) == 2
    assert all(same_contig(a, b) for a, b in zip(back.contigs, contigs, strict=True))
