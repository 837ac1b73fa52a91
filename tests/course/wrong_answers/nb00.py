"""Wrong answers that learners of notebook 00 give, and what the check must say of each."""

from __future__ import annotations

import numpy as np


def corner_forgotten(affine, index):
    return affine[:3, :3] @ np.array(index)


def index_turned_round(affine, index):
    d, h, w = index
    return (affine @ np.array([w, h, d, 1.0]))[:3]


def one_kept(affine, index):
    return affine @ np.array([*index, 1.0])


def wrong_side(affine, index):
    return (np.array([*index, 1.0]) @ affine)[:3]


def only_sizes(affine, index):
    return np.array(index) * np.sqrt((affine[:3, :3] ** 2).sum(axis=0))


def rounded(affine, index):
    return [round(float(value)) for value in (affine @ np.array([*index, 1.0]))[:3]]


def way_back(affine, index):
    return (np.linalg.inv(affine) @ np.array([*index, 1.0]))[:3]


def corner_taken_away(affine, index):
    return affine[:3, :3] @ np.array(index) - affine[:3, 3]


def no_one_behind(affine, index):
    return (affine @ np.array(index))[:3]


def voxel_mm3(affine):
    return abs(np.linalg.det(affine[:3, :3]))


def labels_added_up(mask, affine):
    return mask.sum().item() * voxel_mm3(affine) / 1000


def cubic_millimetres(mask, affine):
    return (mask > 0).sum().item() * voxel_mm3(affine)


def voxels_counted(mask, affine):
    return (mask != 0).sum().item()


def one_label_only(mask, affine):
    return (mask == 1).sum().item() * voxel_mm3(affine) / 1000


def multiplied(mask, affine):
    return (mask > 0).sum().item() * voxel_mm3(affine) * 1000


def diagonal(mask, affine):
    return (mask > 0).sum().item() * affine[0, 0] * affine[1, 1] * affine[2, 2] / 1000


def with_sign(mask, affine):
    return (mask > 0).sum().item() * np.linalg.det(affine[:3, :3]) / 1000


def label_one_left_out(mask, affine):
    return (mask > 1).sum().item() * voxel_mm3(affine) / 1000


def background(mask, affine):
    return (mask == 0).sum().item() * voxel_mm3(affine) / 1000


WRONG_ANSWERS = {
    "00-millimetres": [
        (corner_forgotten, "last column is missing"),
        (index_turned_round, "turned round to (w, h, d)"),
        (one_kept, "1 at the end"),
        (wrong_side, "wrong side"),
        (only_sizes, "Voxel sizes alone"),
        (rounded, "rounded"),
        (way_back, "way back"),
        (corner_taken_away, "taken away"),
        (no_one_behind, "Put a 1 behind the index"),
    ],
    "00-volume": [
        (labels_added_up, "counts four times"),
        (cubic_millimetres, "cubic millimetres"),
        (voxels_counted, "number of voxels"),
        (one_label_only, "Only label 1"),
        (background, "everything but the tumour"),
        (multiplied, "divide"),
        (diagonal, "axes are turned"),
        (with_sign, "cannot be negative"),
        (label_one_left_out, "label 1 is not counted"),
    ],
}
