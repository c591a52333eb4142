"""`genomic-ulmfit explain`, run as a user runs it."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from genomic_ulmfit.dna.readers import read_genome
from genomic_ulmfit.models.store import load_classifier


@pytest.fixture
def fasta(promoters_csv: Path, tmp_path: Path) -> Path:
    table = pd.read_csv(promoters_csv)
    sequences = table[table["label"] == 1]["sequence"].head(4).tolist()
    sequences[1] = sequences[1][:20] + "N" + sequences[1][21:]
    path = tmp_path / "some.fa"
    path.write_text("".join(f">p{i}/x y\n{s}\n" for i, s in enumerate(sequences)))
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_everything_is_written(
    process: Callable, classifier_folder: Path, fasta: Path, tmp_path: Path
) -> None:
    out = tmp_path / "why"
    methods = ("--method", "mutagenesis", "--method", "gradient", "--method", "perturbation")
    ran = process(
        "explain", classifier_folder, fasta, "--out", out, "--anchor", 100, "--logos", 1, *methods
    )
    assert ran.code == 0, ran.stderr
    assert "4 sequences explained" in ran.stdout
    assert "1 of 4 sequences have ambiguous bases" in ran.stderr
    assert sorted(path.name for path in out.iterdir()) == [
        "average.png",
        "average.svg",
        "explain.json",
        "gradient.npz",
        "logos",
        "mutagenesis.npz",
        "perturbation.npz",
        "positions.tsv",
        "report.html",
        "stretches.tsv",
    ]
    assert sorted(path.name for path in (out / "logos").iterdir()) == [
        "0001_p0_x.png",
        "0001_p0_x.svg",
    ]
    found = np.load(out / "mutagenesis.npz")
    assert found["ids"].tolist() == ["p0/x", "p1/x", "p2/x", "p3/x"]
    assert found["log_odds_difference"].shape == (4, 150, 4)
    changed = found["log_odds"][:, None, None] + found["log_odds_difference"]
    assert found["probability_difference"] == pytest.approx(
        1 / (1 + np.exp(-changed)) - found["probability"][:, None, None], abs=1e-5
    )
    summary = json.loads((out / "explain.json").read_text())
    assert summary["sequences"] == 4
    assert summary["settings"]["anchor"] == 100
    places = rows(out / "positions.tsv")
    assert [row["position"] for row in places][98:102] == ["-2", "-1", "1", "2"]
    mean = np.nanmean(found["contributions"], axis=0)
    assert [float(row["contribution"]) for row in places] == pytest.approx(mean, abs=1e-3, rel=1e-3)
    stretches = rows(out / "stretches.tsv")
    assert {row["id"] for row in stretches} == {"(average)", "p0/x", "p1/x", "p2/x", "p3/x"}
    page = (out / "report.html").read_text()
    assert page.count("data:image/png") == 2
    assert "What matters to" in page

    again = process("explain", classifier_folder, fasta, "--out", out)
    assert again.code == 2
    assert "holds an explanation already" in again.stderr


def test_a_site_that_is_not_known_is_said_not_to_be_marked(
    command: Callable, classifier_folder: Path, fasta: Path, tmp_path: Path
) -> None:
    model = shutil.copytree(classifier_folder, tmp_path / "model")
    config = json.loads((model / "config.json").read_text())
    del config["training"]["anchor"]
    (model / "config.json").write_text(json.dumps(config))
    told = "does not know where in its windows the site lies"
    gradient = ("--method", "gradient")
    ran = command("explain", model, fasta, "--out", tmp_path / "a", *gradient)
    assert ran.code == 0, ran.stderr
    assert told in ran.stderr
    assert told in " ".join(json.loads((tmp_path / "a" / "explain.json").read_text())["notes"])
    ran = command("explain", model, fasta, "--out", tmp_path / "b", *gradient, "--anchor", 100)
    assert told not in ran.stderr


def test_variants_of_a_genome(
    command: Callable, classifier_folder: Path, genome_file: Path, tmp_path: Path
) -> None:
    contig = read_genome(genome_file).contigs[0]
    lines = ["##fileformat=VCFv4.2", "#CHROM\tPOS\tID\tREF\tALT"]
    for place in (5000, 900, 20_000):
        ref = "ACGT"[contig.codes[place]]
        lines.append(f"{contig.name}\t{place + 1}\tv{place}\t{ref}\t{'A' if ref != 'A' else 'G'}")
    vcf = tmp_path / "some.vcf"
    vcf.write_text("\n".join(lines) + "\n")
    out = tmp_path / "effects"
    ran = command(
        "explain", classifier_folder, "--out", out, "--variants", vcf, "--genome", genome_file
    )
    assert ran.code == 0, ran.stderr
    assert "3 variants scored" in ran.stdout
    table = rows(out / "variants.tsv")
    assert [row["id"] for row in table] == ["v5000", "v900", "v20000"]
    for row in table:
        difference = float(row["probability_alt"]) - float(row["probability_ref"])
        assert float(row["probability_difference"]) == pytest.approx(difference, abs=1e-4)
    assert sorted(path.name for path in out.iterdir()) == [
        "explain.json",
        "report.html",
        "variants.tsv",
    ]


def test_variants_of_sequences(
    command: Callable, classifier_folder: Path, fasta: Path, tmp_path: Path
) -> None:
    first = fasta.read_text().splitlines()[1]
    ref, alt = first[100], "C" if first[100] != "C" else "G"
    tsv = tmp_path / "v.tsv"
    tsv.write_text(f"contig\tposition\tref\talt\np0/x\t101\t{ref}\t{alt}\n")
    out = tmp_path / "out"
    ran = command("explain", classifier_folder, fasta, "--out", out, "--variants", tsv)
    assert ran.code == 0, ran.stderr
    (row,) = rows(out / "variants.tsv")
    model = load_classifier(classifier_folder)
    assert model.config.length == 150
    assert row["unknown_bases"] == "0"
    # Substitutions are also part of saturation mutagenesis.
    both = tmp_path / "both"
    ran = command(
        "explain", classifier_folder, fasta, "--out", both, "--variants", tsv, "--method",
        "mutagenesis", "--logos", 0,
    )  # fmt: skip
    assert ran.code == 0, ran.stderr
    effect = np.load(both / "mutagenesis.npz")["log_odds_difference"][0, 100, "ACGT".index(alt)]
    assert float(row["log_odds_difference"]) == pytest.approx(float(effect), abs=0.05)


def test_mistakes(
    command: Callable,
    classifier_folder: Path,
    encoder_folder: Path,
    fasta: Path,
    genome_file: Path,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"

    def refused(*arguments: object) -> str:
        ran = command("explain", *arguments, "--out", out)
        assert ran.code == 2
        assert ran.stdout == ""
        assert not out.exists()
        message: str = ran.stderr
        return message

    bad = tmp_path / "bad.fa"
    bad.write_text("")
    assert "the input is empty" in refused(classifier_folder, bad)
    bad.write_text(">a\nACGTACGT\n")
    message = refused(classifier_folder, bad)
    assert "sequence 1 (a): has 8 bases, but this model was trained on sequences of 150" in message
    assert "no such model folder" in refused(tmp_path / "none", fasta)
    before = sorted(classifier_folder.iterdir())
    ran = command("explain", classifier_folder, fasta, "--out", classifier_folder)
    assert ran.code == 2
    assert "is a model folder; name another" in ran.stderr
    assert sorted(classifier_folder.iterdir()) == before
    assert "a classifier is needed here" in refused(encoder_folder, fasta)
    assert "--method: got 'magic'" in refused(classifier_folder, fasta, "--method", "magic")
    assert "--anchor: got 150, allowed are 0 to 149" in refused(
        classifier_folder, fasta, "--anchor", 150
    )
    assert "--class: got 'x', allowed are 0, 1" in refused(classifier_folder, fasta, "--class", "x")
    assert "SEQS: sequences are missing" in refused(classifier_folder)
    assert "--genome: says what variants are on" in refused(
        classifier_folder, fasta, "--genome", genome_file
    )
    vcf = tmp_path / "v.vcf"
    vcf.write_text("#CHROM\tPOS\tID\tREF\tALT\np0/x\t1\t.\tX\tC\n")
    assert "no sequences are looked at. Leave them out" in refused(
        classifier_folder, fasta, "--variants", vcf, "--genome", genome_file
    )
    assert "v.vcf, line 2: reference allele 'X'" in refused(
        classifier_folder, fasta, "--variants", vcf
    )
    ran = command("explain", classifier_folder, fasta, "--out", fasta / "in")
    assert ran.code == 2
    assert "is not a folder" in ran.stderr


def test_what_a_stopped_run_left_is_not_taken_for_this_ones(
    command: Callable, classifier_folder: Path, fasta: Path, tmp_path: Path
) -> None:
    out = tmp_path / "why"
    (out / "logos").mkdir(parents=True)
    for name in ("explain.json", "mutagenesis.npz", "average.png", "logos/0009_z.svg", "own.txt"):
        (out / name).write_text("{}")
    ran = command(
        "explain", classifier_folder, fasta, "--out", out, "--logos", 0, "--method", "gradient"
    )
    assert ran.code == 0, ran.stderr
    assert not (out / "mutagenesis.npz").exists()
    assert list((out / "logos").iterdir()) == []
    assert (out / "average.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "own.txt").read_text() == "{}"
    assert json.loads((out / "explain.json").read_text())["settings"]["methods"] == ["gradient"]


@pytest.mark.parametrize("name", ["variants.tsv", "positions.tsv"])
def test_what_is_read_is_not_replaced(
    command: Callable, classifier_folder: Path, fasta: Path, tmp_path: Path, name: str
) -> None:
    given = tmp_path / name
    given.write_bytes(fasta.read_bytes())
    files = (fasta, "--variants", given) if name == "variants.tsv" else (given,)
    ran = command("explain", classifier_folder, *files, "--out", tmp_path)
    assert ran.code == 2
    assert "is what is read" in ran.stderr
    assert given.read_bytes() == fasta.read_bytes()


def test_variants_too_near_the_end_are_left_out_and_counted(
    command: Callable, classifier_folder: Path, tmp_path: Path
) -> None:
    letters = "ACGT" * 100
    genome = tmp_path / "g.fa"
    genome.write_text(f">long\n{letters}\n>tiny\n{letters[:60]}\n")
    lines = ["contig\tposition\tref\talt", "tiny\t9\tA\tC", "long\t201\tA\tC"]
    tsv, out = tmp_path / "v.tsv", tmp_path / "out"
    tsv.write_text("\n".join(lines) + "\n")
    arguments = ("explain", classifier_folder, "--variants", tsv, "--genome", genome)
    ran = command(*arguments, "--out", out)
    assert ran.code == 0, ran.stderr
    assert [row["contig"] for row in rows(out / "variants.tsv")] == ["long"]
    assert "1 alleles of v.tsv were left out (the first: line 2)" in ran.stderr
    tsv.write_text("\n".join(lines[:2]) + "\n")
    ran = command(*arguments, "--out", tmp_path / "none")
    assert ran.code == 2
    assert "none of 1 variants can be scored" in ran.stderr


def test_help_teaches_by_example(command: Callable) -> None:
    ran = command("explain", "--help")
    assert ran.code == 0
    assert "genomic-ulmfit explain model promoters.fasta --out why" in ran.stdout
