"""Half-open intervals of bases."""

from __future__ import annotations

from collections.abc import Iterable


def merged(intervals: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the union of intervals as disjoint ones.

    Parameters
    ----------
    intervals : iterable of (int, int)
        Start and end of each, in any order; those without a base are left out.

    Returns
    -------
    list of (int, int)
        Ascending; those that overlap or touch are one.
    """
    union: list[tuple[int, int]] = []
    for start, end in sorted(intervals):
        if union and start <= union[-1][1]:
            union[-1] = (union[-1][0], max(union[-1][1], end))
        elif start < end:
            union.append((start, end))
    return union
