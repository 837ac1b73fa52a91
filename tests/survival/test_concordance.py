"""Pairs counted by sorting: against the matrix of all pairs, and against scikit-survival."""

from __future__ import annotations

import numpy as np
import pytest

from medattn_lite.errors import UserError
from medattn_lite.survival.concordance import harrell_c, pair_counts
from medattn_lite.survival.pair_draws import pair_blocks

Cohort = tuple[np.ndarray, np.ndarray, np.ndarray]


def cohort(patients: int, seed: int, *, days: int | None = None, risks: int | None = None) -> Cohort:
    """Event, time and risk; on so many different days, and with so many different risks."""
    rng = np.random.default_rng(seed)
    time = rng.exponential(size=patients) if days is None else rng.integers(0, days, patients).astype(float)
    risk = rng.normal(size=patients) - time if risks is None else rng.integers(0, risks, patients) / 10
    return rng.random(patients) < rng.uniform(0.2, 1), time, risk


def by_matrix(event: np.ndarray, time: np.ndarray, risk: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Agreeing and comparable pairs of each patient, every pair looked at."""
    _, *matrices = next(pair_blocks(event, time, risk, rows=len(time)))
    return tuple(matrix.sum(0) + matrix.sum(1) for matrix in matrices)


@pytest.mark.parametrize("patients", [1, 2, 3, 7, 8, 9, 31, 64, 65, 200])
@pytest.mark.parametrize("ties", [{}, {"days": 4}, {"risks": 5}, {"days": 6, "risks": 3}, {"days": 1}])
def test_pairs_by_sorting_are_those_of_the_matrix(patients: int, ties: dict[str, int]) -> None:
    for seed in range(5):
        event, time, risk = cohort(patients, seed, **ties)
        counts = pair_counts(event, time, risk)
        agreeing, comparable = by_matrix(event, time, risk)
        assert counts.agreeing.tolist() == agreeing.tolist() and counts.comparable.tolist() == comparable.tolist()


def test_risks_closer_than_the_tolerance_are_tied_though_not_with_a_common_third() -> None:
    rng = np.random.default_rng(0)
    event, time, _ = cohort(90, 1)
    risk = rng.integers(0, 12, 90) * 0.6e-8  # neighbours are tied, those two apart are not
    counts = pair_counts(event, time, risk)
    assert counts.agreeing.tolist() == by_matrix(event, time, risk)[0].tolist()
    exact = pair_counts(event, time, risk, tolerance=0.0)
    assert 0 < exact.tied.sum() < counts.tied.sum()


@pytest.mark.parametrize("ties", [{}, {"days": 40, "risks": 30}])
def test_pairs_equal_scikit_survivals(ties: dict[str, int]) -> None:
    from sksurv.metrics import concordance_index_censored

    event, time, risk = cohort(1000, 3, **ties)
    value, concordant, _, tied, _ = concordance_index_censored(event, time, risk)
    counts = pair_counts(event, time, risk)
    assert (counts.concordant.sum(), counts.tied.sum()) == (2 * concordant, 2 * tied)  # once with either patient
    assert counts.c_index == pytest.approx(value, abs=1e-15)


def test_the_order_of_patients_and_of_equal_days_changes_nothing() -> None:
    event, time, risk = cohort(120, 4, days=9, risks=7)
    order = np.random.default_rng(5).permutation(120)
    counts, turned = pair_counts(event, time, risk), pair_counts(event[order], time[order], risk[order])
    assert counts.agreeing[order].tolist() == turned.agreeing.tolist()


def test_within_folds_nobody_is_compared_with_another_fold() -> None:
    event, time, risk = cohort(90, 6)
    fold = np.arange(90) % 3
    counts = pair_counts(event, time, risk, within=fold)
    for number in range(3):
        mine = fold == number
        alone = pair_counts(event[mine], time[mine], risk[mine])
        assert counts.comparable[mine].tolist() == alone.comparable.tolist()
    assert counts.comparable.sum() < pair_counts(event, time, risk).comparable.sum() / 2


def test_without_a_death_there_is_no_pair_and_no_index() -> None:
    counts = pair_counts(np.zeros(5, dtype=bool), np.arange(5.0), np.arange(5.0))
    assert counts.comparable.sum() == 0 and np.isnan(counts.c_index)


def test_a_hundred_thousand_patients_fit_into_the_memory_of_their_rows() -> None:
    import tracemalloc

    event, time, risk = cohort(100_000, 7)
    tracemalloc.start()
    value = pair_counts(event, time, risk).c_index
    assert tracemalloc.get_traced_memory()[1] < 100_000 * 8 * 40  # some forty columns; the matrix would take 80 GB
    tracemalloc.stop()
    assert 0.5 < value < 1


def test_concordance_by_hand_with_censoring():
    time = np.array([1.0, 2.0, 3.0, 4.0])
    event = np.array([True, False, True, True])
    # comparable pairs: (1,2) (1,3) (1,4) (3,4); the censored one at 2 starts no pair.
    assert harrell_c(event, time, np.array([4.0, 3.0, 2.0, 1.0])) == 1.0
    assert harrell_c(event, time, np.array([4.0, 5.0, 1.0, 2.0])) == pytest.approx(2 / 4)
    assert np.isnan(harrell_c(np.zeros(4, dtype=bool), time, time))


@pytest.mark.parametrize("risk", [np.nan, np.inf])
def test_a_risk_that_is_no_number_is_refused(risk: float) -> None:
    with pytest.raises(UserError, match="a risk is NaN"):
        harrell_c(np.ones(4, bool), np.arange(4.0), np.array([risk, 1.0, 2.0, 3.0]))
