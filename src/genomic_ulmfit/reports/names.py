"""Names that studies share: of metrics, and of models in print."""

from __future__ import annotations

from typing import Literal, get_args

Metric = Literal["accuracy", "precision", "recall", "specificity", "mcc", "auroc", "auprc"]
METRICS: tuple[Metric, ...] = get_args(Metric)

BASELINE_LABELS = {
    "onehot_lr": "one-hot logistic regression",
    "kmer_lr": "k-mer-count logistic regression",
    "cnn": "small CNN",
}
"""Baseline -> what to call it in print."""

WITHOUT_ENCODER = "words"
"""Row of the recipe without an encoder, as files of results have called it from the first."""

WITHOUT_ENCODER_EXTERNAL = "bases"
"""The same row in the files of the external benchmark."""

WITHOUT_ENCODER_LABEL = "the recipe without an encoder (bases alone)"
