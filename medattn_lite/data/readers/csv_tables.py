"""Reading the tables that come with images: columns looked up by any of their aliases, missing numbers."""

from __future__ import annotations

import csv
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
    """A table of text cells, separated by comma, semicolon or tab, whichever the header row has most of.

    Short rows are filled up with empty cells, blank lines are left out, and columns of one name get numbers.

    Raises:
        UserError: it is not a file, it cannot be read as a CSV, it is empty, a quote is not closed, or a row has more
            cells than the header.
    """
    import pandas as pd

    if not path.is_file():  # a pipe would never end
        raise UserError(f"no table {path}: check the path, and that it is a file")
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            header = stream.readline()
            stream.seek(0)
            lines = csv.reader(stream, delimiter=_separator(header), strict=True)
            rows = [row for row in lines if any(map(str.strip, row))]
    except csv.Error as error:  # two rows would have become one
        raise UserError(f"the table {path} has a quote that is not closed, or text behind one ({error}): put quotes on "
                        "both sides of a cell") from error
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read the table {path} ({error}): save it as CSV, UTF-8, with a header row") from error
    if not rows:
        raise UserError(f"the table {path} is empty: it needs a header row and a row for every case")
    names = _unlike([name.strip() for name in rows[0]])
    for row in rows[1:]:
        # a note may hold a line end, and a comma; a cell that holds as many as a row is a row in an open quote
        swallowed = next((cell for cell in row if any(line.count(_separator(header)) >= len(names) - 1 > 0
                                                      for line in cell.splitlines()[1:])), None)
        if swallowed is not None:
            raise UserError(f"the table {path} has a cell that holds a whole row ({swallowed.splitlines()[1]!r}): a "
                            "quote before it is not closed")
        if any(map(str.strip, row[len(names):])):
            raise UserError(f"the table {path} has {len(row)} cells in the row {row[0]!r} but {len(names)} columns: "
                            "put quotes around cells that hold the separator")
    cells = [(row + [""] * len(names))[:len(names)] for row in rows[1:]]
    return pd.DataFrame(cells, columns=names, dtype=str)


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
        parsed = float(word) if word is not None else math.nan
    except ValueError:
        return None
    return parsed if math.isfinite(parsed) else None


def natural(name: str) -> list[tuple[int, int | str]]:
    """Sort key in which slice 10 comes after slice 9."""
    return [(0, int(part)) if re.fullmatch("[0-9]{1,300}", part) else (1, part.lower())
            for part in re.split("([0-9]+)", name) if part]


def _separator(header: str) -> str:
    # a guess from the whole text would split a table of one column at its commonest letter
    return max(",;\t", key=header.count)


def _unlike(names: Sequence[str]) -> list[str]:
    return [name if names.index(name) == place else f"{name}.{place}" for place, name in enumerate(names)]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", str(name).lower())
