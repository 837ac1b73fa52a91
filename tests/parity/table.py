"""The parity table: block, reference, largest relative difference of output and gradient.

medattn study parity            prints it and writes figures/parity.md and figures/parity.json
"""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from tests.parity.goldens import compare, records, reference_name
from tests.parity.live import LIVE, LIVE_LIMIT
from tests.parity.references import REFERENCES

FIGURES = Path(__file__).resolve().parents[2] / "figures"


@dataclass(frozen=True)
class Row:
    """One line of the table; differences are max |a − b| / max |b|."""

    name: str
    block: str
    reference: str
    output: float
    gradient: float
    limit: float
    parameters: int | None = None
    gradient_as_computed: float | None = None
    undecided: int = 0

    @property
    def holds(self) -> bool:
        return max(self.output, self.gradient) <= self.limit


def rows() -> list[Row]:
    """Every golden, then every library at hand."""
    lines = []
    for name in records():
        reference, difference = REFERENCES[reference_name(name)], compare(name)
        lines.append(
            Row(
                name=name,
                block=reference.title,
                reference=reference.source,
                output=difference.output,
                gradient=difference.settled,
                limit=reference.limit,
                parameters=difference.parameters,
                gradient_as_computed=difference.gradient,
                undecided=difference.undecided,
            )
        )
    for name, (block, library, measure) in LIVE.items():
        output, gradient = measure()
        lines.append(Row(name, block, library, output, gradient, LIVE_LIMIT))
    return lines


def markdown(table: list[Row]) -> str:
    """The table, with a note for every gradient that needed undecided ReLUs settled."""
    lines = [
        "# Parity with the reference implementations",
        "",
        "Largest relative difference, max |a − b| / max |b|, of the output and of the gradient of its squared sum with "
        "respect to the input. The first rows are frozen outputs of the authors' code (`tests/parity/goldens`), the "
        "last ones run the library, or the formula written out in float64, beside the block. Made by "
        "`medattn study parity`.",
        "",
        "| golden | block | reference | parameters | output | gradient | limit | holds |",
        "|---|---|---|--:|--:|--:|--:|---|",
    ]
    notes = []
    for row in table:
        mark = ""
        if row.undecided:
            mark = f" [{len(notes) + 1}]"
            notes.append(
                f"[{len(notes) + 1}] {row.name}: {row.gradient_as_computed:.1e} as computed. "
                f"{row.undecided} ReLU inputs lie within float32 rounding of 0 (below 1e-6 of their layer's mean); the "
                "figure in the table has them on the reference's side. See `tests/parity/goldens/README.md`."
            )
        parameters = "" if row.parameters is None else f"{row.parameters:,}"
        lines.append(
            f"| {row.name} | {row.block} | {row.reference} | {parameters} | {row.output:.1e} "
            f"| {row.gradient:.1e}{mark} | {row.limit:.0e} | {'yes' if row.holds else 'NO'} |"
        )
    return "\n".join([*lines, *([""] if notes else []), *notes]) + "\n"


def main() -> int:
    """Prints and writes the table; 1 if a row does not hold."""
    torch.set_num_threads(1)
    table = rows()
    text = markdown(table)
    print(text)
    FIGURES.mkdir(exist_ok=True)
    (FIGURES / "parity.md").write_text(text, encoding="utf-8")
    made_by = {"command": "medattn study parity", "torch": torch.__version__, "machine": platform.machine()}
    content = {"made_by": made_by, "rows": [asdict(row) | {"holds": row.holds} for row in table]}
    (FIGURES / "parity.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return 0 if all(row.holds for row in table) else 1


if __name__ == "__main__":
    raise SystemExit(main())
