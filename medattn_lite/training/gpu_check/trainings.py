"""Real trainings at published size for the minutes that are left: most telling first, each goes on where it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Training:
    """One command.

    Attributes:
        name: of its folder.
        words: of `medattn train`, without scale, folder and device.
        needs: "lgg" or "open-ms" where it trains on that data set; "" for phantoms.
        minutes: of the GPU that it may take in one go.
    """

    name: str
    words: tuple[str, ...]
    needs: str = ""
    minutes: float = 3.0


TRAININGS = (
    Training("grading", ("grading", "--variants", "P3D", "P3D + IAM", "--first-folds", "1")),
    Training("lesions-lgg", ("lesions", "--variants", "RSA-010", "NCL-010", "U-Net", "--first-folds", "1"), "lgg"),
    Training("lesions", ("lesions", "--variants", "RSA-010", "NCL-010", "U-Net", "--first-folds", "1")),
    Training("presence-lgg", ("presence", "--first-folds", "1"), "lgg"),
    Training("fusion", ("fusion",)),
    Training("survival", ("survival", "--variants", "SE-ResNeXt-50", "--first-folds", "1")),
)


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C does; Windows has no such signal for a process, and a checkpoint survives its end at any moment."""
    if sys.platform == "win32":
        process.terminate()
    else:
        process.send_signal(signal.SIGINT)


def run_training(
    training: Training, out: Path, *, scale: str, device: str, seconds: float, roots: dict[str, Path],
    extra: Sequence[str] = (),
) -> dict[str, Any]:  # fmt: skip
    """Starts or continues one training, and stops it in time as Ctrl-C does: its checkpoint stays.

    Returns:
        a record: name, command, seconds, state ("finished", "stopped", "skipped: why", "failed: why"), metrics.
    """
    record: dict[str, Any] = {"name": training.name, "scale": scale, "seconds": 0.0}
    if training.needs and training.needs not in roots:
        return {**record, "state": f"skipped: needs the folder of {training.needs}"}
    folder = out / "runs" / training.name
    words = [*training.words, "--scale", scale, "--out", str(folder), "--device", device, *extra]
    if training.needs:
        words += ["--data", training.needs, "--root", str(roots[training.needs])]
    command = [sys.executable, "-m", "medattn_lite.cli", "train", *words]
    began = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    with (out / f"{training.name}.txt").open("a", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ})
        try:
            code: int | None = process.wait(timeout=max(seconds, 1.0))
        except subprocess.TimeoutExpired:
            _interrupt(process)
            code = None
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    record |= {"command": " ".join(["medattn", "train", *words]), "seconds": time.monotonic() - began}
    if code is None:
        return {**record, "state": "stopped"}
    if code != 0:
        last = (out / f"{training.name}.txt").read_text(encoding="utf-8").strip().splitlines()[-1:]
        return {**record, "state": f"failed: {last[0] if last else f'exit code {code}'}"}
    return {**record, "state": "finished"}
