import gzip
import os
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genomic_ulmfit.dna.alphabet import decode
from genomic_ulmfit.dna.genome import Gene
from genomic_ulmfit.dna.readers import read_genome
from genomic_ulmfit.errors import InputError

# A busy machine must not fail a test of what is computed.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

PROJECT = Path(__file__).resolve().parents[2]
SEQUENCE = "ATGAAACCCGGGTTTTAACATCATCATGGGCCCAAATTTGGGCCCAAATTTACGTACGTT"


def genbank(
    *features,
    sequence=SEQUENCE,
    topology="linear",
    name="CTG",
    declared=None,
    unit="bp",
    keywords=".",
):
    """Spell a GenBank record; a feature is a location, or (key, location, qualifiers…)."""
    length = len(sequence) if declared is None else declared
    lines = [
        f"LOCUS       {name:<16} {length:>11} {unit}    DNA     {topology:<8} BCT 01-JAN-2000",
        "DEFINITION  Test.",
        f"ACCESSION   {name}",
        f"VERSION     {name}.1",
        f"KEYWORDS    {keywords}",
        "FEATURES             Location/Qualifiers",
    ]
    for number, feature in enumerate(features, start=1):
        if isinstance(feature, str):
            feature = ("CDS", feature, f'/gene="g{number}"')
        key, location, *qualifiers = feature
        lines.append(f"     {key:<15} {location}")
        lines += [" " * 21 + qualifier for qualifier in qualifiers]
    lines.append("ORIGIN")
    for start in range(0, len(sequence), 60):
        row = sequence[start : start + 60].lower()
        blocks = " ".join(row[i : i + 10] for i in range(0, len(row), 10))
        lines.append(f"{start + 1:>9} {blocks}")
    return "\n".join([*lines, "//", ""])


@pytest.fixture
def read(tmp_path):
    def write_and_read(content, name="x.gbk"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_genome(path)

    return write_and_read


def letters(genome):
    return [(contig.name, decode(contig.codes)) for contig in genome.contigs]


def only_gene(genome):
    assert genome.notes == ()
    (gene,) = genome.contigs[0].genes
    return gene


# FASTA


def test_fasta_contigs_are_linear_and_bare(read):
    genome = read(">a first\nACGT\nAC\n>b\nGGN\n", "sample.1.fna")
    assert letters(genome) == [("a", "ACGTAC"), ("b", "GGN")]
    assert genome.name == "sample.1"
    assert not any(contig.circular or contig.genes or contig.tss for contig in genome.contigs)
    assert not genome.simulated


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("NC_000913.3.gbk.gz", "NC_000913.3"),
        ("NC_000913.3", "NC_000913.3"),
        ("K12.FASTA", "K12"),
        (".fa", ".fa"),
    ],
)
def test_genome_name_loses_format_suffixes_only(read, file, name):
    assert read(">a\nACGT\n", file).name == name


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["unix", "windows", "old mac"])
@pytest.mark.parametrize("packed", [False, True])
def test_line_ends_and_compression_make_no_difference(read, end, packed):
    fasta = ">a x\nACGT\n\nAC\n>b\nGG\n".replace("\n", end).encode()
    annotated = genbank("1..18", topology="circular").replace("\n", end).encode()
    if packed:
        fasta, annotated = gzip.compress(fasta), gzip.compress(annotated)
    # The names say the opposite of the content: only the content counts.
    assert letters(read(fasta, "x.gbk")) == [("a", "ACGTAC"), ("b", "GG")]
    genome = read(annotated, "x.fasta.gz")
    assert letters(genome) == [("CTG.1", SEQUENCE)]
    assert only_gene(genome) == Gene("g1", 0, 18, 1)


def test_gzip_of_several_members_is_read_whole(read):
    content = gzip.compress(b">a\nAC\n") + gzip.compress(b"GT\n>b\nA\n")
    assert letters(read(content)) == [("a", "ACGT"), ("b", "A")]


def test_byte_order_mark_blank_lines_and_blocks_of_ten_are_no_sequence(read):
    assert letters(read(b"\xef\xbb\xbf>a\nACGT ACGT\tAC  \n\n")) == [("a", "ACGTACGTAC")]
    assert letters(read(b"\n \n>a\n\nACGT\n")) == [("a", "ACGT")]


