"""`genomic-ulmfit data promoters`, run as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from genomic_ulmfit.data.splits import leakage, widened
from genomic_ulmfit.data.tables import is_simulated, read_labelled
from genomic_ulmfit.dna.readers import read_genome
from genomic_ulmfit.dna.simulate import simulate_genome, write_genbank


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "genomic_ulmfit", "data", "promoters", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def genbank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("genome") / "simulated.gbk"
    write_genbank(simulate_genome(n_genes=150, seed=0), path)
    return path


def refused(*arguments: object) -> str:
    result = run(*arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result.stderr


def test_strict_is_the_default(genbank: Path, tmp_path: Path) -> None:
    out = tmp_path / "made" / "promoters.csv"
    result = run(genbank, "--out", out)
    assert result.returncode == 0, result.stderr
    assert list(out.parent.iterdir()) == [out]

    table = read_labelled(out, min_length=150, require_classes=True)
    assert {"id", "sequence", "label", "split", "contig", "start", "end", "strand", "gene"} < set(
        table.columns
    )
    assert table["cluster"].dtype.kind == "i"
    assert set(table["sequence"].str.len()) == {150}
    assert leakage(table).total == 0

    assert "SIMULATED GENOME" in result.stdout
    assert is_simulated(table)
    assert str(out) in result.stdout
    for name, rows in table.groupby("split"):
        sizes = [(rows["label"] == label).sum() for label in (1, 0)]
        line = next(line for line in result.stdout.splitlines() if f"│ {name}" in line)
        assert [int(cell) for cell in line.split("│")[2:5]] == [*sizes, len(rows)]
    assert "strict (written)" in result.stdout
    assert "│ seed " in result.stdout
    assert "Note: The test has" in result.stderr


def test_seed_protocol_window_and_gzip(genbank: Path, tmp_path: Path) -> None:
    out = tmp_path / "promoters.csv.gz"
    result = run(
        *(genbank, "--out", out, "--protocol", "seed"),
        *("--upstream", 80, "--downstream", -12, "--seed", 3),
    )
    assert result.returncode == 0, result.stderr
    table = read_labelled(out)
    assert set(table["sequence"].str.len()) == {68}
    assert "seed (written)" in result.stdout
    assert "strict" not in result.stdout
    assert "maximal independent set" in result.stderr


def test_same_seed_same_bytes_and_an_old_file_is_replaced(genbank: Path, tmp_path: Path) -> None:
    outs = [tmp_path / f"{name}.csv" for name in ("first", "again", "other")]
    outs[1].write_text("old\n" * 100_000)
    for out, seed in zip(outs, (1, 1, 2), strict=True):
        assert run(genbank, "--out", out, "--seed", seed).returncode == 0
    first, again, other = (out.read_bytes() for out in outs)
    assert first == again
    assert first != other


def test_help_teaches_by_example() -> None:
    result = run("--help")
    assert result.returncode == 0
    assert "genomic-ulmfit data promoters NC_000913.3.gbk.gz --out promoters.csv" in result.stdout


def test_unusable_genomes(tmp_path: Path) -> None:
    out = tmp_path / "promoters.csv"
    assert "no such file" in refused(tmp_path / "absent.gbk", "--out", out)
    bare = tmp_path / "bare.fa"
    bare.write_text(">c1\n" + "ACGT" * 100 + "\n")
    assert "no CDS is annotated" in refused(bare, "--out", out)
    assert not out.exists()


def test_the_genome_is_never_overwritten(genbank: Path) -> None:
    before = genbank.read_bytes()
    assert "is what is read" in refused(genbank, "--out", genbank)
    assert genbank.read_bytes() == before


def test_too_few_genes_for_a_split(tmp_path: Path) -> None:
    genome = tmp_path / "few.gbk"
    write_genbank(simulate_genome(n_genes=2, seed=0), genome)
    out = tmp_path / "promoters.csv"
    out.write_text("old")
    assert "nothing left to train on" in " ".join(refused(genome, "--out", out).split())
    assert out.read_text() == "old"


def test_three_framings(genbank: Path, tmp_path: Path) -> None:
    out = tmp_path / "promoters.csv"
    genome = read_genome(genbank)
    sites = tmp_path / "sites.bed"
    sites.write_text(
        "".join(
            f"{contig.name}\t{place}\t{place + 1}\tt\t0\t{'+' if strand > 0 else '-'}\n"
            for contig in genome.contigs
            for place, strand in (
                (g.start if g.strand > 0 else g.end - 1, g.strand) for g in contig.genes
            )
        )
    )
    result = run(genbank, "--out", out, "--framing", "upstream")
    assert result.returncode == 0, result.stderr
    table = read_labelled(out)
    assert set(table["sequence"].str.len()) == {88}
    assert set(table["framing"]) == {"upstream"}

    for kind in ("intergenic", "shuffled"):
        result = run(
            *(genbank, "--out", out, "--framing", "tss", "--tss", sites, "--negatives", kind),
        )
        assert result.returncode == 0, result.stderr
        table = read_labelled(out, require_classes=True)
        assert set(table["sequence"].str.len()) == {80}
        assert set(table["framing"]) == {"tss"}
        assert table["id"].str.startswith(f"{kind}_").sum() == (table["label"] == 0).sum()
        assert leakage(table).total == 0


def test_nothing_is_held_out_where_a_scan_is_to_be_scored(genbank: Path, tmp_path: Path) -> None:
    (contig, *_) = read_genome(genbank).contigs
    sites = tmp_path / "sites.bed"
    sites.write_text(
        "".join(f"{contig.name}\t{place}\t{place + 1}\tt\t0\t+\n" for place in (2000, 3000, 4000))
    )
    out = tmp_path / "tss.csv"
    result = run(
        *(genbank, "--out", out, "--framing", "tss", "--tss", sites, "--negatives", "background"),
        *("--downstream", "140", "--context", "64", "--protocol", "none"),
    )
    assert result.returncode == 0, result.stderr
    table = read_labelled(out, require_classes=True)
    assert set(table["split"]) == {"train"}
    assert set(table["sequence"].str.len()) == {200}
    assert (table["label"] == 1).sum() == 3
    assert "share a 15-mer" not in result.stdout


def test_stretches_are_held_out_and_written_down(genbank: Path, tmp_path: Path) -> None:
    out = tmp_path / "some.csv.gz"
    result = run(genbank, "--out", out, "--context", 100, "--protocol", "stretches", "--seed", 3)
    assert result.returncode == 0, result.stderr
    table = read_labelled(out, require_classes=True)
    bed = tmp_path / "some.test.bed"
    assert sorted(tmp_path.iterdir()) == [out, bed]
    assert f"held-out stretches written to {bed}" in result.stdout
    assert set(table["split"]) == {"train", "test"}
    held_out = [tuple(map(int, line.split()[1:3])) for line in bed.read_text().splitlines()]
    for row in table.itertuples():
        within = any(a <= row.start - 100 and row.end + 100 <= b for a, b in held_out)
        assert within == (row.split == "test")
    assert leakage(widened(table)).test.overlapping == 0
    assert "lie across the border of a held-out stretch" in " ".join(result.stderr.split())
    assert "is what is read" in refused(bed, "--out", out, "--protocol", "stretches")


def test_says_what_context_shares(genbank: Path, tmp_path: Path) -> None:
    out = tmp_path / "wide.csv"
    result = run(genbank, "--out", out, "--context", "256")
    assert result.returncode == 0, result.stderr
    table = read_labelled(out)
    assert leakage(table).total == 0
    shared = leakage(widened(table)).test
    assert shared.leaking > 0
    (line,) = [line for line in result.stdout.splitlines() if "with context" in line]
    assert f"{shared.leaking} ({shared.share:.1%})" in line
    assert "keeps windows apart, not their context" in " ".join(result.stderr.split())


def test_options_that_do_not_go_together(genbank: Path, tmp_path: Path) -> None:
    out = tmp_path / "promoters.csv"
    sites = tmp_path / "sites.bed"
    sites.write_text("c1\t1\t2\ta\t0\t+\n")
    tss = ("--framing", "tss", "--tss", sites)
    assert "needs --tss" in refused(genbank, "--out", out, "--framing", "tss")
    assert "is for --framing tss" in refused(genbank, "--out", out, "--tss", sites)
    assert "is for --framing tss" in refused(genbank, "--out", out, "--negatives", "cds")
    assert "use strict" in refused(genbank, "--out", out, *tss, "--protocol", "seed")
    assert "is what is read" in refused(genbank, "--out", sites, *tss)
    assert not out.exists()
