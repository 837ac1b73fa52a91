"""Check of notebook 12: which factors survive Holm's correction."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from medattn_lite.course.checks import Result, exercise
from medattn_lite.course.diagnose import Mistake, compare_function


@exercise("12-holm", title="Exercise 12.3, many questions, one error")
def check_holm(survivors: Callable[[np.ndarray, float], Any]) -> Result:
    """M p values and a level to M times True or False."""
    return compare_function(
        survivors,
        reference=surviving_factors,
        cases=[(np.array([0.01, 0.04]), 0.05), (np.array([0.012, 0.9, 0.01, 0.02, 0.04]), 0.05),
               (np.array([0.03, 0.04, 0.001]), 0.05), (np.array([0.25, 0.125, 0.9]), 0.375),  # equal is enough
               (np.array([0.0252, 0.9]), 0.05),
               *[(np.random.default_rng(seed).random(8) ** 3, 0.2) for seed in range(6)],
               (np.array([0.04]), 0.05), (np.array([0.9, 0.7]), 0.05),
               (np.array([0.2, 0.008, 0.004]), 0.02), (np.array([0.045, 0.3, 0.01, 0.6]), 0.05)],
        mistakes=[
            Mistake(lambda p, level: [x <= level for x in p], "every p value is compared with the level itself: the "
                    "more you ask, the more alarms are false", STEPS),
            Mistake(lambda p, level: [x <= level / len(p) for x in p], "every p value is compared with level / m: that "
                    "is Bonferroni's rule, and it misses what Holm's finds", STEPS),
            Mistake(_without_stop, "you went on after the first that failed; from there on, none survives", STEPS),
            Mistake(lambda p, level: sorted(surviving_factors(p, level), reverse=True), "your marks are in the order "
                    "of the p values, not of the factors", "`marks[at] = True`, at the factor's own place."),
            Mistake(_benjamini_hochberg, "that is the rule of Benjamini and Hochberg: it limits the share of false "
                    "alarms among the alarms, not the chance of any", STEPS),
            Mistake(_in_the_order_of_the_table, "you went through the factors as they stand, not from the smallest p "
                    "value up", "`np.argsort(p_values)`"),
            Mistake(lambda p, level: [p[i] < level / (len(p) - k) for k, i in _ranked(p)], "you went on after the "
                    "first that failed; from there on, none survives", STEPS),
            Mistake(_steps(lambda m, k: m - k - 1), "the steps are one too far: the smallest is compared with "
                    "level / m", STEPS),
            Mistake(_steps(lambda m, k: k + 1), "the steps run the wrong way: the smallest is compared with level / m, "
                    "the next with level / (m − 1)", STEPS),
            Mistake(_steps(lambda m, k: m - k + 1), "the steps begin at m + 1; the smallest is compared with level / m",
                    STEPS),
            Mistake(_steps(lambda m, k: m), "every p value is compared with level / m: that is Bonferroni's rule, and "
                    "it misses what Holm's finds", STEPS),
            Mistake(_steps(lambda m, k: m - k, equal=False), "a p value that equals its limit survives: at most",
                    "`<=` survives; `>` stops."),
            Mistake(_hochberg, "that is Hochberg's rule, which goes down from the largest; Holm's goes up and stops at "
                    "the first that fails", STEPS),
            Mistake(_steps(lambda m, k: m - k, largest_first=True), "you began with the largest p value", STEPS),
            Mistake(lambda p, level: [1 - (1 - x) ** len(p) <= level for x in p], "that is Šidák's rule for each alone",
                    STEPS),
            Mistake(lambda p, level: [at for at, mark in enumerate(surviving_factors(p, level)) if mark], "those are "
                    "the places of the survivors; one True or False for each factor was asked for",
                    "`marks[at] = True`"),
            Mistake(lambda p, level: sum(surviving_factors(p, level)), "that is their number; one True or False for "
                    "each factor was asked for", "`marks[at] = True`"),
            Mistake(lambda p, level: surviving_factors(p, 0.05), "`level` is not used: 0.05 is written there", STEPS),
            Mistake(lambda p, level: [not mark for mark in surviving_factors(p, level)], "you marked those that do not "
                    "survive", "True means that the factor survives."),
        ],
        what="your marks",
        praise="One false alarm in any of the factors now happens in at most one audit of twenty.",
        hint=STEPS,
    )  # fmt: skip


STEPS = "From the smallest p value up: at step 0, 1, … compare with level / (m − step), and `break` at the first above."


def surviving_factors(p_values: np.ndarray, level: float) -> list[bool]:
    """Which factors survive Holm's correction, in their own order."""
    marks = [False] * len(p_values)
    for step, at in enumerate(np.argsort(p_values)):
        if p_values[at] > level / (len(p_values) - step):
            break
        marks[at] = True
    return marks


def _ranked(p_values: np.ndarray) -> list[tuple[int, int]]:
    """(rank, place) by place."""
    return [(int(rank), place) for place, rank in enumerate(np.argsort(np.argsort(p_values)))]


def _steps(divisor: Callable[[int, int], int], *, equal: bool = True, largest_first: bool = False
           ) -> Callable[[np.ndarray, float], list[bool]]:  # fmt: skip
    """Holm's walk with another limit at each step."""

    def wrong(p_values: np.ndarray, level: float) -> list[bool]:
        marks, order = [False] * len(p_values), np.argsort(p_values)
        for step, at in enumerate(order[::-1] if largest_first else order):
            below = divisor(len(p_values), step)
            limit = level / below if below else math.inf
            if p_values[at] > limit or (not equal and p_values[at] == limit):
                break
            marks[at] = True
        return marks

    return wrong


def _hochberg(p_values: np.ndarray, level: float) -> list[bool]:
    order, count = np.argsort(p_values), len(p_values)
    last = max((step for step in range(count) if p_values[order[step]] <= level / (count - step)), default=-1)
    return [place in set(order[: last + 1].tolist()) for place in range(count)]


def _without_stop(p_values: np.ndarray, level: float) -> list[bool]:
    ranks = np.argsort(np.argsort(p_values))
    return [bool(p <= level / (len(p_values) - rank)) for p, rank in zip(p_values, ranks, strict=True)]


def _benjamini_hochberg(p_values: np.ndarray, level: float) -> list[bool]:
    ordered = np.sort(p_values)
    below = np.flatnonzero(ordered <= level * np.arange(1, len(ordered) + 1) / len(ordered))
    return [bool(len(below) and p <= ordered[below[-1]]) for p in p_values]


def _in_the_order_of_the_table(p_values: np.ndarray, level: float) -> list[bool]:
    marks = [False] * len(p_values)
    for step, p_value in enumerate(p_values):
        if p_value > level / (len(p_values) - step):
            break
        marks[step] = True
    return marks
