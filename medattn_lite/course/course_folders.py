"""Where the course lies: in the checkout, or in the installed package that brings a copy of it."""

from __future__ import annotations

from pathlib import Path

from medattn_lite.errors import UserError

CHECKOUT = Path(__file__).resolve().parents[2]
SHIPPED = Path(__file__).resolve().parent / "shipped"


def course_home() -> Path:
    """The folder that holds `notebooks` and `figures`."""
    return CHECKOUT if (CHECKOUT / "notebooks" / "source").is_dir() else SHIPPED


def existing_course() -> Path:
    """As `course_home`, and it is there.

    Raises:
        UserError: neither a checkout nor an installed course.
    """
    home = course_home()
    if not (home / "notebooks").is_dir():
        raise UserError("this installation has no notebooks: install the wheel, pip install medattn-lite, or clone")
    return home
