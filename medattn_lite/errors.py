"""The one exception that is meant for the person at the keyboard."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec

from medattn_lite.escaping import printable

_P = ParamSpec("_P")


class UserError(ValueError):
    """A mistake of the user's: one line that says what is wrong and what to do about it.

    The command `medattn` prints it on stderr and ends with exit code 2; a notebook shows it as
    the last line of a traceback. Everything else that is raised is a bug of ours.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(" ".join(str(message).split())))


def ends_in_one_line(main: Callable[_P, int]) -> Callable[_P, int]:
    """Makes a program's `main` print a UserError as one line on the standard error and return exit code 2."""

    @functools.wraps(main)
    def guarded(*arguments: _P.args, **named: _P.kwargs) -> int:
        try:
            return main(*arguments, **named)
        except UserError as error:
            print(f"medattn: {error}", file=sys.stderr)
            return 2

    return guarded
