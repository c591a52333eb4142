"""Labelled windows of an annotated genome: gene starts against the insides of genes.

The windows are those of the seed's protocol: a promoter window is anchored at the annotated
start codon, not at a transcription start site (TSS), which genome annotation does not hold.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from genomic_ulmfit.data.homology import WORD
from genomic_ulmfit.dna.alphabet import AMBIGUOUS, Codes, decode
from genomic_ulmfit.dna.genome import Contig, Gene, Genome
from genomic_ulmfit.errors import InputError

PROMOTER = 1
OTHER = 0
TRIM = 50
"""Bases left out at both ends of a CDS before a negative window is drawn."""

COLUMNS = (
    "id",
    "sequence",
    "label",
    "contig",
    "contig_length",
    "start",
    "end",
    "strand",
    "gene",
)


def promoter_table(
    genome: Genome, upstream: int = 100, downstream: int = 50, seed: int = 0
) -> pd.DataFrame:
    """Cut promoter windows and as long windows from inside genes, all in sense direction.

    A positive is the window from `upstream` bases before to `downstream` bases after the CDS
    start. A negative is one window of the same length at a random place inside a CDS of which
    more than that length is left after `TRIM` bases are taken from either end.

    Parameters
    ----------
    genome : Genome
        With annotated CDS.
    upstream : int
        Bases before the first base of the start codon, at least 0.
    downstream : int
        Bases from the first base of the start codon on. Negative values end the window before
        the start codon: 100 and -12 give the 88 bases -100..-12.
    seed : int
        Where the negatives lie.

    Returns
    -------
    pandas.DataFrame
        One row per window: all positives, then all negatives, each in genome order. Columns:

        - id: ``promoter_N`` or ``coding_N``, N being the number of the CDS in genome order;
        - sequence: upper-case A, C, G, T;
        - label: `PROMOTER` (1) or `OTHER` (0);
        - contig, contig_length: its name and its length in bases;
        - start, end: 0-based half-open on the forward strand. ``0 <= start < contig_length``;
          a window over the origin of a circular contig has ``end > contig_length``;
        - strand: ``+`` or ``-``, the strand that `sequence` is read from;
        - gene: the name of the CDS.

        ``table.attrs["notes"]`` lists what was left out, one sentence with a count each.

    Raises
    ------
    InputError
        If no CDS is annotated, the window is too short to check it for homology, or no window
        of either kind can be cut.

    Notes
    -----
    Windows and the 50-base trim follow the ULMFiT notebooks this package reproduces; ours
    differ in that a window over the origin of a circular contig is kept.
    """
    genome.require_genes()
    length = upstream + downstream
    if upstream < 0:
        raise InputError(f"upstream: got {upstream}, allowed are 0 and more bases.")
    if length < WORD:
        raise InputError(
            f"upstream, downstream: {upstream} and {downstream} give windows of {length} bases; "
            f"at least {WORD} are needed to tell homologous sequences apart."
        )

    rng = np.random.default_rng(seed)
    left_out = dict.fromkeys(_REASONS, 0)
    positives: list[tuple[object, ...]] = []
    negatives: list[tuple[object, ...]] = []
    number = 0
    for contig in genome.contigs:
        for gene in contig.genes:
            number += 1
            if not gene.start_known:
                left_out["start"] += 1
            else:
                begin = gene.start - upstream if gene.strand > 0 else gene.end - downstream
                codes = contig.window(begin, begin + length, gene.strand)
                if codes is None:
                    left_out["edge"] += 1
                elif (codes == AMBIGUOUS).any():
                    left_out["ambiguous positive"] += 1
                else:
                    positives.append(
                        _row(f"promoter_{number}", PROMOTER, contig, gene, begin, codes)
                    )

            room = len(gene) - 2 * TRIM - length
            if room <= 0:
                left_out["short"] += 1
                continue
            begin = gene.start + TRIM + int(rng.integers(room + 1))
            codes = contig.window(begin, begin + length, gene.strand)
            if codes is None or (codes == AMBIGUOUS).any():
                left_out["unusable negative"] += 1
            else:
                negatives.append(_row(f"coding_{number}", OTHER, contig, gene, begin, codes))

    notes = [
        _REASONS[reason].format(n=f"{count:,}", length=length)
        for reason, count in left_out.items()
        if count
    ]
    for kind, rows in (("promoter", positives), ("coding", negatives)):
        if not rows:
            raise InputError(
                f"{genome.name}: none of {genome.n_genes:,} CDS gives a {kind} window. "
                + " ".join(notes)
            )
    table = pd.DataFrame(positives + negatives, columns=list(COLUMNS))
    table.attrs["notes"] = notes
    return table


_REASONS = {
    "start": "{n} CDS gave no promoter window: the annotation leaves their start open.",
    "edge": "{n} CDS gave no promoter window: it would run off the end of its contig.",
    "ambiguous positive": "{n} promoter windows were left out: they hold ambiguous bases.",
    "short": "{n} CDS gave no coding window: too short for {length} bases after trimming "
    f"{TRIM} from either end.",
    "unusable negative": "{n} coding windows were left out: they hold ambiguous bases or leave "
    "their contig.",
}


def _row(
    name: str, label: int, contig: Contig, gene: Gene, begin: int, codes: Codes
) -> tuple[object, ...]:
    start = begin % len(contig)
    return (
        name,
        decode(codes),
        label,
        contig.name,
        len(contig),
        start,
        start + len(codes),
        "+" if gene.strand > 0 else "-",
        gene.name,
    )
