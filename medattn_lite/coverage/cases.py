"""What the coverage of intervals is simulated on: a population whose true figure is known, and a sample's interval.

Each case draws a sample of so many units as this project meets them: Dice scores lean to 1, AUCs are binormal, deaths
are 72 % or 30 % of the patients, slices of one patient resemble each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from medattn_lite.evaluation.auc_intervals import auc_interval, paired_auc_interval
from medattn_lite.evaluation.intervals import Interval, bootstrap
from medattn_lite.evaluation.jackknife import jackknife_interval
from medattn_lite.evaluation.mean_intervals import (
    UNIT,
    mean_interval,
    paired_mean_interval,
    paired_share_interval,
    proportion_interval,
    share_interval,
)
from medattn_lite.evaluation.metrics import auc, f1
from medattn_lite.evaluation.segmentation import dice, voxel_average

Generator = np.random.Generator
Draw = Callable[..., tuple[Interval, float]]  # of a generator and the number of units


@dataclass(frozen=True)
class Population:
    """One population and the interval of a sample from it.

    Attributes:
        kind: of `MINIMUM_UNITS`.
        truth: the population, in words.
        units: the numbers of units to try.
        draw: a sample's interval and the true figure.
        is_extreme: shown beside the others, but not counted when the fewest units are read off.
        simulations: share of the simulations asked for, where one takes long.
        counted: how many of the `units` count, such as deaths of patients; all of them if None.
    """

    kind: str
    truth: str
    units: tuple[int, ...]
    draw: Draw
    is_extreme: bool = False
    simulations: float = 1.0
    counted: Callable[..., int] | None = None


FEW = (4, 6, 8, 12, 20, 24, 40, 80)


def mean_cases() -> Iterator[Population]:
    """Means of bounded, free and positive values, and of differences."""
    for a, b in ((5, 1), (8, 2), (18, 2), (2, 2), (1, 9)):
        yield Population("mean in 0 to 1", f"scores by beta({a}, {b}), mean {a / (a + b):.2f}", FEW,
                   lambda rng, n, a=a, b=b: (mean_interval(rng.beta(a, b, n), bounds=UNIT), a / (a + b)))  # fmt: skip
    yield Population("mean in 0 to 1", "by patient, 1 to 9 rows of each", FEW, _rows_by_patient)
    yield Population("mean in 0 to 1", "one patient in ten fails, the others by beta(12, 3)", FEW, _some_fail, True)
    yield Population("mean", "normal", FEW, lambda rng, n: (mean_interval(rng.normal(1, 2, n)), 1.0))
    yield Population("mean", "leaning, gamma(4)", FEW, lambda rng, n: (mean_interval(rng.gamma(4, 1, n)), 4.0))
    yield Population("mean above 0", "gamma(2)", FEW,
               lambda rng, n: (mean_interval(rng.gamma(2, 1, n), bounds=(0, np.inf)), 2.0))  # fmt: skip
    for sd, is_extreme in ((0.6, False), (1.0, True)):
        yield Population("mean above 0", f"lognormal, sd of the logarithm {sd}", FEW, lambda rng, n, sd=sd: (
            mean_interval(rng.lognormal(0, sd, n), bounds=(0, np.inf)), float(np.exp(sd**2 / 2))), is_extreme)
    for one, other, correlation in (((5, 1), (5, 1), 0.7), ((5, 1), (3, 1), 0.7), ((8, 2), (2, 2), 0.5),
                                    ((18, 2), (5, 1), 0.9)):  # fmt: skip
        truth = f"beta{one} minus beta{other}, correlation {correlation} before"
        yield Population("difference of means", truth, FEW, lambda rng, n, one=one, other=other, rho=correlation: (
            paired_mean_interval(*_pair(rng, n, one, other, rho)), one[0] / sum(one) - other[0] / sum(other)))


def proportion_cases() -> Iterator[Population]:
    """Counts: coverage jumps from rate to rate, so that each rate is tried and a range of rates as well."""
    for rate in (0.5, 0.8, 0.95):
        yield Population("proportion", f"rate {rate}", FEW,
                   lambda rng, n, rate=rate: (proportion_interval(rng.binomial(n, rate), n), rate))  # fmt: skip
    for low, high in ((0.45, 0.55), (0.7, 0.9), (0.9, 0.99)):
        yield Population("proportion", f"a rate between {low} and {high}", FEW, lambda rng, n, ends=(low, high): (
            proportion_interval(rng.binomial(n, rate := rng.uniform(*ends)), n), rate))
    for rate in (0.5, 0.8, 0.95):
        yield Population("proportion", f"rate {rate}, 6 slices of each patient", FEW,
                   lambda rng, n, rate=rate: _share_of_slices(rng, n, rate))  # fmt: skip
    for one, other in ((0.8, 0.8), (0.9, 0.8), (0.95, 0.9), (0.5, 0.6)):
        rates = f"rates {one} and {other}"
        yield Population("difference of proportions", rates, FEW, lambda rng, n, one=one, other=other: (
            paired_share_interval(*_paired_hits(rng, n, one, other)), one - other))


def auc_cases() -> Iterator[Population]:
    """Binormal AUC, of both classes alike, of a small class, of slices by patient; and paired."""
    few = (6, 8, 12, 20, 40, 75)
    for truth in (0.5, 0.87, 0.97):
        yield Population("AUC", f"{truth}, as many of the other class", few, lambda rng, n, truth=truth: (
            auc_interval(*_binormal(rng, n, n, truth)), truth))
        yield Population("AUC", f"{truth}, 64 of the other class", (11,), lambda rng, n, truth=truth: (
            auc_interval(*_binormal(rng, n, 64, truth)), truth))
        yield Population("AUC", f"{truth}, 4 slices of each patient", (12, 20, 40, 75),
                   lambda rng, n, truth=truth: _auc_of_slices(rng, n, truth))  # fmt: skip
    yield Population("AUC", "0.97, the classes' spread 2 to 1", (12, 20, 40, 75), lambda rng, n: (
        auc_interval(*_binormal(rng, n, n, 0.97, spread=0.5)), 0.97), True)
    for one, other, correlation in ((0.5, 0.5, 0.5), (0.87, 0.87, 0.7), (0.87, 0.78, 0.5), (0.97, 0.97, 0.7),
                                    (0.97, 0.87, 0.5), (0.87, 0.85, 0.95)):  # fmt: skip
        for rest in (None, 64):
            words = (
                f"{one} and {other}, correlation {correlation}, "
                + ("64" if rest else "as many")
                + " of the other class"
            )
            units = (11,) if rest else (*few[:4], 30, 36, *few[4:])
            yield Population(
                "difference of AUCs",
                words,
                units,
                lambda rng, n, arguments=(one, other, correlation), rest=rest: _two_aucs(rng, n, rest or n, *arguments),
                simulations=0.5,
            )


def other_cases() -> Iterator[Population]:
    """The jackknife of voxel averages and F1, and the percentile bootstrap."""
    for sd in (0.5, 1.0):
        yield Population("jackknife", f"voxel average of Dice, sd of log volume {sd}", (6, 12, 20, 24, 40, 80),
                   lambda rng, n, sd=sd: _voxels(rng, n, sd), sd == 1.0)  # fmt: skip
    yield Population("jackknife", "F1, 0.8 of both classes found", (12, 20, 24, 40, 80), _f1)
    for units in (12, 20, 40, 80, 150):
        yield Population("percentile bootstrap", "mean of scores by beta(5, 1)", (units,), lambda rng, n: (
            bootstrap(np.mean, rng.beta(5, 1, n), n=500), 5 / 6), simulations=0.4)
    yield Population("percentile bootstrap", "AUC 0.87, both classes alike", (12, 24, 40, 80, 150), lambda rng, n: (
        bootstrap(auc, *_binormal(rng, n // 2, n // 2, 0.87), n=300), 0.87), simulations=0.2)


def _rows_by_patient(rng: Generator, n: int) -> tuple[Interval, float]:
    patient = np.repeat(np.arange(n), rng.integers(1, 10, n))
    mean = rng.beta(8, 2, n)[patient]
    return mean_interval(rng.beta(10 * mean, 10 * (1 - mean)), groups=patient.tolist(), bounds=UNIT), 0.8


def _some_fail(rng: Generator, n: int) -> tuple[Interval, float]:
    scores = np.where(rng.random(n) < 0.1, rng.beta(1, 6, n), rng.beta(12, 3, n))
    return mean_interval(scores, bounds=UNIT), 0.9 * 0.8 + 0.1 / 7


def _pair(rng: Generator, n: int, one: tuple, other: tuple, correlation: float) -> tuple[np.ndarray, np.ndarray]:
    from scipy.special import betaincinv, ndtr

    first = rng.standard_normal(n)
    second = correlation * first + np.sqrt(1 - correlation**2) * rng.standard_normal(n)
    return betaincinv(*one, ndtr(first)), betaincinv(*other, ndtr(second))


def _share_of_slices(rng: Generator, n: int, rate: float) -> tuple[Interval, float]:
    patient = np.repeat(np.arange(n), 6)
    rates = rng.beta(3 * rate, 3 * (1 - rate), n)[patient]  # correlation 1/4 within a patient
    return share_interval(rng.random(len(rates)) < rates, groups=patient.tolist()), rate


def _paired_hits(rng: Generator, n: int, one: float, other: float) -> tuple[np.ndarray, np.ndarray]:
    from scipy.special import ndtri

    hard = rng.standard_normal((3, n))
    first, second = 0.7 * hard[0] + np.sqrt(0.51) * hard[1], 0.7 * hard[0] + np.sqrt(0.51) * hard[2]
    return first < ndtri(one), second < ndtri(other)


def _binormal(rng: Generator, ones: int, zeros: int, truth: float, *, spread: float = 1.0) -> tuple:
    from scipy.special import ndtri

    shift = float(ndtri(truth)) * np.sqrt(1 + spread**2)
    return np.repeat([1, 0], [ones, zeros]), np.r_[rng.normal(shift, spread, ones), rng.standard_normal(zeros)]


def _auc_of_slices(rng: Generator, n: int, truth: float) -> tuple[Interval, float]:
    labels, patient = np.repeat([1, 0], 4 * n), np.repeat(np.arange(2 * n), 4)
    person, slices = rng.standard_normal(2 * n)[patient], rng.standard_normal(8 * n)
    scores = np.sqrt(0.5) * (person + slices) + _binormal_shift(truth) * labels
    return auc_interval(labels, scores, groups=patient.tolist()), truth


def _binormal_shift(truth: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(truth)) * np.sqrt(2)


def _two_aucs(
    rng: Generator, ones: int, zeros: int, one: float, other: float, correlation: float
) -> tuple[Interval, float]:
    labels = np.repeat([1, 0], [ones, zeros])
    first = rng.standard_normal(ones + zeros)
    second = correlation * first + np.sqrt(1 - correlation**2) * rng.standard_normal(ones + zeros)
    shifts = _binormal_shift(one), _binormal_shift(other)
    return paired_auc_interval(labels, first + shifts[0] * labels, second + shifts[1] * labels), one - other


def _voxels(rng: Generator, n: int, sd: float) -> tuple[Interval, float]:
    volume = rng.lognormal(0, sd, n) * 1000
    detected = rng.beta(8, 2, n)
    true, wrong = volume * detected, volume * 0.3 * rng.beta(2, 2, n)
    # 2 E[v f] / (E[v f] + E[v w] + E[v]), where volume is independent of what is found
    truth = 2 * 0.8 / (0.8 + 0.15 + 1)
    return jackknife_interval(voxel_average(dice), true, wrong, volume - true), truth


def _f1(rng: Generator, n: int) -> tuple[Interval, float]:
    labels = rng.random(n) < 0.5
    right = rng.random(n) < 0.8
    return jackknife_interval(f1, labels, np.where(labels == right, 0.9, 0.1)), 0.8
