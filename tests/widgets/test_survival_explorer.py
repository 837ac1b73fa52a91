"""Claims about the survival explorer: what it shows is what evaluation/ computes, in every state a slider reaches."""

from __future__ import annotations

import html
import itertools

import numpy as np
import pytest

from medattn_lite.errors import UserError
from medattn_lite.plots import alt_text, render_png
from medattn_lite.survival.follow_up import FollowUp
from medattn_lite.survival.kaplan_meier_curves import log_rank
from medattn_lite.survival.predictions import Predicted
from medattn_lite.survival.scores import brier
from medattn_lite.widgets import survival_explorer
from tests.widgets.test_explorer import look, other_values

DAYS = np.array([100.0, 200.0, 400.0, 800.0])


def make_cohort(patients: int = 40, *, tied: bool = False) -> Predicted:
    rng = np.random.default_rng(0)
    risk = rng.normal(size=patients)
    risk = np.round(risk) if tied else risk
    death, leaves = rng.exponential(400 * np.exp(-risk)), rng.uniform(50, 1000, size=patients)
    time = np.minimum(death, leaves)
    seen = FollowUp(np.ceil(time / 100) * 100 if tied else time, death <= leaves)
    return Predicted(seen, DAYS, np.exp(-DAYS / 400 * np.exp(risk[:, None])), risk, [f"P{k}" for k in range(patients)])


@pytest.fixture(scope="module")
def explorer():
    return survival_explorer(make_cohort())


def test_every_control_moves_picture_alt_text_and_readout(explorer):
    for name, control in explorer.controls.items():
        before = look(explorer)
        control.value = other_values(control)[-1 if name == "day" else 0]
        assert explorer.error is None
        assert all(was != now for was, now in zip(before, look(explorer), strict=True)), name
    explorer.reset()


@pytest.mark.parametrize("tied", [False, True])
def test_every_state_of_a_grid_is_drawn_and_the_static_figure_is_its_picture(tied):
    explorer = survival_explorer(make_cohort(24, tied=tied))
    cut, day = explorer.controls["threshold"], explorer.controls["day"]
    grid = itertools.product((cut.min, -0.5, cut.max), (1, 24), (day.min, day.max))
    for number, (threshold, patient, at) in enumerate(grid):
        groups = (1, 6)[number % 2]
        explorer.set(threshold=threshold, patient=patient, day=at, groups=groups)
        assert explorer.error is None and "nan" not in explorer.summary.lower()
        assert explorer.summary in html.unescape(explorer.readout.value)
    figure = explorer.static()
    assert render_png(figure) == bytes(explorer.picture.value) and alt_text(figure) == explorer.picture.alt


def test_groups_curves_and_test_follow_the_cut(explorer):
    cohort = make_cohort()
    explorer.set(threshold=explorer.controls["threshold"].max)
    assert "High risk: nobody." in explorer.summary and "everybody is in the low risk group" in explorer.summary
    explorer.set(threshold=explorer.controls["threshold"].min)
    assert "Low risk: nobody." in explorer.summary and "High risk: 40 patients" in explorer.summary
    explorer.reset()
    high = cohort.risk > np.median(cohort.risk)
    deaths = int(cohort.patients.event[high].sum())
    p = log_rank(cohort.patients, high).p_value
    assert f"High risk: 20 patients, {deaths} deaths" in explorer.summary
    assert ("p < 0.001" if p < 0.001 else f"p = {p:.3f}") in explorer.summary


def test_patients_go_from_the_lowest_risk_to_the_highest_and_say_what_became_of_them(explorer):
    cohort = make_cohort()
    explorer.set(patient=1, day=explorer.controls["day"].min)
    lowest = int(cohort.risk.argmin())
    day = explorer.state["day"]
    ends = "dies on" if cohort.patients.event[lowest] else "is alive when last seen on"
    assert f"Patient P{lowest} has risk {cohort.risk[lowest]:.3g}, above 0 of 40" in explorer.summary
    assert f"with probability {cohort.at(day)[lowest]:.2f}; {ends} day" in explorer.summary
    explorer.set(patient=40)
    assert f"Patient P{int(cohort.risk.argmax())} has risk" in explorer.summary and "above 39 of 40" in explorer.summary
    explorer.reset()


