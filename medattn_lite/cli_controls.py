"""The command `medattn controls`: small tasks that each attention mechanism must win, trained and measured."""

from __future__ import annotations

import argparse
from pathlib import Path

from medattn_lite.cli_faults import minutes, path, whole
from medattn_lite.errors import UserError

RECORD = Path("figures/positive_controls.json")


def controls_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `medattn controls` to its parser."""
    parser.add_argument("--list", action="store_true", help="the tasks, their stories and their networks")
    parser.add_argument("--tasks", default="", metavar="A,B", help="all if left out")
    parser.add_argument("--attention", default="", metavar="A,B",
                        help="networks; if left out, the mechanism, plain and its controls")
    parser.add_argument("--everything", action="store_true", help="every mechanism on every task, too")
    parser.add_argument("--seeds", type=whole(1, 1000), default=5, metavar="N", help="seeds 0 to N − 1 (default: 5)")
    parser.add_argument("--scale", default="smoke", metavar="S", help="smoke, laptop or paper; larger: more steps")
    parser.add_argument("--minutes", type=minutes, metavar="M",
                        help="start no network after M minutes; call it again to go on")
    parser.add_argument("--out", type=path, default=RECORD, metavar="FILE",
                        help=f"the record, gone on with if it is there (default: {RECORD}); page and picture beside it")
    parser.add_argument("--page", action="store_true", help="train nothing, write page and picture from the record")
    parser.add_argument("--readme", type=path, metavar="FILE", help="also write the short table there, between marks")
    parser.add_argument("--quiet", action="store_true", help="no line per network")
    parser.set_defaults(run=_controls)


def _controls(options: argparse.Namespace) -> int:
    from medattn_lite.positive_controls.report import write_report
    from medattn_lite.positive_controls.table import control_table, read_record

    if options.list:
        print(list_controls())
        return 0
    if options.out.suffix != ".json":
        raise UserError(f"--out {options.out}: the record is a .json file")
    if options.page:
        if not options.out.exists():
            raise UserError(f"there is no record {options.out}: leave --page out to make it")
        record = read_record(options.out, options.scale)
    else:
        record = control_table(
            options.out, controls=_words(options.tasks), mechanisms=_words(options.attention),
            seeds=range(options.seeds), scale=options.scale, everything=options.everything, minutes=options.minutes,
            progress=not options.quiet,
        )  # fmt: skip
    files = [options.out, *write_report(options.out, record)]
    if options.readme is not None:
        from medattn_lite.positive_controls.readme import write_readme

        write_readme(options.readme, record)
        files.append(options.readme)
    for file in files:
        print(file)
    return 0


def list_controls() -> str:
    """Every task: its story, and the networks that are trained on it."""
    from medattn_lite.data.controls import CONTROLS
    from medattn_lite.positive_controls.table import all_columns, further_columns

    lines = []
    for name, control in CONTROLS.items():
        first = further_columns(control)
        others = [column for column in all_columns(control) if column not in first]
        lines += [f"{name}: {control.story}", f"  networks  {', '.join(first)}"]
        lines += [f"  also      {', '.join(others)}"] if others else []
    return "\n".join(lines)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
