"""Survival by sorting beside pycox, lifelines and scikit-survival, and beside the formulas written out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from medattn_lite.evaluation.intervals import bootstrap
from medattn_lite.survival import FollowUp, cox_loss, kaplan_meier, pair_counts
from tests.benchmarks.measuring import Case, Entry, Run
from tests.benchmarks.missing import importable
from tests.benchmarks.survival_peers import cox_loss_of_pairs, kaplan_meier_day_by_day

EXACT = 1e-9


def cohort(patients: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Event, whole days of follow-up (so that days are tied) and risk."""
    rng = np.random.default_rng(patients)
    risk = rng.normal(size=patients)
    return rng.random(patients) < 0.7, np.ceil(900 * rng.exponential(np.exp(-risk))), risk + rng.normal(size=patients)


def cox_cases(ties: str) -> Iterator[Case]:
    """Loss and gradient by sorting, and by the table of who is at risk."""
    for patients in (32, 256, 2048, 100_000):
        event, days, risk = (torch.from_numpy(column) for column in cohort(patients))
        pairs = patients <= 2048
        yield Case(f"Cox loss and gradient, {ties}, {patients:,} patients",
                   "every patient beside every other" if pairs else "left out: the table does not fit",
                   _with_gradient(lambda leaf, days=days, event=event: cox_loss(leaf, days, event, ties=ties), risk),
                   _with_gradient(lambda leaf, days=days, event=event: cox_loss_of_pairs(leaf, days, event, ties=ties),
                                  risk) if pairs else None,
                   close=EXACT, size=patients, series=f"cox {ties}")  # fmt: skip


def pycox_cases() -> Iterator[Case]:
    """Breslow's loss where no two days are tied, which is what pycox computes."""
    loss = importable("pycox.models.loss", "CoxPHLoss")
    for patients in (32, 256, 2048, 100_000):
        event, _, risk = (torch.from_numpy(column) for column in cohort(patients))
        days = torch.from_numpy(np.random.default_rng(0).permutation(patients) + 1.0)
        ours = _with_gradient(lambda leaf, days=days, event=event: cox_loss(leaf, days, event, ties="breslow"), risk)
        theirs = None if loss is None else _with_gradient(
            lambda leaf, days=days, event=event: loss()(leaf, days, event.double()), risk)  # fmt: skip
        yield Case(f"Cox loss and gradient, no ties, {patients:,} patients", f"pycox{'' if loss else ' (missing)'}",
                   ours, theirs, close=1e-5, size=patients, series="pycox")  # fmt: skip


def _with_gradient(loss: Callable[[torch.Tensor], torch.Tensor], risk: torch.Tensor) -> Run:
    def both() -> tuple[torch.Tensor | None, torch.Tensor]:
        leaf = risk.clone().requires_grad_()
        value = loss(leaf)
        value.backward()
        return leaf.grad, value.detach()

    return both


def concordance_cases() -> Iterator[Case]:
    """Harrell's C-index here, lifelines' and scikit-survival's."""
    from sksurv.metrics import concordance_index_censored

    lifelines = importable("lifelines.utils", "concordance_index")
    for patients in (100, 1000, 10_000, 30_000, 1_000_000):
        event, days, risk = cohort(patients)
        ours = lambda event=event, days=days, risk=risk: pair_counts(event, days, risk).c_index  # noqa: E731
        theirs = lambda event=event, days=days, risk=risk: lifelines(days, -risk, event)  # noqa: E731
        fits = lifelines is not None and patients <= 30_000
        peer = "lifelines (missing)" if lifelines is None else "lifelines" if fits else "lifelines, left out: slow"
        yield Case(f"C-index, {patients:,} patients", peer, ours, theirs if fits else None, close=EXACT, size=patients,
                   series="C-index", memory="python" if patients <= 1000 else "",
                   most=1 if patients == 1_000_000 else 9)  # fmt: skip
        if patients == 10_000:
            yield Case(f"C-index, {patients:,} patients", "scikit-survival", ours,
                       lambda event=event, days=days, risk=risk: concordance_index_censored(event, days, risk)[0],
                       close=EXACT, memory="", most=3)  # fmt: skip


