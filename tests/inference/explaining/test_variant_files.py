"""Variants in VCF and TSV files."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from genomic_ulmfit.errors import InputError
from genomic_ulmfit.inference.explaining.variant_files import Variant, read_variants

VCF = """##fileformat=VCFv4.3
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tsample
c\t5\trs1\ta\tC,g,<DEL>\t.\tPASS\t.\tGT\t0/1
c\t9\t.\tAT\tA\t.\tPASS\t.
d\t2\t.\tG\t.\t.\tPASS\t.

c\t7\t.\tG\tGTT\t.\tPASS\t.
"""


@pytest.mark.parametrize("zipped", [False, True])
def test_vcf(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "v"
    path.write_bytes(gzip.compress(VCF.encode()) if zipped else VCF.encode())
    variants, notes = read_variants(path)
    assert [(v.contig, v.position, v.id, v.ref, v.alt) for v in variants] == [
        ("c", 4, "rs1", "A", "C"),
        ("c", 4, "rs1", "A", "G"),
        ("c", 8, ".", "AT", "A"),
        ("c", 6, ".", "G", "GTT"),
    ]
    assert notes == ["2 alleles of v were left out: they do not spell out their bases ('.', '*', "
                     "<...> or breakends)."]  # fmt: skip
    assert variants[3].place.endswith("line 7")
    assert [v.trimmed() for v in variants[2:]] == [(9, "T", ""), (7, "", "TT")]


def test_samples_may_be_called_anything(tmp_path: Path) -> None:
    path = tmp_path / "v.vcf"
    path.write_text(
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tREF\tID\tposition\n"
        "c\t5\trs1\tA\tC\t.\tPASS\t.\tGT\t0/1\t0/1\t1/1\n"
    )
    (variant,), _ = read_variants(path)
    assert (variant.id, variant.ref, variant.position) == ("rs1", "A", 4)


def test_ambiguous_alleles_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "v.vcf"
    path.write_text("#CHROM\tPOS\tID\tREF\tALT\nx\t1\t.\tN\tC\nx\t2\t.\tA\tC,r\n")
    variants, notes = read_variants(path)
    assert [(v.position, v.ref, v.alt) for v in variants] == [(1, "A", "C")]
    assert notes == [
        "2 alleles of v.vcf were left out: they, or what they replace, have ambiguous bases."
    ]


def test_tsv(tmp_path: Path) -> None:
    path = tmp_path / "v.tsv"
    path.write_text("alt\tposition\tcontig\tref\nT\t3\tx\tG\n")
    assert read_variants(path)[0] == [Variant("x", 2, ".", "G", "T", f"--variants: {path}, line 2")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("contig\tposition\tref\nx\t1\tA\n", "line 1: neither .*alt is missing"),
        ("#CHROM\tPOS\tID\tREF\tALT\nx\t1\t.\tA\n", "line 2: has 4 columns"),
        ("#CHROM\tPOS\tID\tREF\tALT\nx\t0\t.\tA\tC\n", "line 2: position '0' is no whole"),
        ("#CHROM\tPOS\tID\tREF\tALT\nx\t1\t.\tX\tC\n", "line 2: reference allele 'X'"),
        ("#CHROM\tPOS\tID\tREF\tALT\nx\t1\t.\tN\tC\n", "no variant that spells out"),
        ("#CHROM\tPOS\tID\tREF\tALT\nx\t1\t.\tA\tC,\n", "line 2: alternative allele ''"),
        ("#CHROM\tPOS\tID\tREF\tALT\nx\t1\t.\tA\ta\n", "line 2: .* are both A"),
        ("#CHROM\tPOS\tID\tREF\tALT\nx\t1\t.\tA\t*\n", "no variant that spells out"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "v.vcf"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_variants(path)
    with pytest.raises(InputError, match="there is no such file"):
        read_variants(tmp_path / "none")


def test_single_breakends_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "v.vcf"
    path.write_text("#CHROM\tPOS\tID\tREF\tALT\nc\t5\t.\tA\tA.,.A,C\n")
    variants, notes = read_variants(path)
    assert [variant.alt for variant in variants] == ["C"]
    assert notes[0].startswith("2 alleles of v.vcf were left out")
