"""What the coverage of survival's intervals is simulated on: exponential times to death, exponential censoring.

Time to death is exponential with the logarithm of its rate normal among patients; follow-up ends at random. The true
figures are those of a large cohort without censoring (Brier score, AUC), or with the same (C-index, which depends on
it). Lifetimes are in units of their median-risk mean; "one year" is at 0.7 of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np

from medattn_lite.coverage.cases import Population
from medattn_lite.evaluation.intervals import Interval
from medattn_lite.evaluation.jackknife import jackknife_interval
from medattn_lite.evaluation.metrics import auc
from medattn_lite.survival.c_index_intervals import c_index, c_index_estimate, c_index_interval, paired_c_index_interval
from medattn_lite.survival.follow_up import FollowUp
from medattn_lite.survival.scores import brier, integrated_brier, time_auc

Generator = np.random.Generator
DAY = 0.7
DAYS = (0.3, 0.5, 0.7, 0.9)
LONG, SHORT = 2.8, 0.35  # mean follow-up: deaths of about 72 % and 30 %
SHARES = {LONG: 0.72, SHORT: 0.29}
MANY = 40_000


def survival_cases() -> Iterator[Population]:
    """C-index alone and paired, and the scores of one day."""
    for follow_up in (LONG, SHORT):
        share = SHARES[follow_up]
        for effect, noise in ((0.0, 1.0), (1.0, 1.0), (2.5, 0.1)):
            yield Population("C-index", f"{_truth(effect, follow_up, noise):.2f}, {share:.0%} die", (16, 24, 40, 80),
                       lambda rng, n, arguments=(effect, follow_up, noise): _alone(rng, n, *arguments),
                       counted=lambda n, share=share: round(n * share))  # fmt: skip
        for one, other in ((1.0, 1.0), (0.3, 1.5)):
            words = f"{_truth(1.5, follow_up, one):.2f} and {_truth(1.5, follow_up, other):.2f}, {share:.0%} die"
            yield Population("difference of C-indices", words, (16, 24, 40, 80),
                       lambda rng, n, arguments=(follow_up, one, other): _paired(rng, n, *arguments), simulations=0.5,
                       counted=lambda n, share=share: round(n * share))  # fmt: skip
        words = f"C-index {_truth(1.0, follow_up, 1.0):.2f}, {share:.0%} die"
        values = (1.0, follow_up, 1.0)
        yield Population("percentile bootstrap", words, (24, 40, 80, 150), lambda rng, n, arguments=values: (
            _alone(rng, n, *arguments, drawn=True)), simulations=0.4)
    for name in ("Brier score on a day", "integrated Brier score", "AUC on a day"):
        yield Population("jackknife", name, (24, 40, 80), lambda rng, n, name=name: _on_days(rng, n, name),
                         simulations=0.1)  # fmt: skip


def _cohort(rng: Generator, n: int, effect: float, follow_up: float) -> tuple[FollowUp, np.ndarray]:
    risk = rng.standard_normal(n)
    death, leaves = rng.exponential(np.exp(-effect * risk)), rng.exponential(follow_up, n)
    return FollowUp(np.minimum(death, leaves), death <= leaves), risk


@cache
def _truth(effect: float, follow_up: float, noise: float) -> float:
    """The C-index of predictions with this noise, from 16 cohorts of 2000."""
    values = []
    for number in range(16):
        rng = np.random.default_rng([number, 7])
        cohort, risk = _cohort(rng, 2000, effect, follow_up)
        prediction = risk + noise * rng.standard_normal(2000)
        values.append(c_index_estimate(cohort.event, cohort.time, prediction).value)
    return float(np.mean(values))


def _alone(
    rng: Generator, n: int, effect: float, follow_up: float, noise: float, *, drawn: bool = False
) -> tuple[Interval, float]:
    cohort, risk = _cohort(rng, n, effect, follow_up)
    prediction, truth = risk + noise * rng.standard_normal(n), _truth(effect, follow_up, noise)
    return c_index(cohort, prediction) if drawn else c_index_interval(cohort.event, cohort.time, prediction), truth


def _paired(rng: Generator, n: int, follow_up: float, one: float, other: float) -> tuple[Interval, float]:
    cohort, risk = _cohort(rng, n, 1.5, follow_up)
    first, second = (risk + noise * rng.standard_normal(n) for noise in (one, other))
    interval = paired_c_index_interval(cohort.event, cohort.time, first, second)
    return interval, _truth(1.5, follow_up, one) - _truth(1.5, follow_up, other)


def _predicted(risk: np.ndarray) -> np.ndarray:
    """(N, T) chances of being alive, of somebody who thinks that patients differ a little less than they do."""
    return np.exp(-np.exp(0.8 * risk)[:, None] * np.array(DAYS))


@cache
def _truth_on_days(name: str) -> float:
    """From many patients who are all followed up."""
    rng = np.random.default_rng(7)
    risk = rng.standard_normal(MANY)
    death = rng.exponential(np.exp(-risk))
    if name.startswith("AUC"):
        return auc(death <= DAY, risk)
    squares = ((_predicted(risk) - (death[:, None] > np.array(DAYS))) ** 2).mean(0)
    if name.startswith("Brier"):
        return float(squares[DAYS.index(DAY)])
    return float(np.trapezoid(squares, DAYS) / (DAYS[-1] - DAYS[0]))


def _on_days(rng: Generator, n: int, name: str) -> tuple[Interval, float]:
    cohort, risk = _cohort(rng, n, 1.0, LONG)
    survival, day = _predicted(risk), DAYS.index(DAY)
    if name.startswith("AUC"):
        deaths = int((cohort.event & (cohort.time <= DAY)).sum())
        interval = jackknife_interval(lambda t, e, r: time_auc(FollowUp(t, e), r, [DAY])[0], cohort.time, cohort.event,
                                      risk, freedom=deaths - 1)  # fmt: skip
    elif name.startswith("Brier"):
        interval = jackknife_interval(lambda t, e, s: brier(FollowUp(t, e), s, [DAY])[0], cohort.time, cohort.event,
                                      survival[:, [day]])  # fmt: skip
    else:
        interval = jackknife_interval(lambda t, e, s: integrated_brier(FollowUp(t, e), s, DAYS), cohort.time,
                                      cohort.event, survival)  # fmt: skip
    return interval, _truth_on_days(name)
