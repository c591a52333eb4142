"""A scan as one HTML page that works from disk: tracks, calls, genes and sequence in one file.

What is large is written small: scores at one byte for `step` bases, sequence at two bits a base,
both deflated, in base64. The page unpacks them and draws the rest itself, so that a whole
bacterial genome opens at once.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from genomic_ulmfit.dna.alphabet import AMBIGUOUS
from genomic_ulmfit.dna.genome import Contig, Gene
from genomic_ulmfit.dna.packing import pack
from genomic_ulmfit.inference.scanning.call_files import kind_of
from genomic_ulmfit.inference.scanning.scan_files import CalledSite, ScanFiles
from genomic_ulmfit.inference.scanning.tracks import Spans
from genomic_ulmfit.reports.page import environment

LIMIT = float(np.log(0.9999 / 0.0001))
"""Log-odds, either way, beyond which a track does not go: it has four decimals."""

STEPS = 254
"""Between the lowest score and the highest; byte 0 is for bases without a score."""

SCRIPTS = ("data.js", "motif.js", "track.js", "call.js", "table.js", "search.js", "page.js")
"""Of the page, in the order in which they build on each other."""

LOGO_STEPS = 127
"""From no contribution of a base to a logo's largest, either way."""

Bytes = npt.NDArray[np.uint8]


class Logos(NamedTuple):
    """What the bases of some calls' windows contribute to their log-odds.

    Parameters
    ----------
    calls : sequence of int
        Numbers of calls, as in `ScanFiles.calls`.
    contributions : numpy.ndarray of float32, shape (len(calls), window)
        5' to 3' on each call's strand.
    """

    calls: Sequence[int]
    contributions: npt.NDArray[np.float32]


class BinnedScores(NamedTuple):
    """Scores of one strand of one contig.

    Parameters
    ----------
    origin : int
        Base at which the first bin begins; 0, or a little before the contig.
    codes : numpy.ndarray of uint8, shape (n_bins,)
        Quantised highest score of each bin; 0 where no base has one.
    """

    origin: int
    codes: Bytes


def quantise(probabilities: npt.NDArray[np.floating]) -> Bytes:
    """Write probabilities as bytes, evenly spaced in log-odds.

    Even steps of probability would make one of all that matters, which is close to 0 or to 1.

    Parameters
    ----------
    probabilities : numpy.ndarray of float, shape (n,)
        0 to 1; NaN is no score.

    Returns
    -------
    numpy.ndarray of uint8, shape (n,)
        0 for no score, else 1 to 255: off by half a step at most, which is 0.037 in log-odds
        and 0.01 in probability, and never out of order.
    """
    with np.errstate(divide="ignore"):
        log_odds = np.log(probabilities) - np.log1p(-probabilities)
    steps = (np.clip(log_odds, -LIMIT, LIMIT) + LIMIT) / (2 * LIMIT) * STEPS
    return np.where(np.isnan(steps), 0, np.round(np.nan_to_num(steps)) + 1).astype(np.uint8)


def restore(codes: Bytes) -> npt.NDArray[np.float64]:
    """Return the probabilities that bytes of `quantise` stand for, as the page does.

    Parameters
    ----------
    codes : numpy.ndarray of uint8, shape (n,)

    Returns
    -------
    numpy.ndarray of float64, shape (n,)
    """
    log_odds = (codes.astype(np.float64) - 1) / STEPS * 2 * LIMIT - LIMIT
    return np.where(codes == 0, np.nan, 1 / (1 + np.exp(-log_odds)))


