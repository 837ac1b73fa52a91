"""Checks of notebook 08: labels of intervals, Cox's loss, the C-index."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from medattn_lite.course.checks import Result, exercise
from medattn_lite.course.diagnose import Mistake, compare_function
from medattn_lite.survival import cox_loss, interval_labels

BREAKS = torch.tensor([0.0, 10.0, 30.0, 70.0, 150.0])
Labels = tuple[Tensor, Tensor]


@exercise("08-labels", title="Exercise 08.1, what a patient says of each interval")
def check_labels(labels: Callable[..., Labels]) -> Result:
    """(N,) times and events and (K + 1,) breaks to survived and died, (N, K)."""
    # A death and a last visit: early and late in an interval, on its end, and beyond all of them.
    time = torch.tensor([12.0, 12.0, 25.0, 25.0, 30.0, 30.0, 149.0, 400.0, 400.0, 0.0, 0.0])
    event = torch.tensor([True, False] * 3 + [True, True, False, True, False])

    def in_interval(time: Tensor, breaks: Tensor) -> Tensor:
        return (time[:, None] >= breaks[:-1]) & (time[:, None] < breaks[1:])

    def variant(survived: Callable[..., Tensor], died: Callable[..., Tensor] | None = None) -> Callable[..., Labels]:
        def wrong(time: Tensor, event: Tensor, breaks: Tensor) -> Labels:
            right = interval_labels(time, event, breaks)
            new = survived(time[:, None], event[:, None], breaks[:-1], breaks[1:]).float()
            return new, right[1] if died is None else died(time, event, breaks).float()

        return wrong

    def right_survived(time: Tensor, event: Tensor, start: Tensor, end: Tensor) -> Tensor:
        return time >= torch.where(event, end, (start + end) / 2)

    def halves_of_the_end(time: Tensor, event: Tensor, start: Tensor, end: Tensor) -> Tensor:
        return time >= torch.where(event, end, end / 2)

    drawn = torch.Generator().manual_seed(8)
    uneven = torch.tensor([0.0, 5.0, 7.0, 20.0, 64.0, 65.0])
    halves = (torch.tensor([13.0, 13.5, 14.0]), torch.tensor([False] * 3), uneven)  # the middle of 7 and 20 is 13.5
    random = (torch.randint(0, 70, (12,), generator=drawn).float(), torch.rand(12, generator=drawn) < 0.5, uneven)

    mistakes = [
        Mistake(variant(halves_of_the_end), "you compare with half of the interval's end; its middle lies half-way "
                "from its start", "(start + end) / 2"),
        Mistake(variant(lambda t, e, s, d: t > torch.where(e, d, (s + d) / 2)), "an interval counts as survived when "
                "its end, or its middle, is just reached", "`>=`, not `>`."),
        Mistake(variant(lambda t, e, s, d: right_survived(t, ~e, s, d)), "deaths and last visits are treated the wrong "
                "way round in `survived`", "For a death the end decides, for who was alive the middle."),
        Mistake(variant(right_survived, lambda t, e, b: ~e[:, None] & in_interval(t, b)), "`died` marks those who were "
                "alive", "`event` is True for a death."),
        Mistake(variant(right_survived, lambda t, e, b: e[:, None] & (t[:, None] < b[1:])), "after its death a patient "
                "dies in every later interval again", "start ≤ time < end."),
        Mistake(variant(right_survived, lambda t, e, b: e[:, None] & (t[:, None] >= b[:-1])), "a patient dies in every "
                "interval up to the death", "start ≤ time < end."),
        Mistake(variant(lambda t, e, s, d: (t >= torch.where(e, d, (s + d) / 2)) & ~e), "who died says nothing of the "
                "intervals before in your table", "A death at t has survived all intervals before."),
        Mistake(variant(right_survived, lambda t, e, b: in_interval(t, b)),
                "a patient who was alive is marked as dead: `event` is not used in `died`",
                "A death is an interval that holds the time, and an event."),
        Mistake(variant(lambda t, e, s, d: t >= d),
                "of who was alive, you count only intervals that had passed in full",
                "At least half of the interval is enough: compare with its middle, (start + end) / 2."),
        Mistake(variant(lambda t, e, s, d: t >= (s + d) / 2),
                "a death late in an interval counts as having survived it: the half is for who was alive",
                "For a death, an interval is survived when its end was reached."),
        Mistake(variant(lambda t, e, s, d: t >= s), "the interval in which the time lies counts as survived",
                "For a death compare with the end, for who was alive with the middle."),
        Mistake(variant(lambda t, e, s, d: ~((t >= s) & (t < d) & e)),
                "intervals after the last visit or the death count as survived",
                "Of them nothing is known: they are 0 in both tables."),
        Mistake(variant(lambda t, e, s, d: e & (t >= d)), "who was alive says nothing in your table",
                "Being alive at the last visit is worth all the intervals before it."),
        Mistake(variant(right_survived, lambda t, e, b: e[:, None] & (t[:, None] > b[:-1]) & (t[:, None] <= b[1:])),
                "a death on a break belongs to the interval that begins there", "start ≤ time < end."),
        Mistake(lambda t, e, b: interval_labels(t, e, b)[::-1], "the two tables have changed places",
                "Return survived first, then died."),
        Mistake(lambda t, e, b: tuple(part.T for part in interval_labels(t, e, b)),
                "rows and columns have changed places", "One row per patient: (N, K)."),
        Mistake(lambda t, e, b: interval_labels(t, e, b)[0], "the second table, `died`, is missing"),
    ]  # fmt: skip
    return compare_function(
        labels,
        reference=interval_labels,
        # Two patients each, so that a wrong row is seen with its time: 17 lies between the middle (20) and half of
        # the end (15).
        cases=[*[(torch.tensor(times), torch.tensor(died), BREAKS) for times, died in
                 (([12.0, 17.0], [True, False]), ([22.0, 30.0], [False, True]), ([20.0, 160.0], [False, True]))],
               (time, event, BREAKS), (time[:5] * 2, event[:5], BREAKS[:4]), halves, random],
        mistakes=mistakes,
        errors={"must match the size|Boolean value of Tensor": (
            "Patients and intervals are compared one by one, and there are not as many of them.",
            "`time[:, None]` against `breaks[1:]` is a table, (N, K).")},
        what="what your function returns",
        praise="This is all that a network of hazards ever learns from.",
        hint="For every interval two questions: was it survived for certain, and did death come in it?",
    )  # fmt: skip


@exercise("08-cox", title="Exercise 08.2, Cox's loss")
def check_cox(loss: Callable[..., Tensor]) -> Result:
    """(N,) log risks, times and events to one number."""
    generator = torch.Generator().manual_seed(8)

    def case(patients: int, shift: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
        log_risk = torch.randn(patients, generator=generator) + shift
        time = torch.randperm(patients, generator=generator) * 7.0 + 3.0
        event = torch.rand(patients, generator=generator) < 0.6
        event[0] = True
        return log_risk, time, event

    small = (torch.tensor([0.5, -1.0, 2.0]), torch.tensor([5.0, 3.0, 9.0]), torch.tensor([True, True, False]))
    alone = (torch.tensor([-2.0, 1.0, 3.0]), torch.tensor([8.0, 2.0, 4.0]), torch.tensor([True, False, False]))

    def at_risk(members: Callable[[Tensor, Tensor, Tensor], Tensor], reduce: str = "mean") -> Callable[..., Tensor]:
        def wrong(log_risk: Tensor, time: Tensor, event: Tensor) -> Tensor:
            inside = members(time[event][:, None], time, event)
            table = log_risk.expand(len(inside), -1).masked_fill(~inside, float("-inf"))
            losses = table.logsumexp(1) - log_risk[event]
            return {"mean": losses.mean(), "sum": losses.sum(), "all": losses.sum() / len(time),
                    "minus": -losses.mean()}[reduce]  # fmt: skip

        return wrong

    def everyone(log_risk: Tensor, time: Tensor, event: Tensor) -> Tensor:
        return cox_loss(log_risk, time, torch.ones_like(event))

    def with_exp(log_risk: Tensor, time: Tensor, event: Tensor) -> Tensor:
        sums = (log_risk.exp() * (time >= time[event][:, None])).sum(1)
        return -(log_risk[event].exp() / sums).log().mean()

    def log_of_sum(log_risk: Tensor, time: Tensor, event: Tensor) -> Tensor:
        return (log_risk.exp() * (time >= time[event][:, None])).sum(1).log().sub(log_risk[event]).mean()

    def no_log(log_risk: Tensor, time: Tensor, event: Tensor) -> Tensor:
        inside = time >= time[event][:, None]
        table = log_risk.expand(len(inside), -1).masked_fill(~inside, float("-inf"))
        return -(log_risk[event] - table.logsumexp(1)).exp().mean()

    def mean_inside(log_risk: Tensor, time: Tensor, event: Tensor) -> Tensor:
        inside = time >= time[event][:, None]
        table = log_risk.expand(len(inside), -1).masked_fill(~inside, float("-inf"))
        return (table.logsumexp(1) - inside.sum(1).log() - log_risk[event]).mean()

    safely = "Use `torch.logsumexp`, and never the exponential itself."
    return compare_function(
        loss,
        reference=lambda log_risk, time, event: cox_loss(log_risk, time, event, ties="breslow"),
        cases=[small, case(6), case(9), case(7, shift=120.0), alone, case(12, shift=-300.0)],
        errors={"must match the size": ("Deaths and patients are compared one by one, and there are fewer deaths.",
                                        "`time >= time[event][:, None]` is a table, (deaths, N).")},
        mistakes=[
            Mistake(at_risk(lambda end, time, event: time <= end),
                    "your sum runs over those who died or left before: they are no longer at risk",
                    "At risk on a day are those whose time is that day or later."),
            Mistake(at_risk(lambda end, time, event: time > end),
                    "who dies is missing from the sum: the patient is at risk too", "`>=`, not `>`."),
            Mistake(at_risk(lambda end, time, event: (time >= end) & event),
                    "your sum runs over the dead only: the censored were at risk as well",
                    "`event` chooses the rows (the deaths), not the patients in the sum."),
            Mistake(at_risk(lambda end, time, event: torch.ones_like(time >= end)),
                    "your sum runs over all patients on every day", "Who has died or left is at risk no more."),
            Mistake(at_risk(lambda end, time, event: time >= end, "sum"), "that is the sum over the deaths",
                    "Take the mean over the deaths."),
            Mistake(at_risk(lambda end, time, event: time >= end, "all"),
                    "you divided by all patients, not by the deaths", "Take the mean over the deaths."),
            Mistake(at_risk(lambda end, time, event: time >= end, "minus"),
                    "the sign is turned: training would make the right order unlikely", "Minus the logarithm."),
            Mistake(everyone, "the censored count as dead: `event` is not used", "A term only for those who died."),
            Mistake(with_exp, "right for small risks, but it overflows with a log risk of 120", safely),
            Mistake(log_of_sum, "right for small risks, but it overflows with a log risk of 120", safely),
            Mistake(at_risk(lambda end, time, event: time != end), "your sum runs over all others; at risk on a day "
                    "are those whose time is that day or later", "`time >= time[event][:, None]`"),
            Mistake(lambda r, t, e: cox_loss(-r, t, e), "the sign of the risk is turned: a high log risk should mean "
                    "an early death", "η, not −η."),
            Mistake(lambda r, t, e: cox_loss(r, t, ~e), "the censored are taken for the dead", "`event` is True for a "
                    "death."),
            Mistake(lambda r, t, e: cox_loss(r, -t, e), "your sum runs over those who died or left before: they are no "
                    "longer at risk", "At risk on a day are those whose time is that day or later."),
            Mistake(lambda r, t, e: torch.nn.functional.mse_loss(r, t), "that is a squared error of times",
                    "(08.1) has no times, only their order."),
            Mistake(no_log, "the logarithm is missing", "The loss is minus the logarithm of (08.1), then the mean."),
            Mistake(mean_inside, "you have the mean over those at risk where (08.1) has their sum"),
        ],
        what="your loss",
        praise="A softmax over those at risk, once for every death.",
        hint="For each death: logsumexp of η over those at risk, minus the η of who died; then the mean.",
    )  # fmt: skip


@exercise("08-c-index", title="Exercise 08.3, the C-index")
def check_c_index(c_index: Callable[..., float]) -> Result:
    """(N,) times, events and risks to the share of pairs in order."""
    pair = (torch.tensor([2.0, 5.0, 5.0]), torch.tensor([True, False, True]), torch.tensor([0.3, 0.3, 0.1]))
    generator = torch.Generator().manual_seed(8)
    many = (torch.randint(1, 9, (15,), generator=generator).float(), torch.rand(15, generator=generator) < 0.6,
            torch.randint(-3, 4, (15,), generator=generator).float())  # fmt: skip
    first = (torch.tensor([6.0, 9, 2, 4, 7]), torch.tensor([True, False, True, False, True]),
             torch.tensor([0.5, 0.1, 0.4, 0.9, 0.5]))  # fmt: skip
    second = (torch.tensor([3.0, 3, 5, 8, 8, 10]), torch.tensor([True, True, False, True, True, False]),
              torch.tensor([2.0, 1.0, 2.0, 1.5, 0.2, 1.0]))  # fmt: skip

    def share(counts: Callable[..., Tensor], tied: float = 0.5, sign: int = 1) -> Callable[..., Tensor]:
        def wrong(time: Tensor, event: Tensor, risk: Tensor) -> Tensor:
            pairs = counts(time, event) & ~torch.eye(len(time), dtype=torch.bool)
            above = (sign * (risk[:, None] - risk) > 0).float() + tied * (risk[:, None] == risk).float()
            return (above * pairs).sum() / pairs.sum()

        return wrong

    def right(time: Tensor, event: Tensor) -> Tensor:
        return event[:, None] & (time[:, None] < time)

    def without_ties(time: Tensor, event: Tensor, risk: Tensor) -> Tensor:
        pairs = right(time, event) & (risk[:, None] != risk)
        return ((risk[:, None] > risk) & pairs).sum() / pairs.sum()

    return compare_function(
        c_index,
        reference=share(right),
        cases=[pair, first, second, many, (many[0], many[1], many[2] * 1e-3)],
        mistakes=[
            Mistake(share(right, tied=0.0), "equal risks count as wrong", "A tied pair is half in order."),
            Mistake(share(right, tied=1.0), "equal risks count as right", "A tied pair is half in order."),
            Mistake(without_ties, "pairs with equal risks are left out", "They count, as half in order."),
            Mistake(share(right, sign=-1), "the order is turned: high risk should mean an early death",
                    "In order: who died first has the higher risk."),
            Mistake(share(lambda t, e: t[:, None] < t),
                    "pairs count whose first patient was alive when last seen: nobody knows who died first",
                    "The one with the shorter time must have died: `event[:, None]`."),
            Mistake(share(lambda t, e: e[:, None] & e & (t[:, None] < t)),
                    "you compare the dead only: who lived on past a death can be compared as well",
                    "Only the one with the shorter time must have died."),
            Mistake(share(lambda t, e: e[:, None] & (t[:, None] <= t)),
                    "two deaths on the same day count as a pair: neither died first", "`<`, not `<=`."),
            Mistake(lambda t, e, r: 1 - share(right)(t, e, r), "that is the share of pairs in the wrong order",
                    "In order: who died first has the higher risk."),
            Mistake(lambda t, e, r: 2 * share(right)(t, e, r) - 1, "that is Somers' D, from −1 to 1",
                    "The share of pairs in order, from 0 to 1."),
            Mistake(share(lambda t, e: e[:, None] & (t[:, None] != t)), "every pair with a death counts, also with "
                    "those who had died or left before", "Only those followed longer: `time[:, None] < time`."),
            Mistake(share(lambda t, e: ~e[:, None] & (t[:, None] < t)), "pairs count whose first patient was alive",
                    "The one with the shorter time must have died: `event[:, None]`."),
            Mistake(share(lambda t, e: e & (t[:, None] < t)), "the one with the *longer* time must have died in yours; "
                    "it is the one with the shorter", "`event[:, None]`: the row's patient."),
            Mistake(lambda t, e, r: share(right)(t, e, r) * right(t, e).sum() / len(t) ** 2,
                    "you divided by all pairs, not by those that count"),
            Mistake(lambda t, e, r: share(right)(t, e, r) * right(t, e).sum() / e.sum(),
                    "you divided by the number of deaths, not by the pairs that count"),
            Mistake(lambda t, e, r: share(right)(t, e, r) * right(t, e).sum() / (len(t) * (len(t) - 1) / 2),
                    "you divided by all pairs, not by those that count"),
            Mistake(lambda t, e, r: share(right)(t, e, r) * right(t, e).sum(),
                    "that is the number of pairs in order; divide by the pairs that count"),
        ],
        what="your C-index",
        praise="That is Harrell's C-index, of 1982.",
        hint="In-order pairs, with half of the tied ones, divided by the pairs that count.",
    )  # fmt: skip
