"""The one error that means "what was given cannot be used", and how its messages list things."""

from __future__ import annotations

from collections.abc import Iterable


class InputError(ValueError):
    """A mistake in what the user gave, not in this program.

    The command line prints the message as one sentence and exits with code 2, so the message
    must stand alone: name the argument or file, what was found, what is allowed, what to do.
    """


def listed(names: Iterable[object], most: int = 3) -> str:
    """Return the first of some names, with dots where there are more."""
    words = [str(name) for name in names]
    return ", ".join(words[:most]) + (", ..." if len(words) > most else "")
