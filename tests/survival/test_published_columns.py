"""The deck's columns of one run: fewer patients or shorter follow-up, and grade is worth what it is worth."""

from __future__ import annotations

import numpy as np
import pytest

from medattn_lite.data.phantom import PhantomCohort
from medattn_lite.survival.c_index_intervals import c_index
from medattn_lite.survival.follow_up import FollowUp
from medattn_lite.survival.published_columns import COLUMNS, published_columns

DAYS = [100.0, 365.0, 700.0]


def predicted(times, events, risks) -> list[dict]:
    return [{"subject": f"p{row}", "time": float(time), "event": bool(event), "risk": float(risk), "days": DAYS,
             "survival": [float(np.exp(-risk * day / 365)) for day in DAYS], "group": int(risk > 0.5), "fold": 0}
            for row, (time, event, risk) in enumerate(zip(times, events, risks, strict=True))]  # fmt: skip


def test_each_column_scores_its_own_patients_and_follow_up():
    rows = predicted([50, 200, 300, 800, 900, 1000], [1, 1, 1, 1, 1, 0], [0.9, 0.2, 0.8, 0.7, 0.1, 0.3])
    columns = published_columns(rows, {"p0", "p1", "p3"}, draws=0)
    assert columns["patients"] == {"highest grade": 3, "one-year": 6, "one-year, highest grade": 3}
    assert columns["deaths"] == {"highest grade": 3, "one-year": 3, "one-year, highest grade": 2}
    values = {name: score["value"] for name, score in columns["scores"].items() if name.startswith("C-index")}
    # of p0, p1, p3: p0 before p1 and p3 is right, p1 before p3 is wrong; cut at a year the same pairs remain
    assert values["C-index, highest grade"] == pytest.approx(2 / 3)
    assert values["C-index, one-year, highest grade"] == pytest.approx(2 / 3)
    # deaths within the year: p0 before 5, p1 before 4, p2 before 3
    assert values["C-index, one-year"] == pytest.approx((5 + 1 + 3) / 12)


def test_a_death_on_day_365_is_within_the_year_and_one_after_it_is_not():
    times = [364, 365, 365, 365.5, 366, 367, 800]
    events = [1, 1, 0, 1, 1, 0, 1]
    risks = [0.9, 0.3, 0.6, 0.2, 0.7, 0.5, 0.1]
    columns = published_columns(predicted(times, events, risks), {"p1", "p3", "p4"}, draws=0)
    assert columns["deaths"] == {"highest grade": 3, "one-year": 2, "one-year, highest grade": 1}
    values = {name: score["value"] for name, score in columns["scores"].items()}
    # p0 before 6 others, all of lower risk; p1 before who was last seen on its day and the 4 who outlived it: of these
    # p3 and p6 have a lower risk. Who died after the year is compared with nobody as the earlier one.
    assert values["C-index, one-year"] == pytest.approx((6 + 2) / (6 + 5))
    # p1 (0.3) before p3 (0.2) is right, before p4 (0.7) is wrong
    assert values["C-index, one-year, highest grade"] == pytest.approx(1 / 2)
    assert values["C-index, highest grade"] == pytest.approx((1 + 0) / 3)  # p3 (0.2) before p4 (0.7) is wrong


@pytest.mark.parametrize("late", [365.5, 366.0, 367.0, 2000.0])
def test_brier_at_one_year_is_that_of_who_outlived_day_365(late):
    times, risks = [100, 365, late, late], [0.9, 0.4, 0.3, 0.8]
    rows = predicted(times, [1, 1, 1, 0], risks)
    scores = published_columns(rows, {"p0", "p1", "p2", "p3"}, draws=0)["scores"]
    alive = np.array([0, 0, 1, 1])  # nobody left before day 365: no weights
    by_hand = float(np.mean((np.exp(-np.array(risks)) - alive) ** 2))
    for column in COLUMNS:  # to cut follow-up at one year changes nothing about that year
        assert scores[f"Brier at one year, {column}"]["value"] == pytest.approx(by_hand, abs=1e-9), column


def test_nobody_of_the_highest_grade_is_no_error():
    columns = published_columns(predicted([50, 200], [1, 1], [0.9, 0.2]), set(), draws=0)
    assert columns["patients"]["highest grade"] == 0 and "C-index, highest grade" not in columns["scores"]
    assert set(columns["patients"]) == set(COLUMNS)


def test_phantoms_of_all_grades_are_told_apart_better_than_those_of_the_highest_alone():
    # What the deck's main point needs of the data: in a clinical cohort all grades ≫ the highest alone.
    gaps = {}
    for realism in ("matched", "clinical"):
        table = PhantomCohort(n=600, task="survival", seed=3, realism=realism).table()
        assert set(table["grade"]) == {"LGG", "HGG"}
        best = {}
        for name, rows in (("all", table), ("highest", table[table["grade"] == "HGG"])):
            follow_up = FollowUp(rows["time"].to_numpy(), rows["event"].to_numpy().astype(bool))
            best[name] = c_index(follow_up, rows["oracle_risk"].to_numpy(), n=0).value
        gaps[realism] = best["all"] - best["highest"]
        print(realism, best)
    assert gaps["clinical"] > 0.05 > gaps["matched"] > -0.05
