"""The log of a training run, `log.csv`: one row per step."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from medattn_lite.data.files import replaced
from medattn_lite.errors import UserError


def read_log(path: Path, steps: int | None = None) -> list[list]:
    """The first rows of a `log.csv`: iteration, epoch, loss, learning rate, validation score or None.

    Args:
        path: the file.
        steps: how many rows there must be; more of them are of steps that will be done again. None takes all.

    Raises:
        UserError: it has fewer, or others.
    """
    remedy = f"delete {path.parent} and run the same medattn train again, which trains this fold anew"
    if not path.is_file():
        raise UserError(f"there is no {path}, the log of the steps that are done: {remedy}")
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))[1:][:steps]
        log = [[int(i), int(e), float(loss), float(rate), float(v) if v else None] for i, e, loss, rate, v in rows]
    except (ValueError, csv.Error):
        log = None
    if log is None or [row[0] for row in log] != list(range(1, (len(log) if steps is None else steps) + 1)):
        raise UserError(f"{path} is damaged, it does not hold the steps that are done: {remedy}")
    return log


def write_log(path: Path, rows: list[list]) -> None:
    """Writes all rows, in one step."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["iteration", "epoch", "loss", "learning_rate", "validation"])
    # repr of a float is exact: a log read back and written again is the same.
    writer.writerows([["" if value is None else repr(value) for value in row] for row in rows])
    with replaced(path) as part:
        part.write_text(text.getvalue(), encoding="utf-8")
