"""The README's table of positive controls: what each mechanism is for, in one line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medattn_lite.data import new_file
from medattn_lite.data.controls import CONTROLS
from medattn_lite.errors import UserError
from medattn_lite.positive_controls.page import TITLES, over_seeds

BEGIN, END = "<!-- made by `medattn controls --readme`: begin -->", "<!-- controls: end -->"


def readme_table(record: Mapping[str, Any]) -> str:
    """The table as Markdown: task, accuracy with the mechanism, of a plain network, and with another image's map.

    Args:
        record: as `control_table` gives it.
    """
    lines = [
        "| mechanism | a task that needs it | with it | plain network, no smaller | with another image's map |",
        "|---|---|---|---|---|",
    ]
    for name, control in CONTROLS.items():
        mechanism = control.mechanism
        plain = "last" if mechanism == "seq2seq" else "plain"
        cells = (
            over_seeds(record, name, mechanism),
            over_seeds(record, name, plain),
            over_seeds(record, name, mechanism, "other"),
        )
        words = ["not run" if cell is None else f"{cell.value:.2f}" for cell in cells]
        words[1] += " (last state alone)" if plain == "last" else ""
        lines.append(f"| {TITLES[mechanism]} | {control.story} | **{words[0]}** | {words[1]} | {words[2]} |")
    return "\n".join(lines)


def write_readme(path: Path, record: Mapping[str, Any]) -> None:
    """Writes the table between its two marks; everything else stays.

    Raises:
        UserError: the file is not there, or has no such marks.
    """
    if not path.is_file():
        raise UserError(f"there is no file {path}: name the README")
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UserError(f"{path} has no place for the table: put the lines {BEGIN} and {END} where it shall stand")
    with new_file(path, overwrite=True) as part:
        part.write_text(f"{before}{BEGIN}\n\n{readme_table(record)}\n\n{END}{after}", encoding="utf-8")
