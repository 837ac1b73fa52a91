"""Every task by every mechanism by five seeds: a record of each trained network, written as it goes.

    control_table(Path("figures/positive_controls.json"), minutes=5)      goes on where it stopped

The columns that carry the claim come first: the task's own mechanism, plain convolutions of at least as many
parameters, and a mechanism that cannot see the cue; then none and a cheap alternative; then every other mechanism.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from medattn_lite.attention import names
from medattn_lite.data.controls import CONTROLS, Control, find_control
from medattn_lite.data.files import new_file
from medattn_lite.errors import UserError
from medattn_lite.positive_controls.denormals import flushed_denormals
from medattn_lite.positive_controls.maps import EDITS, edited_accuracy, map_score
from medattn_lite.positive_controls.settings import SETTINGS, steps_at
from medattn_lite.positive_controls.train import ControlRun, build_network, object_hits, train_control, without_cue

SEEDS = (0, 1, 2, 3, 4)
VERSION = 1  # of tasks and settings: records of another version are not gone on with

# control → a mechanism that cannot see its cue
LACKS: Mapping[str, str] = MappingProxyType({
    "sequence": "spatial", "central-vein": "se", "zoom": "averaged", "slice-above": "se", "reference": "se",
    "mirror": "non_local", "two-scans": "early", "reading-order": "mean",
})  # fmt: skip
# control → a cheap alternative without attention that can see the cue
CHEAP: Mapping[str, str] = MappingProxyType({
    "sequence": "global-mean", "central-vein": "depthwise", "zoom": "global-mean", "slice-above": "unet",
    "reference": "unet", "mirror": "unet", "two-scans": "unet",
})  # fmt: skip


def claim_columns(control: Control) -> tuple[str, ...]:
    """What is trained on a control to show its claim, in order."""
    if control.mechanism == "seq2seq":
        return ("seq2seq", "last", "mean")
    return (control.mechanism, "plain", LACKS[control.name])


def further_columns(control: Control) -> tuple[str, ...]:
    """None, and a cheap alternative without attention."""
    if control.mechanism == "seq2seq":
        return claim_columns(control)
    more = (*claim_columns(control), "none", CHEAP[control.name])
    return (*more, "late") if control.mechanism == "dual_fusion" else more


def all_columns(control: Control) -> tuple[str, ...]:
    """Those, then every mechanism that exists in the control's dimensions."""
    others = () if control.mechanism == "seq2seq" else names(control.spatial_dims)
    return tuple(dict.fromkeys([*further_columns(control), *others]))


def control_table(
    path: Path, *, controls: Sequence[str] = (), mechanisms: Sequence[str] = (), seeds: Sequence[int] = SEEDS,
    scale: str = "smoke", everything: bool = False, minutes: float | None = None, progress: bool = True,
) -> dict[str, Any]:  # fmt: skip
    """Trains what is missing in a record.

    Args:
        path: the record, a JSON file; made if it is not there, gone on with if it is.
        controls: names; all if empty.
        mechanisms: names; those of the claim if empty.
        seeds: of data and initialisation.
        scale: "smoke", "laptop" or "paper".
        everything: every mechanism that exists in the task's dimensions, too.
        minutes: start no further network after so many minutes of this call.
        progress: print a line for each network.

    Returns:
        the record.

    Raises:
        UserError: an unknown control, mechanism or scale, or a record of another scale or version.
    """
    record = read_record(path, scale)
    chosen = [find_control(name) for name in controls] or list(CONTROLS.values())
    for control in chosen:
        steps_at(scale, SETTINGS[control.name])
        for name in mechanisms:
            build_network(control, name)  # a wrong name is noticed before anything is trained
    start = time.monotonic()
    for control, name, seed in _cells(chosen, mechanisms, seeds, everything):
        key = f"{control.name}/{name}/{seed}"
        if key in read_record(path, scale)["runs"]:
            continue
        if minutes is not None and time.monotonic() - start > 60 * minutes:
            break
        result = measured(control, name, seed, scale)
        record = read_record(path, scale)  # another process may have written meanwhile
        record["runs"][key] = result
        _write(path, record)
        if progress:
            print(f"{key}: {record['runs'][key]['accuracy']:.3f}", flush=True)
    return record


def measured(control: Control, attention: str, seed: int, scale: str = "smoke") -> dict[str, Any]:
    """Trains one network and measures it; plain JSON values."""
    before = time.process_time()
    run = train_control(control, attention, seed=seed, scale=scale)
    seconds = time.process_time() - before
    with flushed_denormals() as flushed:
        result = _measure(run)
    return {**result, "cpu_seconds": round(seconds, 2), "flushed_denormals": flushed}


def read_record(path: Path, scale: str) -> dict[str, Any]:
    """The record in a file, or an empty one.

    Raises:
        UserError: it is of another scale or version, or no record.
    """
    empty = {"command": "medattn controls", "synthetic": True, "version": VERSION, "scale": scale, "runs": {}}
    if not os.path.lexists(path):
        return empty
    try:
        if not path.is_file():
            raise ValueError("no file")
        record = json.loads(path.read_text(encoding="utf-8"))
        previous = (record["scale"], record["version"], dict(record["runs"]))
        if not all(isinstance(run["accuracy"], (int, float)) for run in previous[2].values()):
            raise ValueError("accuracy")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path} is not a record of positive controls: name another file with --out") from error
    if previous[:2] != (scale, VERSION):
        raise UserError(f"{path} holds scale {previous[0]!r}, version {previous[1]}, not {scale!r}, version {VERSION}: "
                        "name another file with --out")  # fmt: skip
    return record


def _cells(
    controls: Sequence[Control], mechanisms: Sequence[str], seeds: Sequence[int], everything: bool
) -> Iterator[tuple[Control, str, int]]:
    """Seeds outermost, so that a table that was stopped has every task; what is not a claim comes last."""
    stages = [claim_columns, further_columns] + ([all_columns] if everything else [])
    for columns in stages:
        for seed in seeds:
            for control in controls:
                yield from ((control, name, seed) for name in mechanisms or columns(control))


def _measure(run: ControlRun) -> dict[str, Any]:
    score = map_score(run)
    result = {
        "accuracy": run.accuracy,
        "right_per_image": "".join(
            str(int(count)) if count < 10 else chr(87 + int(count)) for count in run.right.sum(dim=1)
        ),
        "candidates_per_image": run.right.shape[1],
        "erased": float(object_hits(run.network, without_cue(run)).float().mean()),
        "parameters": run.parameters,
        "loss_last": sum(run.losses[-20:]) / len(run.losses[-20:]),
        "steps": len(run.losses),
    }
    if run.maps:
        result |= {edit: edited_accuracy(run, edit) for edit in EDITS}
    if score is not None:
        result["map"] = {"value": score.value, "chance": score.chance, "text": score.text, "layer": score.layer}
    return result


def _write(path: Path, record: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with new_file(path, overwrite=True) as part:
        part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
