"""The record of the mutants as a page: how many were caught, by which tests, and which were not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.mutants.mutant import Mutant
from tests.mutants.running import fingerprint

HEAD = """# Planted mistakes, and the tests that see them

Made by `medattn study mutants`; do not edit by hand. Each row is one change in a copy of the code; the tests named
in `tests/mutants/planted.py` are run with it, without those marked slow, browser or network, and pass without it.
"""


def page_of(record: Mapping[str, Any], mutants: Sequence[Mutant]) -> str:
    """Markdown: the total, a row per room, a row per mutant; mutants that were not judged are counted."""
    judged = [record[one.name] for one in mutants if record.get(one.name, {}).get("fingerprint") == fingerprint(one)]
    caught = [mutant for mutant in judged if mutant["outcome"] == "caught"]
    share = f" ({len(caught) / len(judged):.0%})" if judged else ""
    missing = len(mutants) - len(judged)
    lines = [HEAD, f"**{len(caught)} of {len(judged)} caught{share}.**"
             + (f" {missing} of {len(mutants)} planted were not run." if missing else ""), ""]  # fmt: skip
    lines += ["| room | planted | run | caught |", "| --- | ---: | ---: | ---: |"]
    for room in dict.fromkeys(one.room for one in mutants):
        of_room = [row for row in judged if row["room"] == room]
        planted = sum(one.room == room for one in mutants)
        lines.append(f"| {room} | {planted} | {len(of_room)} | {sum(row['outcome'] == 'caught' for row in of_room)} |")
    lines += ["", "| room | mistake | in | outcome | first test that fails |", "| --- | --- | --- | --- | --- |"]
    for row in judged:
        outcome = row["outcome"] if row["outcome"] == "caught" else "**survived**"
        test = f"`{row['caught_by'].removeprefix('tests/')}`" if row["caught_by"] else "—"
        lines.append(f"| {row['room']} | {row['mistake']} | `{row['file'].removeprefix('medattn_lite/')}` | {outcome} "
                     f"| {_cell(test)} |")  # fmt: skip
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
