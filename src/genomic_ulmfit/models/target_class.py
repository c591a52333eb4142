"""Which class of a classifier is asked about."""

from __future__ import annotations

import re
from collections.abc import Sequence

from genomic_ulmfit.errors import InputError

_NEGATIVE = re.compile(
    r"non.*|(?:0|-1|no|not|neg|negatives?|others?|random|controls?|background|shuffled|decoys?"
    r"|false|rest|null)(?:[\s_.-].*)?$"
)


def target_index(classes: Sequence[str], wanted: str | None) -> int:
    """Return the column of the class that is asked about.

    Parameters
    ----------
    classes : sequence of str
        The model's.
    wanted : str or None
        What ``--class`` says. Without it, of two classes the one whose name does not say that it
        is the negative (`is_negative`), or else the second.

    Raises
    ------
    InputError
        If there is no such class, or there are more than two and none is named.
    """
    if wanted is None:
        if len(classes) != 2:
            raise InputError(
                f"--class: this model knows {len(classes)} classes; say which one is meant: "
                f"{', '.join(classes)}."
            )
        return 0 if is_negative(classes[1]) and not is_negative(classes[0]) else 1
    if wanted not in classes:
        raise InputError(f"--class: got {wanted!r}, allowed are {', '.join(classes)}.")
    return list(classes).index(wanted)


def is_negative(name: str) -> bool:
    """Tell whether a class is, by its name, what is not looked for: non-promoter, other, 0."""
    return bool(_NEGATIVE.match(name.strip().lower()))