def bin_scores(spans: Spans | None, length: int, step: int) -> BinnedScores:
    """Lay a track out in bins of `step` bases, aligned to where its windows begin.

    Every window of a linear contig fills one bin. Round a circle one strand's windows may meet
    out of step; then a bin holds the higher of two.

    Parameters
    ----------
    spans : Spans or None
        None if nothing of the contig is scored.
    length : int
        Of the contig, in bases.
    step : int
        Bases between windows.

    Returns
    -------
    BinnedScores
        Without bins if there is no score.
    """
    if spans is None:
        return BinnedScores(0, np.zeros(0, dtype=np.uint8))
    widths = spans.ends - spans.starts
    # The last window of a strand may stand for fewer bases; on the reverse strand, where that is
    # the contig's start, it is its end that is in step.
    edges = np.where(spans.starts == 0, spans.ends, spans.starts)
    begins = edges[widths == widths.max()] % step
    phase = int(np.bincount(begins, minlength=step).argmax())
    origin = phase - step if phase else 0
    n_bins = -(-(length - origin) // step)
    bases = np.zeros(n_bins * step, dtype=np.uint8)
    ordinal = np.arange(widths.sum()) - np.repeat(np.cumsum(widths) - widths, widths)
    bases[np.repeat(spans.starts, widths) + ordinal - origin] = np.repeat(
        quantise(spans.values.astype(np.float64)), widths
    )
    return BinnedScores(origin, bases.reshape(n_bins, step).max(axis=1))


def compress(raw: Bytes) -> str:
    """Return bytes deflated (zlib format) and in base64, as the page's `unpack` reads them."""
    return base64.b64encode(zlib.compress(raw.tobytes(), 6)).decode("ascii")


def ambiguous_runs(contigs: Sequence[Contig]) -> tuple[list[int], list[int]]:
    """Find the bases that have no place in two bits.

    Parameters
    ----------
    contigs : sequence of Contig

    Returns
    -------
    starts, ends : list of int
        Runs of ambiguous bases, counted from the first base of the first contig on through all
        contigs.
    """
    unknown = np.concatenate([contig.codes for contig in contigs]) == AMBIGUOUS
    edges = np.flatnonzero(np.diff(np.concatenate([[False], unknown, [False]]).astype(np.int8)))
    return edges[::2].tolist(), edges[1::2].tolist()


def highest_calls(scan: ScanFiles, count: int) -> list[int]:
    """Return the numbers of the calls with the highest scores, at most `count`, highest first."""
    order = sorted(range(len(scan.calls)), key=lambda number: -scan.calls[number].log_odds)
    return order[:count]


def render_view(scan: ScanFiles, logos: Logos | None = None) -> str:
    """Write a scan as a page that needs nothing else: no server, no network.

    Parameters
    ----------
    scan : ScanFiles
    logos : Logos, optional

    Returns
    -------
    str
        The page. Everything that comes from files is escaped, and its content security policy
        lets nothing run but the scripts of this package.
    """
    contigs, step = scan.genome.contigs, scan.summary["settings"]["step"]
    binned = {
        strand: [bin_scores(track.get(contig.name), len(contig), step) for contig in contigs]
        for strand, track in scan.tracks.items()
    }
    starts, ends = ambiguous_runs(contigs)
    packed = {
        "forward": compress(np.concatenate([scores.codes for scores in binned[1]])),
        "reverse": compress(np.concatenate([scores.codes for scores in binned[-1]])),
        "sequence": compress(
            pack(np.concatenate([contig.codes % AMBIGUOUS for contig in contigs]))
        ),
    }
    tallest: list[float] = []
    if logos is not None:
        tallest, heights = _logo_heights(logos)
        packed["logos"] = compress(heights)
    genes = [(number, gene) for number, contig in enumerate(contigs) for gene in contig.genes]
    content = {
        "limit": LIMIT,
        "steps": STEPS,
        "step": step,
        "windowLength": scan.summary["settings"]["window"],
        "anchor": scan.summary["settings"]["anchor"],
        "threshold": scan.summary["threshold"]["probability"],
        "target": scan.summary["model"]["class"],
        "promoters": kind_of(scan.summary["model"]["class"]).feature == "promoter",
        "first": _first_look(scan),
        "contigs": {
            "name": [contig.name for contig in contigs],
            "length": [len(contig) for contig in contigs],
            "forward": [[scores.origin, len(scores.codes)] for scores in binned[1]],
            "reverse": [[scores.origin, len(scores.codes)] for scores in binned[-1]],
        },
        "unknown": {"start": starts, "end": ends},
        "genes": _gene_columns(genes),
        "calls": _call_columns(scan.calls, contigs, genes),
        # Of each logo its call, and the largest contribution of a base.
        "logos": {"call": list(logos.calls) if logos else [], "tallest": tallest},
        "logoSteps": LOGO_STEPS,
    }
    templates = files("genomic_ulmfit.reports") / "templates"
    script = "\n".join((templates / "view" / name).read_text("utf-8") for name in SCRIPTS)
    templating = environment()
    # No spaces: they would be a tenth of the page.
    templating.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    return templating.get_template("view/page.html.j2").render(
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        style=(templates / "view" / "page.css").read_text("utf-8"),
        content=content,
        packed=packed,
        summary=scan.summary,
        genome=scan.genome,
        notes=[*dict.fromkeys([*scan.genome.notes, *scan.summary["notes"]])],
    )


def _logo_heights(logos: Logos) -> tuple[list[float], Bytes]:
    """Return each logo's largest contribution, and all of them as signed bytes of its share."""
    largest = np.abs(logos.contributions).max(axis=1)
    scale = np.where(largest > 0, largest, 1)[:, None]
    heights = np.rint(logos.contributions / scale * LOGO_STEPS).astype(np.int8)
    return [round(float(value), 4) for value in largest], heights.reshape(-1).view(np.uint8)


def _first_look(scan: ScanFiles) -> dict[str, int]:
    """Return the contig and bases to show first: where calls are densest."""
    region = scan.summary["densest_region"]
    names = [contig.name for contig in scan.genome.contigs]
    contig = names.index(region["contig"]) if region["contig"] in names else 0
    return {"contig": contig, "start": region["start"], "end": region["end"]}


def _gene_columns(genes: Sequence[tuple[int, Gene]]) -> dict[str, list[Any]]:
    return {
        "contig": [number for number, _ in genes],
        "start": [gene.start for _, gene in genes],
        "end": [gene.end for _, gene in genes],
        "strand": [gene.strand for _, gene in genes],
        "name": [gene.name for _, gene in genes],
        "tag": [gene.locus_tag for _, gene in genes],
        "product": [gene.product for _, gene in genes],
    }


def _call_columns(
    calls: Sequence[CalledSite], contigs: Sequence[Contig], genes: Sequence[tuple[int, Gene]]
) -> dict[str, list[Any]]:
    numbers = {contig.name: number for number, contig in enumerate(contigs)}
    # A call names its gene and how far its start is, which tells apart genes of one name.
    places = {
        (number, gene.strand, _five_prime(gene, contigs[number]), gene.name): index
        for index, (number, gene) in enumerate(genes)
    }

    def gene_of(call: CalledSite) -> int:
        if call.distance is None:
            return -1
        number = numbers[call.contig]
        start = (call.anchor + call.strand * call.distance) % len(contigs[number])
        return places.get((number, call.strand, start, call.gene), -1)

    return {
        "contig": [numbers[call.contig] for call in calls],
        "anchor": [call.anchor for call in calls],
        "strand": [call.strand for call in calls],
        "name": [call.name for call in calls],
        "logOdds": [call.log_odds for call in calls],
        "gene": [gene_of(call) for call in calls],
        "geneName": [call.gene for call in calls],
        "distance": [call.distance for call in calls],
    }


def _five_prime(gene: Gene, contig: Contig) -> int:
    return (gene.start if gene.strand > 0 else gene.end - 1) % len(contig)
