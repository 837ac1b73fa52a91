"""Survival by sorting beside the formulas it replaces, in one process, turn by turn: time, exponents, same numbers.

    python -m tests.benchmarks.survival                     writes figures/survival_speed.json and .md
    python -m tests.benchmarks.survival --rounds 9 --out somewhere

Before anything is timed, both must give the same: the loss and its gradient, the C-index, the curve with its interval.
Time is CPU time of the process, ours and theirs in turn, order reversed every other round; the ratio is the median of
the rounds' ratios, with the least and the largest. `exponent` is the slope of log time over log patients from the row
before it. A peer that would take minutes, or more memory than there is, is left out.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from medattn_lite.survival.concordance import pair_counts
from medattn_lite.survival.follow_up import FollowUp
from medattn_lite.survival.kaplan_meier_curves import kaplan_meier
from medattn_lite.survival.losses import cox_loss
from tests.benchmarks.survival_peers import cox_loss_of_pairs, kaplan_meier_day_by_day

FIGURES = Path(__file__).resolve().parents[2] / "figures"
Run = Callable[[], Any]


@dataclass(frozen=True)
class Record:
    """One comparison; `ratio` is ours ÷ theirs. None where the peer was left out."""

    work: str
    peer: str
    patients: int
    device: str
    threads: int
    ours: float
    theirs: float | None
    unit: str
    ratio: float | None
    low: float | None
    high: float | None
    exponent: float | None


@dataclass(frozen=True)
class Work:
    """What is measured: a name, its peer, the numbers of patients, and the largest that the peer is asked for."""

    name: str
    peer: str
    patients: tuple[int, ...]
    peer_until: int
    make: Callable[[int], tuple[Run, Run]]


def cohort(patients: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Event, whole days of follow-up (so that days are tied) and risk."""
    rng = np.random.default_rng(patients)
    risk = rng.normal(size=patients)
    return rng.random(patients) < 0.7, np.ceil(900 * rng.exponential(np.exp(-risk))), risk + rng.normal(size=patients)


def cox(patients: int, ties: str) -> tuple[Run, Run]:
    """Loss and gradient by sorting, and by the table of who is at risk."""
    event, days, risk = (torch.from_numpy(column) for column in cohort(patients))

    def run(loss: Callable[..., torch.Tensor]) -> Run:
        def both() -> np.ndarray:
            leaf = risk.clone().requires_grad_()
            value = loss(leaf, days, event, ties=ties)
            value.backward()
            return np.append(leaf.grad.numpy(), value.item())

        return both

    return run(cox_loss), run(cox_loss_of_pairs)


def concordance(patients: int) -> tuple[Run, Run]:
    """Harrell's C-index here, and scikit-survival's."""
    from sksurv.metrics import concordance_index_censored

    event, days, risk = cohort(patients)
    return lambda: pair_counts(event, days, risk).c_index, lambda: concordance_index_censored(event, days, risk)[0]


