"""Wrong answers that learners of notebook 03 give, and what the check must say of each."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def _pooled(x: Tensor, axis, **how) -> list[Tensor]:
    mean, spread = x.mean(dim=axis, keepdim=True), x.std(dim=axis, keepdim=True, unbiased=how.get("unbiased", False))
    return [x.amax(dim=axis, keepdim=True), mean, spread]


def mean_first(x):
    largest, mean, spread = _pooled(x, 1)
    return torch.cat([mean, largest, spread], dim=1)


def unbiased_spread(x):
    return torch.cat(_pooled(x, 1, unbiased=True), dim=1)


def variance(x):
    largest, mean, spread = _pooled(x, 1)
    return torch.cat([largest, mean, spread**2], dim=1)


def sum_for_mean(x):
    largest, mean, spread = _pooled(x, 1)
    return torch.cat([largest, mean * x.shape[1], spread], dim=1)


def over_space(x):
    flat = x.flatten(2)
    return torch.stack([flat.amax(dim=2), flat.mean(dim=2), flat.std(dim=2, unbiased=False)], dim=1)


def over_height_and_width(x):
    return torch.cat(_pooled(x, (2, 3)), dim=1)


def over_batch(x):
    return torch.cat(_pooled(x, 0), dim=1)


def joined_along_batch(x):
    return torch.cat(_pooled(x, 1), dim=0)


def stacked(x):
    return torch.stack(_pooled(x, 1), dim=1)


def smallest_first(x):
    return torch.cat([x.amin(1, True), x.mean(1, True), x.std(1, unbiased=False, keepdim=True)], dim=1)


def pairs_joined(x):
    return torch.cat([x.max(dim=1, keepdim=True), x.mean(1, True), x.std(1, unbiased=False, keepdim=True)], dim=1)


def two_only(x):
    return torch.cat(_pooled(x, 1)[:2], dim=1)


class Gate(nn.Module):
    """The right channel attention, whose steps the wrong answers replace."""

    def __init__(self, channels, reduction=16):
        super().__init__()
        self.first = nn.Conv3d(channels, channels // reduction, kernel_size=1, bias=False)
        self.second = nn.Conv3d(channels // reduction, channels, kernel_size=1, bias=False)

    def mlp(self, pool: Tensor) -> Tensor:
        return self.second(self.first(pool).relu())

    def mean(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3, 4), keepdim=True)

    def largest(self, x: Tensor) -> Tensor:
        return x.amax(dim=(2, 3, 4), keepdim=True)

    def logits(self, x: Tensor) -> Tensor:
        return self.mlp(self.mean(x)) + self.mlp(self.largest(x))

    def forward(self, x):
        return self.logits(x).sigmoid()


class NoSigmoid(Gate):
    def forward(self, x):
        return self.logits(x)


class TwoSigmoids(Gate):
    def forward(self, x):
        return self.mlp(self.mean(x)).sigmoid() + self.mlp(self.largest(x)).sigmoid()


class TwoSigmoidsMultiplied(Gate):
    def forward(self, x):
        return self.mlp(self.mean(x)).sigmoid() * self.mlp(self.largest(x)).sigmoid()


class LargerOfTheTwo(Gate):
    def forward(self, x):
        return torch.maximum(self.mlp(self.mean(x)), self.mlp(self.largest(x))).sigmoid()


class ReLUTwice(Gate):
    def forward(self, x):
        return (self.mlp(self.mean(x)).relu() + self.mlp(self.largest(x)).relu()).sigmoid()


class Tanh(Gate):
    def forward(self, x):
        return self.logits(x).tanh()


class TwoMLPs(Gate):
    def __init__(self, channels, reduction=16):
        super().__init__(channels, reduction)
        self.third = nn.Conv3d(channels, channels // reduction, kernel_size=1, bias=False)
        self.fourth = nn.Conv3d(channels // reduction, channels, kernel_size=1, bias=False)

    def logits(self, x):
        return self.mlp(self.mean(x)) + self.fourth(self.third(self.largest(x)).relu())


class NoReLU(Gate):
    def mlp(self, pool):
        return self.second(self.first(pool))


class SoftmaxOverChannels(Gate):
    def forward(self, x):
        return self.logits(x).softmax(dim=1)


class SoftmaxOverBatch(Gate):
    def forward(self, x):
        return self.logits(x).softmax(dim=0)


class MeanOnly(Gate):
    def logits(self, x):
        return self.mlp(self.mean(x))


class LargestOnly(Gate):
    def logits(self, x):
        return self.mlp(self.largest(x))


class AddedTooEarly(Gate):
    def logits(self, x):
        return self.mlp(self.mean(x) + self.largest(x))


class Halved(Gate):
    def logits(self, x):
        return super().logits(x) / 2


class Multiplied(Gate):
    def logits(self, x):
        return self.mlp(self.mean(x)) * self.mlp(self.largest(x))


class SummedOverSpace(Gate):
    def mean(self, x):
        return x.sum(dim=(2, 3, 4), keepdim=True)


class FlatShape(Gate):
    def forward(self, x):
        return super().forward(x).flatten(1)


class Scaled(Gate):
    def forward(self, x):
        return x * super().forward(x)


class AddedToFeatures(Gate):
    def forward(self, x):
        return x + super().forward(x)


class WithBias(Gate):
    def __init__(self, channels, reduction=16):
        super().__init__(channels, reduction)
        self.first = nn.Conv3d(channels, channels // reduction, kernel_size=1)
        self.second = nn.Conv3d(channels // reduction, channels, kernel_size=1)


class OverChannels(Gate):
    def mean(self, x):
        return x.mean(dim=1, keepdim=True)

    def largest(self, x):
        return x.amax(dim=1, keepdim=True)


class NoLayers(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()

    def forward(self, x):
        return x.mean(dim=(2, 3, 4), keepdim=True).sigmoid()


def holds_zero(low, high, margin):
    if low > 0:
        return "better without"
    return "needed" if high < 0 else "not needed"


def zero_for_margin(low, high, margin):
    if low != low or high != high:
        return "open"
    return "needed" if high < 0 else "better without" if low > 0 else "not needed" if low == high == 0 else "open"


def middle(low, high, margin):
    value = (low + high) / 2
    if value != value:
        return "open"
    return "needed" if value < -margin else "better without" if value > margin else "not needed"


def one_end(low, high, margin):
    if low != low or high != high:
        return "open"
    if low < -margin:
        return "needed"
    return "better without" if low > margin else "not needed" if high <= margin else "open"


def true_or_false(low, high, margin):
    return high < -margin


def never_open(low, high, margin):
    if low != low or high != high:
        return "open"
    return "needed" if high < -margin else "better without" if low > margin else "not needed"


WRONG_ANSWERS = {
    "03-describe": [
        (mean_first, "changed places"),
        (unbiased_spread, "divides by C - 1"),
        (variance, "variance"),
        (sum_for_mean, "sum where the mean"),
        (over_space, "pooled over space"),
        (over_height_and_width, "pooled over space"),
        (over_batch, "pooled over the batch"),
        (joined_along_batch, "joined along the batch"),
        (stacked, "an axis too many"),
        (two_only, "standard deviation is missing"),
        (smallest_first, "smallest value"),
        (pairs_joined, "x.amax"),
    ],
    "03-channel": [
        (NoSigmoid, "sigmoid is missing"),
        (TwoSigmoids, "their sum reaches"),
        (TwoSigmoidsMultiplied, "two sigmoids, multiplied"),
        (LargerOfTheTwo, "larger of the two"),
        (ReLUTwice, "ReLU after the second"),
        (Tanh, "tanh"),
        (TwoMLPs, "not shared"),
        (NoReLU, "ReLU between the two convolutions is missing"),
        (SoftmaxOverChannels, "softmax over the channels"),
        (SoftmaxOverBatch, "softmax runs over the batch"),
        (MeanOnly, "maximum is missing"),
        (LargestOnly, "mean is missing"),
        (AddedTooEarly, "before the MLP"),
        (Halved, "mean of the two"),
        (Multiplied, "multiplied the two"),
        (SummedOverSpace, "sum over space"),
        (FlatShape, "shape (B, C)"),
        (Scaled, "scaled features"),
        (AddedToFeatures, "added the map to the features"),
        (WithBias, "have biases"),
        (OverChannels, "pooled over the channels"),
        (NoLayers, "no layers to learn"),
    ],
    "03-verdict": [
        (holds_zero, "do not use the margin"),
        (zero_for_margin, "margin is not used"),
        (middle, "middle of the interval"),
        (one_end, "one end only"),
        (true_or_false, "True or False"),
        (never_open, 'no "open"'),
    ],
}