def test_lower_case_rna_and_iupac_codes(read):
    assert letters(read(">a\nacgtuUnRYswkmbdhv\n")) == [("a", "ACGTTT" + "N" * 11)]


def test_protein_is_refused_by_record_and_position(read):
    with pytest.raises(InputError, match=r"x\.gbk: record 'p2': 'L' at position 4 is not a nucl"):
        read(">p1\nACGT\n>p2 protein\nMK\nVLE\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b" \n\r\n", "the file is empty"),
        (gzip.compress(b"", mtime=0), "the file is empty"),
        (b">a\nACGT\n>\nACGT\n", "record 2 has no id"),
        (b">a\nACGT\n>b\n>c\nAC\n", "record 'b' (number 2) has no sequence"),
        (b">a\nACGT\n>b", "record 'b' (number 2) has no sequence"),
        (b">a 1\nACGT\n>b\nA\n>a 2\nACGT\n", "two records have the id 'a'"),
        (b"# my genome\n>a\nACGT\n", "text before the first '>' of this FASTA file: '# my genome'"),
        (b"ACGT\r>a\rACGT\r", "text before the first '>'"),
        (b"ACGTACGT\n", "neither FASTA nor GenBank; it begins with 'ACGTACGT'"),
        (b"<!DOCTYPE html>\n<p>Error 502", "neither FASTA nor GenBank; it begins with '<!DOC"),
        (b"@read\nACGT\n+\nIIII\n", "neither FASTA nor GenBank"),
        (b"PK\x03\x04\x14\x00", "this is no plain text"),
        (bytes(range(256)), "this is no plain text"),
        (">a\nACGT\n".encode("utf-16"), "this is no plain text"),
        (gzip.compress(gzip.compress(b">a\nACGT\n", mtime=0), mtime=0), "this is no plain text"),
        (b">a\nACG-T\n", "'-' at position 4"),
        (b">a\nAC\xffGT\n", "at position 3 is not a nucleotide letter"),
        (b">a\nACGT\x1a\n", "is no plain text"),
    ],
)
def test_bad_files_are_refused(read, content, message):
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        read(content, "bad.fa")
    assert "bad.fa: " in str(caught.value)


def test_missing_file_and_folder_are_refused(tmp_path):
    with pytest.raises(InputError, match="there is no such file"):
        read_genome(tmp_path / "none.fa")
    with pytest.raises(InputError, match="this is a folder"):
        read_genome(tmp_path)


@pytest.mark.parametrize("annotated", [False, True])
@pytest.mark.parametrize("kept", [0.0001, 0.3, 0.6, 0.999])
def test_truncated_gzip_is_refused(read, annotated, kept):
    sequence = "".join(random.Random(0).choices("ACGT", k=200_000))
    text = genbank("1..18", sequence=sequence) if annotated else f">a\n{sequence}\n"
    content = gzip.compress(text.encode())
    with pytest.raises(InputError, match="the gzip file is truncated or damaged"):
        read(content[: int(len(content) * kept)])


def test_gzip_with_a_flipped_bit_is_refused(read):
    content = bytearray(gzip.compress(b">a\n" + b"ACGTTGCA" * 100))
    content[-6] ^= 1
    with pytest.raises(InputError, match="the gzip file is truncated or damaged"):
        read(bytes(content))


