"""Right answers to the exercises of notebook 08 in forms that are not the solution's."""

from __future__ import annotations

from tests.course.answers import Answer

RIGHT_ANSWERS = {
    "08-labels": [
        Answer("stacked into one tensor", [
            ("return survived.float(), died.float()", "return torch.stack([survived.float(), died.float()])"),
        ]),
        Answer("True and False", [("return survived.float(), died.float()", "return survived, died")]),
        Answer("a list of lists by loop",
            "def interval_labels(time, event, breaks):\n"
            "    s, d = [], []\n"
            "    for t, e in zip(time.tolist(), event.tolist()):\n"
            "        b = breaks.tolist()\n"
            "        s.append([float(t >= (hi if e else (lo + hi) / 2)) for lo, hi in zip(b, b[1:])])\n"
            "        d.append([float(e and lo <= t < hi) for lo, hi in zip(b, b[1:])])\n"
            "    return s, d"),
        Answer("numpy",
            "def interval_labels(time, event, breaks):\n"
            "    t, e, b = time.numpy()[:, None], event.numpy()[:, None], breaks.numpy()\n"
            "    return (t >= np.where(e, b[1:], (b[1:] + b[:-1]) / 2)).astype(int), (e & (t >= b[:-1]) & (t "
            "< b[1:])).astype(int)"),
        Answer("bucketize",
            "def interval_labels(time, event, breaks):\n"
            "    k = torch.bucketize(time, breaks, right=True) - 1\n"
            "    places = torch.arange(len(breaks) - 1)\n"
            "    died = (places == k[:, None]) & event[:, None]\n"
            "    middle = (breaks[1:] + breaks[:-1]) / 2\n"
            "    survived = torch.where(event[:, None], places < k[:, None], middle <= time[:, None])\n"
            "    return survived.int(), died.int()"),
        Answer("pandas frames",
            "def interval_labels(time, event, breaks):\n"
            "    import pandas as pd\n"
            "    lo, hi = breaks[:-1], breaks[1:]\n"
            "    s = time[:, None] >= torch.where(event[:, None], hi, (lo + hi) / 2)\n"
            "    d = event[:, None] & (time[:, None] >= lo) & (time[:, None] < hi)\n"
            "    return pd.DataFrame(s.numpy().astype(float)), pd.DataFrame(d.numpy().astype(float))"),
        Answer("a list, not a tuple", [
            ("return survived.float(), died.float()", "return [survived.double(), died.double()]"),
        ]),
    ],
    "08-cox": [
        Answer("sorted and cumulated",
            "def my_cox_loss(log_risk, time, event):\n"
            "    order = time.argsort(descending=True)\n"
            "    sums = log_risk[order].logcumsumexp(0)\n"
            "    return (sums - log_risk[order])[event[order]].mean()"),
        Answer("a loop over the deaths",
            "def my_cox_loss(log_risk, time, event):\n"
            "    losses = [float(torch.logsumexp(log_risk[time >= time[i]], 0) - log_risk[i]) for i in "
            "range(len(time)) if event[i]]\n"
            "    return sum(losses) / len(losses)"),
        Answer("numpy, largest taken away",
            "def my_cox_loss(log_risk, time, event):\n"
            "    r, t, e = log_risk.double().numpy(), time.numpy(), event.numpy()\n"
            "    out = []\n"
            "    for i in np.flatnonzero(e):\n"
            "        s = r[t >= t[i]]\n"
            "        out.append(s.max() + np.log(np.exp(s - s.max()).sum()) - r[i])\n"
            "    return np.mean(out)"),
        Answer("log_softmax",
            "def my_cox_loss(log_risk, time, event):\n"
            "    table = torch.where(time >= time[:, None], log_risk, -torch.inf)\n"
            "    return -table.log_softmax(1).diagonal()[event].mean()"),
        Answer("float64",
            "def my_cox_loss(log_risk, time, event):\n"
            "    r = log_risk.double()\n"
            "    risk = time >= time[event][:, None]\n"
            "    return (r.expand(len(risk), -1).masked_fill(~risk, -torch.inf).logsumexp(1) - r[event]).mean()"),
        Answer("shifted exponentials",
            "def my_cox_loss(log_risk, time, event):\n"
            "    r = log_risk.double() - log_risk.max()\n"
            "    sums = (r.exp() * (time >= time[event][:, None])).sum(1)\n"
            "    return (sums.log() - r[event]).mean().item()"),
    ],
    "08-c-index": [
        Answer("two loops",
            "def my_c_index(time, event, risk):\n"
            "    good = pairs = 0\n"
            "    for i in range(len(time)):\n"
            "        for j in range(len(time)):\n"
            "            if event[i] and time[i] < time[j]:\n"
            "                pairs += 1\n"
            "                good += 1 if risk[i] > risk[j] else 0.5 if risk[i] == risk[j] else 0\n"
            "    return good / pairs"),
        Answer("half of sign plus one",
            "lambda time, event, risk: (lambda c: (((risk[:, None] - risk).sign() + 1) / "
            "2)[c].mean())(event[:, None] & (time[:, None] < time))"),
        Answer("counts per death",
            "def my_c_index(time, event, risk):\n"
            "    e, t, r = event.numpy(), time.numpy().astype(float), risk.numpy().astype(float)\n"
            "    c = d = k = 0\n"
            "    for i in np.flatnonzero(e):\n"
            "        later = t > t[i]\n"
            "        c, d, k = c + (r[i] > r[later]).sum(), d + (r[i] < r[later]).sum(), k + (r[i] == "
            "r[later]).sum()\n"
            "    return (c + 0.5 * k) / (c + d + k)"),
        Answer("numpy",
            "def my_c_index(time, event, risk):\n"
            "    t, e, r = time.numpy(), event.numpy(), risk.numpy()\n"
            "    c = e[:, None] & (t[:, None] < t)\n"
            "    return np.where(r[:, None] > r, 1, np.where(r[:, None] == r, 0.5, 0))[c].mean()"),
        Answer("heaviside",
            "lambda time, event, risk: torch.heaviside(risk[:, None] - risk, torch.tensor(0.5))[event[:, "
            "None] & (time < time[:, None]).T].mean()"),
        Answer("combinations",
            "def my_c_index(time, event, risk):\n"
            "    from itertools import permutations\n"
            "    pairs = [(i, j) for i, j in permutations(range(len(time)), 2) if event[i] and time[j] > time[i]]\n"
            "    return sum(float(risk[i] > risk[j]) + 0.5 * float(risk[i] == risk[j]) for i, j in pairs) / "
            "len(pairs)"),
    ],
}  # fmt: skip
