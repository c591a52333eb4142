"""How a benchmark's command ends: for a user's mistake in one sentence, never in a traceback."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console

from genomic_ulmfit.errors import InputError


def ended(work: Callable[[Callable[[str], None]], None], *, resumes: bool = True) -> int:
    """Do the work and return the exit code; it is told how to report.

    `resumes` says whether the same command goes on where it was stopped.
    """
    notes = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    try:
        work(notes.print)
    except InputError as error:
        notes.print(f"Error: {error}")
        return 2
    except OSError as error:
        notes.print(f"Error: {error.strerror} ({error.filename}).")
        return 2
    except KeyboardInterrupt:
        notes.print("Stopped." + " The same command continues where it stopped." * resumes)
        return 130
    return 0
