"""The one exception that is meant for the person at the keyboard."""

from __future__ import annotations

from medattn_lite.escaping import printable


class UserError(ValueError):
    """A mistake of the user's: one line that says what is wrong and what to do about it.

    The command `medattn` prints it on stderr and ends with exit code 2; a notebook shows it as
    the last line of a traceback. Everything else that is raised is a bug of ours.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(" ".join(str(message).split())))
