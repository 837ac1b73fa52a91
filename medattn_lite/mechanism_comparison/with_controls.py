"""The positive controls as tasks of the comparison: the same mechanisms, in the controls' own small network.

Their record is `positive_controls.json` in the folder of the comparison, of the same kind as `figures/`'s; both are
gone on with in the same way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medattn_lite.attention import names
from medattn_lite.data.controls import CONTROLS, find_control
from medattn_lite.mechanism_comparison.page_controls import WIDER
from medattn_lite.mechanism_comparison.small_networks import PLAIN
from medattn_lite.positive_controls.table import all_columns, claim_columns, control_table

FILE = "positive_controls.json"


def is_control(task: str) -> bool:
    """Whether a task's name is that of a positive control."""
    return task in CONTROLS


def columns(control: str, mechanisms: Sequence[str]) -> tuple[str, ...]:
    """What is trained on a control: no attention, the plain one of the largest size, and what was asked for.

    Mechanisms that do not exist in its dimensions are left out; the control of reading has networks of its own.

    Args:
        control: its name.
        mechanisms: names of the registry.
    """
    positive_control = find_control(control)
    if not set(names()) & set(all_columns(positive_control)):
        return claim_columns(positive_control)
    return tuple(
        dict.fromkeys([PLAIN, WIDER, *(name for name in mechanisms if name in names(positive_control.spatial_dims))])
    )


def run_controls(
    controls: Sequence[str], mechanisms: Sequence[str], *, seeds: Sequence[int], out: Path,
    minutes: float | None = None, progress: bool = True,
) -> tuple[int, int, int]:  # fmt: skip
    """Trains what is missing of some controls.

    Args:
        controls: their names.
        mechanisms: names of the registry.
        seeds: of images and weights.
        out: folder of the comparison.
        minutes: no network is begun after so many per control.
        progress: print a line for each network.

    Returns:
        how many were trained, found, and left.

    Raises:
        UserError: the record there is of another scale or version.
    """
    path, wanted = out / FILE, []
    before = _runs(path)
    for control in controls:
        chosen = columns(control, mechanisms)
        wanted += [f"{control}/{name}/{seed}" for name in chosen for seed in seeds]
        control_table(path, controls=[control], mechanisms=chosen, seeds=seeds, minutes=minutes, progress=progress)
    after = _runs(path)
    existing = sum(key in before for key in wanted)
    left = sum(key not in after for key in wanted)
    return len(wanted) - existing - left, existing, left


def controls_record(out: Path, figures: Path) -> dict[str, Any] | None:
    """The positive controls of a comparison, and those of the record in `figures`; None where there are none."""
    new, kept = _read(out / FILE), _read(figures)
    if new is None or kept is None:
        return new or kept
    return {**kept, "runs": {**new["runs"], **kept["runs"]}} if _same_settings(new, kept) else new


def _same_settings(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    return all(first.get(key) == second.get(key) for key in ("scale", "version"))


def _runs(path: Path) -> Mapping[str, Any]:
    record = _read(path)
    return {} if record is None else record["runs"]


def _read(path: Path) -> dict[str, Any] | None:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and isinstance(record.get("runs"), dict) else None
