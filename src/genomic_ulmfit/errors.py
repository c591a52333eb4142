"""The one error that means "what was given cannot be used"."""


class InputError(ValueError):
    """A mistake in what the user gave, not in this program.

    The command line prints the message as one sentence and exits with code 2, so the message
    must stand alone: name the argument or file, what was found, what is allowed, what to do.
    """
