"""`genomic-ulmfit evaluate-scan`, run as a user runs it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

CALLS = """\
#chrom\tchromStart\tchromEnd\tname\tscore\tstrand\tthickStart\tthickEnd\tlogOdds
chr\t50\t150\tp1\t999\t+\t100\t101\t7
chr\t450\t550\tp2\t998\t-\t500\t501\t6
chr\t950\t1050\tp3\t997\t+\t1000\t1001\t5
chr\t1950\t2050\tp4\t500\t+\t2000\t2001\t0
"""
TRUTH = """\
chr\t103\t104\ttest\t0\t+
chr\t499\t500\ttest\t0\t-
chr\t999\t1000\ttrain\t0\t+
chr\t3000\t3001\ttest\t0\t+
"""


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    path = tmp_path / "calls.bed"
    path.write_text(CALLS)
    return path


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    path = tmp_path / "truth.bed"
    path.write_text(TRUTH)
    return path


def test_json(process: Callable, calls: Path, truth: Path) -> None:
    ran = process("evaluate-scan", calls, truth, "--truth-name", "test", "--json")
    assert ran.code == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert (found["n_truth"], found["n_calls"], found["n_right"], found["n_left_out"]) == (
        3,
        3,
        2,
        1,
    )
    assert found["precision"]["value"] == pytest.approx(2 / 3)
    assert found["recall"]["value"] == pytest.approx(2 / 3)
    assert found["auprc"]["value"] == pytest.approx(2 / 3)
    assert found["best_f1"] == pytest.approx(0.8)
    # Upstream of the first by 3; on the other strand, a base further on is upstream too.
    near = {(d["from"], d["to"]): d["calls"] for d in found["distances"] if d["calls"]}
    assert near == {(-7, -3): 1, (-2, 2): 1}
    assert "1 known sites do not count" in ran.stderr


def test_tables_for_people(command: Callable, calls: Path, truth: Path) -> None:
    ran = command("evaluate-scan", calls, truth, "--tolerance", 20)
    assert ran.code == 0, ran.stderr
    for word in ("4 calls, 4 known sites, ±20 bases", "precision", "recall", "f1", "auprc"):
        assert word in " ".join(ran.stdout.split()), word
    assert "right: 3; left out: 0" in ran.stdout
    assert "-2 to 2" in ran.stdout


def test_regions_and_nothing_called(
    command: Callable, calls: Path, truth: Path, tmp_path: Path
) -> None:
    regions = tmp_path / "regions.bed"
    regions.write_text("chr\t0\t600\n")
    ran = command("evaluate-scan", calls, truth, "--regions", regions, "--json")
    assert json.loads(ran.stdout)["n_truth"] == 2
    assert json.loads(ran.stdout)["f1"]["value"] == 1
    calls.write_text("#chrom\n")
    ran = command("evaluate-scan", calls, truth)
    assert ran.code == 0, ran.stderr
    assert "not defined" in ran.stdout


def test_mistakes(command: Callable, calls: Path, truth: Path, tmp_path: Path) -> None:
    def refused(*arguments: object) -> str:
        ran = command("evaluate-scan", *arguments)
        assert ran.code == 2
        assert ran.stdout == ""
        assert "Traceback" not in ran.stderr
        message: str = ran.stderr
        return message

    message = refused(calls, truth, "--truth-name", "valid")
    assert "--truth-name: got 'valid'" in message
    assert "names found are test, train" in message
    assert "Calls come first" in refused(truth, calls)
    assert "--tolerance: got -5" in refused(calls, truth, "--tolerance", -5)
    assert "there is no such file" in refused(calls, tmp_path / "none.bed")
    other = tmp_path / "other.bed"
    other.write_text(TRUTH.replace("chr\t", "NC_000913.3\t"))
    message = refused(calls, other)
    assert "The calls are on contigs named chr, the truth on NC_000913.3: none in common" in message
    other.write_text("chr\t5\t6\n")
    assert "line 1: has no strand" in refused(calls, other)


def test_a_scan_of_regions_is_remembered(
    command: Callable, calls: Path, truth: Path, tmp_path: Path
) -> None:
    copied = tmp_path / "calls.bed"
    copied.write_bytes(calls.read_bytes())
    note = "looked at the regions of some.bed alone"
    summary = tmp_path / "calls.json"
    for text, told in (
        ('{"settings": {"regions": "some.bed"}}', True),
        ('{"settings": {"regions": null}}', False),
        ("[]", False),
    ):
        summary.write_text(text)
        ran = command("evaluate-scan", copied, truth)
        assert ran.code == 0, ran.stderr
        assert (note in ran.stderr) == told
    summary.write_text('{"settings": {"regions": null}, "genome": {"simulated": true}}')
    assert "SIMULATED GENOME" in command("evaluate-scan", copied, truth).stderr
    packed = tmp_path / "calls.bed.gz"
    packed.write_bytes(gzip.compress(calls.read_bytes()))
    assert "SIMULATED GENOME" in command("evaluate-scan", packed, truth).stderr
    summary.write_text('{"settings": {"regions": "some.bed"}}')
    bed = tmp_path / "some.bed"
    lines = [line.split("\t")[:3] for line in truth.read_text().splitlines()]
    bed.write_text("\n".join("\t".join(fields) for fields in lines) + "\n")
    assert note not in command("evaluate-scan", copied, truth, "--regions", bed).stderr


def test_help_teaches_by_example(command: Callable) -> None:
    ran = command("evaluate-scan", "--help")
    assert ran.code == 0
    assert "genomic-ulmfit evaluate-scan scan/k12.bed tss.bed --tolerance 50" in ran.stdout
