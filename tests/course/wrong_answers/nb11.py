"""Wrong answers that learners of notebook 11 give, and what the check must say of each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np


def crossings(x, probability):
    for place in range(len(x) - 1):
        if (probability[place] - 0.5) * (probability[place + 1] - 0.5) <= 0:
            yield place


def point_after(x, probability):
    return next((x[place + 1] for place in crossings(x, probability)), float("nan"))


def point_before(x, probability):
    return next((x[place] for place in crossings(x, probability)), float("nan"))


def middle(x, probability):
    return next(((x[place] + x[place + 1]) / 2 for place in crossings(x, probability)), float("nan"))


def only_up(x, probability):
    for place in range(len(x) - 1):
        a, b = probability[place], probability[place + 1]
        if a < 0.5 <= b:
            return x[place] + (0.5 - a) / (b - a) * (x[place + 1] - x[place])
    return float("nan")


def by_interp(x, probability):
    return float(np.interp(0.5, probability, x))


def without_control(look, tumour, change, network, control):
    return look(replace(tumour, **change))[network] - look(tumour)[network]


def only_after(look, tumour, change, network, control):
    after = look(replace(tumour, **change))
    return after[network] - after[control]


def other_way_round(look, tumour, change, network, control):
    before, after = look(tumour), look(replace(tumour, **change))
    return (before[network] - after[network]) - (before[control] - after[control])


def added(look, tumour, change, network, control):
    before, after = look(tumour), look(replace(tumour, **change))
    return (after[network] - before[network]) + (after[control] - before[control])


WRONG_ANSWERS = {
    "11-tips": [
        (point_after, "first point beyond the crossing"),
        (point_before, "last point before the crossing"),
        (middle, "middle between the two points"),
        (only_up, "on its way down"),
        (by_interp, "needs rising probabilities"),
    ],
    "11-effect": [
        (without_control, "change of the network alone"),
        (only_after, "after the change; they may have differed"),
        (other_way_round, "the other way round"),
        (added, "control's change is added"),
    ],
}
