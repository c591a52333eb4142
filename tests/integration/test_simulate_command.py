import subprocess
import sys

from genomic_ulmfit.dna.readers import read_genome


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "genomic_ulmfit", "simulate", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_simulate_writes_a_genome_that_is_marked_and_reads_back(tmp_path):
    out = tmp_path / "folder" / "sim.gbk"
    done = run("--out", out, "--genes", 40, "--seed", 7)
    assert done.returncode == 0, done.stderr
    genome = read_genome(out)
    assert genome.simulated
    assert genome.n_genes == 40
    assert "SIMULATED" in done.stdout
    assert f"{genome.n_bases:,} bases, 40 genes, {len(genome.contigs[0].tss)} TSS" in done.stdout
    assert str(out) in done.stdout
    assert [path.name for path in out.parent.iterdir()] == ["sim.gbk"]


def test_the_seed_decides(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        done = run("--out", tmp_path / name, "--genes", 5, "--seed", seed)
        assert done.returncode == 0, done.stderr
    content = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert content["a"] == content["b"] != content["c"]


def test_mistakes_end_in_one_message_and_code_2(tmp_path):
    for arguments in (
        (),
        ("--out", tmp_path / "x.gbk", "--genes", 0),
        ("--out", tmp_path / "x.gbk", "--seed", -1),
        ("--out", tmp_path),
    ):
        done = run(*arguments)
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
        assert "Error" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_help_teaches_by_example():
    done = run("--help")
    assert done.returncode == 0
    assert "genomic-ulmfit simulate --out sim.gbk" in done.stdout
