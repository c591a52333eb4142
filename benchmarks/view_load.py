"""How long does the page of a whole genome take to open?

    python benchmarks/view_load.py NC_000913.3.gbk.gz --rounds 5

Makes up a scan of the genome's longest contig (random scores for both strands at step 2, 5,000
calls; nothing here is a prediction), writes its page with the code of `genomic-ulmfit view` and
opens it from disk in headless Chromium, each time in a new browser with an empty profile. Printed
is the time from the start of navigation until the page has drawn everything and answers, which
the page itself marks (`view:ready`), and what all processes of the browser computed for it: on a
busy machine that tells more.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from selenium import webdriver

from genomic_ulmfit.dna.genome import Contig, Genome
from genomic_ulmfit.dna.readers import read_genome
from genomic_ulmfit.files import write_json
from genomic_ulmfit.inference.scanning.call_files import kind_of, write_bed
from genomic_ulmfit.inference.scanning.calls import call_sites
from genomic_ulmfit.inference.scanning.scan import ScanSettings, StrandScores
from genomic_ulmfit.inference.scanning.scan_files import STRANDS, read_scan
from genomic_ulmfit.inference.scanning.tracks import Spool, spans_of, write_bigwig
from genomic_ulmfit.reports.view import render_view

SETTINGS = ScanSettings(window=150, anchor=100, step=2, target=1, mode="dense", precision="fp32")
THRESHOLD = 4.0
MIN_DISTANCE = 50
MARKS = ("view:start", "view:unpacked", "view:ready")
COMPUTED = "computed"
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("genome")
    parser.add_argument("--calls", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="folder to leave scan and page in")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        genome = read_genome(arguments.genome)
        prefix = folder / "made-up"
        n_calls = make_scan(genome, Path(arguments.genome).name, prefix, arguments.calls)
        begun = time.monotonic()
        scan = read_scan(prefix, arguments.genome)
        read = time.monotonic()
        page = folder / "made-up.html"
        page.write_text(render_view(scan), encoding="utf-8")
        print(
            f"{genome.n_bases:,} bases, {genome.n_genes:,} genes, {n_calls:,} calls; page of "
            f"{page.stat().st_size / 1e6:.1f} MB, read in {read - begun:.1f} s and made in "
            f"{time.monotonic() - read:.1f} s"
        )
        times = [load_times(page) for _ in range(arguments.rounds)]
    for mark in (*MARKS, COMPUTED):
        of_mark = [found[mark] for found in times]
        print(
            f"{mark:<14} median {median(of_mark):6.0f} ms, {min(of_mark):.0f} to "
            f"{max(of_mark):.0f} in {len(times)} rounds"
        )


def make_scan(genome: Genome, file: str, prefix: Path, n_calls: int) -> int:
    """Write the files of a scan whose scores are random, and return its number of calls."""
    generator = np.random.default_rng(0)
    contig = max(genome.contigs, key=len)
    calls = []
    for strand, word in STRANDS.items():
        scores = random_scores(contig, strand, n_calls // 2, generator)
        with Spool(prefix.parent, genome.contigs) as spool:
            spool.add(contig, spans_of(contig, strand, scores, SETTINGS))
            write_bigwig(spool, f"{prefix}.{word}.bw")
        calls += call_sites(contig, strand, *scores, threshold=THRESHOLD, min_distance=MIN_DISTANCE)
    calls.sort(key=lambda call: (call.anchor, -call.strand))
    write_bed(calls, kind_of("promoter"), SETTINGS, f"{prefix}.bed")
    middle = len(contig) // 2
    write_json(
        f"{prefix}.json",
        {
            "genome": {
                "name": genome.name,
                "file": file,
                "simulated": genome.simulated,
                "contigs": len(genome.contigs),
                "bases": genome.n_bases,
                "genes": genome.n_genes,
            },
            "model": {"folder": "none", "class": "random"},
            "settings": {"mode": "dense", "window": 150, "anchor": 100, "step": 2},
            "threshold": {
                "probability": round(1 / (1 + np.exp(-THRESHOLD)), 6),
                "expected_calls_by_chance_per_mbp": None,
            },
            "bases_scanned": genome.n_bases,
            "calls": {"all": len(calls)},
            "tracks": {"plus": True, "minus": True},
            "densest_region": {"contig": contig.name, "start": middle, "end": middle + 20_000},
            "notes": ["Made up to measure a page: every score is random."],
        },
    )
    return len(calls)


def random_scores(
    contig: Contig, strand: int, n_calls: int, generator: np.random.Generator
) -> StrandScores:
    starts = np.arange(0, len(contig), SETTINGS.step)
    anchors = (starts + SETTINGS.anchor) % len(contig)
    anchors = np.sort(anchors if strand > 0 else len(contig) - 1 - anchors)
    log_odds = np.minimum(generator.normal(-4, 2, len(anchors)), THRESHOLD - 0.1)
    # One call in each of so many equal parts, so that none takes another's place.
    part = len(anchors) // n_calls
    room = part - 2 * MIN_DISTANCE // SETTINGS.step
    called = np.arange(n_calls) * part + generator.integers(0, room, n_calls)
    log_odds[called] = THRESHOLD + generator.exponential(1.5, n_calls)
    return StrandScores(anchors, log_odds.astype(np.float32))


def load_times(page: Path) -> dict[str, float]:
    """Open a page in a new browser; return when it set its marks and what that took, in ms."""
    programs = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    if None in programs.values():
        raise SystemExit("chromium and chromedriver are needed: install them first")
    with tempfile.TemporaryDirectory() as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = programs["chromium"]
        for flag in (*FLAGS, f"--user-data-dir={profile}", "--window-size=1280,1000"):
            options.add_argument(flag)
        service = webdriver.ChromeService(executable_path=programs["chromedriver"])
        browser = webdriver.Chrome(options=options, service=service)
        try:
            before = processor_time(service.process.pid)
            browser.get(page.resolve().as_uri())
            while browser.find_element("tag name", "main").get_attribute("aria-busy") == "true":
                time.sleep(0.05)
            failure = browser.find_element("id", "failure").text
            if failure:
                raise SystemExit(failure)
            computed = processor_time(service.process.pid) - before
            return {COMPUTED: 1000 * computed} | {
                mark: browser.execute_script(
                    "return performance.getEntriesByName(arguments[0])[0].startTime", mark
                )
                for mark in MARKS
            }
        finally:
            browser.quit()


def processor_time(parent: int) -> float:
    """Return what a process and all below it have computed, in seconds (Linux)."""
    parents, ticks = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # After the name, which may hold anything: state, parent, ..., user and system time.
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        number = int(stat.parent.name)
        parents[number], ticks[number] = int(fields[1]), int(fields[11]) + int(fields[12])
    family = {parent}
    while more := {n for n, above in parents.items() if above in family and n not in family}:
        family |= more
    return sum(ticks.get(number, 0) for number in family) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
