"""`genomic-ulmfit scan`, run as a user runs it. Coordinates are proved in tests/inference."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import gffutils
import numpy as np
import pybigtools
import pytest

from genomic_ulmfit.dna.readers import read_genome
from genomic_ulmfit.models.prediction import predict_probabilities
from genomic_ulmfit.models.store import load_classifier

FILES = ["bed", "gff3", "json", "minus.bw", "plus.bw", "png"]


@pytest.fixture
def region(tmp_path: Path) -> Path:
    path = tmp_path / "region.bed"
    path.write_text("SIM_0\t20000\t24000\n")
    return path


@pytest.fixture(scope="module")
def done(
    process: Callable,
    classifier_folder: Path,
    genome_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
):
    folder = tmp_path_factory.mktemp("scan")
    bed = folder / "region.bed"
    bed.write_text("SIM_0\t20000\t32000\n")
    out = folder / "made" / "sim.1"
    arguments = (classifier_folder, genome_file, "--out", out, "--anchor", 100)
    arguments = (*arguments, "--mode", "dense")
    return process("scan", *arguments, "--regions", bed, "--threshold", 0.6), out


def test_it_writes_all_files_and_nothing_else(done) -> None:
    ran, out = done
    assert ran.code == 0, ran.stderr
    assert sorted(path.name for path in out.parent.iterdir()) == [f"sim.1.{f}" for f in FILES]
    assert Path(f"{out}.png").read_bytes().startswith(b"\x89PNG")
    assert "SIMULATED GENOME: these calls say nothing about real DNA" in ran.stdout
    assert "Traceback" not in ran.stderr


def test_counts_agree(done) -> None:
    ran, out = done
    summary = json.loads(Path(f"{out}.json").read_text())
    lines = Path(f"{out}.bed").read_text().splitlines()[1:]
    base = gffutils.create_db(f"{out}.gff3", ":memory:")
    calls = summary["calls"]["all"]
    assert calls == len(lines) == base.count_features_of_type("promoter") > 0
    assert f"{calls:,} calls of class 1 (" in ran.stdout
    assert summary["genome"]["simulated"]
    assert summary["threshold"]["probability"] == 0.6
    assert summary["threshold"]["expected_calls_by_chance_per_mbp"] is None
    assert summary["windows"]["scored"] == 2 * 6000
    for line in lines:
        fields = line.split("\t")
        assert int(fields[4]) >= 600
        assert fields[13] != "."


def test_tracks_say_what_the_model_says_of_each_window(
    command: Callable, classifier_folder: Path, genome_file: Path, region: Path, tmp_path: Path
) -> None:
    out = tmp_path / "exact"
    region.write_text("SIM_0\t20000\t20100\nSIM_0\t175310\t175314\n")
    arguments = (classifier_folder, genome_file, "--out", out, "--anchor", 100, "--step", 1)
    ran = command("scan", *arguments, "--mode", "exact", "--regions", region, "--threshold", 0.9)
    assert ran.code == 0, ran.stderr
    (contig,) = read_genome(genome_file).contigs
    model = load_classifier(classifier_folder)
    for strand, word in ((1, "plus"), (-1, "minus")):
        track = pybigtools.open(f"{out}.{word}.bw")
        anchors = [*range(20000, 20100), *range(175310, 175314)]
        begins = [a - 100 if strand > 0 else a - 49 for a in anchors]
        windows = [contig.window(begin, begin + 150, strand) for begin in begins]
        wanted = predict_probabilities(model, windows)[:, 1]
        found = [next(iter(track.records("SIM_0", a, a + 1)))[2] for a in anchors]
        assert found == pytest.approx(wanted, abs=0.03)
        assert np.std(found) > 0.02


def test_calibration_and_its_statement(
    command: Callable,
    classifier_folder: Path,
    genome_file: Path,
    region: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("genomic_ulmfit.inference.scanning.calibration.BACKGROUND", 100_000)
    out = tmp_path / "scan"
    arguments = (classifier_folder, genome_file, "--out", out, "--regions", region)
    ran = command("scan", *arguments, "--track", "bedgraph", "--mode", "dense")
    assert ran.code == 0, ran.stderr
    summary = json.loads(Path(f"{out}.json").read_text())
    assert summary["threshold"]["expected_calls_by_chance_per_mbp"] == 20
    assert "DNA made up at random gives 20 per Mbp" in ran.stdout
    assert Path(f"{out}.plus.bedgraph").read_text().startswith("SIM_0\t")


@pytest.mark.parametrize("length", [300, 301])
@pytest.mark.parametrize("step", [1, 2, 7])
def test_round_a_circle_of_any_length(
    command: Callable, classifier_folder: Path, tmp_path: Path, length: int, step: int
) -> None:
    path = tmp_path / "plasmid.fa"
    bases = np.random.default_rng(length).choice(list("ACGT"), length)
    path.write_text(f">plasmid\n{''.join(bases)}\n")
    out = tmp_path / "scan"
    arguments = ("--circular", "--step", step, "--threshold", 1 - 1e-9)
    ran = command("scan", classifier_folder, path, "--out", out, *arguments)
    assert ran.code == 0, ran.stderr
    assert "no window reaches the threshold" in ran.stderr
    for strand in ("plus", "minus"):
        track = pybigtools.open(f"{out}.{strand}.bw")
        assert track.info()["summary"]["basesCovered"] >= length - step


def test_no_contig_is_long_enough(
    command: Callable, classifier_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "short.fa"
    path.write_text(f">a\n{'ACGTA' * 29}\n")
    out = tmp_path / "out" / "scan"
    ran = command("scan", classifier_folder, path, "--out", out)
    assert ran.code == 2
    assert "no contig is as long as a window of 150 bases; the longest has 145" in ran.stderr
    assert not out.parent.exists()


def test_ctrl_c_leaves_nothing(classifier_folder: Path, genome_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "scan"
    arguments = ["scan", classifier_folder, genome_file, "--out", out, "--threshold", 0.5]
    running = subprocess.Popen(
        [sys.executable, "-m", "genomic_ulmfit", *map(str, arguments), "--mode", "exact"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    # Until the scan has begun.
    while running.poll() is None and not out.parent.exists():
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    stdout, stderr = running.communicate(timeout=120)
    assert running.returncode == 130, stderr
    assert "Nothing half-written was left behind" in " ".join(stderr.split())
    assert stdout == ""
    assert list(out.parent.iterdir()) == []


def test_mistakes(
    command: Callable,
    classifier_folder: Path,
    encoder_folder: Path,
    genome_file: Path,
    tmp_path: Path,
) -> None:
    def refused(*arguments: object) -> str:
        ran = command("scan", *arguments)
        assert ran.code == 2
        assert ran.stdout == ""
        assert "Traceback" not in ran.stderr
        message: str = ran.stderr
        return message

    out = ("--out", tmp_path / "scan")
    good = (classifier_folder, genome_file, *out)
    assert "--mode: got 'fast', allowed are dense and exact" in refused(*good, "--mode", "fast")
    assert "--class: got 'x', allowed are 0, 1" in refused(*good, "--class", "x")
    assert "--anchor: got 150, allowed are 0 to 149" in refused(*good, "--anchor", 150)
    assert "a classifier is needed here" in refused(encoder_folder, genome_file, *out)
    assert "no such file" in refused(classifier_folder, tmp_path / "none.fa", *out)
    assert "is not a folder" in refused(
        classifier_folder, genome_file, "--out", genome_file / "scan"
    )
    assert "is a folder; give a prefix" in refused(
        classifier_folder, genome_file, "--out", f"{tmp_path}/new/"
    )
    assert list(tmp_path.iterdir()) == []


def test_the_regions_are_not_replaced_by_the_calls(
    command: Callable, classifier_folder: Path, genome_file: Path, tmp_path: Path
) -> None:
    regions = tmp_path / "x.bed"
    regions.write_text("c\t0\t1000\n")
    out = tmp_path / "x"
    ran = command("scan", classifier_folder, genome_file, "--out", out, "--regions", regions)
    assert ran.code == 2
    assert "is what is read" in " ".join(ran.stderr.split())
    assert regions.read_text() == "c\t0\t1000\n"


def test_help_teaches_by_example(command: Callable) -> None:
    ran = command("scan", "--help")
    assert ran.code == 0
    assert "genomic-ulmfit scan model genome.gbk --out scan/genome" in ran.stdout
