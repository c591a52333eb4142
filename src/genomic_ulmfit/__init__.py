"""Classify DNA with few labels by first learning a language model of whole genomes."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genomic_ulmfit.estimator import SequenceClassifier

__version__ = version("genomic-ulmfit")
__all__ = ["SequenceClassifier", "__version__"]


def __getattr__(name: str) -> Any:
    # PyTorch takes seconds to import; whoever only wants the version or --help must not wait.
    if name == "SequenceClassifier":
        from genomic_ulmfit.estimator import SequenceClassifier

        return SequenceClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
