"""Limits in MB that a user sets by an environment variable: of the cache on disk, of prepared images in memory."""

from __future__ import annotations

import os

from medattn_lite.errors import UserError


def limit_mb(variable: str, *, default: float, at_zero: str) -> float:
    """A limit in MB, from an environment variable.

    Args:
        variable: its name.
        default: the limit where the variable is not set or empty.
        at_zero: what a limit of 0 does, for the message: "keep no rendered phantoms".

    Raises:
        UserError: the variable is not a number of at least 0.

    Example:
        >>> limit_mb("MEDATTN_NOT_SET_MB", default=250, at_zero="keep nothing")
        250.0
    """
    text = os.environ.get(variable, "").strip()
    try:
        limit = float(text) if text else float(default)
    except ValueError:
        limit = -1.0
    if not 0 <= limit < float("inf"):
        raise UserError(f"{variable}={text}: give a number of MB, 0 to {at_zero}")
    return limit