def curve(patients: int) -> tuple[Run, Run]:
    """A curve with its interval on the days on which it is neither 1 nor 0."""
    event, days, _ = cohort(patients)

    def inside(survival: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        kept = (survival > 0) & (survival < 1)
        return np.concatenate([survival[kept], low[kept], high[kept]])

    def ours() -> np.ndarray:
        found = kaplan_meier(FollowUp(days, event))
        return inside(found.survival, found.low, found.high)

    return ours, lambda: inside(*kaplan_meier_day_by_day(days, event))


WORKS = (
    *(
        Work(f"Cox loss and gradient, {ties}", "every patient beside every other", (32, 256, 2048, 8192, 100_000),
             8192, lambda patients, ties=ties: cox(patients, ties))
        for ties in ("efron", "breslow")
    ),
    Work("C-index", "scikit-survival", (100, 1000, 10_000, 30_000, 100_000, 1_000_000), 30_000, concordance),
    Work("Kaplan-Meier curve with interval", "scikit-survival, those at risk counted day by day",
         (100, 1000, 10_000, 50_000, 1_000_000), 50_000, curve),
)  # fmt: skip


def compare(work: Work, *, rounds: int) -> Iterator[Record]:
    """One record for each number of patients.

    Raises:
        ValueError: ours and theirs are not equal.
    """
    before: tuple[int, float] | None = None
    for patients in work.patients:
        runs = dict(zip(("ours", "theirs"), work.make(patients), strict=True))
        if patients > work.peer_until:
            del runs["theirs"]
        else:
            apart = np.abs(np.asarray(runs["ours"]()) - np.asarray(runs["theirs"]())).max()
            if apart > 1e-9:
                raise ValueError(f"{work.name}, {patients} patients: ours and theirs are {apart:.1e} apart")
        took: dict[str, list[float]] = {who: [] for who in runs}
        for number in range(rounds):
            for who in list(runs)[:: 1 if number % 2 else -1]:
                took[who].append(_milliseconds(runs[who]))
        middle = {who: statistics.median(own) for who, own in took.items()}
        ratios = [a / b for a, b in zip(took["ours"], took.get("theirs", []), strict=False)]
        exponent = math.log(middle["ours"] / before[1]) / math.log(patients / before[0]) if before else None
        before = patients, middle["ours"]
        spread = (statistics.median(ratios), min(ratios), max(ratios)) if ratios else (None, None, None)
        yield Record(work.name, work.peer, patients, "cpu", torch.get_num_threads(), middle["ours"],
                     middle.get("theirs"), "ms", *spread, exponent)  # fmt: skip


def _milliseconds(run: Run) -> float:
    """CPU time of one call; a short one is repeated until the clock can tell."""
    calls, began = 0, time.process_time()
    while not calls or time.process_time() - began < 0.02:
        run()
        calls += 1
    return 1000 * (time.process_time() - began) / calls


def markdown(records: list[Record]) -> str:
    """The records as a page."""
    lines = [
        "# Survival by sorting beside the formulas it replaces", "",
        "Ratios are ours ÷ theirs: below 1 ours is faster. Time is CPU time of the process, one thread, median of "
        "rounds taken in turn, the ratio with the least and the largest round in brackets. The exponent is the slope "
        "of log time over log patients from the row above: 1 is proportional, 2 is every patient beside every other. "
        "Values (and gradients) were compared first. A dash: the peer was left out, for its time or its memory. Made "
        "by `python -m tests.benchmarks.survival`.", "",
        "| work | beside | patients | ours, ms | theirs, ms | ratio | exponent |", "|---|---|--:|--:|--:|--:|--:|",
    ]  # fmt: skip
    for one in records:
        theirs = "–" if one.theirs is None else f"{one.theirs:.3g}"
        ratio = "–" if one.ratio is None else f"{one.ratio:.3g} [{one.low:.3g}, {one.high:.3g}]"
        exponent = "" if one.exponent is None else f"{one.exponent:.2f}"
        lines.append(f"| {one.work} | {one.peer} | {one.patients:,} | {one.ours:.3g} | {theirs} | {ratio} "
                     f"| {exponent} |")  # fmt: skip
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.survival")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each comparison (default: 5)")
    parser.add_argument("--out", type=Path, default=FIGURES, help="folder for the page (default: figures)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    records: list[Record] = []
    for work in WORKS:
        for one in compare(work, rounds=options.rounds):
            ratio = "" if one.ratio is None else f", ratio {one.ratio:.3g}"
            print(f"{one.work}, {one.patients} patients: {one.ours:.3g} ms{ratio}", flush=True)
            records.append(one)
    options.out.mkdir(parents=True, exist_ok=True)
    made_by = {"command": "python -m tests.benchmarks.survival", "torch": torch.__version__,
               "numpy": np.__version__, "machine": platform.machine(), "rounds": options.rounds}  # fmt: skip
    content = {"made_by": made_by, "records": [asdict(one) for one in records]}
    (options.out / "survival_speed.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    page = markdown(records)
    (options.out / "survival_speed.md").write_text(page, encoding="utf-8")
    print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
