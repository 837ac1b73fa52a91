"""`medattn gpu-check`: the check of a GPU, resumable, built to fit ten minutes."""

from __future__ import annotations

import argparse
from pathlib import Path

from medattn_lite.cli_faults import folder, minutes, path
from medattn_lite.errors import UserError


def gpu_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `medattn gpu-check` to its parser."""
    parser.add_argument("--out", type=path, default=Path("runs/gpu"), metavar="DIR", help="gpu.json, gpu.md, the runs")
    parser.add_argument("--minutes", type=minutes, default=9.0, help="wall time; the same command goes on afterwards")
    parser.add_argument("--device", default="auto", help="auto, cuda, cuda:1, …")
    parser.add_argument("--parts", nargs="+", default=["correctness", "speed", "training"], metavar="PART",
                        help="correctness, speed, training (default: all)")
    parser.add_argument("--smoke", action="store_true", help="small versions, to try the check itself on a CPU")
    parser.add_argument("--lgg", type=folder, metavar="DIR", help="folder of the LGG patients, for two trainings")
    parser.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    from medattn_lite.training.device import pick_device
    from medattn_lite.training.gpu_check.check import gpu_check

    if options.lgg is not None and not options.lgg.is_dir():
        raise UserError(f"--lgg {options.lgg} is not a folder")
    record = gpu_check(
        options.out, minutes=options.minutes, device=pick_device(options.device), parts=options.parts,
        smoke=options.smoke, roots={} if options.lgg is None else {"lgg": options.lgg},
    )  # fmt: skip
    print(options.out / "gpu.md")
    wrong = [key for key, step in record["steps"].items() if "error" in step or step.get("ok") is False
             or str(step.get("state", "")).startswith("failed")]
    for key in wrong:
        print(f"not as it should be: {key}")
    return 1 if wrong else 0
