"""The external benchmark as a Markdown table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genomic_ulmfit.reports.markdown import markdown_row
from genomic_ulmfit.reports.names import BASELINE_LABELS, WITHOUT_ENCODER_EXTERNAL
from genomic_ulmfit.reports.numbers import interval, number

HEADER = (
    "data set (train + test)",
    "model",
    "AUROC",
    "on rows that share no 15-mer with train",
    "MCC",
    "accuracy",
    "seconds",
)


def markdown_table(results: Mapping[str, Any]) -> str:
    """Write a row per data set and model, and under them what the encoder gains.

    Parameters
    ----------
    results : mapping
        As from `genomic_ulmfit.studies.external.external`.

    Returns
    -------
    str
    """
    own = f"`{results['encoder']['name']}`, recipe by number of labels"
    names = {
        "encoder": f"**{own}**",
        WITHOUT_ENCODER_EXTERNAL: "the same recipe without an encoder",
        **BASELINE_LABELS,
    }
    lines = [markdown_row(HEADER), markdown_row(["---"] * len(HEADER))]
    for dataset in results["datasets"]:
        unshared = dataset["n_test"] - dataset["test_sharing_15mer_with_train"]
        first = (
            f"{dataset['name'].replace('_', ' ')} ({dataset['n_train']:,} + "
            f"{dataset['n_test']:,}, {unshared:,} of them share none)"
        )
        for model, scores in dataset["models"].items():
            alone = scores["auroc_unshared"]["value"]
            cells = [
                first,
                names[model],
                _estimate(scores["auroc"]),
                "–" if alone is None else number(alone),
                _estimate(scores["mcc"]),
                _estimate(scores["accuracy"]),
                f"{sum(scores['seconds'].values()):.0f}",
            ]
            lines.append(markdown_row(cells))
            first = ""
        for other, gains in dataset["gains"].items():
            auroc, mcc, accuracy = (
                _estimate(gains[metric], sign=True) for metric in ("auroc", "mcc", "accuracy")
            )
            over = f"*gain over {names[other]}*"
            lines.append(markdown_row(["", over, auroc, "", mcc, accuracy, ""]))
    return "\n".join(lines) + "\n"


def _estimate(one: Mapping[str, float | None], *, sign: bool = False) -> str:
    value = one["value"]
    if value is None:
        return "–"
    return f"{number(value, sign=sign)} {interval(one['low'], one['high'], sign=sign)}".rstrip()