@unhurried
@given(
    st.dictionaries(
        st.text("abcXYZ019_.|", min_size=1, max_size=8),
        st.text("ACGTNacgtu", min_size=1, max_size=150),
        min_size=1,
        max_size=6,
    ),
    st.integers(1, 80),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_any_wrapping_reads_back(tmp_path_factory, records, width, end):
    path = tmp_path_factory.mktemp("fasta") / "x.fa"
    lines = []
    for name, sequence in records.items():
        lines.append(f">{name} description")
        lines += [sequence[i : i + width] for i in range(0, len(sequence), width)]
    path.write_bytes((end.join(lines) + end).encode())
    found = {contig.name: decode(contig.codes) for contig in read_genome(path).contigs}
    assert found == {name: re.sub("U", "T", sequence.upper()) for name, sequence in records.items()}


# GenBank


@pytest.mark.parametrize(
    ("location", "start", "end", "strand", "start_known"),
    [
        ("4..30", 3, 30, 1, True),
        ("complement(4..30)", 3, 30, -1, True),
        ("<4..30", 3, 30, 1, False),
        ("4..>30", 3, 30, 1, True),
        ("complement(<4..30)", 3, 30, -1, True),
        ("complement(4..>30)", 3, 30, -1, False),
        ("(4.7)..30", 3, 30, 1, False),
        ("complement(4..one-of(27,30))", 3, 30, -1, False),
        # A −1 frameshift reads base 12 twice; an insertion splits a gene.
        ("join(4..12,12..30)", 3, 30, 1, True),
        ("complement(join(4..12,12..30))", 3, 30, -1, True),
        ("join(4..12,20..30)", 3, 30, 1, True),
        ("order(4..12,20..30)", 3, 30, 1, True),
        ("join(4..30,12..20)", 3, 30, 1, True),
        ("join(complement(20..30),complement(4..12))", 3, 30, -1, True),
        ("join(<4..12,20..30)", 3, 30, 1, False),
        ("join(4..12,20..>30)", 3, 30, 1, True),
        ("complement(join(<4..12,20..30))", 3, 30, -1, True),
        ("complement(join(4..12,20..>30))", 3, 30, -1, False),
    ],
)
@pytest.mark.parametrize("topology", ["linear", "circular"])
def test_locations(read, location, start, end, strand, start_known, topology):
    gene = only_gene(read(genbank(location, topology=topology)))
    assert gene == Gene("g1", start, end, strand, start_known)


@pytest.mark.parametrize(
    ("location", "start", "end", "strand", "start_known"),
    [
        ("join(52..60,1..9)", 51, 69, 1, True),
        ("complement(join(52..60,1..9))", 51, 69, -1, True),
        ("join(complement(1..9),complement(52..60))", 51, 69, -1, True),
        ("join(46..50,52..60,1..9,12..14)", 45, 74, 1, True),
        ("complement(join(46..50,52..60,1..9,12..14))", 45, 74, -1, True),
        ("join(<52..60,1..9)", 51, 69, 1, False),
        ("complement(join(52..60,1..>9))", 51, 69, -1, False),
        ("complement(join(<52..60,1..9))", 51, 69, -1, True),
    ],
)
def test_genes_over_the_origin(read, location, start, end, strand, start_known):
    genome = read(genbank(location, topology="circular"))
    gene = only_gene(genome)
    assert gene == Gene("g1", start, end, strand, start_known)
    around = decode(genome.contigs[0].window(gene.start, gene.end, 1))
    assert around == (SEQUENCE * 2)[start:end]


def test_start_beyond_end_means_over_the_origin_on_a_circle(read):
    genome = read(genbank("52..9", "complement(52..9)", topology="circular"))
    spans = [(gene.start, gene.end, gene.strand) for gene in genome.contigs[0].genes]
    assert spans == [(51, 69, 1), (51, 69, -1)]
    # Out of specification, so the reader says that it guessed.
    assert genome.notes[0].startswith("GenBank parser warnings: 2; the first: Attempting to fix")


@pytest.mark.parametrize(
    ("location", "reason", "topology"),
    [
        ("join(4..12,complement(20..30))", "trans-spliced or on both strands", "circular"),
        ("10^11", "location between two bases", "linear"),
        ("4..61", "location outside of the contig", "linear"),
        ("55..66", "location outside of the contig", "circular"),
        ("0..9", "location unreadable", "linear"),
        ("4..banana", "location unreadable", "linear"),
        ("J00194.1:4..30", "location on another record", "linear"),
        ("join(4..12,J00194.1:4..30)", "location on another record", "linear"),
        ("join(52..60,1..9)", "parts out of order", "linear"),
        ("join(complement(4..12),complement(20..30))", "parts out of order", "circular"),
        ("join(20..30,4..12,40..50,1..2)", "parts out of order", "circular"),
        ("join(52..60,5..9,1..3)", "parts out of order", "circular"),
    ],
)
def test_unusable_cds_are_counted_and_named(read, location, reason, topology):
    genome = read(genbank("1..18", location, "4..30", location, topology=topology))
    assert [gene.name for gene in genome.contigs[0].genes] == ["g1", "g3"]
    assert f"2 CDS left out, {reason}: g2, g4." in genome.notes


def test_trans_splicing_is_left_out_even_on_one_strand(read):
    genome = read(genbank(("CDS", "join(4..12,20..30)", '/gene="nad1"', "/trans_splicing")))
    assert genome.n_genes == 0
    assert genome.notes == ("1 CDS left out, trans-spliced or on both strands: nad1.",)


def test_many_left_out_are_counted_over_all_records(read):
    first = genbank(*["10^11"] * 3, name="A")
    second = genbank("10^11", "1..18", name="B")
    genome = read(first + second)
    assert genome.notes == ("4 CDS left out, location between two bases: g1, g2, g3, ....",)
    assert [len(contig.genes) for contig in genome.contigs] == [0, 1]


def test_codon_start_leaves_the_start_open(read):
    genome = read(genbank(("CDS", "1..18", "/codon_start=2"), ("CDS", "4..18", "/codon_start=1")))
    assert [gene.start_known for gene in genome.contigs[0].genes] == [False, True]


def test_pseudogenes_are_kept_and_names_fall_back(read):
    genome = read(
        genbank(
            ("CDS", "1..18", '/gene="thrA"', '/locus_tag="b1"', "/pseudo"),
            ("CDS", "2..18", '/locus_tag="b2"', '/protein_id="NP_1"'),
            ("CDS", "3..18", '/protein_id="NP_2"'),
            ("CDS", "4..18"),
            ("gene", "5..18", '/gene="no_cds"'),
        )
    )
    genes = genome.contigs[0].genes
    assert [gene.name for gene in genes] == ["thrA", "b2", "NP_2", "CDS 4"]
    assert [gene.locus_tag for gene in genes] == ["b1", "b2", "", ""]


def test_products_of_genes_over_lines_and_over_the_origin(read):
    wrapped = ('/product="an ""odd""', 'protein"')
    text = genbank(
        ("CDS", "4..18", '/gene="a"', *wrapped),
        ("CDS", "complement(join(51..60,1..3))", '/locus_tag="t_2"', '/product="thing"'),
        topology="circular",
    )
    genes = {gene.name: gene for gene in read(text).contigs[0].genes}
    assert genes["a"].product == 'an "odd" protein'
    assert genes["t_2"].product == "thing"
    # Names alone do not make one gene another.
    assert genes["a"] == replace(genes["a"], locus_tag="other", product="")


def test_genes_come_in_order_of_start(read):
    genome = read(genbank("30..40", "complement(4..20)", "1..18"))
    assert [gene.start for gene in genome.contigs[0].genes] == [0, 3, 29]


@pytest.mark.parametrize("topology", ["linear", "circular"])
def test_shape_comes_from_the_locus_line(read, topology):
    text = genbank("1..18", topology=topology)
    assert read(text).contigs[0].circular == (topology == "circular")
    # Columns that are off, as many programs write them, must not lose the shape.
    locus = f"LOCUS       a_very_long_name_circular_17 60 bp DNA {topology} BCT"
    odd = read(re.sub("^LOCUS.*", locus, text))
    assert odd.contigs[0].circular == (topology == "circular")


def test_genbank_without_cds_is_read_and_has_no_genes(read):
    genome = read(genbank(("rRNA", "1..18")))
    assert (genome.n_genes, genome.notes) == (0, ())
    with pytest.raises(InputError, match="no CDS is annotated"):
        genome.require_genes()


def test_genbank_without_features_or_version_is_read(read):
    text = genbank().replace("FEATURES             Location/Qualifiers\n", "")
    text = re.sub("(ACCESSION|VERSION).*\n", "", text)
    assert letters(read(text)) == [("CTG", SEQUENCE)]


def test_tss_are_read_from_their_note_only(read):
    note = '/note="transcription start site"'
    genome = read(
        genbank(
            ("misc_feature", "complement(40)", note),
            ("misc_feature", "7", note),
            ("misc_feature", "9", '/note="something else"'),
            ("misc_feature", "9..12", note),
            ("gene", "9", note),
        )
    )
    assert genome.contigs[0].tss == ((6, 1), (39, -1))


def test_simulated_is_read_from_its_keyword(read):
    assert read(genbank(keywords="genomic-ulmfit simulated genome.")).simulated
    assert not read(genbank(keywords="RefSeq; complete genome.")).simulated


ORIGIN = re.compile("ORIGIN.*?//", re.DOTALL)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ORIGIN.sub("//", genbank("1..18")), "record 'CTG' has no sequence"),
        (ORIGIN.sub("ORIGIN\n//", genbank("1..18")), "record 'CTG' has no sequence"),
        (
            ORIGIN.sub("CONTIG      join(U00096.3:1..60)\n//", genbank("1..18")),
            "record 'CTG' has no sequence",
        ),
        (genbank(name="A") + ORIGIN.sub("//", genbank(name="B")), "record 'B' has no sequence"),
        (genbank("1..18").replace("//", ""), "its last record does not end with '//'"),
        (genbank("1..18")[:200], "its last record does not end with '//'"),
        (genbank() + genbank(name="B")[:150], "its last record does not end with '//'"),
        (genbank(declared=61), "declares 61 bases on its LOCUS line but has 60"),
        (genbank() + genbank(), "two records have the id 'CTG.1'"),
        (genbank(sequence="MKVLAAGE", unit="aa"), "record 'CTG' is a protein"),
        (genbank(sequence="MKVLAAGE"), "record 'CTG.1': 'L' at position 4"),
        (re.sub("LOCUS.*", "LOCUS       what is this", genbank()), "cannot be read as GenBank"),
    ],
)
def test_bad_genbank_is_refused(read, text, message):
    with pytest.raises(InputError, match=re.escape(message)):
        read(text)


