"""The order of a check and its record: correctness, speed, trainings; what is done already is not done again."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from medattn_lite.data.json_files import read_object, write_json
from medattn_lite.errors import UserError
from medattn_lite.training.gpu_check import correctness, throughput
from medattn_lite.training.gpu_check.page import write_page
from medattn_lite.training.gpu_check.trainings import TRAININGS, run_training
from medattn_lite.training.gpu_check.work import Work, works

PARTS = ("correctness", "speed", "training")
COMPILED_NETWORKS = ("p3d_iam", "rsanet_010", "resnesat50")  # torch.compile takes most of a minute for each


def gpu_check(
    out: Path, *, minutes: float = 9.0, device: torch.device, parts: Sequence[str] = PARTS, smoke: bool = False,
    roots: dict[str, Path] | None = None, say: Callable[[str], None] = print,
) -> dict[str, Any]:  # fmt: skip
    """Runs what is not done yet, as far as the minutes reach, and writes `gpu.json` and `gpu.md` after each step.

    Args:
        out: folder of the record; a second call goes on with it.
        minutes: wall time that the check may take.
        device: the GPU; a CPU is refused unless `smoke`.
        parts: which of "correctness", "speed" and "training".
        smoke: small versions of a few networks, to try the check itself on a CPU.
        roots: data set → folder, for trainings on real patients.
        say: is told each line.

    Returns:
        the record.

    Raises:
        UserError: no GPU, an unknown part, or a record of another device.
    """
    if device.type != "cuda" and not smoke:
        raise UserError("there is no GPU here: the check measures one (--smoke tries the check itself on a CPU)")
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise UserError(f"there is no part {unknown[0]!r}: use {', '.join(PARTS)}")
    ends = time.monotonic() + 60 * minutes
    record = _open(out, device, smoke)
    steps: list[tuple[str, Callable[[], dict[str, Any]]]] = []
    every = works(smoke=smoke)
    if "correctness" in parts:
        steps += [(f"correctness/{work.name}/{mode}", _comparison(work, mode, device))
                  for work in every for mode in correctness.MODES if _is_asked(work, mode, smoke)]
    if "speed" in parts:
        steps.append(("peaks", lambda: throughput.peaks(device)))
        steps += [(f"speed/{work.name}/{mode}/{batch}", _step(work, mode, device, batch))
                  for work in every if work.kind == "network" for mode, batch in _speeds(work, device, smoke)]
    for key, step in steps:
        if key in record["steps"]:
            continue
        if time.monotonic() > ends:
            say(f"the time is over before {key}: run the same command again")
            break
        began = time.monotonic()
        record["steps"][key] = _attempt(step)
        say(f"{key}: {_short(record['steps'][key])} ({time.monotonic() - began:.1f} s)")
        _save(record, out)
    if "training" in parts:
        _train(record, out, device, ends, smoke, roots or {}, say)
    write_page(record, out / "gpu.md")
    return record


def _is_asked(work: Work, mode: str, smoke: bool) -> bool:
    return mode != "compiled" or (not smoke and (work.kind == "block" or work.name in COMPILED_NETWORKS))


def _speeds(work: Work, device: torch.device, smoke: bool) -> list[tuple[str, int]]:
    modes = [mode for mode in throughput.MODES
             if not mode.startswith("compiled") or (not smoke and work.name in COMPILED_NETWORKS)]
    if device.type != "cuda":
        return [("fp32", 2)]
    return [(mode, 2) for mode in modes] + [("bf16", 4)]


def _comparison(work: Work, mode: str, device: torch.device) -> Callable[[], dict[str, Any]]:
    return lambda: correctness.compare_with_cpu(work, mode, device)


def _step(work: Work, mode: str, device: torch.device, batch: int) -> Callable[[], dict[str, Any]]:
    return lambda: throughput.measure_step(work, mode, device, batch=batch)


def _attempt(step: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A step's record; what goes wrong is a result too, and does not end the check."""
    try:
        return step()
    except Exception as error:  # noqa: BLE001 - see above
        return {"error": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:300]}
    finally:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _train(
    record: dict[str, Any], out: Path, device: torch.device, ends: float, smoke: bool, roots: dict[str, Path],
    say: Callable[[str], None],
) -> None:  # fmt: skip
    for training in TRAININGS[:1] if smoke else TRAININGS:
        key = f"training/{training.name}"
        if record["steps"].get(key, {}).get("state") == "finished":
            continue
        left = min(ends - time.monotonic() - 25, 60 * training.minutes)
        if left < 10 and not smoke:
            say(f"the time is over before {key}: run the same command again")
            return
        scale = "smoke" if smoke else "paper"
        record_of_run = run_training(
            training, out, scale=scale, device=str(device), seconds=max(left, 60.0), roots=roots
        )
        record_of_run["seconds"] += record["steps"].get(key, {}).get("seconds", 0.0)
        record["steps"][key] = record_of_run
        say(f"{key}: {record_of_run['state']}")
        _save(record, out)


def _open(out: Path, device: torch.device, smoke: bool) -> dict[str, Any]:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {platform.machine()}"
    facts = {"device": name, "torch": torch.__version__, "python": platform.python_version(), "smoke": smoke}
    path = out / "gpu.json"
    if not os.path.lexists(path):
        return {**facts, "steps": {}}
    remedy = "name another folder, or move it away"
    record = read_object(path, remedy=remedy)
    steps, before = record.get("steps"), {key: record.get(key) for key in facts}
    if None in before.values() or not isinstance(steps, dict) or not all(isinstance(s, dict) for s in steps.values()):
        raise UserError(f"{path} is damaged, it holds no record of a check: {remedy}")
    if before != facts:
        changed = ", ".join(f"{key} {before[key]} → {facts[key]}" for key in facts if before[key] != facts[key])
        raise UserError(f"{path} was made elsewhere ({changed}): name another folder")
    return record


def _save(record: dict[str, Any], out: Path) -> None:
    write_json(out / "gpu.json", record, sealed=True)


def _short(step: dict[str, Any]) -> str:
    if "error" in step:
        return step["error"]
    if "ok" in step:
        return f"{'ok' if step['ok'] else 'DIFFERS'}, output {step['output']:.1e}, gradient {step['gradient']:.1e}"
    if "seconds" in step:
        memory = "" if step["memory"] is None else f", {step['memory'] / 1e9:.2f} GB"
        return f"{1e3 * step['seconds']:.1f} ms{memory}"
    return ", ".join(f"{name} {value:.3g}" for name, value in step.items())
