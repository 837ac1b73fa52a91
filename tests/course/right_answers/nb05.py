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
    "05-alike": [
        Answer("repeat", "lambda gates: gates.mean(2, True).repeat(1, 1, gates.shape[2], 1, 1)"),
        Answer("zeros plus the mean", "lambda gates: gates * 0 + gates.mean(2, keepdim=True)"),
        Answer("numpy", "lambda gates: np.repeat(gates.numpy().mean(2, keepdims=True), gates.shape[2], axis=2)"),
        Answer("einsum",
            "lambda gates: torch.einsum('bcdhw,de->bcehw', gates, torch.full((gates.shape[2],) * 2, 1 / "
            "gates.shape[2]))"),
        Answer("filled in",
            "def forget(gates):\n"
            "    out = torch.empty_like(gates)\n"
            "    for d in range(gates.shape[2]):\n"
            "        out[:, :, d] = gates.mean(2)\n"
            "    return out"),
        Answer("float64", "lambda gates: gates.double().mean(2, keepdim=True).broadcast_to(gates.shape)"),
    ],
}  # fmt: skip
