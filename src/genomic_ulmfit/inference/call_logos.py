"""What each base of a called site's window contributes to its score."""

from __future__ import annotations

from collections.abc import Sequence

from genomic_ulmfit.dna.alphabet import Codes
from genomic_ulmfit.dna.genome import Contig
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.inference.attribution import integrated_gradients
from genomic_ulmfit.inference.edits import Report
from genomic_ulmfit.inference.exact import CONTEXT_STEP
from genomic_ulmfit.inference.targets import Floats
from genomic_ulmfit.models.classifier import Classifier


def call_contributions(
    model: Classifier,
    sites: Sequence[tuple[Contig, int, int]],
    target: int,
    *,
    window: int,
    anchor: int,
    precision: str,
    report: Report = lambda _: None,
) -> Floats:
    """Divide the log-odds of called sites up among the bases of their windows.

    Each window is read by itself, with as much context as the model was trained with, as `scan`
    does in exact mode.

    Parameters
    ----------
    model : Classifier
        In evaluation mode.
    sites : sequence of (Contig, int, int)
        At least one: contig, anchor on the forward strand, strand.
    target : int
        Class that was scanned for.
    window, anchor : int
        Bases of a window, and where in it the anchor lies.
    precision : {"bf16", "fp32"}
    report : callable
        Told how many sites are done.

    Returns
    -------
    numpy.ndarray of float32, shape (len(sites), window)
        5' to 3' on each site's strand, as from
        `genomic_ulmfit.inference.attribution.integrated_gradients`.

    Raises
    ------
    InputError
        If a window does not lie on its contig.
    """
    step = CONTEXT_STEP * model.config.encoder.tokenizer.stride
    codes = [_read(*site, window, anchor, model.config.context, step) for site in sites]
    return integrated_gradients(model, codes, target, precision, report).contributions


def _read(
    contig: Contig, place: int, strand: int, window: int, anchor: int, context: int, step: int
) -> Codes:
    """Cut a window with as much context on either side as there is, up to `context`."""
    start = place - (anchor if strand > 0 else window - 1 - anchor)
    if contig.circular:
        there = (len(contig) - window) // 2
    else:
        there = min(start, len(contig) - start - window)
    around = context if there >= context else max(0, there - there % step)
    codes = contig.window(start - around, start + window + around, strand)
    if codes is None:
        raise InputError(
            f"{contig.name}: the window of the call at base {place + 1:,} is not on the contig."
        )
    return codes
