"""Wrong answers that learners of notebook 02 give, and what the check must say of each."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def air_included(u, inside):
    return u.flatten(2).mean(dim=2)


def divided_by_all(u, inside):
    return (u * inside).flatten(2).mean(dim=2)


def summed(u, inside):
    return (u * inside).flatten(2).sum(dim=2)


def one_count_for_all(u, inside):
    return (u * inside).flatten(2).sum(dim=2) / inside.sum()


def over_channels(u, inside):
    return (u * inside).mean(dim=1)


def over_channels_without_inside(u, inside):
    return u.mean(dim=1)


def largest(u, inside):
    return (u * inside).flatten(2).max(dim=2).values


def axes_left(u, inside):
    space = tuple(range(2, u.ndim))
    return (u * inside).sum(dim=space, keepdim=True) / inside.sum(dim=space, keepdim=True)


def air_only(u, inside):
    return (u * (1 - inside)).flatten(2).sum(dim=2) / (1 - inside).flatten(2).sum(dim=2)


def slices_only(u, inside):
    return (u * inside).sum(dim=(2, 3)) / inside.sum(dim=(2, 3))


def changes_input(u, inside):
    u *= inside
    return u.flatten(2).sum(dim=2) / inside.flatten(2).sum(dim=2)


class Block(nn.Module):
    """The right block, whose steps the wrong answers replace."""

    def __init__(self, channels, reduction=16):
        super().__init__()
        self.reduce = nn.Conv3d(channels, channels // reduction, kernel_size=1)
        self.expand = nn.Conv3d(channels // reduction, channels, kernel_size=1)

    def squeeze(self, u: Tensor) -> Tensor:
        return u.mean(dim=(2, 3, 4), keepdim=True)

    def logits(self, u: Tensor) -> Tensor:
        return self.expand(self.reduce(self.squeeze(u)).relu())

    def forward(self, u):
        return u * self.logits(u).sigmoid()


class NoSigmoid(Block):
    def forward(self, u):
        return u * self.logits(u)


class SecondReLU(Block):
    def forward(self, u):
        return u * self.logits(u).relu()


class NoReLU(Block):
    def forward(self, u):
        return u * self.expand(self.reduce(self.squeeze(u))).sigmoid()


class SoftmaxOverChannels(Block):
    def forward(self, u):
        return u * torch.softmax(self.logits(u), dim=1)


class SoftmaxOverBatch(Block):
    def forward(self, u):
        return u * torch.softmax(self.logits(u), dim=0)


class Added(Block):
    def forward(self, u):
        return u + self.logits(u).sigmoid()


class AddedTheInput(Block):
    def forward(self, u):
        return u + u * self.logits(u).sigmoid()


class GateOnly(Block):
    def forward(self, u):
        return self.logits(u).sigmoid()


class Summed(Block):
    def squeeze(self, u):
        return u.sum(dim=(2, 3, 4), keepdim=True)


class Largest(Block):
    def squeeze(self, u):
        return u.amax(dim=(2, 3, 4), keepdim=True)


class NoSqueeze(Block):
    def squeeze(self, u):
        return u


class OverChannels(Block):
    def squeeze(self, u):
        return u.mean(dim=1, keepdim=True)


class NoBias(Block):
    def __init__(self, channels, reduction=16):
        super().__init__(channels, reduction)
        self.reduce = nn.Conv3d(channels, channels // reduction, kernel_size=1, bias=False)
        self.expand = nn.Conv3d(channels // reduction, channels, kernel_size=1, bias=False)


class SlicesOnly(Block):
    def __init__(self, channels, reduction=16):
        super().__init__(channels, reduction)
        self.reduce = nn.Conv2d(channels, channels // reduction, kernel_size=1)
        self.expand = nn.Conv2d(channels // reduction, channels, kernel_size=1)

    def squeeze(self, u):
        return u.mean(dim=(2, 3), keepdim=True)


class SpaceGone(Block):
    def squeeze(self, u):
        return u.mean(dim=(2, 3, 4))


class LargeKernel(Block):
    def __init__(self, channels, reduction=16):
        super().__init__(channels, reduction)
        self.reduce = nn.Conv3d(channels, channels // reduction, kernel_size=3)


class TanhLast(Block):
    def forward(self, u):
        return u * self.logits(u).tanh()


class SigmoidInTheMiddle(Block):
    def forward(self, u):
        return u * self.expand(self.reduce(self.squeeze(u)).sigmoid()).sigmoid()


class NoLayers(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()

    def forward(self, u):
        return u * u.mean(dim=(2, 3, 4), keepdim=True).sigmoid()


def channels_averaged(gates):
    return gates.mean(dim=1, keepdim=True).expand_as(gates)


def first_image(gates):
    return gates[:1].expand_as(gates)


def largest_gate(gates):
    return gates.max(dim=0, keepdim=True).values.expand_as(gates)


def one_row(gates):
    return gates.mean(dim=0)


def everything_averaged(gates):
    return torch.full_like(gates, gates.mean().item())


def all_open(gates):
    return torch.ones_like(gates)


def images_summed(gates):
    return gates.sum(dim=0, keepdim=True).expand_as(gates)


def untouched(gates):
    return gates


WRONG_ANSWERS = {
    "02-squeeze": [
        (air_included, "averaged over the air"),
        (divided_by_all, "divided by all pixels"),
        (summed, "sum, not the mean"),
        (one_count_for_all, "all heads together"),
        (over_channels, "averaged over the channels"),
        (over_channels_without_inside, "averaged over the channels"),
        (largest, "largest value"),
        (axes_left, "axes of length 1"),
        (slices_only, "summed over (2, 3) only"),
        (air_only, "mean of the air"),
        (changes_input, "changes its input"),
    ],
    "02-se-conv": [
        (NoSigmoid, "sigmoid is missing"),
        (SecondReLU, "not a second ReLU"),
        (NoReLU, "ReLU between the two convolutions is missing"),
        (SoftmaxOverChannels, "softmax over the channels"),
        (SoftmaxOverBatch, "softmax runs over the batch"),
        (Added, "added the gate; it should multiply"),
        (AddedTheInput, "added the input again"),
        (GateOnly, "returned the gate"),
        (Summed, "squeeze is a sum"),
        (Largest, "largest value"),
        (NoSqueeze, "squeeze is missing"),
        (OverChannels, "pooled over the channels"),
        (NoBias, "each with its bias"),
        (SlicesOnly, "nn.Conv2d` is for slices"),
        (SpaceGone, "keepdim=True"),
        (LargeKernel, "kernel_size=1"),
        (TanhLast, "tanh"),
        (SigmoidInTheMiddle, "stands a sigmoid"),
        (NoLayers, "no layers to learn"),
    ],
    "02-frozen-gates": [
        (channels_averaged, "averaged over the channels"),
        (one_row, "every image needs one"),
        (first_image, "first image's gates"),
        (largest_gate, "largest gate"),
        (everything_averaged, "averaged over everything"),
        (all_open, "all ones"),
        (images_summed, "sum over the images"),
        (untouched, "gates as they were"),
    ],
}
