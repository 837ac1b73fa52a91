"""More wrong answers to the exercises of notebook 08, and what the check must say of each."""

from __future__ import annotations

from tests.course.answers import Answer

WRONG_ANSWERS = {
    "08-labels": [
        Answer("half of the end", [("(start + end) / 2", "end / 2")], "You compare with half of the interval's end"),
        Answer("greater, not at least", [
            ("time[:, None] >= known_until", "time[:, None] > known_until"),
        ], "An interval counts as survived when its end"),
        Answer("event turned in survived", [
            ("torch.where(event[:, None],", "torch.where(~event[:, None],"),
        ], "Deaths and last visits are treated the wrong way round in `s"),
        Answer("event turned in died", [
            ("event[:, None] & (time", "~event[:, None] & (time"),
        ], "`died` marks those who were alive"),
        Answer("dies in every later interval", [
            ("(time[:, None] >= start) & (time[:, None] < end)", "(time[:, None] < end)"),
        ], "After its death a patient dies in every later interval again"),
        Answer("dies in every earlier interval", [
            (" & (time[:, None] < end)", ""),
        ], "A patient dies in every interval up to the death"),
        Answer("the dead never survived", [
            ("survived = time[:, None] >= known_until",
             "survived = (time[:, None] >= known_until) & ~event[:, None]"),
        ], "Who died says nothing of the intervals before in your table"),
        Answer("middle of all breaks", [("(start + end) / 2", "breaks.mean()")], "other numbers"),
        Answer("start for the censored", [("(start + end) / 2", "start")], "other numbers"),
        Answer("died marks the next interval", [("died.float()", "died.float().roll(1, 1)")], "other numbers"),
        Answer("one table of both", [
            ("return survived.float(), died.float()", "return torch.cat([survived.float(), died.float()], dim=1)"),
        ], "has shape"),
        Answer("survived counts after death", [
            ("survived = time[:, None] >= known_until",
             "survived = ~(event[:, None] & (time[:, None] >= start) & (time[:, None] < end))"),
        ], "Intervals after the last visit or the death count as survive"),
        Answer("last break left out", [
            ("start, end = breaks[:-1], breaks[1:]", "start, end = breaks[:-2], breaks[1:-1]"),
        ], "has shape"),
        Answer("middle cut to a whole number", [("(start + end) / 2", "(start + end) // 2")], "other numbers"),
        Answer("a quarter is enough", [("(start + end) / 2", "start + (end - start) / 4")], "other numbers"),
    ],
    "08-cox": [
        Answer("all others", [
            ("time >= time[event][:, None]", "time != time[event][:, None]"),
        ], "Your sum runs over all others"),
        Answer("risk turned", [
            ("log_risk.expand", "(-log_risk).expand"),
            ("- log_risk[event]", "+ log_risk[event]"),
        ], "The sign of the risk is turned"),
        Answer("censored taken for dead", [
            ("time[event]", "time[~event]"),
            ("log_risk[event]", "log_risk[~event]"),
        ], "and 2.471 was expected"),
        Answer("earlier, not later", [
            ("time >= time[event][:, None]", "time <= time[event][:, None]"),
        ], "Your sum runs over those who died or left before"),
        Answer("median over the deaths", [(".mean()", ".median()")], "and 2.471 was expected"),
        Answer("zeros for −∞", [("float(\"-inf\")", "0.0")], "and 2.471 was expected"),
        Answer("log of the mean", [
            ("table.logsumexp(dim=1)", "(table.logsumexp(dim=1) - torch.log(torch.tensor(float(len(time)))))"),
        ], "and 2.471 was expected"),
        Answer("logsumexp over the deaths", [
            ("table.logsumexp(dim=1) - log_risk[event]", "table.logsumexp(dim=0) - log_risk"),
        ], "`log_risk` makes no difference"),
        Answer("largest for logsumexp", [("table.logsumexp(dim=1)", "table.amax(dim=1)")], "and 2.471 was expected"),
        Answer("own risk left out", [
            ("table.logsumexp(dim=1) - log_risk[event]", "table.logsumexp(dim=1)"),
        ], "and 2.471 was expected"),
        Answer("risk instead of log risk", [
            ("return (table.logsumexp(dim=1) - log_risk[event]).mean()",
             "return -(log_risk[event] / table.exp().sum(1)).mean()"),
        ], "and 2.471 was expected"),
        Answer("squared error of time",
            "lambda log_risk, time, event: ((log_risk - time) ** 2).mean()",
            "That is a squared error of times"),
        Answer("per death, not mean", [(".mean()", "")], "was expected"),
        Answer("half of it", [(").mean()", ").mean() / 2")], "times the right one"),
        Answer("sorted by time, cumulated upwards",
            "def my_cox_loss(log_risk, time, event):\n"
            "    order = time.argsort()\n"
            "    cum = torch.logcumsumexp(log_risk[order], 0)\n"
            "    return (cum - log_risk[order])[event[order]].mean()",
            "Your sum runs over those who died or left before"),
    ],
    "08-c-index": [
        Answer("wrong pairs",
            "lambda time, event, risk: 1 - ((lambda c: (((risk[:, None] > risk).float() + 0.5 * (risk[:, "
            "None] == risk).float()) * c).sum() / c.sum())(event[:, None] & (time[:, None] < time)))",
            "The order is turned"),
        Answer("Somers' D", [
            ("return (in_order * counts).sum() / counts.sum()",
             "return 2 * (in_order * counts).sum() / counts.sum() - 1"),
        ], "That is Somers' D"),
        Answer("earlier pairs too", [
            ("time[:, None] < time", "time[:, None] != time"),
        ], "Every pair with a death counts"),
        Answer("first was alive", [
            ("event[:, None] &", "~event[:, None] &"),
        ], "Pairs count whose first patient was alive"),
        Answer("event of the column", [
            ("event[:, None] &", "event &"),
        ], "The one with the *longer* time must have died in yours"),
        Answer("divided by N squared", [("counts.sum()", "len(time) ** 2")], "You divided by all pairs"),
        Answer("divided by the deaths", [("counts.sum()", "event.sum()")], "You divided by the number of deaths"),
        Answer("ties twice", [("0.5 * (risk", "1.0 * (risk")], "Equal risks count as right"),
        Answer("greater or equal", [
            ("(risk[:, None] > risk).float() + 0.5 * (risk[:, None] == risk).float()",
             "(risk[:, None] >= risk).float()"),
        ], "Equal risks count as right"),
        Answer("longer, not shorter", [("time[:, None] < time", "time[:, None] > time")], "and 0.75 was expected"),
        Answer("in per cent", [
            ("return (in_order * counts).sum()", "return 100 * (in_order * counts).sum()"),
        ], "times the right one"),
        Answer("mean over patients", [
            ("(in_order * counts).sum() / counts.sum()",
             "((in_order * counts).sum(1) / counts.sum(1).clamp(min=1)).mean()"),
        ], "and 0.75 was expected"),
        Answer("rank correlation",
            "lambda time, event, risk: torch.corrcoef(torch.stack([time.argsort().argsort().float(), "
            "risk.argsort().argsort().float()]))[0, 1]",
            "`event` makes no difference"),
        Answer("neighbours only",
            "lambda time, event, risk: (lambda o: ((risk[o][:-1] > risk[o][1:]) & "
            "event[o][:-1]).float().sum() / event[o][:-1].sum())(time.argsort())",
            "and 0.75 was expected"),
    ],
}  # fmt: skip
