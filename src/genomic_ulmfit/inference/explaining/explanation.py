"""What `explain` finds out, in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from genomic_ulmfit.dna.alphabet import Codes
from genomic_ulmfit.inference.explaining.attribution import Attribution
from genomic_ulmfit.inference.explaining.mutagenesis import Mutagenesis
from genomic_ulmfit.inference.explaining.perturbation import Perturbation
from genomic_ulmfit.inference.explaining.profiles import Average, Stretch, stretches_of_average
from genomic_ulmfit.inference.explaining.variants import Effect
from genomic_ulmfit.inference.targets import Floats

METHODS = ("mutagenesis", "gradient", "perturbation")
"""The first of them that is run gives logos and the stretches that matter."""

DEFAULT_METHODS = ("mutagenesis", "gradient")


@dataclass(frozen=True, eq=False)
class Explanation:
    """What matters to a model in each of some sequences.

    Parameters
    ----------
    ids : tuple of str
    windows : tuple of numpy.ndarray of uint8
        The sequences, without context.
    class_name : str
        The class that is asked about.
    anchor : int or None
        Where in every sequence the site lies.
    log_odds : numpy.ndarray of float32, shape (n,)
        Of the class.
    contributions : dict of str to numpy.ndarray of float32, each of shape (n, longest)
        Method -> what each base contributes to the log-odds, by `METHODS`.
    mutagenesis : Mutagenesis or None
    perturbations : tuple of Perturbation
    attribution : Attribution or None
    average : Average or None
        By the main method; None for sequences of several lengths.
    """

    ids: tuple[str, ...]
    windows: tuple[Codes, ...]
    class_name: str
    anchor: int | None
    log_odds: Floats
    contributions: dict[str, Floats]
    mutagenesis: Mutagenesis | None
    perturbations: tuple[Perturbation, ...]
    attribution: Attribution | None
    average: Average | None

    @property
    def main(self) -> str:
        """The method that logos are drawn from."""
        return next(method for method in METHODS if method in self.contributions)

    def stretches(self) -> list[Stretch]:
        """Return the stretches that contribute most on average."""
        if self.average is None:
            return []
        return stretches_of_average(self.contributions[self.main], self.average)


@dataclass(frozen=True, eq=False)
class ExplainResult:
    """What was found out.

    Parameters
    ----------
    explanation : Explanation or None
        None if only variants were scored.
    effects : tuple of Effect
        In the order of the file of variants.
    summary : dict
        Settings and counts, JSON-able.
    notes : tuple of str
        What is worth knowing, one sentence each.
    """

    explanation: Explanation | None
    effects: tuple[Effect, ...]
    summary: dict[str, Any]
    notes: tuple[str, ...]
