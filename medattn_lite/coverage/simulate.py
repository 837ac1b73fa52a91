"""How often does a 95 % interval hold the truth? Every kind that is printed, by simulation, from the fewest units on.

    medattn study interval-coverage          # figures/interval_coverage.json and .md

From this table come the fewest units of each kind, `minimum_units.MINIMUM_UNITS`: from there on coverage is 0.93 to
0.97, within two standard errors of the simulation, in every population tried (a little more for figures that can lie
at the end of their scale). With fewer the figure is printed alone.
"""

from __future__ import annotations

import argparse
import json
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from medattn_lite.coverage.cases import Population, auc_cases, mean_cases, other_cases, proportion_cases
from medattn_lite.coverage.survival_cases import survival_cases
from medattn_lite.evaluation.minimum_units import COUNTED, any_number_of_units

LOWEST, HIGHEST = 0.93, 0.97
MOST = 0.985  # of figures that can lie at the end of their scale, where an interval must be wide to hold the truth
SMOOTH = ("mean", "mean in 0 to 1", "mean above 0", "difference of means")  # figures that cannot
JUMP = 0.02  # a proportion's coverage jumps by this much from one rate to the next; ranges of rates must keep LOWEST
PAGE = """# How often an interval holds the truth

Made by `{command}` (seed {seed}, {simulations} simulations, {slow} or more where one takes long); do not edit by hand.
Each row is a population whose true figure is known. Coverage is the share of samples whose 95 % interval holds it, of
those that have one, with its standard error; "misses" are the shares of intervals that lie wholly below and above the
truth.

**Rule.** An interval is printed from the fewest units on from which coverage is {lowest} to {highest}, within two
standard errors, in every population of its kind. Two allowances: where an estimate can lie at the end of its scale
(every patient right, an AUC of 1) the interval that then still holds the truth is wide, and up to {most} passes; and
the coverage of a proportion jumps from rate to rate, so that at one single rate {jump} less passes if ranges of rates
keep {lowest}. **Bold: fails.** *In italics: passes above {highest}.* Rows marked † are populations that no interval of
few patients can see, such as one patient in ten for whom a network fails; they are shown, and not counted in the rule.

| kind of figure | fewest units for an interval | units are |
| --- | --- | --- |
"""


def cases() -> list[Population]:
    """All of them."""
    return [*mean_cases(), *proportion_cases(), *auc_cases(), *survival_cases(), *other_cases()]


def coverage(case: Population, units: int, *, simulations: int, seed: int) -> dict[str, Any]:
    """Coverage of one case's interval at one number of units.

    Args:
        case: the population.
        units: of each sample.
        simulations: samples of a case that asks for all of them.
        seed: of the samples.

    Returns:
        a row: `coverage` and `error` among the samples that have an interval, which are the share `given`.
    """
    rng = np.random.default_rng([seed, zlib.crc32(f"{case.kind}|{case.truth}|{units}".encode())])
    count = max(int(simulations * case.simulations), 2)
    ends = np.empty((count, 3))
    with any_number_of_units():
        for number in range(count):
            interval, truth = case.draw(rng, units)
            ends[number] = interval.low, interval.high, truth
    low, high, truth = ends[np.isfinite(ends).all(1)].T
    intervals = len(low)
    share = float(((low <= truth) & (truth <= high)).mean()) if intervals else math.nan
    return {
        "kind": case.kind, "truth": case.truth, "units": units,
        "counted": units if case.counted is None else case.counted(units), "simulations": count,
        "coverage": share, "error": math.sqrt(share * (1 - share) / intervals) if intervals else math.nan,
        "too_low": float((high < truth).mean()), "too_high": float((low > truth).mean()), "given": intervals / count,
        "is_extreme": case.is_extreme,
    }  # fmt: skip


def fewest_units(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Kind → the fewest units from which every row passes; one more than the most tried where none does."""
    rows = [row for row in rows if not row["is_extreme"]]
    fewest = {}
    for kind in dict.fromkeys(row["kind"] for row in rows):
        kind_rows = [row for row in rows if row["kind"] == kind]
        failed = max((row["counted"] for row in kind_rows if not _passes(row)), default=0)
        fewest[kind] = min((row["counted"] for row in kind_rows if row["counted"] > failed), default=failed + 1)
    return fewest


def run(*, simulations: int, seed: int = 0, progress: bool = True) -> dict[str, Any]:
    """Every case at every number of units; what is written as JSON."""
    steps = [(case, units) for case in cases() for units in case.units]
    rows = [coverage(case, units, simulations=simulations, seed=seed)
            for case, units in tqdm(steps, disable=not progress)]  # fmt: skip
    return {"level": 0.95, "seed": seed, "simulations": simulations, "lowest": LOWEST, "highest": HIGHEST,
            "minimum_units": fewest_units(rows), "rows": rows}  # fmt: skip


def page_of(record: Mapping[str, Any]) -> str:
    """The table as Markdown."""
    slow = min(row["simulations"] for row in record["rows"])
    command = "medattn study interval-coverage"
    lines = [PAGE.format(command=command, slow=slow, jump=JUMP, most=MOST, **record)]
    lines += [f"| {kind} | {units} | {COUNTED.get(kind, 'patients')} |\n"
              for kind, units in record["minimum_units"].items()]  # fmt: skip
    for kind in record["minimum_units"]:
        kind_rows = [row for row in record["rows"] if row["kind"] == kind]
        lines += [f"\n## {kind[0].upper()}{kind[1:]}\n\n",
                  "| population | n | coverage | misses below, above | samples with an interval |\n",
                  "| --- | --- | --- | --- | --- |\n"]  # fmt: skip
        for row in kind_rows:
            mark = " †" if row["is_extreme"] else ""
            units = f"{row['units']}" + ("" if row["counted"] == row["units"] else f" ({row['counted']} deaths)")
            lines.append(f"| {row['truth']}{mark} | {units} | {_share(row)} | {row['too_low']:.3f}, "
                         f"{row['too_high']:.3f} | {row['given']:.0%} |\n")  # fmt: skip
    return "".join(lines)


def _passes(row: Mapping[str, Any]) -> bool:
    low = LOWEST - JUMP if row["truth"].startswith("rate ") else LOWEST
    high = HIGHEST if row["kind"] in SMOOTH else MOST
    return low <= row["coverage"] + 2 * row["error"] and row["coverage"] - 2 * row["error"] <= high


def _share(row: Mapping[str, Any]) -> str:
    text = f"{row['coverage']:.3f} ({row['error']:.3f})"
    if not _passes(row):
        return f"**{text}**"
    return f"*{text}*" if row["coverage"] - 2 * row["error"] > HIGHEST else text


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="medattn study interval-coverage",
                                     description=__doc__.splitlines()[0])  # fmt: skip
    parser.add_argument("--simulations", type=int, default=4000, help="samples of each population")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("figures"), metavar="DIR")
    options = parser.parse_args(arguments)
    record = run(simulations=options.simulations, seed=options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=1) + "\n"
    (options.out / "interval_coverage.json").write_text(text, encoding="utf-8")
    (options.out / "interval_coverage.md").write_text(page_of(record), encoding="utf-8")
    print(options.out / "interval_coverage.md")
    for kind, units in record["minimum_units"].items():
        print(f"  {kind}: from {units} {COUNTED.get(kind, 'patients')} on")


if __name__ == "__main__":
    main()
