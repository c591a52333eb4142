"""In-silico saturation mutagenesis: every single-base substitution of every sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genomic_ulmfit.dna.alphabet import AMBIGUOUS, BASES, Codes
from genomic_ulmfit.inference.explaining.edits import Counted, Edits, edited_log_odds
from genomic_ulmfit.inference.targets import Floats, window_of
from genomic_ulmfit.models.classifier import Classifier


@dataclass(frozen=True, eq=False)
class Mutagenesis:
    """What every substitution does to the log-odds of a class.

    Parameters
    ----------
    log_odds : numpy.ndarray of float32, shape (n,)
        Of the sequences as they are.
    effects : numpy.ndarray of float32, shape (n, longest, 4)
        Log-odds with that base (A, C, G, T) at that place, minus those of the sequence as it is;
        0 for the base that stands there, NaN behind the end of a shorter sequence.
    """

    log_odds: Floats
    effects: Floats

    def importance(self, windows: Sequence[Codes]) -> Floats:
        """Return what the base at each place contributes, shape (n, longest).

        The log-odds that are lost when it is replaced, the mean of three substitutions: above 0
        where the base speaks for the class. NaN where the base is not known, and behind the end.

        Parameters
        ----------
        windows : sequence of numpy.ndarray of uint8
            The sequences, without context.
        """
        found: Floats = -self.effects.sum(2) / (len(BASES) - 1)
        for row, window in zip(found, windows, strict=True):
            row[: len(window)][window == AMBIGUOUS] = np.nan
        return found


def saturation_mutagenesis(
    model: Classifier,
    codes: Sequence[Codes],
    target: int,
    precision: str,
    report: Counted = lambda _: None,
) -> Mutagenesis:
    """Replace every base by each of the others, one at a time.

    Parameters
    ----------
    model : Classifier
        In evaluation mode.
    codes : sequence of numpy.ndarray of uint8
        At a place with an ambiguous base all four bases are tried. Context is left as it is.
    target : int
        The class that is asked about.
    precision : {"bf16", "fp32"}
    report : callable
        Told how many sequences are done.

    Returns
    -------
    Mutagenesis
    """
    windows = [window_of(model, sequence) for sequence in codes]
    lengths = np.array([len(window) for window in windows])
    before = (np.array([len(sequence) for sequence in codes]) - lengths) // 2
    rows = np.repeat(np.arange(len(codes)), lengths)
    places = np.concatenate([np.arange(length) for length in lengths])
    # Every place with every base, but for the base that stands there.
    index, bases = np.nonzero(np.concatenate(windows)[:, None] != np.arange(len(BASES)))
    edited, at = rows[index], places[index]
    edits = Edits(edited, before[edited] + at, bases.astype(np.uint8)[:, None])
    of_sequences, of_edits = edited_log_odds(model, codes, edits, target, precision, report)

    effects = np.full((len(codes), lengths.max(), len(BASES)), np.nan, dtype=np.float32)
    effects[rows, places] = 0
    effects[edited, at, bases] = of_edits - of_sequences[edited]
    return Mutagenesis(of_sequences, effects)