def test_the_day_moves_scores_and_calibration(explorer):
    cohort = make_cohort()
    explorer.reset()
    day = float(explorer.state["day"])
    assert f"Brier score {brier(cohort.patients, cohort.at(day), [day])[0]:.3f}" in explorer.summary
    result = cohort.calibration(day)
    words = f"{result.predicted_of_all:.2f} are predicted to be alive and {result.observed_of_all.value:.2f} are"
    assert words in explorer.summary


def test_the_cut_begins_where_it_is_asked_to_also_outside_the_risks():
    for cut in (0.25, -50.0, 50.0):
        explorer = survival_explorer(make_cohort(), threshold=cut)
        assert explorer.state["threshold"] == cut and explorer.error is None


@pytest.mark.parametrize("cut", [0.3217, -1.0, 2.5])
def test_start_lies_on_a_step_of_its_slider_so_that_the_page_does_not_move_it(cut):
    explorer = survival_explorer(make_cohort(), threshold=cut)
    for name in ("threshold", "day"):
        control = explorer.controls[name]
        steps = (control.value - control.min) / control.step
        assert steps == pytest.approx(round(steps), abs=1e-6) and control.min <= control.value <= control.max
    assert explorer.state["day"] == 365


@pytest.mark.parametrize(
    ("time", "event"),
    [
        ([5, 9, 14, 30], [False, False, False, False]),  # nobody dies
        ([5, 5, 5, 5], [True, False, True, False]),  # one day for all
        ([5, 9, 14, 30], [True, True, True, True]),  # nobody leaves
        ([7], [True]),
        ([0.3, 0.8, 1.4, 2.5], [True, False, True, True]),  # years
        ([7, 8], [False, True]),
        ([0, 0, 3, 9], [True, False, True, False]),
    ],
)
def test_cohorts_at_the_edge_are_shown_not_an_error(time, event):
    count = len(time)
    survival = np.linspace(0.9, 0.1, 2 * count).reshape(count, 2)
    explorer = survival_explorer(Predicted(FollowUp(time, np.array(event)), [10.0, 40.0], survival))
    for end in ("min", "max"):
        explorer.set(**{name: getattr(control, end) for name, control in explorer.controls.items()})
        assert explorer.error is None and "nan" not in explorer.summary.lower()


def test_equal_risks_put_everybody_on_one_side():
    cohort = Predicted(FollowUp([5, 9, 14], np.array([True, False, True])), [10.0], np.full((3, 1), 0.5), np.ones(3))
    assert "everybody is in the low risk group" in survival_explorer(cohort).summary


def test_the_rows_of_a_run_can_be_explored():
    cohort = make_cohort()
    seen = cohort.patients
    rows = [{"subject": cohort.subjects[k], "time": seen.time[k], "event": bool(seen.event[k]), "risk": cohort.risk[k],
             "days": DAYS.tolist(), "survival": cohort.survival[k].tolist()} for k in range(40)]  # fmt: skip
    assert survival_explorer(rows).summary == survival_explorer(cohort).summary
    with pytest.raises(UserError, match="no predictions"):
        survival_explorer([])
    with pytest.raises(UserError, match="give a finite risk"):
        survival_explorer(cohort, threshold=float("nan"))


def test_values_outside_are_refused_and_controls_are_labelled(explorer):
    with pytest.raises(UserError, match="patient cannot be 41"):
        explorer.set(patient=41)
    labels = [control.description for control in explorer.controls.values()]
    assert all(labels) and len(set(labels)) == len(labels)
    assert all(control.tabbable is not False for control in explorer.controls.values())


def test_without_a_kernel_the_output_still_holds_picture_and_words(explorer):
    data, metadata = explorer._repr_mimebundle_()
    assert data["image/png"] == bytes(explorer.picture.value) and data["text/plain"] == explorer.summary
    assert metadata["image/png"]["alt"] == explorer.picture.alt
