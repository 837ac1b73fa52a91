"""Right answers to the exercises of notebook 05 in forms that are not the solution's."""

from __future__ import annotations

from tests.course.answers import Answer

RIGHT_ANSWERS = {
    "05-count": [
        Answer("numpy pair", "lambda c_in, c_out: np.array([27 * c_in * c_out, 9 * c_in * c_out + 3 * c_out**2])"),
        Answer("counted on modules",
            "def weights(c_in, c_out):\n"
            "    full = torch.nn.Conv3d(c_in, c_out, 3, bias=False)\n"
            "    a, b = torch.nn.Conv3d(c_in, c_out, (1, 3, 3), bias=False), torch.nn.Conv3d(c_out, c_out, "
            "(3, 1, 1), bias=False)\n"
            "    return full.weight.numel(), a.weight.numel() + b.weight.numel()"),
        Answer("list of floats", "lambda c_in, c_out: [3.0**3 * c_in * c_out, c_out * (9.0 * c_in + 3 * c_out)]"),
        Answer("torch pair",
            "lambda c_in, c_out: torch.tensor([27 * c_in * c_out, 9 * c_in * c_out + 3 * c_out**2])"),
        Answer("math.prod",
            "def weights(c_in, c_out):\n"
            "    import math\n"
            "    return math.prod((c_out, c_in, 3, 3, 3)), math.prod((c_out, c_in, 1, 3, 3)) + "
            "math.prod((c_out, c_out, 3, 1, 1))"),
    ],
    "05-channel": [
        Answer("layers in the other order", [
            ("        self.reduce = nn.Conv3d(channels, channels // reduction, (3, 1, 1), padding=(1, 0, 0))\n", ""),
            ("        self.expand = nn.Conv3d(channels // reduction, channels, (3, 1, 1), padding=(1, 0, 0))\n",
             "        self.expand = nn.Conv3d(channels // reduction, channels, (3, 1, 1), padding=(1, 0, 0))\n"
             "        self.reduce = nn.Conv3d(channels, channels // reduction, (3, 1, 1), padding=(1, 0, 0))\n"),
        ]),
        Answer("Conv1d along the slices",
            "class InterSliceGate(nn.Module):\n"
            "    def __init__(self, channels, reduction=16):\n"
            "        super().__init__()\n"
            "        self.b = nn.Conv1d(channels // reduction, channels, 3, padding=1)\n"
            "        self.a = nn.Conv1d(channels, channels // reduction, 3, padding=1)\n"
            "    def forward(self, x):\n"
            "        return self.b(self.a(x.mean((3, 4))).relu()).sigmoid()[..., None, None]"),
        Answer("Sequential with padding same",
            "class InterSliceGate(nn.Module):\n"
            "    def __init__(self, channels, reduction=16):\n"
            "        super().__init__()\n"
            "        self.net = nn.Sequential(nn.AdaptiveAvgPool3d((None, 1, 1)), nn.Conv3d(channels, "
            "channels // reduction, (3, 1, 1), padding='same'), nn.ReLU(), nn.Conv3d(channels // reduction, "
            "channels, (3, 1, 1), padding='same'), nn.Sigmoid())\n"
            "    def forward(self, x):\n"
            "        return self.net(x)"),
        Answer("lazy", [("nn.Conv3d(channels, channels // reduction,", "nn.LazyConv3d(channels // reduction,")]),
        Answer("padded by hand", [
            (", padding=(1, 0, 0)", ""),
            ("self.expand(self.reduce(means).relu()).sigmoid()",
             "(lambda pad: self.expand(pad(self.reduce(pad(means)).relu())).sigmoid())(lambda z: "
             "nn.functional.pad(z, (0, 0, 0, 0, 1, 1)))"),
        ]),
        Answer("mean twice", [("x.mean(dim=(3, 4), keepdim=True)", "x.mean(4, keepdim=True).mean(3, keepdim=True)")]),
    ],
    "05-test": [
        Answer("one down", "lambda gates: gates.roll(-1, 2)"),
        Answer("cat", "lambda gates: torch.cat([gates[:, :, -1:], gates[:, :, :-1]], dim=2)"),
        Answer("numpy", "lambda gates: np.roll(gates.numpy(), 1, axis=2)"),
        Answer("index", "lambda gates: gates[:, :, (torch.arange(gates.shape[2]) + 1) % gates.shape[2]]"),
        Answer("a chance shift",
            "lambda gates: gates.roll(int(torch.randint(1, gates.shape[2], ())) if gates.shape[2] > 1 else 0, 2)"),
        Answer("a permutation without a fixed slice",
            "def my_test(gates):\n"
            "    while True:\n"
            "        order = torch.randperm(gates.shape[2])\n"
            "        if (order != torch.arange(gates.shape[2])).all():\n"
            "            return gates[:, :, order]"),
        Answer("filled in",
            "def my_test(gates):\n"
            "    out = gates.clone()\n"
            "    for d in range(gates.shape[2]):\n"
            "        out[:, :, d] = gates[:, :, d - 1]\n"
            "    return out"),
        Answer("float64", "lambda gates: gates.double().roll(1, 2)"),
    ],
}  # fmt: skip
