"""Classify DNA with few labels by first learning a language model of whole genomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genomic_ulmfit.estimator import SequenceClassifier

    __version__: str

__all__ = ["SequenceClassifier", "__version__"]


def __getattr__(name: str) -> Any:
    # PyTorch takes seconds to import, and looking the version up a fifth of the time of --help:
    # whoever needs neither must not wait.
    if name == "SequenceClassifier":
        from genomic_ulmfit.estimator import SequenceClassifier

        return SequenceClassifier
    if name == "__version__":
        from importlib.metadata import version

        return version("genomic-ulmfit")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
