"""The table of coverage: held to its record, and seen to fail where an interval does not cover."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medattn_lite.coverage.simulate import LOWEST, MOST, cases, coverage, fewest_units, main, page_of
from medattn_lite.evaluation.intervals import bootstrap
from medattn_lite.evaluation.minimum_units import COUNTED, MINIMUM_UNITS, any_number_of_units

FIGURES = Path(__file__).parents[2] / "figures"
RECORD = json.loads((FIGURES / "interval_coverage.json").read_text(encoding="utf-8"))
CHECKED = {  # kind, population, units: quick ones of every kind of figure
    ("mean in 0 to 1", "scores by beta(5, 1), mean 0.83", 4),
    ("mean in 0 to 1", "by patient, 1 to 9 rows of each", 12),
    ("difference of means", "beta(5, 1) minus beta(3, 1), correlation 0.7 before", 20),
    ("proportion", "a rate between 0.7 and 0.9", 8),
    ("proportion", "rate 0.8, 6 slices of each patient", 20),
    ("AUC", "0.97, 64 of the other class", 11),
    ("AUC", "0.87, 4 slices of each patient", 20),
    ("difference of AUCs", "0.97 and 0.87, correlation 0.5, as many of the other class", 40),
    ("C-index", "0.67, 29% die", 40),
}


def case(kind, truth):
    return next(one for one in cases() if (one.kind, one.truth) == (kind, truth))


def test_the_fewest_units_are_those_of_the_record():
    assert MINIMUM_UNITS == RECORD["minimum_units"] == fewest_units(RECORD["rows"])
    assert set(COUNTED) < set(MINIMUM_UNITS)


def test_every_population_and_number_of_units_is_in_the_record_and_the_page_is_the_records():
    there = [(row["kind"], row["truth"], row["units"]) for row in RECORD["rows"]]
    assert there == [(one.kind, one.truth, units) for one in cases() for units in one.units]
    assert page_of(RECORD) == (FIGURES / "interval_coverage.md").read_text(encoding="utf-8")


def test_from_the_fewest_units_on_coverage_is_what_is_promised():
    for row in RECORD["rows"]:
        if row["counted"] >= MINIMUM_UNITS[row["kind"]] and not row["is_extreme"]:
            assert row["coverage"] + 2 * row["error"] >= LOWEST - 0.02 * row["truth"].startswith("rate "), row
            assert row["coverage"] - 2 * row["error"] <= MOST, row


@pytest.mark.parametrize(("kind", "truth", "units"), sorted(CHECKED))
def test_a_small_simulation_covers_again(kind, truth, units):
    result = coverage(replace(case(kind, truth), simulations=1.0), units, simulations=300, seed=5)
    assert result["simulations"] == 300 and result["coverage"] + 2.5 * result["error"] >= LOWEST, result


def test_the_percentile_bootstrap_of_four_scores_is_seen_not_to_cover():
    right = case("mean in 0 to 1", "scores by beta(5, 1), mean 0.83")
    naive = replace(right, draw=lambda rng, n: (bootstrap(np.mean, rng.beta(5, 1, n), n=200), 5 / 6))
    result = coverage(naive, 4, simulations=300, seed=5)
    assert result["coverage"] + 2.5 * result["error"] < LOWEST, result
    assert fewest_units([result]) == {"mean in 0 to 1": 5}


def test_the_limit_is_lifted_for_the_simulation_alone():
    before = dict(MINIMUM_UNITS)
    with pytest.raises(ZeroDivisionError), any_number_of_units():
        assert set(MINIMUM_UNITS.values()) == {2}
        raise ZeroDivisionError
    assert before == MINIMUM_UNITS


def test_the_command_writes_the_record_and_the_page(tmp_path, monkeypatch, capsys):
    few = [replace(one, units=one.units[-1:]) for one in cases() if one.kind in ("mean", "AUC")][:3]
    monkeypatch.setattr("medattn_lite.coverage.simulate.cases", lambda: few)
    main(["--simulations", "20", "--out", str(tmp_path)])
    record = json.loads((tmp_path / "interval_coverage.json").read_text())
    assert len(record["rows"]) == 3 and (tmp_path / "interval_coverage.md").read_text() == page_of(record)
    assert "AUC: from" in capsys.readouterr().out