@unhurried
@given(st.data())
def test_a_damaged_genbank_is_read_or_refused_but_never_crashes(tmp_path_factory, data):
    text = genbank(
        ("CDS", "join(4..12,20..30)", '/gene="a"', "/pseudo"),
        "complement(<4..30)",
        ("misc_feature", "7", '/note="transcription start site"'),
    )
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text) - 1))
        cut = data.draw(st.sampled_from([0, 1, 1, 7, 40]))
        extra = data.draw(st.text('<>().,^:;09ab \n"/=?', max_size=4))
        text = text[:place] + extra + text[place + cut :]
    path = tmp_path_factory.mktemp("damaged") / "x.gbk"
    path.write_text(text)
    try:
        genome = read_genome(path)
    except InputError:
        return
    for contig in genome.contigs:
        for gene in contig.genes:
            assert 0 <= gene.start < gene.end
            assert contig.window(gene.start, gene.end, gene.strand) is not None


def test_k12_has_the_genes_that_the_protocol_counts():
    data = Path(os.environ.get("GENOMIC_ULMFIT_DATA", PROJECT.parent / "shared"))
    path = data / "genomes" / "NC_000913.3.gbk.gz"
    if not path.exists():
        pytest.skip("no E. coli K-12 genome: set GENOMIC_ULMFIT_DATA to a folder that has it")
    genome = read_genome(path)
    assert genome.name == "NC_000913.3"
    assert (genome.n_bases, genome.n_genes) == (4_641_652, 4_319)
    assert genome.notes == ()
    assert not genome.simulated
    (contig,) = genome.contigs
    assert (contig.name, contig.circular) == ("NC_000913.3", True)
    named = {gene.name: gene for gene in contig.genes}
    assert named["thrL"] == Gene("thrL", 189, 255, 1)
    # prfB: a programmed +1 frameshift on the reverse strand.
    assert decode(contig.window(named["prfB"].start, named["prfB"].end, -1))[:3] == "ATG"
    starts = [decode(contig.window(gene.start, gene.end, gene.strand)[:3]) for gene in contig.genes]
    assert sum(start in ("ATG", "GTG", "TTG") for start in starts) / len(starts) > 0.95


def test_parts_of_cds_that_are_no_genes_are_known(tmp_path: Path) -> None:
    path = tmp_path / "g.gbk"
    path.write_text(
        "LOCUS       X                        600 bp    DNA     linear   BCT 01-JAN-2020\n"
        "FEATURES             Location/Qualifiers\n"
        "     CDS             join(100..200,complement(300..400))\n"
        '                     /gene="spliced"\n'
        "     CDS             join(350..450,J00194.1:100..202)\n"
        "     CDS             500..590\n"
        f"ORIGIN\n        1 {'acgt' * 150}\n//\n"
    )
    (contig,) = read_genome(path).contigs
    assert [(gene.start, gene.end) for gene in contig.genes] == [(499, 590)]
    assert contig.other_cds == ((99, 200), (299, 450))
