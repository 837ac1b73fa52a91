"""Wrong answers that learners of notebook 04 give, and what the check must say of each."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


def over_channels(logits, radix):
    return logits.unflatten(1, (radix, -1)).softmax(dim=2)


def over_batch(logits, radix):
    return logits.unflatten(1, (radix, -1)).softmax(dim=0)


def over_everything(logits, radix):
    return logits.softmax(dim=1).unflatten(1, (radix, -1))


def one_by_one(logits, radix):
    return logits.unflatten(1, (-1, radix)).transpose(1, 2).softmax(dim=1)


def channels_first(logits, radix):
    return logits.unflatten(1, (-1, radix)).softmax(dim=2)


def turned(logits, radix):
    return logits.unflatten(1, (radix, -1)).softmax(dim=1).transpose(1, 2)


def gates(logits, radix):
    return logits.unflatten(1, (radix, -1)).sigmoid()


def logits_only(logits, radix):
    return logits.unflatten(1, (radix, -1))


def flat_row(logits, radix):
    return logits.unflatten(1, (radix, -1)).softmax(dim=1).flatten(1)


def without_exponential(logits, radix):
    table = logits.unflatten(1, (radix, -1))
    return table / table.sum(dim=1, keepdim=True)


def logarithm(logits, radix):
    return torch.log_softmax(logits.unflatten(1, (radix, -1)), dim=1)


class Block(nn.Module):
    """The right block, whose steps the wrong answers replace."""

    def __init__(self, in_channels, channels, radix=2, hidden=32):
        super().__init__()
        self.radix = radix
        self.conv = nn.Conv3d(in_channels, radix * channels, 3, padding=1, groups=radix, bias=False)
        self.fc1 = nn.Conv3d(channels, hidden, 1)
        self.fc2 = nn.Conv3d(hidden, radix * channels, 1)

    def splits(self, x: Tensor) -> Tensor:
        return self.conv(x).relu().unflatten(1, (self.radix, -1))

    def described(self, u: Tensor) -> Tensor:
        return u.sum(dim=1).mean(dim=(2, 3, 4), keepdim=True)

    def logits(self, u: Tensor) -> Tensor:
        return self.fc2(self.fc1(self.described(u)).relu())

    def shares(self, u: Tensor) -> Tensor:
        return self.logits(u).unflatten(1, (self.radix, -1)).softmax(dim=1)

    def forward(self, x):
        u = self.splits(x)
        return (self.shares(u) * u).sum(dim=1)


class SoftmaxOverChannels(Block):
    def shares(self, u):
        return self.logits(u).unflatten(1, (self.radix, -1)).softmax(dim=2)


class SoftmaxOverBatch(Block):
    def shares(self, u):
        return self.logits(u).unflatten(1, (self.radix, -1)).softmax(dim=0)


class Sigmoids(Block):
    def shares(self, u):
        return self.logits(u).unflatten(1, (self.radix, -1)).sigmoid()


class Logits(Block):
    def shares(self, u):
        return self.logits(u).unflatten(1, (self.radix, -1))


class LogitsInTurn(Block):
    def shares(self, u):
        return self.logits(u).unflatten(1, (-1, self.radix)).transpose(1, 2).softmax(dim=1)


class ChannelsInTurn(Block):
    def splits(self, x):
        return self.conv(x).relu().unflatten(1, (-1, self.radix)).transpose(1, 2)


class MeanOfSplits(Block):
    def described(self, u):
        return u.mean(dim=1).mean(dim=(2, 3, 4), keepdim=True)


class FirstSplitOnly(Block):
    def described(self, u):
        return u[:, 0].mean(dim=(2, 3, 4), keepdim=True)


class LargestPlace(Block):
    def described(self, u):
        return u.sum(dim=1).amax(dim=(2, 3, 4), keepdim=True)


class NoFirstReLU(Block):
    def splits(self, x):
        return self.conv(x).unflatten(1, (self.radix, -1))


class NoSecondReLU(Block):
    def logits(self, u):
        return self.fc2(self.fc1(self.described(u)))


class PlainMean(Block):
    def forward(self, x):
        return self.splits(x).mean(dim=1)


class PlainSum(Block):
    def forward(self, x):
        return self.splits(x).sum(dim=1)


class Halved(Block):
    def forward(self, x):
        u = self.splits(x)
        return (self.shares(u) * u).mean(dim=1)


class SideBySide(Block):
    def forward(self, x):
        u = self.splits(x)
        return (self.shares(u) * u).flatten(1, 2)


class NotAddedUp(Block):
    def forward(self, x):
        u = self.splits(x)
        return self.shares(u) * u


class SharesOnly(Block):
    def forward(self, x):
        return self.shares(self.splits(x)).flatten(3).squeeze(3)


class EverySplitReadsAll(Block):
    def __init__(self, in_channels, channels, radix=2, hidden=32):
        super().__init__(in_channels, channels, radix, hidden)
        self.conv = nn.Conv3d(in_channels, radix * channels, 3, padding=1, bias=False)


class WithBias(Block):
    def __init__(self, in_channels, channels, radix=2, hidden=32):
        super().__init__(in_channels, channels, radix, hidden)
        self.conv = nn.Conv3d(in_channels, radix * channels, 3, padding=1, groups=radix)


class SlicesOnly(Block):
    def __init__(self, in_channels, channels, radix=2, hidden=32):
        super().__init__(in_channels, channels, radix, hidden)
        self.conv = nn.Conv2d(in_channels, radix * channels, 3, padding=1, groups=radix, bias=False)


class NoLayers(nn.Module):
    def __init__(self, in_channels, channels, radix=2, hidden=32):
        super().__init__()

    def forward(self, x):
        return x[:, :6]


def deal_slices(subjects, folds, seed):
    return np.random.default_rng(seed).permutation(np.arange(len(subjects)) % folds)


def deal_in_row(subjects, folds, seed):
    return [number % folds for number in range(len(subjects))]


def one_a_patient(subjects, folds, seed):
    people = np.random.default_rng(seed).permutation(sorted(set(subjects)))
    return [number % folds for number in range(len(people))]


def a_dictionary(subjects, folds, seed):
    people = np.random.default_rng(seed).permutation(sorted(set(subjects)))
    return {patient: number % folds for number, patient in enumerate(people)}


def never_shuffled(subjects, folds, seed):
    fold_of = {patient: number % folds for number, patient in enumerate(sorted(set(subjects)))}
    return [fold_of[subject] for subject in subjects]


def counted_from_one(subjects, folds, seed):
    people = np.random.default_rng(seed).permutation(sorted(set(subjects)))
    fold_of = {patient: number % folds + 1 for number, patient in enumerate(people)}
    return [fold_of[subject] for subject in subjects]


def all_in_one(subjects, folds, seed):
    return [seed % folds for _ in subjects]


def drawn_freely(subjects, folds, seed):
    generator = np.random.default_rng(seed + 1)
    fold_of = {patient: int(generator.integers(folds)) for patient in sorted(set(subjects))}
    return [fold_of[subject] for subject in subjects]


def other_chance(subjects, folds, seed):
    people = np.random.default_rng().permutation(sorted(set(subjects)))
    fold_of = {patient: number % folds for number, patient in enumerate(people)}
    return [fold_of[subject] for subject in subjects]


def without_remainder(subjects, folds, seed):
    people = np.random.default_rng(seed).permutation(sorted(set(subjects)))
    fold_of = {patient: number for number, patient in enumerate(people)}
    return [fold_of[subject] for subject in subjects]


def sorts_the_input(subjects, folds, seed):
    subjects.sort()
    return [0] * len(subjects)


WRONG_ANSWERS = {
    "04-shares": [
        (over_channels, "runs over the channels"),
        (over_batch, "runs over the batch"),
        (over_everything, "all R·C numbers"),
        (one_by_one, "come in turn"),
        (channels_first, "(B, C, R)"),
        (turned, "(B, R, C) was asked for"),
        (gates, "sigmoid lets each split decide"),
        (logits_only, "softmax is missing"),
        (flat_row, "in one row"),
        (without_exponential, "without the exponential"),
        (logarithm, "logarithm"),
    ],
    "04-split": [
        (SoftmaxOverChannels, "softmax runs over the channels"),
        (SoftmaxOverBatch, "softmax runs over the batch"),
        (Sigmoids, "sigmoid makes R gates"),
        (Logits, "softmax is missing"),
        (LogitsInTurn, "logits come in turn"),
        (ChannelsInTurn, "convolution's channels come in turn"),
        (MeanOfSplits, "mean of the splits; (04.2)"),
        (FirstSplitOnly, "first split alone"),
        (LargestPlace, "largest value"),
        (NoFirstReLU, "ReLU after the 3×3×3"),
        (NoSecondReLU, "ReLU between the two layers"),
        (PlainMean, "plain mean"),
        (PlainSum, "plain sum"),
        (Halved, "sum to 1 already"),
        (SideBySide, "side by side"),
        (NotAddedUp, "not added up"),
        (SharesOnly, "returned the shares"),
        (EverySplitReadsAll, "groups=radix"),
        (WithBias, "has a bias"),
        (SlicesOnly, "nn.Conv2d` is for slices"),
        (NoLayers, "no layers to learn"),
    ],
    "04-folds": [
        (deal_slices, "is trained on and tested"),
        (deal_in_row, "is trained on and tested"),
        (one_a_patient, "one number for each patient"),
        (a_dictionary, "dictionary"),
        (never_shuffled, "seed changes nothing"),
        (counted_from_one, "counted from 1"),
        (all_in_one, "is empty"),
        (drawn_freely, "differ by one at most"),
        (other_chance, "same seed gave two"),
        (without_remainder, "number % folds"),
        (sorts_the_input, "changes its input"),
    ],
}
