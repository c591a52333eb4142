"""What each base of a called site's window contributes to its score."""

from __future__ import annotations

from collections.abc import Sequence

from genomic_ulmfit.dna.alphabet import Codes
from genomic_ulmfit.dna.genome import Contig, site_offset
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.inference.explaining.attribution import integrated_gradients
from genomic_ulmfit.inference.explaining.edits import Counted
from genomic_ulmfit.inference.targets import Floats
from genomic_ulmfit.inference.windows.exact import CONTEXT_STEP, context_of
from genomic_ulmfit.inference.windows.runs import cut_runs
from genomic_ulmfit.models.classifier import Classifier


def call_contributions(
    model: Classifier,
    sites: Sequence[tuple[Contig, int, int]],
    target: int,
    *,
    window: int,
    anchor: int,
    precision: str,
    report: Counted = lambda _: None,
) -> Floats:
    """Divide what lifts the log-odds of called sites up among the bases of their windows.

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
        `genomic_ulmfit.inference.explaining.attribution.integrated_gradients`.

    Raises
    ------
    InputError
        If a window does not lie on its contig.
    """
    codes = [_read(model, *site, window, anchor) for site in sites]
    return integrated_gradients(model, codes, target, precision, report).contributions


def _read(
    model: Classifier, contig: Contig, place: int, strand: int, window: int, anchor: int
) -> Codes:
    """Cut a window out with the context that exact mode gives it."""
    start = place - site_offset(strand, window, anchor)
    if len(contig) < window or not (contig.circular or 0 <= start <= len(contig) - window):
        raise InputError(
            f"{contig.name}: the window of the call at base {place + 1:,} is not on the contig."
        )
    stride, context = model.config.encoder.tokenizer.stride, model.config.context
    ((_, run),) = cut_runs(
        contig, start, start + 1, window=window, step=1, stride=stride, context=context
    )
    (around,) = context_of(run, context, CONTEXT_STEP * stride)
    whole = run.along(strand)
    return whole.codes[whole.before - around : whole.before + window + around]
