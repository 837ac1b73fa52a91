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
    "03-flatten": [
        Answer("zeros plus the mean", "lambda maps: torch.zeros_like(maps) + maps.mean((2, 3), keepdim=True)"),
        Answer("full", "lambda maps: torch.stack([torch.full_like(m, float(m.mean())) for m in maps])"),
        Answer("numpy", "lambda maps: np.broadcast_to(maps.numpy().mean((2, 3), keepdims=True), maps.shape)"),
        Answer("repeat", "lambda maps: maps.mean((-1, -2), True).repeat(1, 1, *maps.shape[2:])"),
        Answer("pooled and resized",
            "lambda maps: torch.nn.functional.interpolate(torch.nn.functional.adaptive_avg_pool2d(maps, 1), "
            "size=maps.shape[2:])"),
        Answer("in place on a copy",
            "def flatten_map(maps):\n"
            "    out = maps.clone()\n"
            "    for k in range(len(maps)):\n"
            "        out[k] = maps[k].mean()\n"
            "    return out"),
    ],
}  # fmt: skip
