"""`genomic-ulmfit view`, run as a user runs it. The page itself is tested in tests/browser."""

from __future__ import annotations

import base64
import json
import os
import shutil
import stat
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from genomic_ulmfit.dna.alphabet import decode


@pytest.fixture(scope="module")
def scanned(
    process: Callable,
    classifier_folder: Path,
    genome_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Prefix of a scan of 12,000 bases of the simulated genome."""
    folder = tmp_path_factory.mktemp("scan")
    bed = folder / "region.bed"
    bed.write_text("SIM_0\t20000\t32000\n")
    prefix = folder / "scan" / "sim.1"
    arguments = (classifier_folder, genome_file, "--out", prefix, "--anchor", 100)
    ran = process("scan", *arguments, "--mode", "dense", "--regions", bed, "--threshold", 0.6)
    assert ran.code == 0, ran.stderr
    return prefix


@pytest.fixture
def copied(scanned: Path, tmp_path: Path) -> Path:
    """The same, to be damaged."""
    return Path(shutil.copytree(scanned.parent, tmp_path / "copy")) / scanned.name


def content(page: Path) -> dict:
    text = page.read_text(encoding="utf-8")
    _, _, rest = text.partition('<script type="application/json" id="content">')
    found: dict = json.loads(rest.partition("</script>")[0])
    return found


def test_it_writes_one_page_and_says_where(
    process: Callable, scanned: Path, genome_file: Path, tmp_path: Path
) -> None:
    page = tmp_path / "made" / "page.html"
    ran = process("view", scanned, "--genome", genome_file, "--no-open", "--out", page)
    assert ran.code == 0, ran.stderr
    assert ran.stdout == f"{page}\n"
    assert [path.name for path in page.parent.iterdir()] == ["page.html"]
    bed = [line.split("\t") for line in Path(f"{scanned}.bed").read_text().splitlines()[1:]]
    calls = content(page)["calls"]
    assert calls["name"] == [fields[3] for fields in bed]
    assert calls["anchor"] == [int(fields[6]) for fields in bed]
    assert calls["logOdds"] == [float(fields[12]) for fields in bed]
    # Each call's gene was found among the genome's own.
    genes = content(page)["genes"]["name"]
    assert [genes[gene] for gene in calls["gene"]] == [fields[13] for fields in bed]
    assert f"{len(bed):,} calls on both strands" in page.read_text(encoding="utf-8")


def test_the_model_that_scanned_draws_logos(
    process: Callable, scanned: Path, classifier_folder: Path, genome_file: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    arguments = ("view", scanned, "--genome", genome_file, "--no-open", "--out", page)
    ran = process(*arguments, "--model", classifier_folder, "--logos", 3)
    assert ran.code == 0, ran.stderr
    found = content(page)
    scores = found["calls"]["logOdds"]
    assert [scores[call] for call in found["logos"]["call"]] == sorted(scores, reverse=True)[:3]
    assert all(tallest > 0 for tallest in found["logos"]["tallest"])
    packed = page.read_text().partition('id="logos">')[2].partition("</script>")[0]
    heights = np.frombuffer(zlib.decompress(base64.b64decode(packed)), np.int8).reshape(3, 150)
    assert (np.abs(heights.astype(int)).max(1) == 127).all()


def test_a_scan_of_a_circle_in_fasta(
    command: Callable, classifier_folder: Path, tmp_path: Path
) -> None:
    codes = np.random.default_rng(0).integers(0, 4, 600).astype(np.uint8)
    (tmp_path / "circle.fa").write_text(f">circle\n{decode(codes)}\n")
    arguments = (classifier_folder, tmp_path / "circle.fa", "--out", tmp_path / "scan")
    ran = command("scan", *arguments, "--circular", "--threshold", 0, "--anchor", 100)
    assert ran.code == 0, ran.stderr
    assert "The model does not know where in its windows a site lies" not in ran.stderr
    # Some windows of calls run over the origin.
    ran = command("view", tmp_path / "scan", "--model", classifier_folder, "--no-open")
    assert ran.code == 0, ran.stderr
    calls = len((tmp_path / "scan.bed").read_text().splitlines()) - 1
    assert f"{calls} of {calls} calls have a logo" in ran.stderr


def test_a_model_or_its_number_of_logos_is_looked_at_in_any_case(
    command: Callable, scanned: Path, copied: Path, genome_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "page.html"
    arguments = ("view", scanned, "--genome", genome_file, "--no-open", "--out", out)
    ran = command(*arguments, "--logos", 5)
    assert ran.code == 2
    assert "--logos: got 5 without --model" in ran.stderr
    ran = command(*arguments, "--model", tmp_path / "absent")
    assert ran.code == 2
    assert "absent: no such model folder" in ran.stderr
    assert not out.exists()


def test_another_model_draws_none(
    process: Callable, copied: Path, classifier_folder: Path, genome_file: Path
) -> None:
    summary = Path(f"{copied}.json")
    told = json.loads(summary.read_text())
    told["model"]["sha256"] = "0" * 64
    summary.write_text(json.dumps(told))
    ran = process("view", copied, "--genome", genome_file, "--model", classifier_folder)
    assert ran.code == 2
    assert "is not the classifier that made this scan" in ran.stderr


def test_a_folder_with_one_scan_and_the_genome_beside_it(
    command: Callable, copied: Path, genome_file: Path
) -> None:
    shutil.copy(genome_file, copied.parent)
    (copied.parent / "other.json").write_text('{"not": "a scan"}')
    ran = command("view", copied.parent, "--no-open")
    assert ran.code == 0, ran.stderr
    assert ran.stdout == f"{copied}.html\n"
    assert Path(f"{copied}.html").exists()


@pytest.mark.parametrize("ending", [".bed", ".json", ".gff3", ".plus.bw", ".html"])
def test_one_of_its_files_names_a_scan(
    command: Callable, copied: Path, genome_file: Path, ending: str
) -> None:
    Path(f"{copied}.html").touch()
    ran = command("view", f"{copied}{ending}", "--genome", genome_file, "--no-open")
    assert ran.code == 0, ran.stderr
    assert ran.stdout == f"{copied}.html\n"


def test_bedgraph_says_the_same_as_bigwig(
    command: Callable, copied: Path, genome_file: Path
) -> None:
    import pybigtools

    command("view", copied, "--genome", genome_file, "--no-open")
    before = Path(f"{copied}.html").read_text(encoding="utf-8")
    for word in ("plus", "minus"):
        reader = pybigtools.open(f"{copied}.{word}.bw")
        lines = [f"SIM_0\t{a}\t{b}\t{v:.4f}\n" for a, b, v in reader.records("SIM_0")]
        Path(f"{copied}.{word}.bw").unlink()
        Path(f"{copied}.{word}.bedgraph").write_text("".join(lines))
    ran = command("view", copied, "--genome", genome_file, "--no-open")
    assert ran.code == 0, ran.stderr
    assert Path(f"{copied}.html").read_text(encoding="utf-8") == before


@pytest.mark.skipif(os.name != "posix", reason="the made-up browser is a shell script")
def test_it_opens_the_page(
    command: Callable,
    scanned: Path,
    genome_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    browser, told = tmp_path / "browser", tmp_path / "told"
    browser.write_text(f"#!/bin/sh\necho \"$1\" > '{told}'\n")
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    # It reads the variable once for all.
    monkeypatch.delitem(sys.modules, "webbrowser", raising=False)
    page = tmp_path / "a page.html"
    ran = command("view", scanned, "--genome", genome_file, "--out", page)
    assert ran.code == 0, ran.stderr
    assert told.read_text().strip() == page.as_uri()


def damaged(copied: Path, **parts: object) -> None:
    path = Path(f"{copied}.json")
    summary = json.loads(path.read_text())
    for part, value in parts.items():
        summary[part] = {**summary[part], **value} if isinstance(value, dict) else value
    path.write_text(json.dumps(summary))


def test_mistakes(command: Callable, copied: Path, genome_file: Path, tmp_path: Path) -> None:
    good = ("--genome", genome_file, "--no-open")

    def refused(*arguments: object) -> str:
        ran = command("view", *arguments)
        assert ran.code == 2
        assert ran.stdout == ""
        assert "Traceback" not in ran.stderr
        assert not Path(f"{copied}.html").exists()
        message: str = ran.stderr
        return message

    (tmp_path / "empty").mkdir()
    assert "there is no scan in this folder" in refused(tmp_path / "empty", *good)
    assert "there is no scan of this name" in refused(tmp_path / "none", *good)
    assert "lies neither beside the scan" in refused(copied, "--no-open")
    assert "no such file" in refused(copied, "--genome", tmp_path / "none.fa", "--no-open")
    other = tmp_path / "other.fa"
    other.write_text(f">SIM_0\n{'ACGT' * 100}\n")
    said = refused(copied, "--genome", other, "--no-open")
    assert "not the genome that was scanned: it has 400 bases" in said
    turned = tmp_path / "turned.gbk"
    letters = genome_file.read_text().split("ORIGIN")
    assert len(letters) == 2
    turned.write_text(f"{letters[0]}ORIGIN{letters[1].translate(str.maketrans('acgt', 'tgca'))}")
    assert "contigs have other names or bases" in refused(copied, "--genome", turned, "--no-open")
    assert "a file whose name ends with .html" in refused(copied, *good, "--out", tmp_path)
    assert "is not a folder" in refused(copied, *good, "--out", genome_file / "page.html")
    shutil.copy(f"{copied}.json", copied.parent / "second.json")
    said = refused(copied.parent, *good)
    assert "there are 2 scans in this folder" in said
    assert "second" in said


def test_files_that_do_not_belong_together(
    command: Callable, copied: Path, genome_file: Path
) -> None:
    def refused() -> str:
        ran = command("view", copied, "--genome", genome_file, "--no-open")
        assert ran.code == 2
        assert "Traceback" not in ran.stderr
        message: str = ran.stderr
        return message

    bed, bigwig = Path(f"{copied}.bed"), Path(f"{copied}.plus.bw")
    lines, track = bed.read_text(), bigwig.read_bytes()

    bed.write_text(lines[: lines.rindex("SIM_0")])
    assert "they are not of the same scan" in refused()
    bed.write_text(lines.replace("SIM_0", "chr9"))
    assert "the genome has no base" in refused()
    bed.write_text("SIM_0\t1\t2\n")
    assert "not the calls of a scan" in refused()
    bed.write_text(lines.replace("\t+\t", "\t.\t"))
    assert "not a call" in refused()
    bed.unlink()
    assert "no such file" in refused()
    bed.write_text(lines)

    bigwig.unlink()
    assert "the track of the plus strand is missing" in refused()
    bigwig.write_bytes(track[:1000])
    assert "cannot be read as bigWig" in refused()
    bigwig.write_bytes(track)
    graph = Path(f"{copied}.plus.bedgraph")
    graph.write_text("SIM_0\t0\t2\t0.5\n")
    assert "there are two tracks of the plus strand" in refused()
    bigwig.unlink()
    graph.write_text("SIM_0\t0\t2\t1.5\n")
    assert "no probabilities" in refused()
    graph.write_text("SIM_0\t0\t200000\t0.5\n")
    assert "does not fit the genome" in refused()
    graph.write_text("SIM_0\tzero\t2\t0.5\n")
    assert "cannot be read as bedGraph" in refused()
    graph.unlink()

    # A strand that has no track because it has no score is a scan like any other.
    summary = Path(f"{copied}.json").read_text()
    damaged(copied, tracks={"plus": False, "minus": True})
    assert command("view", copied, "--genome", genome_file, "--no-open").code == 0
    bigwig.write_bytes(track)
    damaged(copied, settings={"step": 0})
    assert "not the summary of a scan" in refused()
    Path(f"{copied}.json").write_text(summary[:100])
    assert "not the summary of a scan" in refused()


def test_help_teaches_by_example(command: Callable) -> None:
    ran = command("view", "--help")
    assert ran.code == 0
    assert "genomic-ulmfit view scan/k12 --genome k12.gbk" in ran.stdout
