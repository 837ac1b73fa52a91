"""Wrong answers that learners of notebook 08 give, and what the check must say of each."""

from __future__ import annotations

import torch


def _tables(time, event, breaks):
    return time[:, None], event[:, None], breaks[:-1], breaks[1:]


def event_not_used(time, event, breaks):
    t, e, start, end = _tables(time, event, breaks)
    return t >= torch.where(e, end, (start + end) / 2), (t >= start) & (t < end)


def whole_intervals(time, event, breaks):
    t, e, start, end = _tables(time, event, breaks)
    return (t >= end).float(), (e & (t >= start) & (t < end)).float()


def half_for_all(time, event, breaks):
    t, e, start, end = _tables(time, event, breaks)
    return (t >= (start + end) / 2).float(), (e & (t >= start) & (t < end)).float()


def own_interval_too(time, event, breaks):
    t, e, start, end = _tables(time, event, breaks)
    return t >= start, e & (t >= start) & (t < end)


def the_future_survived(time, event, breaks):
    t, e, start, end = _tables(time, event, breaks)
    died = e & (t >= start) & (t < end)
    return 1 - died.float(), died.float()


def the_living_are_silent(time, event, breaks):
    t, e, start, end = _tables(time, event, breaks)
    return e & (t >= end), e & (t >= start) & (t < end)


def on_the_wrong_side_of_a_break(time, event, breaks):
    t, e, start, end = _tables(time, event, breaks)
    return t >= torch.where(e, end, (start + end) / 2), e & (t > start) & (t <= end)


def changed_places(time, event, breaks):
    t, e, start, end = _tables(time, event, breaks)
    return e & (t >= start) & (t < end), t >= torch.where(e, end, (start + end) / 2)


def only_survived(time, event, breaks):
    t, e, start, end = _tables(time, event, breaks)
    return (t >= torch.where(e, end, (start + end) / 2)).float()


def forgot_the_axis(time, event, breaks):
    return time >= breaks[1:], event & (time >= breaks[:-1])


def _cox(log_risk, time, event, inside):
    table = log_risk.expand(len(inside), -1).masked_fill(~inside, float("-inf"))
    return table.logsumexp(dim=1) - log_risk[event]


def already_dead(log_risk, time, event):
    return _cox(log_risk, time, event, time <= time[event][:, None]).mean()


def without_oneself(log_risk, time, event):
    return _cox(log_risk, time, event, time > time[event][:, None]).mean()


def only_the_dead(log_risk, time, event):
    return _cox(log_risk, time, event, (time >= time[event][:, None]) & event).mean()


def everybody_always(log_risk, time, event):
    return (log_risk.logsumexp(0) - log_risk[event]).mean()


def summed(log_risk, time, event):
    return _cox(log_risk, time, event, time >= time[event][:, None]).sum()


def over_all_patients(log_risk, time, event):
    return _cox(log_risk, time, event, time >= time[event][:, None]).sum() / len(time)


def turned_sign(log_risk, time, event):
    return -_cox(log_risk, time, event, time >= time[event][:, None]).mean()


def all_have_died(log_risk, time, event):
    at_risk = time >= time[:, None]
    return (log_risk.expand(len(time), -1).masked_fill(~at_risk, float("-inf")).logsumexp(1) - log_risk).mean()


def exponentials(log_risk, time, event):
    at_risk = time >= time[event][:, None]
    return -torch.log(log_risk[event].exp() / (log_risk.exp() * at_risk).sum(1)).mean()


def log_of_a_sum(log_risk, time, event):
    at_risk = time >= time[event][:, None]
    return (torch.log((log_risk.exp() * at_risk).sum(1)) - log_risk[event]).mean()


def no_logarithm(log_risk, time, event):
    return -torch.exp(-_cox(log_risk, time, event, time >= time[event][:, None])).mean()


def mean_at_risk(log_risk, time, event):
    at_risk = time >= time[event][:, None]
    return (_cox(log_risk, time, event, at_risk) - at_risk.sum(1).log()).mean()


def one_for_each(log_risk, time, event):
    return _cox(log_risk, time, event, time >= time[event][:, None])


def _c(time, event, risk, counts, tied=0.5):
    above = (risk[:, None] > risk).float() + tied * (risk[:, None] == risk).float()
    return (above * counts).sum() / counts.sum()


def ties_wrong(time, event, risk):
    return _c(time, event, risk, event[:, None] & (time[:, None] < time), tied=0.0)


def ties_right(time, event, risk):
    return _c(time, event, risk, event[:, None] & (time[:, None] < time), tied=1.0)


def ties_left_out(time, event, risk):
    counts = event[:, None] & (time[:, None] < time) & (risk[:, None] != risk)
    return _c(time, event, risk, counts)


def turned(time, event, risk):
    return _c(time, event, -risk, event[:, None] & (time[:, None] < time))


def the_censored_first(time, event, risk):
    return _c(time, event, risk, time[:, None] < time)


def dead_only(time, event, risk):
    return _c(time, event, risk, event[:, None] & event & (time[:, None] < time))


def same_day(time, event, risk):
    counts = event[:, None] & (time[:, None] <= time) & ~torch.eye(len(time), dtype=torch.bool)
    return _c(time, event, risk, counts)


def of_all_pairs(time, event, risk):
    counts = event[:, None] & (time[:, None] < time)
    return _c(time, event, risk, counts) * counts.sum() / (len(time) * (len(time) - 1) / 2)


def a_count(time, event, risk):
    counts = event[:, None] & (time[:, None] < time)
    return _c(time, event, risk, counts) * counts.sum()


WRONG_ANSWERS = {
    "08-labels": [
        (event_not_used, "marked as dead"),
        (whole_intervals, "passed in full"),
        (half_for_all, "half is for who was alive"),
        (own_interval_too, "in which the time lies"),
        (the_future_survived, "after the last visit"),
        (the_living_are_silent, "says nothing in your table"),
        (on_the_wrong_side_of_a_break, "begins there"),
        (changed_places, "changed places"),
        (only_survived, "`died`, is missing"),
        (forgot_the_axis, "one by one"),
    ],
    "08-cox": [
        (already_dead, "no longer at risk"),
        (without_oneself, "missing from the sum"),
        (only_the_dead, "dead only"),
        (everybody_always, "all patients on every day"),
        (summed, "sum over the deaths"),
        (over_all_patients, "divided by all patients"),
        (turned_sign, "sign is turned"),
        (all_have_died, "censored count as dead"),
        (exponentials, "log risk of 120"),
        (log_of_a_sum, "log risk of 120"),
        (no_logarithm, "logarithm is missing"),
        (mean_at_risk, "mean over those at risk"),
        (one_for_each, "shape"),
    ],
    "08-c-index": [
        (ties_wrong, "count as wrong"),
        (ties_right, "count as right"),
        (ties_left_out, "left out"),
        (turned, "order is turned"),
        (the_censored_first, "nobody knows who died first"),
        (dead_only, "dead only"),
        (same_day, "same day"),
        (of_all_pairs, "divided by all pairs"),
        (a_count, "number of pairs"),
    ],
}
