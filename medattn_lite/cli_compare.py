"""The command `medattn compare`: the same network with each attention mechanism in its place, on the same tasks."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medattn_lite.cli_faults import folder, minutes, path, whole
from medattn_lite.errors import UserError

OUT = Path("runs/compare")
PAGE = Path("figures/mechanisms.md")


def compare_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `medattn compare` to its parser."""
    parser.add_argument("--mechanisms", nargs="+", default=[], metavar="NAME",
                        help="names of medattn networks; all if left out. The plain network is always there")
    parser.add_argument("--tasks", nargs="+", default=["grade"], metavar="NAME",
                        help="grade, presence, lesions (phantoms); lgg with --root; label, slices or mask of your own "
                             "images with --data and --root; or a positive control (--list)")
    parser.add_argument("--seeds", type=whole(1, 1000), default=5, metavar="N",
                        help="train each network from N seeds, 0 to N - 1")
    parser.add_argument("--data", metavar="NAME", help="of your own images: images, nifti, brats, msd, lgg or open-ms")
    parser.add_argument("--root", type=folder, metavar="DIR", help="their folder")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE",
                        help="an option of their reader, as for check-data; may be repeated")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                        help="another number for these tasks, such as steps=60; may be repeated")
    parser.add_argument("--out", type=path, default=OUT, metavar="DIR",
                        help=f"folder of the records; a second call goes on there (default: {OUT})")
    parser.add_argument("--minutes", type=minutes, metavar="M",
                        help="begin no training after M minutes; call again to go on")
    parser.add_argument("--page", nargs="?", type=path, const=PAGE, metavar="FILE",
                        help=f"also write the table of all records ({PAGE}, with .json and .png beside it)")
    parser.add_argument("--device", default="cpu", help="cpu, auto, cuda, cuda:0, … or mps")
    parser.add_argument("--list", action="store_true", help="tasks, frames and mechanisms")
    parser.add_argument("--quiet", action="store_true", help="no line for each training, no bars")
    parser.set_defaults(run=_compare)


def _compare(options: argparse.Namespace) -> int:
    if options.list:
        print("\n".join(_listed()))
        return 0
    from medattn_lite.attention import names
    from medattn_lite.escaping import printable
    from medattn_lite.mechanism_comparison import compare_mechanisms, find_plan
    from medattn_lite.mechanism_comparison.page import require_page, write_page
    from medattn_lite.mechanism_comparison.run import checked_mechanisms
    from medattn_lite.mechanism_comparison.with_controls import is_control, run_controls
    from medattn_lite.training.device import pick_device

    changes = _changes(options.set)
    words = _words(options.tasks)
    controls = [name for name in words if is_control(name)]
    plans = [find_plan(name, data=options.data, changes=changes) for name in words if name not in controls]
    if controls and changes:
        raise UserError("--set is not for the positive controls: leave it out, or leave out " + ", ".join(controls))
    if all(plan.data == "phantom" for plan in plans) and (options.data or options.root or options.option):
        raise UserError("--data, --root and --option are about images of yours: leave them out for these tasks")
    if any(plan.data != "phantom" for plan in plans) and options.root is None:
        raise UserError("the folder of the images is missing: give --root DIR")
    if options.page is not None:
        require_page(options.page)
    mechanisms = checked_mechanisms(_words(options.mechanisms) or names())
    done = compare_mechanisms(
        plans, mechanisms, seeds=range(options.seeds), out=options.out, root=options.root,
        options=_reader_options(options.option), device=pick_device(options.device), minutes=options.minutes,
        say=(lambda line: None) if options.quiet else lambda line: print(printable(line), flush=True),
        progress=not options.quiet,
    )  # fmt: skip
    counts = [done.run, done.existing, done.left]
    if controls:
        control_counts = run_controls(controls, mechanisms, seeds=range(options.seeds), out=options.out,
                                      minutes=options.minutes, progress=not options.quiet)  # fmt: skip
        counts = [sum(pair) for pair in zip(counts, control_counts, strict=True)]
    trained, existing, left = counts
    print(printable(f"{trained} trained, {existing} found in {options.out}, {left} left"
                    + (": call again to go on" if left else "")))  # fmt: skip
    if options.page is not None:
        for path in write_page(options.out, options.page):
            print(printable(path))
    return 0


def _listed() -> list[str]:
    """Lines of text: what there is to compare."""
    from medattn_lite.attention import MECHANISMS
    from medattn_lite.data.controls import CONTROLS
    from medattn_lite.mechanism_comparison import PLANS
    from medattn_lite.mechanism_comparison.small_networks import FRAMES

    lines = ["Tasks"]
    for plan in PLANS.values():
        size = "×".join(map(str, plan.size))
        lines.append(f"  {plan.name:14}{plan.title}; {FRAMES[plan.frame].title}, width {plan.width}, {size}, "
                     f"{plan.steps} steps of {plan.batch_size}; {plan.score}")  # fmt: skip
    lines += [f"  {control.name:14}positive control: {control.title}" for control in CONTROLS.values()]
    lines += ["Mechanisms", *(f"  {name:14}{mechanism.title}" for name, mechanism in MECHANISMS.items())]
    return lines


def _words(words: Sequence[str]) -> list[str]:
    """Words, with commas or without, each once."""
    parts = [part.strip() for word in words for part in word.split(",") if part.strip()]
    return list(dict.fromkeys(parts))


def _changes(words: Sequence[str]) -> dict[str, Any]:
    from medattn_lite.cli_values import options_of

    return options_of(words, "--set", "steps=60")


def _reader_options(words: Sequence[str]) -> dict[str, Any]:
    from medattn_lite.cli_values import TAKEN, options_of

    return options_of(words, "--option", "csv=table.csv", taken=TAKEN)
