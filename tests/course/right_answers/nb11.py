"""Right answers to the exercises of notebook 11 in forms that are not the solution's."""

from __future__ import annotations

from tests.course.answers import Answer

RIGHT_ANSWERS = {
    "11-tips": [
        Answer("pairs by zip",
            "def tips_at(x, probability):\n"
            "    for x0, x1, a, b in zip(x, x[1:], probability, probability[1:]):\n"
            "        if min(a, b) <= 0.5 <= max(a, b) and a != b:\n"
            "            return x0 + (x1 - x0) * (0.5 - a) / (b - a)\n"
            "    return math.nan"),
        Answer("next with a default",
            "lambda x, probability: next((x[k] + (0.5 - probability[k]) / (probability[k + 1] - "
            "probability[k]) * (x[k + 1] - x[k]) for k in range(len(x) - 1) if probability[k] != "
            "probability[k + 1] and (probability[k] - 0.5) * (probability[k + 1] - 0.5) <= 0), float('nan'))"),
        Answer("numpy",
            "def tips_at(x, probability):\n"
            "    x, p = np.array(x), np.array(probability) - 0.5\n"
            "    cross = np.flatnonzero((p[:-1] * p[1:] <= 0) & (p[:-1] != p[1:]))\n"
            "    if not len(cross):\n"
            "        return np.nan\n"
            "    k = cross[0]\n"
            "    return x[k] - p[k] * (x[k + 1] - x[k]) / (p[k + 1] - p[k])"),
        Answer("torch",
            "def tips_at(x, probability):\n"
            "    x, p = torch.tensor(x), torch.tensor(probability).double() - 0.5\n"
            "    for k in range(len(x) - 1):\n"
            "        if p[k] * p[k + 1] <= 0 and p[k] != p[k + 1]:\n"
            "            return torch.lerp(x[k].double(), x[k + 1].double(), -p[k] / (p[k + 1] - p[k]))\n"
            "    return torch.tensor(torch.nan)"),
        Answer("interp on one pair",
            "def tips_at(x, probability):\n"
            "    for k in range(1, len(x)):\n"
            "        (a, xa), (b, xb) = sorted([(probability[k - 1], x[k - 1]), (probability[k], x[k])])\n"
            "        if a <= 0.5 <= b and a < b:\n"
            "            return float(np.interp(0.5, [a, b], [xa, xb]))\n"
            "    return float('nan')"),
    ],
    "11-effect": [
        Answer("a helper",
            "def effect(look, tumour, change, network, control):\n"
            "    from dataclasses import replace\n"
            "    def moved(name):\n"
            "        return look(replace(tumour, **change))[name] - look(tumour)[name]\n"
            "    return moved(network) - moved(control)"),
        Answer("differences turned round",
            "def effect(look, tumour, change, network, control):\n"
            "    from dataclasses import replace\n"
            "    a, b = look(replace(tumour, **change)), look(tumour)\n"
            "    return (a[network] - a[control]) - (b[network] - b[control])"),
        Answer("copy, changed by hand",
            "def effect(look, tumour, change, network, control):\n"
            "    from dataclasses import asdict\n"
            "    new = type(tumour)(**{**asdict(tumour), **change})\n"
            "    a, b = look(new), look(tumour)\n"
            "    return a[network] - b[network] - a[control] + b[control]"),
        Answer("numpy",
            "def effect(look, tumour, change, network, control):\n"
            "    from dataclasses import replace\n"
            "    table = np.array([[look(t)[n] for n in (network, control)] for t in (tumour, "
            "replace(tumour, **change))])\n"
            "    return np.diff(table, axis=0)[0] @ [1, -1]"),
        Answer("a dictionary of changes",
            "def effect(look, tumour, change, network, control):\n"
            "    from dataclasses import replace\n"
            "    before, after = look(tumour), look(replace(tumour, **change))\n"
            "    moved = {name: after[name] - before[name] for name in before}\n"
            "    return moved[network] - moved[control]"),
    ],
}  # fmt: skip
