import subprocess
import sys

import numpy as np
import pytest

from genomic_ulmfit.dna.bed import read_bed
from genomic_ulmfit.dna.readers import read_genome
from genomic_ulmfit.dna.simulate import simulate_genome


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "genomic_ulmfit", "simulate", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=280,
    )


def test_simulate_writes_the_genome_of_its_seed_marked_as_simulated(tmp_path):
    out = tmp_path / "folder" / "sim.gbk"
    done = run("--out", out, "--genes", 40, "--seed", 7)
    assert done.returncode == 0, done.stderr
    genome = read_genome(out)
    (contig,) = genome.contigs
    assert genome.simulated
    assert np.array_equal(contig.codes, simulate_genome(40, 7).contigs[0].codes)
    assert "SIMULATED" in done.stdout
    assert f"{genome.n_bases:,} bases, 40 genes, {len(contig.tss)} TSS" in done.stdout
    assert str(out) in done.stdout
    assert [path.name for path in out.parent.iterdir()] == ["sim.gbk"]


def test_its_tss_as_bed_are_what_other_commands_read(tmp_path):
    out, tss = tmp_path / "sim.gbk", tmp_path / "sim.bed"
    done = run("--out", out, "--genes", 40, "--tss", tss)
    assert done.returncode == 0, done.stderr
    (contig,) = read_genome(out).contigs
    sites = {(line.contig, line.start, line.end, line.fields[5]) for line in read_bed(tss).lines}
    assert sites == {
        (contig.name, position, position + 1, "+" if strand > 0 else "-")
        for position, strand in contig.tss
    }


def test_the_genome_is_not_overwritten_by_its_tss(tmp_path):
    for same in (tmp_path / "sim.gbk", tmp_path / ".." / tmp_path.name / "sim.gbk"):
        done = run("--out", tmp_path / "sim.gbk", "--tss", same)
        assert done.returncode == 2
        assert "--tss" in done.stderr
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [("--genes", 0), ()], ids=["no genes", "out is a folder"])
def test_mistakes_end_in_one_message_and_code_2(tmp_path, arguments):
    done = run("--out", tmp_path, *arguments)
    assert done.returncode == 2, done.stderr
    assert "Error" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_help_teaches_by_example():
    done = run("--help")
    assert done.returncode == 0
    assert "genomic-ulmfit simulate --out sim.gbk" in done.stdout
