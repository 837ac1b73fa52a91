"""Plants mistakes and asks the tests: medattn study mutants [--only NAME …] [--minutes M] [--again] [--list]

Outside the test suite: about 10 s of one core per mutant. A run that was stopped goes on with what is left.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.mutants.page import page_of
from tests.mutants.planted import MUTANTS
from tests.mutants.running import run

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the mutants; 0 when every one that was judged is caught, 1 otherwise, 2 for a wrong name."""
    parser = argparse.ArgumentParser(prog="medattn study mutants", description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these mutants, or all of these rooms")
    parser.add_argument("--minutes", type=float, default=1e9, metavar="M", help="begin none after these minutes")
    parser.add_argument("--again", action="store_true", help="judge also what figures/mutants.json has already")
    parser.add_argument("--list", action="store_true", help="print the names and mistakes, and run nothing")
    options = parser.parse_args(arguments)
    known = {one.name for one in MUTANTS} | {one.room for one in MUTANTS}
    unknown = [name for name in options.only if name not in known]
    if unknown:
        print(f"there is no mutant or room {', '.join(unknown)}: --list shows them", file=sys.stderr)
        return 2
    chosen = [one for one in MUTANTS if not options.only or {one.name, one.room} & set(options.only)]
    if options.list:
        print("\n".join(f"{one.room}: {one.name}: {one.mistake}" for one in chosen))
        return 0
    path = ROOT / "figures" / "mutants.json"
    record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    with tempfile.TemporaryDirectory(prefix="mutants-") as copy:
        problems = run(chosen, ROOT, Path(copy), record, minutes=options.minutes, again=options.again)
    (ROOT / "figures" / "mutants.md").write_text(page_of(record, MUTANTS), encoding="utf-8")
    judged = [record[one.name] for one in chosen if one.name in record]
    survivors = [mutant["name"] for mutant in judged if mutant["outcome"] != "caught"]
    print(f"{len(judged) - len(survivors)} of {len(judged)} caught; survived: {', '.join(survivors) or 'none'}")
    print("\n".join(problems), file=sys.stderr)
    return int(bool(survivors or problems))


if __name__ == "__main__":
    sys.exit(main())
