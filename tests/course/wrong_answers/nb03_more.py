"""More wrong answers to the exercises of notebook 03, and what the check must say of each."""

from __future__ import annotations

from tests.course.answers import Answer

WRONG_ANSWERS = {
    "03-describe": [
        Answer("median for mean", [
            ("x.mean(dim=1, keepdim=True)", "x.median(dim=1, keepdim=True).values"),
        ], "You have the median"),
        Answer("absolute maximum", [("x.amax(", "x.abs().amax(")], "The first is the largest absolute value"),
        Answer("range for spread", [
            ("x.std(dim=1, keepdim=True, unbiased=False)",
             "x.amax(dim=1, keepdim=True) - x.amin(dim=1, keepdim=True)"),
        ], "The third is the range"),
        Answer("mean distance for spread", [
            ("x.std(dim=1, keepdim=True, unbiased=False)", "(x - mean).abs().mean(dim=1, keepdim=True)"),
        ], "The third is the mean distance from the mean"),
        Answer("order turned", [("[largest, mean, spread]", "[spread, mean, largest]")], "The order is turned round"),
        Answer("mean and spread turned", [
            ("[largest, mean, spread]", "[largest, spread, mean]"),
        ], "Mean and standard deviation have changed places"),
        Answer("largest twice", [("[largest, mean, spread]", "[largest, largest, spread]")], "other numbers"),
        Answer("root of the mean square", [
            ("x.std(dim=1, keepdim=True, unbiased=False)", "x.square().mean(dim=1, keepdim=True).sqrt()"),
        ], "other numbers"),
        Answer("added, not joined", [
            ("torch.cat([largest, mean, spread], dim=1)", "largest + mean + spread"),
        ], "has shape"),
        Answer("x.max without values", [("x.amax(dim=1, keepdim=True)", "x.max(dim=1, keepdim=True)")], "TypeError"),
        Answer("channels last",
            "lambda x: torch.stack([x.amax(1), x.mean(1), x.std(1, unbiased=False)], dim=-1)",
            "has shape"),
        Answer("softmax of the three",
            "lambda x: torch.stack([x.amax(1), x.mean(1), x.std(1, unbiased=False)], dim=1).softmax(1)",
            "There is a softmax too many"),
        Answer("keepdim forgotten", [(", keepdim=True", "")], "but the shape is"),
    ],
    "03-channel": [
        Answer("linear layers", [
            ("nn.Conv3d(channels, channels // reduction, kernel_size=1, bias=False)",
             "nn.Linear(channels, channels // reduction, bias=False)"),
            ("nn.Conv3d(channels // reduction, channels, kernel_size=1, bias=False)",
             "nn.Linear(channels // reduction, channels, bias=False)"),
            ("x.mean(dim=(2, 3, 4), keepdim=True), x.amax(dim=(2, 3, 4), keepdim=True)",
             "x.mean(dim=(2, 3, 4)), x.amax(dim=(2, 3, 4))"),
            ("logits.sigmoid()", "logits.sigmoid()[:, :, None, None, None]"),
        ], "`first.weight` belongs to a linear layer"),
        Answer("reduction written as 4", [("channels // reduction", "channels // 4")], "`reduction` is not used"),
        Answer("reduction written as 16", [("channels // reduction", "channels // 16")], "`reduction` is not used"),
        Answer("smallest for largest", [
            ("x.amax(", "x.amin("),
        ], "You pooled the smallest value where the largest belongs"),
        Answer("difference of the two", [
            ("sum(self.second(self.first(pool).relu()) for pool in pools)",
             "self.second(self.first(pools[0]).relu()) - self.second(self.first(pools[1]).relu())"),
        ], "You took the difference of the two"),
        Answer("mean of two sigmoids", [
            ("sum(self.second(self.first(pool).relu()) for pool in pools)",
             "sum(self.second(self.first(pool).relu()).sigmoid() for pool in pools) / 2"),
            ("logits.sigmoid()", "logits"),
        ], "There are two sigmoids"),
        Answer("mean twice", [
            ("x.amax(dim=(2, 3, 4), keepdim=True)", "x.mean(dim=(2, 3, 4), keepdim=True)"),
        ], "The mean goes in twice"),
        Answer("maximum twice", [
            ("x.mean(dim=(2, 3, 4), keepdim=True)", "x.amax(dim=(2, 3, 4), keepdim=True)"),
        ], "The maximum goes in twice"),
        Answer("double sigmoid", [("logits.sigmoid()", "logits.sigmoid().sigmoid()")], "There are two sigmoids"),
        Answer("ReLU before the sigmoid", [
            ("logits.sigmoid()", "logits.relu().sigmoid()"),
        ], "A ReLU stands before the sigmoid"),
        Answer("map turned", [("logits.sigmoid()", "1 - logits.sigmoid()")], "The map is turned"),
        Answer("one bias too many", [
            ("kernel_size=1, bias=False)\n        self.second", "kernel_size=1)\n        self.second"),
        ], "Your convolutions have biases"),
        Answer("pooled over two axes", [("dim=(2, 3, 4)", "dim=(3, 4)")], "has shape"),
        Answer("layers in a plain list", [
            ("self.first = nn.Conv3d(channels, channels // reduction, kernel_size=1, bias=False)",
             "self.mlp = [nn.Conv3d(channels, channels // reduction, kernel_size=1, bias=False)]"),
            ("self.second = nn.Conv3d", "self.mlp += [nn.Conv3d"),
            ("channels, kernel_size=1, bias=False)\n\n", "channels, kernel_size=1, bias=False)]\n\n"),
            ("self.second(self.first(pool).relu())", "self.mlp[1](self.mlp[0](pool).relu())"),
        ], "`self.mlp` is a plain list: torch does n"),
        Answer("kernel of three", [
            ("reduction, kernel_size=1", "reduction, kernel_size=3, padding=1"),
        ], "After the pooling there is one voxel"),
        Answer("gelu", [("self.first(pool).relu()", "torch.nn.functional.gelu(self.first(pool))")], "other numbers"),
    ],
    "03-verdict": [
        Answer("missing counts as not needed",
            "def verdict(low, high, margin):\n"
            "    if low != low or high != high:\n"
            "        return 'not needed'\n"
            "    if high < -margin:\n"
            "        return 'needed'\n"
            "    if low > margin:\n"
            "        return 'better without'\n"
            "    return 'not needed' if -margin <= low and high <= margin else 'open'\n",
            "without an interval nothing is shown"),
        Answer("missing counts as needed",
            "def verdict(low, high, margin):\n"
            "    if low != low or high != high:\n"
            "        return 'needed'\n"
            "    if high < -margin:\n"
            "        return 'needed'\n"
            "    if low > margin:\n"
            "        return 'better without'\n"
            "    return 'not needed' if -margin <= low and high <= margin else 'open'\n",
            "without an interval nothing is shown"),
        Answer("no better without",
            "def verdict(low, high, margin):\n"
            "    if low != low or high != high:\n"
            "        return 'open'\n"
            "    if high < -margin:\n"
            "        return 'needed'\n"
            "    return 'not needed' if -margin <= low and high <= margin else 'open'\n",
            "the network is better without"),
        Answer("a gain is not needed",
            "def verdict(low, high, margin):\n"
            "    if low != low or high != high:\n"
            "        return 'open'\n"
            "    if high < -margin:\n"
            "        return 'needed'\n"
            "    return 'not needed' if low > margin or (-margin <= low and high <= margin) else 'open'\n",
            "says more than"),
        Answer("absolute values",
            "def verdict(low, high, margin):\n"
            "    if low != low or high != high:\n"
            "        return 'open'\n"
            "    if min(abs(low), abs(high)) > margin and low * high > 0:\n"
            "        return 'needed'\n"
            "    return 'not needed' if -margin <= low and high <= margin else 'open'\n",
            "a gain is taken for a loss"),
        Answer("sign turned",
            "def verdict(low, high, margin):\n"
            "    if low != low or high != high:\n"
            "        return 'open'\n"
            "    if low > margin:\n"
            "        return 'needed'\n"
            "    if high < -margin:\n"
            "        return 'better without'\n"
            "    return 'not needed' if -margin <= low and high <= margin else 'open'\n",
            "sign is turned"),
        Answer("a fixed margin",
            "def verdict(low, high, margin):\n"
            "    if low != low or high != high:\n"
            "        return 'open'\n"
            "    margin = 0.05\n"
            "    if high < -margin:\n"
            "        return 'needed'\n"
            "    if low > margin:\n"
            "        return 'better without'\n"
            "    return 'not needed' if -margin <= low and high <= margin else 'open'\n",
            "margin is fixed"),
        Answer("equivalence is open",
            "def verdict(low, high, margin):\n"
            "    if low != low or high != high:\n"
            "        return 'open'\n"
            "    if high < -margin:\n"
            "        return 'needed'\n"
            "    return 'better without' if low > margin else 'open'\n",
            "does show something"),
        Answer("capital letters",
            "def verdict(low, high, margin):\n"
            "    if low != low or high != high:\n"
            "        return 'Open'\n"
            "    if high < -margin:\n"
            "        return 'Needed'\n"
            "    if low > margin:\n"
            "        return 'Better without'\n"
            "    return 'Not needed' if -margin <= low and high <= margin else 'Open'\n",
            "capital letter"),
        Answer("NaN not looked at",
            "def verdict(low, high, margin):\n"
            "    if high < -margin:\n"
            "        return 'needed'\n"
            "    if low > margin:\n"
            "        return 'better without'\n"
            "    if low < -margin or high > margin:\n"
            "        return 'open'\n"
            "    return 'not needed'\n",
            "`low` = nan"),
        Answer("other words",
            "def verdict(low, high, margin):\n"
            "    if low != low or high != high:\n"
            "        return 'open'\n"
            "    if high < -margin:\n"
            "        return 'yes'\n"
            "    if low > margin:\n"
            "        return 'worse'\n"
            "    return 'no' if -margin <= low and high <= margin else 'maybe'\n",
            "needed"),
        Answer("ends of the margin left out",
            "def verdict(low, high, margin):\n"
            "    if low != low or high != high:\n"
            "        return 'open'\n"
            "    if high < -margin:\n"
            "        return 'needed'\n"
            "    if low > margin:\n"
            "        return 'better without'\n"
            "    return 'not needed' if -margin < low and high < margin else 'open'\n",
            "-0.25"),
    ],
}  # fmt: skip
