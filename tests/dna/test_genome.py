import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genomic_ulmfit.dna.alphabet import decode, encode
from genomic_ulmfit.dna.genome import Contig, Gene, Genome
from genomic_ulmfit.errors import InputError

# A busy machine must not fail a test of what is computed.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

dna = st.text(alphabet="ACGTN", min_size=1, max_size=40)


def slow_window(sequence, start, end, strand, circular):
    if end - start > len(sequence):
        return None
    if not circular and (start < 0 or end > len(sequence)):
        return None
    letters = "".join(sequence[i % len(sequence)] for i in range(start, end))
    return letters if strand > 0 else letters[::-1].translate(str.maketrans("ACGT", "TGCA"))


@unhurried
@given(dna, st.integers(-90, 90), st.integers(0, 60), st.sampled_from([1, -1]), st.booleans())
def test_window_agrees_with_picking_letters(sequence, start, span, strand, circular):
    contig = Contig("c", encode(sequence), circular)
    window = contig.window(start, start + span, strand)
    letters = None if window is None else decode(window)
    assert letters == slow_window(sequence, start, start + span, strand, circular)


def test_window_over_the_origin_of_a_plasmid():
    contig = Contig("plasmid", encode("ATGCCCGGGAAA"), circular=True)
    assert decode(contig.window(-3, 3, 1)) == "AAAATG"
    assert decode(contig.window(9, 15, 1)) == "AAAATG"
    assert decode(contig.window(9, 15, -1)) == "CATTTT"
    assert contig.window(-1, 12, 1) is None


def test_a_gene_over_the_origin_keeps_its_length():
    assert len(Gene("dnaA", 95, 110, 1)) == 15


def test_genome_counts_all_contigs():
    chromosome = Contig("c", encode("ACGTACGT"), genes=(Gene("a", 0, 3, 1), Gene("b", 3, 6, -1)))
    plasmid = Contig("p", encode("ACGT"), genes=(Gene("c", 0, 3, 1),))
    genome = Genome("g", (chromosome, plasmid))
    assert (genome.n_bases, genome.n_genes) == (12, 3)
    assert len(plasmid) == 4
    genome.require_genes()


def test_a_genome_without_genes_is_refused_where_genes_are_needed():
    with pytest.raises(InputError, match="bare: no CDS is annotated"):
        Genome("bare", (Contig("c", encode("ACGT")),)).require_genes()
