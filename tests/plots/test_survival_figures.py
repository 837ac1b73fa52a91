"""Claims about the figures of survival: what is drawn is what the curves hold."""

from __future__ import annotations

import numpy as np
import pytest

from medattn_lite import plots
from medattn_lite.plots.style import OKABE_ITO
from medattn_lite.survival.calibration import calibration
from medattn_lite.survival.follow_up import FollowUp
from medattn_lite.survival.kaplan_meier_curves import kaplan_meier

FIVE = FollowUp([6, 9, 2, 4, 7], np.array([True, False, True, False, True]))


def test_follow_up_lines_end_where_follow_up_ends_and_say_how():
    figure = plots.follow_up_lines(FIVE.time, FIVE.event, names=list("ABCDE"), unit="months")
    axes = figure.axes[0]
    deaths, alive = (line for line in axes.lines if line.get_label() in ("death", "alive when last seen"))
    assert deaths.get_xdata().tolist() == [6, 2, 7] and alive.get_xdata().tolist() == [9, 4]
    assert axes.yaxis_inverted() and [text.get_text() for text in axes.get_yticklabels()] == list("ABCDE")
    assert "B alive at 9" in plots.alt_text(figure) and "C dies at 2" in plots.alt_text(figure)
    with pytest.raises(ValueError, match="one of each a patient"):
        plots.follow_up_lines([1, 2], [True])


def test_a_curves_steps_and_ticks_are_kaplan_meiers():
    curve = kaplan_meier(FIVE)
    figure = plots.survival_curves({"all": curve}, unit="months")
    steps, ticks = figure.axes[0].lines[:2]
    np.testing.assert_array_equal(steps.get_ydata(), curve.survival)
    assert steps.get_drawstyle() == "steps-post"
    assert ticks.get_xdata().tolist() == [4, 9] and ticks.get_marker() == "|"


def test_the_table_counts_who_is_followed_under_the_tick_it_stands_below():
    figure = plots.survival_curves({"all": kaplan_meier(FIVE)})
    upper, table = figure.axes
    assert upper.get_xlim() == table.get_xlim()
    for text in table.texts[:-1]:
        day = text.get_position()[0]
        assert int(text.get_text()) == (FIVE.time >= day).sum()
        assert day in table.get_xticks()
    assert len(plots.survival_curves({"all": kaplan_meier(FIVE)}, risk_table=False).axes) == 1


def test_risk_groups_keep_their_colours_when_one_is_empty():
    both = plots.survival_curves({"low risk": kaplan_meier(FIVE), "high risk": kaplan_meier(FIVE)}).axes[0]
    alone = plots.survival_curves({"high risk": kaplan_meier(FIVE)}).axes[0]
    assert [line.get_color() for line in both.lines[::2]] == [OKABE_ITO["blue"], OKABE_ITO["vermilion"]]
    assert alone.lines[0].get_color() == OKABE_ITO["vermilion"]


@pytest.mark.parametrize("event", [[False] * 4, [True] * 4])
def test_groups_without_a_death_or_with_nobody_left_are_drawn(event):
    curve = kaplan_meier(FollowUp([1, 2, 2, 3], np.array(event)))
    figure = plots.survival_curves({"all": curve}, mark=(2, "two"))
    plots.render_png(figure)
    assert ("median not reached" in plots.alt_text(figure)) == (not any(event))
    with pytest.raises(ValueError, match="at least one curve"):
        plots.survival_curves({})


def test_a_chosen_patients_curve_starts_at_1_and_bears_its_end():
    days, survival = np.array([2.0, 8.0]), np.array([[0.8, 0.2], [0.9, 0.5], [0.5, 0.1], [0.9, 0.9], [0.7, 0.3]])
    outcome = (FIVE.time, FIVE.event)
    figure = plots.patient_curves(days, survival, chosen={"A": 0}, outcome=outcome, unit="months")
    line, end = figure.axes[0].lines
    assert line.get_xdata().tolist() == [0, 2, 8] and line.get_ydata().tolist() == [1, 0.8, 0.2]
    assert end.get_xdata() == [6] and end.get_ydata() == pytest.approx([0.4]) and end.get_marker() == "X"
    alive = plots.patient_curves(days, survival, chosen={"D": 3}, outcome=outcome).axes[0].lines[1]
    assert alive.get_marker() == ">"
    assert "died at 6 months" in plots.alt_text(figure)
    for wrong in ({}, dict.fromkeys("abcde", 0)):
        with pytest.raises(ValueError, match="choose 1 to 4"):
            plots.patient_curves(days, survival, chosen=wrong)
    with pytest.raises(ValueError, match=r"give \(N, T\)"):
        plots.patient_curves(days, survival.T, chosen={"A": 0})


def test_calibration_dots_are_predicted_over_observed_and_unknown_groups_are_left_out():
    survival = np.array([0.1, 0.2, 0.3, 0.8, 0.9])
    result = calibration(FollowUp([2, 3, 3, 9, 9], np.array([True, False, False, True, False])), survival, 5, groups=2)
    assert np.isnan(result.observed[0])
    figure = plots.survival_calibration(result)
    dots = figure.axes[0].lines[-1]
    assert dots.get_xdata().tolist() == pytest.approx([0.85]) and dots.get_ydata().tolist() == [1]
    assert "nobody observed" in plots.alt_text(figure)
    with pytest.raises(ValueError, match="at least one model"):
        plots.survival_calibration({})
