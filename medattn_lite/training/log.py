"""The log of a training run, `log.csv`: one row a step."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path


def read_log(path: Path) -> list[list]:
    """Rows of a `log.csv`: iteration, epoch, loss, learning rate, validation score or None."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    return [[int(i), int(e), float(loss), float(rate), float(v) if v else None] for i, e, loss, rate, v in rows]


def write_log(path: Path, rows: list[list]) -> None:
    """Writes all rows, in one step."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["iteration", "epoch", "loss", "learning_rate", "validation"])
    # repr of a float is exact: a log read back and written again is the same.
    writer.writerows([["" if value is None else repr(value) for value in row] for row in rows])
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_text(text.getvalue(), encoding="utf-8")
    os.replace(unfinished, path)
