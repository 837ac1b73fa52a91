"""`gpu.md`: the record of a check as tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medattn_lite.training.gpu_check.throughput import batches_that_fit

Record = Mapping[str, Any]


def write_page(record: Record, path: Path) -> None:
    """Writes the page; an older one of the same folder is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*_head(record), *_correctness(record), *_speed(record), *_trainings(record)]) + "\n",
                    encoding="utf-8")  # fmt: skip


def _head(record: Record) -> list[str]:
    small = " Small versions of a few networks: this page only shows that the check works." if record["smoke"] else ""
    return ["# One GPU, ten minutes", "",
            f"Made by `medattn gpu-check`; do not edit by hand. {record['device']}, torch {record['torch']}, Python "
            f"{record['python']}.{small}", ""]  # fmt: skip


def _steps(record: Record, part: str) -> list[dict[str, Any]]:
    return [step for key, step in record["steps"].items() if key.startswith(f"{part}/")]


def _failed(record: Record, part: str) -> list[str]:
    lines = [f"- {key.removeprefix(f'{part}/')}: {step['error']}" for key, step in record["steps"].items()
             if key.startswith(f"{part}/") and "error" in step]
    return [*lines, ""] if lines else []


def _correctness(record: Record) -> list[str]:
    steps = [step for step in _steps(record, "correctness") if "error" not in step]
    if not steps:
        return ["## Correctness", "", "Not run.", ""]
    wrong = [step for step in steps if not step["ok"]]
    lines = ["## Correctness", "",
             "Output and input gradient beside the same weights in fp32 on the CPU: largest difference, as a share "
             f"of the largest value there. {len(steps) - len(wrong)} of {len(steps)} lie within the limits.", "",
             "| work | mode | output | limit | gradient | limit | |",
             "| --- | --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    for step in steps:
        lines.append(f"| {step['work']} | {step['mode']} | {step['output']:.1e} | {step['limits'][0]:.0e} | "
                     f"{step['gradient']:.1e} | {step['limits'][1]:.0e} | {'' if step['ok'] else 'DIFFERS'} |")
    return [*lines, "", *_failed(record, "correctness")]


def _speed(record: Record) -> list[str]:
    steps = [step for step in _steps(record, "speed") if "error" not in step]
    peaks = record["steps"].get("peaks", {})
    if not steps:
        return ["## A training step", "", "Not run.", ""]
    measured = ", ".join(f"{name} {peaks[name] / 1e12:.1f}" for name in ("fp32", "tf32", "bf16") if name in peaks)
    lines = ["## A training step", "",
             f"Forward, backward and SGD; median of 5. Measured peak of a matrix product, 10¹² operations per second: "
             f"{measured or 'not measured'}. The share is of the peak in the same precision.", "",
             "| network | mode | batch | ms | images per s | GB | share of peak |",
             "| --- | --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    for step in steps:
        peak = peaks.get(step["mode"].split()[-1])
        share = f"{step['operations_per_second'] / peak:.1%}" if peak else "–"
        memory = "–" if step["memory"] is None else f"{step['memory'] / 1e9:.2f}"
        lines.append(f"| {step['work']} | {step['mode']} | {step['batch']} | {1e3 * step['seconds']:.1f} | "
                     f"{step['images_per_second']:.1f} | {memory} | {share} |")
    return [*lines, "", *_failed(record, "speed"), *_fits(steps)]


def _fits(steps: list[dict[str, Any]]) -> list[str]:
    memory = {(step["work"], step["batch"]): step["memory"] for step in steps
              if step["mode"] == "bf16" and step["memory"] is not None}
    rows = [(work, batches_that_fit(memory[work, 2], memory[work, 4]))
            for work, batch in memory if batch == 4 and (work, 2) in memory]
    if not rows:
        return []
    sizes = list(rows[0][1])
    return ["Images per batch that fit, in bf16, from the memory of batches of two and four:", "",
            f"| network | {' | '.join(sizes)} |", f"| --- |{' --- |' * len(sizes)}",
            *(f"| {work} | {' | '.join(str(fits[size]) for size in sizes)} |" for work, fits in rows), ""]  # fmt: skip


def _trainings(record: Record) -> list[str]:
    steps = _steps(record, "training")
    if not steps:
        return ["## Trainings at published size", "", "Not run.", ""]
    return ["## Trainings at published size", "", "| training | seconds so far | state |", "| --- | --- | --- |",
            *(f"| {step['name']} | {step['seconds']:.0f} | {step['state']} |" for step in steps), ""]  # fmt: skip
