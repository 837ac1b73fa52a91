"""Reading the tables that come with images: columns by any of their names, numbers that may be missing."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medattn_lite.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

MISSING = {"", "na", "n/a", "nan", "none", "[not available]", "unknown", "not available"}


def read_csv(path: Path) -> pd.DataFrame:
    """A table of text cells.

    Raises:
        UserError: it cannot be read as a CSV.
    """
    import pandas as pd

    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, sep=None, engine="python", encoding="utf-8-sig")
    except (OSError, ValueError, UnicodeDecodeError, pd.errors.ParserError) as error:
        raise UserError(f"cannot read the table {path} ({error}): save it as CSV, UTF-8, with a header row") from error
    return frame.rename(columns=lambda name: str(name).strip())


def column(frame: pd.DataFrame, names: Sequence[str]) -> str | None:
    """The table's own spelling of the first of `names` that it has; case and punctuation do not count."""
    spelled = {_plain(name): name for name in reversed(list(frame.columns))}
    for name in names:
        if _plain(name) in spelled:
            return spelled[_plain(name)]
    return None


def text(value: Any) -> str | None:
    """The cell as text, None if it says that nothing is known."""
    word = str(value).strip()
    return None if word.lower() in MISSING else word


def number(value: Any) -> float | None:
    """The cell as a finite number, None if it is missing or no number."""
    word = text(value)
    try:
        found = float(word) if word is not None else math.nan
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def natural(name: str) -> list[tuple[int, int | str]]:
    """Sort key in which slice 10 comes after slice 9."""
    return [(0, int(part)) if part.isdigit() else (1, part.lower()) for part in re.split(r"(\d+)", name) if part]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", str(name).lower())
