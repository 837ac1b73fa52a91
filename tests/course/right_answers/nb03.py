"""Right answers to the exercises of notebook 03 in forms that are not the solution's."""

from __future__ import annotations

from tests.course.answers import Answer

RIGHT_ANSWERS = {
    "03-describe": [
        Answer("stack", "lambda x: torch.stack([x.amax(1), x.mean(1), x.std(1, unbiased=False)], dim=1)"),
        Answer("correction=0", [("unbiased=False", "correction=0")]),
        Answer("var and root",
            "lambda x: torch.stack([x.max(1).values, x.mean(1), x.var(1, unbiased=False).sqrt()], 1)"),
        Answer("numpy", "lambda x: np.stack([x.numpy().max(1), x.numpy().mean(1), x.numpy().std(1)], 1)"),
        Answer("root of the mean square of the rest",
            "def describe(x):\n"
            "    m = x.mean(1, True)\n"
            "    return torch.cat([x.amax(1, True), m, (x - m).pow(2).mean(1, True).sqrt()], 1)"),
        Answer("std_mean",
            "def describe(x):\n"
            "    s, m = torch.std_mean(x, dim=1, correction=0)\n"
            "    return torch.stack([x.max(dim=1)[0], m, s], dim=1)"),
        Answer("filled in",
            "def describe(x):\n"
            "    out = x.new_empty(len(x), 3, *x.shape[2:])\n"
            "    out[:, 0], out[:, 1], out[:, 2] = x.amax(1), x.mean(1), x.std(1, unbiased=False)\n"
            "    return out"),
    ],
    "03-channel": [
        Answer("layers in the other order", [
            ("        self.first = nn.Conv3d(channels, channels // reduction, kernel_size=1, bias=False)\n", ""),
            ("        self.second = nn.Conv3d(channels // reduction, channels, kernel_size=1, bias=False)\n",
             "        self.second = nn.Conv3d(channels // reduction, channels, kernel_size=1, bias=False)\n"
             "        self.first = nn.Conv3d(channels, channels // reduction, kernel_size=1, bias=False)\n"),
        ]),
        Answer("one Sequential",
            "class ChannelAttention3d(nn.Module):\n"
            "    def __init__(self, channels, reduction=16):\n"
            "        super().__init__()\n"
            "        self.mlp = nn.Sequential(nn.Conv3d(channels, channels // reduction, 1, bias=False), "
            "nn.ReLU(), nn.Conv3d(channels // reduction, channels, 1, bias=False))\n"
            "        self.mean, self.max = nn.AdaptiveAvgPool3d(1), nn.AdaptiveMaxPool3d(1)\n"
            "    def forward(self, x):\n"
            "        return torch.sigmoid(self.mlp(self.mean(x)) + self.mlp(self.max(x)))"),
        Answer("both at once, along the batch",
            "class ChannelAttention3d(nn.Module):\n"
            "    def __init__(self, channels, reduction=16):\n"
            "        super().__init__()\n"
            "        self.b = nn.Conv3d(channels // reduction, channels, 1, bias=False)\n"
            "        self.a = nn.Conv3d(channels, channels // reduction, 1, bias=False)\n"
            "    def forward(self, x):\n"
            "        z = torch.cat([x.mean((2, 3, 4), True), x.amax((2, 3, 4), True)])\n"
            "        return self.b(self.a(z).relu()).unflatten(0, (2, -1)).sum(0).sigmoid()"),
        Answer("second after the sum", [
            ("sum(self.second(self.first(pool).relu()) for pool in pools)",
             "self.second(sum(self.first(pool).relu() for pool in pools))"),
        ]),
        Answer("lazy", [("nn.Conv3d(channels, channels // reduction,", "nn.LazyConv3d(channels // reduction,")]),
        Answer("functional",
            "class ChannelAttention3d(nn.Module):\n"
            "    def __init__(self, channels, reduction=16):\n"
            "        super().__init__()\n"
            "        self.v = nn.Parameter(torch.randn(channels, channels // reduction, 1, 1, 1))\n"
            "        self.w = nn.Parameter(torch.randn(channels // reduction, channels, 1, 1, 1))\n"
            "    def forward(self, x):\n"
            "        F = torch.nn.functional\n"
            "        f = lambda z: F.conv3d(F.relu(F.conv3d(z, self.w)), self.v)\n"
            "        return F.sigmoid(f(F.adaptive_avg_pool3d(x, 1)) + f(F.adaptive_max_pool3d(x, 1)))"),
    ],
    "03-verdict": [
        Answer("open first",
            "def verdict(low, high, margin):\n"
            "    inside = -margin <= low and high <= margin\n"
            "    if inside:\n"
            "        return 'not needed'\n"
            "    if high < -margin:\n"
            "        return 'needed'\n"
            "    return 'better without' if low > margin else 'open'"),
        Answer("isnan",
            "def verdict(low, high, margin):\n"
            "    if math.isnan(low + high):\n"
            "        return 'open'\n"
            "    if high < -margin:\n"
            "        return 'needed'\n"
            "    if low > margin:\n"
            "        return 'better without'\n"
            "    return 'not needed' if max(-low, high) <= margin else 'open'"),
        Answer("match",
            "def verdict(low, high, margin):\n"
            "    match (high < -margin, low > margin, abs(low) <= margin and abs(high) <= margin):\n"
            "        case (True, _, _): return 'needed' if low == low else 'open'\n"
            "        case (_, True, _): return 'better without' if high == high else 'open'\n"
            "        case (_, _, True): return 'not needed'\n"
            "    return 'open'"),
        Answer("numpy",
            "def verdict(low, high, margin):\n"
            "    ends = np.array([low, high])\n"
            "    if not np.isfinite(ends).all():\n"
            "        return 'open'\n"
            "    if (ends < -margin).all():\n"
            "        return 'needed'\n"
            "    if (ends > margin).all():\n"
            "        return 'better without'\n"
            "    return 'not needed' if (np.abs(ends) <= margin).all() else 'open'"),
        Answer("torch",
            "def verdict(low, high, margin):\n"
            "    ends = torch.tensor([low, high], dtype=torch.float64)\n"
            "    if ends.isnan().any():\n"
            "        return 'open'\n"
            "    rules = {'needed': ends < -margin, 'better without': ends > margin}\n"
            "    rules['not needed'] = ends.abs() <= margin\n"
            "    return next((name for name, holds in rules.items() if holds.all()), 'open')"),
        Answer("numpy's text",
            "def verdict(low, high, margin):\n"
            "    names = np.array(['needed', 'better without', 'not needed', 'open'])\n"
            "    rules = [high < -margin, low > margin, -margin <= low and high <= margin, True]\n"
            "    return names[rules.index(True)] if low == low and high == high else names[3]"),
        Answer("a string that is a subclass",
            "def verdict(low, high, margin):\n"
            "    class Sentence(str):\n"
            "        pass\n"
            "    if low == low and high == high:\n"
            "        for name, holds in (('needed', high < -margin), ('better without', low > margin),\n"
            "                            ('not needed', -margin <= low <= high <= margin)):\n"
            "            if holds:\n"
            "                return Sentence(name)\n"
            "    return Sentence('open')"),
    ],
}  # fmt: skip
