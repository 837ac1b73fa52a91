"""`medattn explore`: the explorers alone as one page."""

from __future__ import annotations

import argparse

from medattn_lite.cli_faults import whole


def explore_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `medattn explore` to its parser."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="counterfactual, volume, slices, playground, "
                        "explanations, mechanisms, inter-slice or affinity; all if left out")
    parser.add_argument("--port", type=whole(1024, 65_535), default=8866, metavar="N",
                        help="of this computer, or the next free one (default: %(default)s)")
    parser.add_argument("--list", action="store_true", help="say which explorers there are, and open nothing")
    parser.add_argument("--no-browser", action="store_true", help="say the address only")
    parser.add_argument("--dark", action="store_true", help="dark page and dark pictures")
    parser.set_defaults(run=_explore)  # fmt: skip


def _explore(options: argparse.Namespace) -> int:
    from medattn_lite.course.explore import chosen, explore

    if options.list:
        from medattn_lite.widgets.ready import READY

        print("\n".join(f"{name:<16}{READY[name].title}" for name in chosen(options.names)))
        return 0
    return explore(options.names, port=options.port, browser=not options.no_browser, dark=options.dark)
