"""A small scan made by hand, its page, and a browser without a screen to open it in."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genomic_ulmfit.dna.genome import Contig, Gene, Genome
from genomic_ulmfit.dna.readers import SIMULATED_KEYWORD
from genomic_ulmfit.files import write_json
from genomic_ulmfit.inference.scanning.call_files import kind_of, write_bed
from genomic_ulmfit.inference.scanning.calls import Call
from genomic_ulmfit.inference.scanning.scan import ScanSettings, StrandScores
from genomic_ulmfit.inference.scanning.scan_files import STRANDS, read_scan
from genomic_ulmfit.inference.scanning.tracks import Spool, spans_of, write_bigwig
from genomic_ulmfit.reports.view import Logos, render_view

SETTINGS = ScanSettings(window=50, anchor=35, step=2, target=1, mode="dense", precision="fp32")
LENGTH = 30_000
NAUGHTY = "<img/src=x/onerror=window.hacked=1>"


class MadeUp:
    """A scan of two contigs: a circle of 30,000 bases with genes and 60 calls, and a short one."""

    def __init__(self, folder: Path) -> None:
        generator = np.random.default_rng(0)
        genes = [
            Gene(f"gen{number}", start, start + 900, 1 if number % 2 else -1)
            for number, start in enumerate(range(500, 28_000, 1500))
        ]
        genes.append(Gene("wrapped", LENGTH - 300, LENGTH + 200, 1))
        codes = generator.integers(0, 4, LENGTH).astype(np.uint8)
        codes[12_000:12_010] = 4
        self.circle = Contig("circle", codes, True, tuple(genes))
        self.short = Contig(NAUGHTY, generator.integers(0, 4, 400).astype(np.uint8))
        self.genome = self._write_genome(folder / "made-up.gbk")
        self.prefix = folder / "scan"
        self.scores: dict[tuple[str, int], StrandScores] = {}
        self.calls = self._scan(generator)
        self.page = folder / "page with spaces & more.html"
        read = read_scan(self.prefix, folder / "made-up.gbk")
        self.logos = Logos([40, 10], generator.normal(0, 2, (2, 50)).astype(np.float32))
        self.page.write_text(render_view(read, self.logos), encoding="utf-8")

    def _write_genome(self, path: Path) -> Genome:
        text = ""
        for contig in (self.circle, self.short):
            shape = "circular" if contig.circular else "linear  "
            text += (
                f"LOCUS       {contig.name[:16]:<16} {len(contig):>11} bp    DNA     {shape} BCT "
                f"01-JAN-2020\nVERSION     {contig.name}\nKEYWORDS    {SIMULATED_KEYWORD}.\n"
                "FEATURES             "
                "Location/Qualifiers\n"
            )
            for number, gene in enumerate(contig.genes):
                place = f"{gene.start + 1}..{gene.end}"
                if gene.end > len(contig):
                    place = f"join({gene.start + 1}..{len(contig)},1..{gene.end - len(contig)})"
                place = place if gene.strand > 0 else f"complement({place})"
                text += (
                    f'     CDS             {place}\n                     /gene="{gene.name}"\n'
                    f'                     /locus_tag="M_{number:04}"\n'
                    f'                     /product="protein {number} <b>&amp;</b>"\n'
                )
            letters = "".join("acgtn"[code] for code in contig.codes)
            text += f"ORIGIN\n        1 {letters}\n//\n"
        path.write_text(text)
        return Genome("made-up", (self.circle, self.short))

    def _scan(self, generator: np.random.Generator) -> list[Call]:
        calls = []
        for strand, word in STRANDS.items():
            with Spool(self.prefix.parent, self.genome.contigs) as spool:
                for contig in self.genome.contigs:
                    last = len(contig) if contig.circular else len(contig) - SETTINGS.window + 1
                    anchors = (np.arange(0, last, SETTINGS.step) + SETTINGS.anchor) % len(contig)
                    anchors = np.sort(anchors if strand > 0 else len(contig) - 1 - anchors)
                    log_odds = generator.normal(-3, 1, len(anchors)).astype(np.float32)
                    n_calls = 30 if contig.circular else 1
                    called = np.linspace(0, len(anchors) - 1, n_calls).astype(int)
                    log_odds[called] = np.linspace(3, 6, n_calls)
                    self.scores[contig.name, strand] = StrandScores(anchors, log_odds)
                    spool.add(
                        contig,
                        spans_of(contig, strand, self.scores[contig.name, strand], SETTINGS),
                    )
                    calls += [
                        Call(contig, int(anchors[i]), strand, float(log_odds[i]))
                        for i in called.tolist()
                    ]
                write_bigwig(spool, f"{self.prefix}.{word}.bw")
        order = {contig.name: number for number, contig in enumerate(self.genome.contigs)}
        # As they are numbered in the BED: by where their windows begin.
        calls.sort(
            key=lambda call: (
                order[call.contig.name],
                max(0, call.window(SETTINGS)[0]),
                call.anchor,
            )
        )
        calls[10] = Call(
            self.circle,
            calls[10].anchor,
            calls[10].strand,
            calls[10].log_odds,
            *self._next_gene(calls[10]),
        )
        write_bed(calls, kind_of("1"), SETTINGS, f"{self.prefix}.bed")
        write_json(
            f"{self.prefix}.json",
            {
                "genome": {
                    "name": "made-up",
                    "file": "made-up.gbk",
                    "simulated": True,
                    "contigs": 2,
                    "bases": self.genome.n_bases,
                    "genes": self.genome.n_genes,
                },
                "model": {"folder": "none", "class": "1"},
                "settings": {"mode": "dense", "window": 50, "anchor": 35, "step": 2},
                "threshold": {"probability": 0.95, "expected_calls_by_chance_per_mbp": 20},
                "bases_scanned": self.genome.n_bases,
                "calls": {"all": len(calls)},
                "tracks": {"plus": True, "minus": True},
                "densest_region": {"contig": "circle", "start": 4000, "end": 14_000},
                "notes": [],
            },
        )
        return calls

    def _next_gene(self, call: Call) -> tuple[Gene, int]:
        distances = [
            ((g.start - call.anchor) if call.strand > 0 else (call.anchor - (g.end - 1)), g)
            for g in self.circle.genes
            if g.strand == call.strand
        ]
        distance, gene = min((d, g) for d, g in distances if d >= 0)
        return gene, distance


@pytest.fixture(scope="session")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> MadeUp:
    """The scan, written and packed into a page."""
    return MadeUp(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium without a screen, with an empty profile; nothing is downloaded for it."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("chromium and chromedriver are not installed (Debian: chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--window-size=1280,1000",
        f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    found = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield found
    finally:
        found.quit()


@pytest.fixture
def show(browser: Any, made_up: MadeUp) -> Callable[..., Any]:
    """Open the page anew, as a visitor with these preferences and this width would."""
    from selenium.webdriver.support.ui import WebDriverWait

    def opened(
        width: int = 1280, still: bool = True, dark: bool = False, page: Path = made_up.page
    ) -> Any:
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        features = [
            {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"},
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
        ]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        browser.get("about:blank")
        browser.get(page.as_uri())
        WebDriverWait(browser, 120).until(
            lambda at: at.find_element("tag name", "main").get_attribute("aria-busy") == "false"
        )
        return browser

    return opened
