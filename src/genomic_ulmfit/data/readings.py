"""The ways in which an encoder reads one sequence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genomic_ulmfit.dna.alphabet import AMBIGUOUS, Codes, reverse_complement


@dataclass(frozen=True)
class Readings:
    """Along which strands a sequence is read, and from which of its first bases on.

    Parameters
    ----------
    both_strands : bool
        Whether the reverse complement is read, too.
    phases : int
        A tokenizer of stride 2 cuts a sequence into k-mers in two ways, from its first base on
        and from its second: 1 or 2 of these phases. Up to the stride makes sense.
    """

    both_strands: bool = False
    phases: int = 1

    @property
    def count(self) -> int:
        """How many times a sequence is read."""
        return (1 + self.both_strands) * self.phases

    def of(self, codes: Codes) -> list[Codes]:
        """Return what is read: first the strand given, phase after phase, then the other.

        Parameters
        ----------
        codes : numpy.ndarray of uint8, shape (bases,)

        Returns
        -------
        list of numpy.ndarray of uint8, each of shape (bases,)
        """
        strands = [codes, reverse_complement(codes)] if self.both_strands else [codes]
        return [shifted(strand, phase) for strand in strands for phase in range(self.phases)]


def shifted(codes: Codes, phase: int) -> Codes:
    """Return base codes from `phase` on, with as many ambiguous ones behind them.

    So every phase has as many tokens, and those of one number stand at most a stride apart.

    Parameters
    ----------
    codes : numpy.ndarray of uint8, shape (..., bases)
    phase : int

    Returns
    -------
    numpy.ndarray of uint8, shape (..., bases)
    """
    if not phase:
        return codes
    moved = np.full_like(codes, AMBIGUOUS)
    moved[..., :-phase] = codes[..., phase:]
    return moved