def interval_cases() -> Iterator[Case]:
    """Bootstrap intervals: of a C-index by its pairs, of any figure by drawing rows."""
    event, days, risk = cohort(80)
    draws = 200
    lifelines = importable("lifelines.utils", "concordance_index")
    statistic: Any = lifelines and (lambda event, days, risk: lifelines(days, -risk, event))

    def row_by_row() -> list[float]:
        interval = bootstrap(statistic, event, days, risk, n=draws)
        return [interval.value, interval.low, interval.high]

    def by_pairs() -> list[float]:
        interval = percentile_of_pairs(event, days, risk, draws)
        return interval

    yield Case(f"interval of a C-index, {draws} bootstrap draws, 80 patients",
               "lifelines in each draw" + ("" if lifelines else " (missing)"), by_pairs,
               row_by_row if lifelines else None, close=1e-6, memory="python", most=3)  # fmt: skip
    values = np.random.default_rng(0).normal(size=10_000)

    def plain() -> list[float]:
        rng = np.random.default_rng(0)
        drawn = [values[rng.integers(0, len(values), len(values))].mean() for _ in range(100)]
        return [values.mean(), *np.percentile(drawn, [2.5, 97.5])]

    def ours() -> list[float]:
        interval = bootstrap(np.mean, values, n=100)
        return [interval.value, interval.low, interval.high]

    yield Case("interval of a mean, bootstrap(), 100 draws, 10,000 patients", "plain indexing", ours, plain,
               close=EXACT, memory="python")  # fmt: skip


def percentile_of_pairs(event: np.ndarray, days: np.ndarray, risk: np.ndarray, draws: int) -> list[float]:
    """Value and percentile interval of the C-index from its pairs."""
    from medattn_lite.evaluation.intervals import percentile_interval
    from medattn_lite.survival.pair_draws import c_index_draws

    drawn = c_index_draws(event, days, risk, groups=None, n=draws, seed=0)
    interval = percentile_interval(pair_counts(event, days, risk).c_index, drawn, units=len(days))
    return [interval.value, interval.low, interval.high]


def curve_cases() -> Iterator[Case]:
    """A curve with its interval on the days on which it is neither 1 nor 0."""
    fitter = importable("lifelines", "KaplanMeierFitter")
    for patients in (100, 1000, 10_000, 50_000, 1_000_000):
        event, days, _ = cohort(patients)

        def ours(event: np.ndarray = event, days: np.ndarray = days) -> np.ndarray:
            curve = kaplan_meier(FollowUp(days, event))
            return _inside(curve.survival, curve.low, curve.high)

        def theirs(event: np.ndarray = event, days: np.ndarray = days) -> np.ndarray:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                fitted = fitter().fit(days, event)
            ends = fitted.confidence_interval_.to_numpy()[1:]
            return _inside(fitted.survival_function_.to_numpy()[1:, 0], ends[:, 0], ends[:, 1])

        yield Case(f"Kaplan-Meier curve with interval, {patients:,} patients",
                   "lifelines" + ("" if fitter else " (missing)"), ours, theirs if fitter else None, close=1e-6,
                   size=patients, series="KM", memory="python" if patients <= 1000 else "")  # fmt: skip
        if patients == 10_000:
            yield Case(f"Kaplan-Meier curve with interval, {patients:,} patients",
                       "scikit-survival, those at risk counted day by day", ours,
                       lambda event=event, days=days: _inside(*kaplan_meier_day_by_day(days, event)), close=1e-6,
                       memory="", most=3)  # fmt: skip


def _inside(survival: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    kept = (survival > 0) & (survival < 1)
    return np.concatenate([survival[kept], low[kept], high[kept]])


def entries(device: str = "cpu") -> Iterator[Entry]:
    """What `--only` knows of this room; none on a GPU."""
    if device != "cpu":
        return
    both = lambda: (case for ties in ("efron", "breslow") for case in cox_cases(ties))  # noqa: E731
    yield Entry("cox", "Cox's loss", ("Cox loss and gradient, efron", "Cox loss and gradient, breslow"), both)
    yield Entry("pycox", "Cox's loss beside pycox", ("Cox loss and gradient, no ties",), pycox_cases)
    yield Entry("c-index", "C-index", ("C-index, ",), concordance_cases)
    yield Entry("intervals", "Bootstrap intervals", ("interval of",), interval_cases)
    yield Entry("kaplan-meier", "Kaplan-Meier curves", ("Kaplan",), curve_cases)
