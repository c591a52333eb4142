"""The table of metrics that evaluate and evaluate-scan print."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table


NO_SPREAD = "–"


def metric_table(scores: Any, names: Iterable[str]) -> Table:
    """Return a table with a row for each metric: value and interval, or that it is not defined.

    Parameters
    ----------
    scores : object
        Has an attribute (value, low, high) under each name; None is not defined.
    names : iterable of str
        Metrics, in order.
    """
    from rich.table import Table

    table = Table()
    for column in ("metric", "value", "95 % interval"):
        table.add_column(column, justify="left" if column == "metric" else "right")
    for name in names:
        value, low, high = getattr(scores, name)
        table.add_row(
            name,
            "not defined" if value is None else f"{value:.4f}",
            "" if low is None else NO_SPREAD if low == high else f"{low:.4f} to {high:.4f}",
        )
    return table


def why_no_interval(scores: Any, names: Iterable[str], drawn: str) -> str:
    """Return what `NO_SPREAD` means, if it stands in the table.

    Parameters
    ----------
    scores, names
        As for `metric_table`.
    drawn : str
        What the bootstrap draws.
    """
    estimates = [getattr(scores, name) for name in names]
    if any(one.low is not None and one.low == one.high for one in estimates):
        return (
            f"{NO_SPREAD}: the value is the same however {drawn} are drawn again, so that a "
            "bootstrap tells nothing of how certain it is; that is not to say that it is certain."
        )
    return ""
