"""Right answers to the exercises of notebook 02 in forms that are not the solution's."""

from __future__ import annotations

from tests.course.answers import Answer

RIGHT_ANSWERS = {
    "02-squeeze": [
        Answer("mean of the chosen pixels",
            "lambda u, inside: torch.stack([x[:, m[0] > 0].mean(1) for x, m in zip(u, inside)])"),
        Answer("einsum",
            "lambda u, inside: torch.einsum('bcn,bn->bc', u.flatten(2), inside.flatten(1)) / "
            "inside.flatten(1).sum(1)[:, None]"),
        Answer("NaN outside, nanmean",
            "lambda u, inside: torch.where(inside.bool(), u, torch.nan).flatten(2).nanmean(2)"),
        Answer("numpy average",
            "lambda u, inside: np.array([[np.average(c, weights=m[0]) for c in x] for x, m in zip(u.numpy(), "
            "inside.numpy())])"),
        Answer("dims by number",
            "lambda u, inside: (u * inside).sum(dim=tuple(range(2, u.ndim))) / inside.sum(dim=tuple(range(2, "
            "u.ndim)))"),
        Answer("matrix product",
            "lambda u, inside: (u.flatten(2) @ inside.flatten(2).mT / inside.flatten(2).sum(-1, "
            "keepdim=True))[..., 0]"),
        Answer("float64",
            "lambda u, inside: ((u * inside).flatten(2).double().mean(2) / inside.flatten(2).double().mean(2))"),
    ],
    "02-se-conv": [
        Answer("layers in the other order", [
            ("        self.reduce = nn.Conv3d(channels, channels // reduction, kernel_size=1)\n", ""),
            ("        self.expand = nn.Conv3d(channels // reduction, channels, kernel_size=1)\n",
             "        self.expand = nn.Conv3d(channels // reduction, channels, kernel_size=1)\n"
             "        self.reduce = nn.Conv3d(channels, channels // reduction, kernel_size=1)\n"),
        ]),
        Answer("Sequential",
            "class SEConv3d(nn.Module):\n"
            "    def __init__(self, channels, reduction=16):\n"
            "        super().__init__()\n"
            "        self.gate = nn.Sequential(nn.AdaptiveAvgPool3d(1), nn.Conv3d(channels, channels // "
            "reduction, 1), nn.ReLU(inplace=True), nn.Conv3d(channels // reduction, channels, 1), nn.Sigmoid())\n"
            "    def forward(self, u):\n"
            "        return u * self.gate(u)"),
        Answer("lazy layers", [
            ("nn.Conv3d(channels, channels // reduction,", "nn.LazyConv3d(channels // reduction,"),
            ("nn.Conv3d(channels // reduction, channels,", "nn.LazyConv3d(channels,"),
        ]),
        Answer("bare parameters",
            "class SEConv3d(nn.Module):\n"
            "    def __init__(self, channels, reduction=16):\n"
            "        super().__init__()\n"
            "        h = channels // reduction\n"
            "        self.b2, self.w2 = nn.Parameter(torch.zeros(channels)), "
            "nn.Parameter(torch.randn(channels, h, 1, 1, 1))\n"
            "        self.w1, self.b1 = nn.Parameter(torch.randn(h, channels, 1, 1, 1)), "
            "nn.Parameter(torch.zeros(h))\n"
            "    def forward(self, u):\n"
            "        z = torch.nn.functional.conv3d(u.mean((2, 3, 4), keepdim=True), self.w1, self.b1).relu()\n"
            "        return u * torch.nn.functional.conv3d(z, self.w2, self.b2).sigmoid()"),
        Answer("ModuleList", [
            ("        self.reduce = nn.Conv3d(channels, channels // reduction, kernel_size=1)\n"
             "        self.expand = nn.Conv3d(channels // reduction, channels, kernel_size=1)\n",
             "        h = channels // reduction\n"
             "        self.layers = nn.ModuleList([nn.Conv3d(channels, h, 1), nn.Conv3d(h, channels, 1)])\n"),
            ("self.expand(self.reduce(z).relu())", "self.layers[1](self.layers[0](z).relu())"),
        ]),
        Answer("in float64", [
            ("self.expand(self.reduce(z).relu()).sigmoid()",
             "self.double().expand(self.reduce(z.double()).relu()).sigmoid()"),
        ]),
        Answer("a factory function",
            "def SEConv3d(channels, reduction=16):\n"
            "    class Block(nn.Module):\n"
            "        def __init__(self):\n"
            "            super().__init__()\n"
            "            self.a, self.b = nn.Conv3d(channels, channels // reduction, 1), nn.Conv3d(channels "
            "// reduction, channels, 1)\n"
            "        def forward(self, u):\n"
            "            return u * torch.sigmoid(self.b(torch.relu(self.a(u.mean((2, 3, 4), True)))))\n"
            "    return Block()"),
        Answer("other names for the arguments",
            "class SEConv3d(nn.Module):\n"
            "    def __init__(self, c, r=16):\n"
            "        super().__init__()\n"
            "        self.a, self.b = nn.Conv3d(c, c // r, 1), nn.Conv3d(c // r, c, 1)\n"
            "    def forward(self, u):\n"
            "        return u * self.b(self.a(u.mean((2, 3, 4), keepdim=True)).relu()).sigmoid()"),
    ],
    "02-frozen-gates": [
        Answer("repeat", "lambda gates: gates.mean(0, keepdim=True).repeat(len(gates), 1)"),
        Answer("zeros plus the mean", "lambda gates: torch.zeros_like(gates) + gates.mean(0)"),
        Answer("numpy", "lambda gates: np.broadcast_to(gates.numpy().mean(0), gates.shape)"),
        Answer("a matrix of 1/B", "lambda gates: torch.full((len(gates), len(gates)), 1 / len(gates)) @ gates"),
        Answer("list comprehension", "lambda gates: torch.stack([gates.mean(0) for _ in gates])"),
        Answer("pandas",
            "def freeze(gates):\n"
            "    import pandas as pd\n"
            "    t = pd.DataFrame(gates.numpy())\n"
            "    return t - t + t.mean()"),
        Answer("in place on a copy",
            "def freeze(gates):\n"
            "    out = gates.clone()\n"
            "    out[:] = gates.mean(0)\n"
            "    return out"),
    ],
}  # fmt: skip
