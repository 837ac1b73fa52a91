"""Every recipe at its published size, one after the other: `make paper`, and the same where there is no make.

    medattn study paper                            phantoms alone
    medattn study paper --lgg DIR --ms DIR         also real patients
    medattn study paper --weights FILE             ResNeSAt from ImageNet (medattn fetch resnest50)

Days of one GPU. Each run goes on where it was stopped, so that the same command may be given again.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from medattn_lite.errors import UserError, ends_in_one_line
from medattn_lite.training.run import Run

SLICES = ("presence", "source")  # recipes that may start from ImageNet weights
VOLUMES = ("grading", "presence-cnns", "lesions", "fusion", "survival", "mechanisms")
LGG_LABELS = ("grade", "idh")


def commands(
    *, lgg: Path | None = None, ms: Path | None = None, weights: Path | None = None, runs: Path = Path("runs")
) -> list[list[str]]:
    """Lists the arguments of each `medattn` command.

    Args:
        lgg: folder of kaggle_3m; left out if None.
        ms: folder of open_ms_data; left out if None.
        weights: ImageNet weights of ResNeSt-50; other weights are another run, with a folder of its own.
        runs: where the folders of the runs are.
    """
    start = [] if weights is None else ["--set", f"weights={weights}"]
    origin = "" if weights is None else "-imagenet"

    def train(recipe: str, name: str, *more: str) -> list[str]:
        return ["train", recipe, "--scale", "paper", *more, "--out", str(runs / f"{name}-paper-0")]

    lines = [train(recipe, f"{recipe}-phantom{origin}", *start) for recipe in SLICES]
    lines += [train(recipe, f"{recipe}-phantom") for recipe in VOLUMES]
    lines.append(["study", "transfer", str(runs / "survival-phantom-paper-0"), "--data", "phantom", "--scanner", "B",
                  "--seed", "1", "--subjects", "221"])  # fmt: skip
    if lgg is not None:
        real = ("--data", "lgg", "--root", str(lgg))
        lines += [train(recipe, f"{recipe}-lgg{origin}", *start, *real) for recipe in ("presence", "presence-leak")]
        lines += [train(recipe, f"{recipe}-lgg", *real) for recipe in ("lesions", "survival")]
        lines += [train("grading", f"grading-{label}-lgg", *real, "--label", label) for label in LGG_LABELS]
    if ms is not None:
        lines.append(["study", "transfer", str(runs / "lesions-phantom-paper-0"), "--data", "open-ms", "--root",
                      str(ms)])  # fmt: skip
    return lines


def run_all(words: Sequence[Sequence[str]], run: Callable[[Sequence[str]], int], *, runs: Path = Path("runs")) -> int:
    """Runs the commands until one fails, then the page of results over all finished ones; returns the exit code.

    Args:
        words: of `commands`.
        run: runs one command; `medattn_lite.cli.main`.
        runs: where the folders of the runs are.
    """
    for command in words:
        print(shlex.join(["medattn", *command]), flush=True)
        code = run(command)
        if code:
            return code
    folders = sorted(runs.glob("*-paper-0"))
    return run(["results", *(str(folder) for folder in folders if Run(folder).is_finished)])


@ends_in_one_line
def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    from medattn_lite.cli import main as medattn

    parser = argparse.ArgumentParser(prog="medattn study paper", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lgg", type=Path, metavar="DIR", help="folder of kaggle_3m, the LGG set (real patients)")
    parser.add_argument("--ms", type=Path, metavar="DIR", help="folder of open_ms_data (real patients)")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="ImageNet weights of ResNeSt-50")
    parser.add_argument("--list", action="store_true", help="print the commands, run nothing")
    options = parser.parse_args(arguments)
    if options.weights is not None and not options.weights.is_file():
        raise UserError(f"no file of weights {options.weights}: medattn fetch resnest50 gets it, or leave it out")
    for folder in (options.lgg, options.ms):
        if folder is not None and not folder.is_dir():
            raise UserError(f"{folder} is not a folder: check --lgg and --ms")
    words = commands(lgg=options.lgg, ms=options.ms, weights=options.weights)
    if options.list:
        print("\n".join(shlex.join(["medattn", *command]) for command in words))
        return 0
    return run_all(words, medattn)


if __name__ == "__main__":
    sys.exit(main())
