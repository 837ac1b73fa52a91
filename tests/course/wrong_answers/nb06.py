"""Wrong answers that learners of notebook 06 give, and what the check must say of each."""

from __future__ import annotations

import torch


def right(c, d, h, w):
    n = d * h * w
    return 2 * c * n * n, 2 * c * n * (d + h + w)


def changed_places(c, d, h, w):
    return right(c, d, h, w)[::-1]


def one_product(c, d, h, w):
    return tuple(number // 2 for number in right(c, d, h, w))


def rsa_one_product(c, d, h, w):
    non_local, rsa = right(c, d, h, w)
    return non_local, rsa // 2


def weights_only(c, d, h, w):
    return (d * h * w) ** 2, d**2 + h**2 + w**2


def short_rows(c, d, h, w):
    return right(c, d, h, w)[0], 2 * c * (d**2 + h**2 + w**2)


def no_channels(c, d, h, w):
    return right(1, d, h, w)


def one_direction(c, d, h, w):
    return right(c, d, h, w)[0], 2 * c * d * h * w * d


def directions_multiplied(c, d, h, w):
    return right(c, d, h, w)[0], 2 * c * (d * h * w) ** 2


def no_pairs(c, d, h, w):
    return 2 * c * d * h * w, 2 * c * (d + h + w)


def channels_squared(c, d, h, w):
    return tuple(c * number for number in right(c, d, h, w))


def ratio_only(c, d, h, w):
    return d * h * w / (d + h + w)


def columns(coronal, sagittal, axial, voxel):
    d, h, w = voxel
    return torch.einsum("d,h,w->dhw", axial[:, d], coronal[:, h], sagittal[:, w])


def added(coronal, sagittal, axial, voxel):
    d, h, w = voxel
    return axial[d].reshape(-1, 1, 1) + coronal[h].reshape(1, -1, 1) + sagittal[w].reshape(1, 1, -1)


def averaged(coronal, sagittal, axial, voxel):
    return added(coronal, sagittal, axial, voxel) / 3


def wrong_owners(coronal, sagittal, axial, voxel):
    d, h, w = voxel
    return torch.einsum("d,h,w->dhw", coronal[d], sagittal[h], axial[w])


def coronal_and_sagittal_turned(coronal, sagittal, axial, voxel):
    d, h, w = voxel
    return torch.einsum("d,h,w->dhw", axial[d], sagittal[h], coronal[w])


def other_axes(coronal, sagittal, axial, voxel):
    d, h, w = voxel
    return torch.einsum("h,w,d->hwd", coronal[h], sagittal[w], axial[d])


def diagonals(coronal, sagittal, axial, voxel):
    return torch.einsum("dd,hh,ww->dhw", axial, coronal, sagittal)


def mean_rows(coronal, sagittal, axial, voxel):
    return torch.einsum("d,h,w->dhw", axial.mean(0), coronal.mean(0), sagittal.mean(0))


def to_the_largest(coronal, sagittal, axial, voxel):
    d, h, w = voxel
    volume = torch.einsum("d,h,w->dhw", axial[d], coronal[h], sagittal[w])
    return volume / volume.max()


def one_number(coronal, sagittal, axial, voxel):
    d, h, w = voxel
    return axial[d, d] * coronal[h, h] * sagittal[w, w]


def nowhere(maps):
    return maps * 0


def ones(maps):
    return torch.ones_like(maps)


def itself(maps):
    return torch.eye(maps.shape[-1]).repeat(len(maps), 1, 1)


def mean_row(maps):
    return maps.mean(dim=1, keepdim=True).expand_as(maps)


def over_batch(maps):
    return maps.mean(dim=0, keepdim=True).expand_as(maps)


def one_column(maps):
    return maps.mean(dim=-1, keepdim=True)


def by_everything(maps):
    return torch.ones_like(maps) / maps.numel()


def by_the_square(maps):
    return torch.ones_like(maps) / maps.shape[-1] ** 2


def second_softmax(maps):
    return maps.softmax(dim=-1)


def turned(maps):
    return maps.transpose(1, 2)


WRONG_ANSWERS = {
    "06-cost": [
        (changed_places, "changed places"),
        (one_product, "one of the two products"),
        (rsa_one_product, "RSA has two products"),
        (weights_only, "number of weights"),
        (short_rows, "rows are longer than C"),
        (no_channels, "channels are missing"),
        (one_direction, "one direction of RSA"),
        (directions_multiplied, "multiplied the three directions"),
        (no_pairs, "each PAIR"),
        (channels_squared, "C occurs once"),
        (ratio_only, "two numbers"),
    ],
    "06-three-steps": [
        (columns, "you took columns"),
        (added, "added the three rows"),
        (averaged, "mean of the three rows"),
        (wrong_owners, "matrices have changed places"),
        (coronal_and_sagittal_turned, "coronal and sagittal have changed places"),
        (other_axes, "order H, W, D"),
        (diagonals, "took the diagonals"),
        (mean_rows, "mean row"),
        (to_the_largest, "divided by the largest"),
        (one_number, "that is one number"),
    ],
    "06-everywhere": [
        (nowhere, "look nowhere"),
        (ones, "sum to S"),
        (itself, "itself alone"),
        (mean_row, "the mean row"),
        (over_batch, "averaged over the batch"),
        (one_column, "last axis has length 1"),
        (by_everything, "all weights of the batch"),
        (by_the_square, "divided by S²"),
        (second_softmax, "second softmax"),
        (turned, "over its diagonal"),
    ],
}
