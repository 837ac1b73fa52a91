"""Wrong answers that learners of notebook 05 give, and what the check must say of each."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def reads_the_input_again(c_in, c_out):
    return 27 * c_in * c_out, (9 + 3) * c_in * c_out


def gives_too_few(c_in, c_out):
    return 27 * c_in * c_out, 9 * c_in * c_out + 3 * c_in * c_in


def widens_late(c_in, c_out):
    return 27 * c_in * c_out, 9 * c_in * c_in + 3 * c_in * c_out


def multiplied(c_in, c_out):
    return 27 * c_in * c_out, 9 * c_in * c_out * 3 * c_out


def one_pair(c_in, c_out):
    return 27, 12


def with_biases(c_in, c_out):
    return 27 * c_in * c_out + c_out, 9 * c_in * c_out + c_out + 3 * c_out * c_out + c_out


def swapped(c_in, c_out):
    return 9 * c_in * c_out + 3 * c_out * c_out, 27 * c_in * c_out


def in_plane_only(c_in, c_out):
    return 27 * c_in * c_out, 9 * c_in * c_out


def one_number(c_in, c_out):
    return 27 * c_in * c_out / (9 * c_in * c_out + 3 * c_out * c_out)


class Gate(nn.Module):
    """The right gate, whose steps the wrong answers replace."""

    kernel, padding = (3, 1, 1), (1, 0, 0)

    def __init__(self, channels, reduction=16):
        super().__init__()
        self.reduce = nn.Conv3d(channels, channels // reduction, self.kernel, padding=self.padding)
        self.expand = nn.Conv3d(channels // reduction, channels, self.kernel, padding=self.padding)

    def pooled(self, x: Tensor) -> Tensor:
        return x.mean(dim=(3, 4), keepdim=True)

    def logits(self, x: Tensor) -> Tensor:
        return self.expand(self.reduce(self.pooled(x)).relu())

    def forward(self, x):
        return self.logits(x).sigmoid()


class NoSigmoid(Gate):
    def forward(self, x):
        return self.logits(x)


class NoReLU(Gate):
    def logits(self, x):
        return self.expand(self.reduce(self.pooled(x)))


class SlicesPooledToo(Gate):
    def pooled(self, x):
        return x.mean(dim=(2, 3, 4), keepdim=True)


class SameInEverySlice(SlicesPooledToo):
    def forward(self, x):
        return super().forward(x).expand(-1, -1, x.shape[2], -1, -1)


class Largest(Gate):
    def pooled(self, x):
        return x.amax(dim=(3, 4), keepdim=True)


class Summed(Gate):
    def pooled(self, x):
        return x.sum(dim=(3, 4), keepdim=True)


class SoftmaxOverSlices(Gate):
    def forward(self, x):
        return self.logits(x).softmax(dim=2)


class SoftmaxOverChannels(Gate):
    def forward(self, x):
        return self.logits(x).softmax(dim=1)


class SoftmaxOverBatch(Gate):
    def forward(self, x):
        return self.logits(x).softmax(dim=0)


class Tanh(Gate):
    def forward(self, x):
        return self.logits(x).tanh()


class Scaled(Gate):
    def forward(self, x):
        return x * super().forward(x)


class FlatShape(Gate):
    def forward(self, x):
        return super().forward(x).flatten(2)


class NoPadding(Gate):
    padding = 0


class AlongWidth(Gate):
    kernel, padding = (1, 1, 3), (0, 0, 1)


class WholeCube(Gate):
    kernel, padding = 3, 1


class OneSlice(Gate):
    kernel, padding = 1, 0


class NoBias(Gate):
    def __init__(self, channels, reduction=16):
        super().__init__(channels, reduction)
        self.reduce = nn.Conv3d(channels, channels // reduction, (3, 1, 1), padding=(1, 0, 0), bias=False)
        self.expand = nn.Conv3d(channels // reduction, channels, (3, 1, 1), padding=(1, 0, 0), bias=False)


class OverChannels(Gate):
    def pooled(self, x):
        return x.mean(dim=1, keepdim=True)


class SpaceGone(Gate):
    def pooled(self, x):
        return x.mean(dim=(3, 4))


class NoLayers(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()

    def forward(self, x):
        return x.mean(dim=(3, 4), keepdim=True).sigmoid()


def same_everywhere(gates):
    return gates.mean(dim=2, keepdim=True).expand_as(gates)


def one_slice_left(gates):
    return gates.mean(dim=2, keepdim=True)


def upside_down(gates):
    return gates.flip(2)


def nothing(gates):
    return gates


def other_channels(gates):
    return gates.roll(1, 1)


def other_volumes(gates):
    return gates.roll(1, 0)


def one_half(gates):
    return torch.full_like(gates, 0.5)


def in_place(gates):
    gates[:, :, :] = gates.roll(1, 2).clone()
    return gates


WRONG_ANSWERS = {
    "05-count": [
        (reads_the_input_again, "reads the input again"),
        (gives_too_few, "gives c_in channels; it should"),
        (widens_late, "(05.1) gives c_out at once"),
        (multiplied, "they do not multiply"),
        (one_pair, "one channel in and one out"),
        (with_biases, "no biases"),
        (swapped, "changed places"),
        (in_plane_only, "across slices is missing"),
        (one_number, "ratio"),
    ],
    "05-channel": [
        (NoSigmoid, "sigmoid is missing"),
        (NoReLU, "ReLU between the two convolutions is missing"),
        (SlicesPooledToo, "squeeze-and-excitation"),
        (SameInEverySlice, "every slice has the same gate"),
        (Largest, "largest value"),
        (Summed, "sum where the mean"),
        (SoftmaxOverSlices, "softmax over the slices"),
        (SoftmaxOverChannels, "softmax over the channels"),
        (SoftmaxOverBatch, "softmax runs over the batch"),
        (Tanh, "tanh"),
        (Scaled, "scaled features"),
        (FlatShape, "shape is (B, C, D)"),
        (NoPadding, "padding is missing"),
        (AlongWidth, "height or the width"),
        (WholeCube, "kernels are 3×3×3"),
        (OneSlice, "one slice only"),
        (NoBias, "no biases"),
        (OverChannels, "pooled over the channels"),
        (SpaceGone, "keepdim=True"),
        (NoLayers, "no layers to learn"),
    ],
    "05-test": [
        (same_everywhere, "same gate now"),
        (one_slice_left, "must keep its own"),
        (upside_down, "keeps its own gate"),
        (nothing, "Nothing has moved"),
        (other_channels, "Nothing has moved"),
        (other_volumes, "Nothing has moved"),
        (one_half, "same gate now"),
        (in_place, "changes the table"),
    ],
}
