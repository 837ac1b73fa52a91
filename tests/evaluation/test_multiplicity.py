"""Holm's correction and the p that an interval stands for, against calculations by hand and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from medattn_lite.evaluation.intervals import bootstrap
from medattn_lite.evaluation.multiplicity import holm, mark, p_value


def test_holm_agrees_with_a_calculation_by_hand():
    # sorted: 0.005·4, 0.01·3, 0.03·2, 0.04·1 and never smaller than the one before
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0]) and holm([]) == []


def test_holm_keeps_the_error_of_a_family_where_single_tests_do_not():
    rng = np.random.default_rng(0)
    families = rng.uniform(size=(2000, 20))  # nothing differs
    wrong_alone = np.mean([(p_values < 0.05).any() for p_values in families])
    wrong = np.mean([min(holm(p_values)) < 0.05 for p_values in families])
    assert wrong_alone > 0.5 and wrong < 0.065


def test_p_is_below_5_percent_exactly_where_the_interval_leaves_out_0():
    rng = np.random.default_rng(1)
    for _ in range(300):
        value, below, above = rng.normal(), *rng.uniform(0.01, 2, 2)
        interval = {"value": value, "low": value - below, "high": value + above}
        assert (p_value(interval) < 0.05) == (not interval["low"] <= 0 <= interval["high"])
    one_error = {"value": 1.0, "low": 1 - 1.959964, "high": 9.0}
    assert p_value(one_error) == pytest.approx(math.erfc(1 / math.sqrt(2)), rel=1e-4)
    assert math.isnan(p_value({"value": 1.0, "low": None, "high": None}))
    assert p_value({"value": 0.0, "low": 0.0, "high": 0.0}) == 1.0


def test_p_from_a_bootstrap_interval_is_that_of_a_t_test_on_many_patients():
    rng = np.random.default_rng(2)
    values = rng.normal(0.15, 1, 400)
    interval = bootstrap(np.mean, values, n=4000)
    z = values.mean() / (values.std(ddof=1) / np.sqrt(len(values)))
    assert p_value(vars(interval)) == pytest.approx(math.erfc(abs(z) / math.sqrt(2)), rel=0.35)


def test_every_difference_of_runs_and_of_tables_is_in_the_family():
    def own(low):
        return {"value": 0.1, "low": low, "high": 0.2}

    run = {"comparisons": [{"difference": {"AUC": own(0.09), "accuracy": own(-0.1), "F1": {"value": None, "low": None,
                                                                                        "high": None}}}]}  # fmt: skip
    tables = {"tables": {"one": {"differences": [{"C-index": own(0.001)}]}}}
    family = mark([run, tables])
    assert (family.count, family.clear, family.surviving) == (3, 2, 1)
    assert run["comparisons"][0]["difference"]["AUC"]["survives_holm"]
    assert not tables["tables"]["one"]["differences"][0]["C-index"]["survives_holm"]
