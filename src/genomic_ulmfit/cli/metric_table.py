"""The table of metrics that evaluate and evaluate-scan print."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table


def metric_table(title: str, scores: Any, names: Iterable[str]) -> Table:
    """Return a table with a row for each metric: value and interval, or that it is not defined.

    Parameters
    ----------
    title : str
    scores : object
        Has an attribute (value, low, high) under each name; None is not defined.
    names : iterable of str
        Metrics, in order.
    """
    from rich.table import Table

    table = Table(title=title)
    for column in ("metric", "value", "95 % interval"):
        table.add_column(column, justify="left" if column == "metric" else "right")
    for name in names:
        value, low, high = getattr(scores, name)
        table.add_row(
            name,
            "not defined" if value is None else f"{value:.4f}",
            # Resamples that are all alike show no spread, which is no certainty.
            "" if low is None or low == high else f"{low:.4f} to {high:.4f}",
        )
    return table
