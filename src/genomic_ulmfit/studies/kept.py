"""Results that are kept, one file each, so that an interrupted study goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from genomic_ulmfit.errors import InputError
from genomic_ulmfit.files import write_json


def kept(
    path: Path,
    make: Callable[[], dict[str, Any]],
    *,
    holds: Callable[[dict[str, Any]], bool] = lambda found: True,
) -> dict[str, Any]:
    """Return the result that a file keeps, made and written if it is not there.

    Parameters
    ----------
    path : pathlib.Path
        JSON; its folder is made if missing.
    make : callable
        Returns the result, JSON-able. Called only if there is none.
    holds : callable
        Whether a result that was found still holds; one that does not is made again. Any does if
        not given.

    Returns
    -------
    dict

    Raises
    ------
    InputError
        If the file holds something else.
    """
    if path.exists():
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            raise InputError(
                f"{path}: is damaged. Remove it, and what it held will be made again."
            ) from None
        if holds(found):
            return found
    made = make()
    write_json(path, made)
    return made
