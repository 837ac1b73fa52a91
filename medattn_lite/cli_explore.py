"""`medattn explore`: the explorers alone as one page."""

from __future__ import annotations

import argparse

from medattn_lite.cli_faults import whole
from medattn_lite.optional import install

EXPLORERS = (  # those of widgets.ready, which is imported only where it is needed
    "counterfactual", "volume", "slices", "playground", "explanations", "mechanisms", "inter-slice", "affinity",
)  # fmt: skip


def explore_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `medattn explore` to its parser."""
    parser.description = (
        "Opens the explorers alone, without code, as one page in a browser: for a lecture hall, or for somebody who "
        "has never seen a notebook. It needs the extra explore (" + install("explore") + ") and no network; "
        "all heads are synthetic. The page takes some seconds per explorer to appear: name the ones you want. It ends "
        "with Ctrl-C."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(EXPLORERS)}; all if left out, "
                        "in this order; --list says what each shows")
    parser.add_argument("--port", type=whole(1024, 65_535), default=8866, metavar="N",
                        help="the page is http://localhost:N, for this computer alone; the next free number if N is "
                        "taken (default: %(default)s)")
    parser.add_argument("--list", action="store_true", help="print what each explorer shows and what to try in it; "
                        "open nothing")
    parser.add_argument("--no-browser", action="store_true", help="print the address and open no browser")
    parser.add_argument("--dark", action="store_true", help="dark page and dark pictures, as for a projector")
    parser.set_defaults(run=_explore)  # fmt: skip


def _explore(options: argparse.Namespace) -> int:
    from medattn_lite.course.explore import chosen, explore

    if options.list:
        from medattn_lite.widgets.ready import READY

        print("\n".join(f"{name:<16}{READY[name].title}. {READY[name].try_this}" for name in chosen(options.names)))
        return 0
    return explore(options.names, port=options.port, browser=not options.no_browser, dark=options.dark)
