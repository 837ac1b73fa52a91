"""`medattn start`: the course in a folder of the learner's, and JupyterLab over it."""

from __future__ import annotations

import argparse
from pathlib import Path

from medattn_lite.cli_faults import path
from medattn_lite.escaping import printable


def start_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `medattn start` to its parser."""
    parser.add_argument("folder", nargs="?", type=path, default=Path("medattn-course"), metavar="DIR",
                        help="your copy; nothing that you changed in it is overwritten (default: %(default)s)")
    parser.add_argument("--no-lab", action="store_true", help="copy only, do not open JupyterLab")
    parser.set_defaults(run=_start)


def _start(options: argparse.Namespace) -> int:
    from medattn_lite.course.start import copy_course, open_lab

    for line in copy_course(options.folder).lines():
        print(printable(f"{options.folder}: {line}"))
    return 0 if options.no_lab else open_lab(options.folder)
