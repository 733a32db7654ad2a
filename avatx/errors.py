"""The one exception that a user's mistake raises."""


class UserError(ValueError):
    """A mistake in a file, flag or field that the user can mend.

    Its text is one line: which file, line, field or record; what was there; what was
    expected; what to do. `avatx.cli.run` prints it without a traceback and exits with 2.
    """
