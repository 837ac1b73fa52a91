"""Scores of segmentation: Dice, IoU and the 95 % Hausdorff distance, with intervals drawn by patient.

    Dice = 2 TP / (2 TP + FP + FN)        IoU = TP / (TP + FP + FN)

A sample average scores each patient and takes the mean, so that a small lesion counts as much as a large one; a
voxel average adds up the voxels of all patients first, so that large lesions decide. The RSANet paper reports
both. The 95 % Hausdorff distance, in mm, is MONAI's: the larger of the two directed 95th percentiles of
the distances between the surfaces.

Empty masks, as in the BraTS challenges: where truth and prediction are both empty, overlap is 1 and the distance 0;
where one of them is, overlap is 0 and the distance the diagonal of the image (373.1 mm for a BraTS volume).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from medattn_lite.errors import UserError


@dataclass(frozen=True)
class VoxelCounts:
    """Voxels of N patients and R regions, (N, R) each: found, wrongly found, missed."""

    true_positive: np.ndarray
    false_positive: np.ndarray
    false_negative: np.ndarray


def voxel_counts(predicted: Sequence[np.ndarray], truth: Sequence[np.ndarray]) -> VoxelCounts:
    """Counts the voxels of each patient's masks.

    Args:
        predicted: a mask per patient, (R, D, H, W) of 0 and 1; sizes may differ between patients.
        truth: the same for the truth.

    Raises:
        UserError: no patients, other numbers of them, other shapes, or labels beside 0 and 1.
    """
    if len(predicted) != len(truth) or not len(truth):
        raise UserError(f"{len(predicted)} predictions for {len(truth)} masks: give one per patient, above 0")
    rows = []
    for number, (prediction, wanted) in enumerate(zip(predicted, truth, strict=True)):
        prediction, wanted = _as_mask(prediction, f"prediction {number}"), _as_mask(wanted, f"mask {number}")
        if prediction.shape != wanted.shape:
            raise UserError(
                f"prediction {number} has shape {prediction.shape} and its mask {wanted.shape}: make them equal"
            )
        both, space = prediction & wanted, tuple(range(1, prediction.ndim))
        rows.append([both.sum(space), (prediction & ~wanted).sum(space), (wanted & ~prediction).sum(space)])
    if len({len(row[0]) for row in rows}) > 1:
        raise UserError(f"patients have {sorted({len(row[0]) for row in rows})} regions: give each the same ones")
    return VoxelCounts(*np.moveaxis(np.array(rows, dtype=np.int64), 1, 0))


@dataclass(frozen=True)
class LesionCounts:
    """Lesions of one patient, each a group of voxels that touch by face, edge or corner.

    Attributes:
        lesions: in the truth.
        detected: of those, such that share a voxel with the prediction.
        false_positives: predicted groups that share none with the truth.
    """

    lesions: int
    detected: int
    false_positives: int


def lesion_counts(predicted: np.ndarray, truth: np.ndarray) -> LesionCounts:
    """Counts lesions in place of voxels: a patient's small ones weigh as much as the large ones.

    Args:
        predicted: (D, H, W) bool.
        truth: the same of the truth.

    Example:
        >>> import numpy as np
        >>> truth, predicted = np.zeros((2, 1, 9, 9), bool)
        >>> truth[0, 1:3, 1:3] = truth[0, 6, 6] = True
        >>> predicted[0, 2, 2] = predicted[0, 1, 7] = True
        >>> lesion_counts(predicted, truth)
        LesionCounts(lesions=2, detected=1, false_positives=1)
    """
    from scipy.ndimage import generate_binary_structure, label

    predicted, truth = _as_mask(predicted, "the prediction"), _as_mask(truth, "the mask")
    if predicted.shape != truth.shape:
        raise UserError(f"the prediction has shape {predicted.shape} and the mask {truth.shape}: make them equal")
    touching = generate_binary_structure(truth.ndim, truth.ndim)
    lesions, count = label(truth, touching)
    groups, predicted_count = label(predicted, touching)
    detected = len(np.unique(lesions[predicted & truth]))
    return LesionCounts(count, detected, predicted_count - len(np.unique(groups[predicted & truth])))


def dice(true_positive: np.ndarray, false_positive: np.ndarray, false_negative: np.ndarray) -> np.ndarray:
    """Computes Dice of counts of any shape; 1 where there is nothing to find and nothing was found.

    Example:
        >>> import numpy as np
        >>> from medattn_lite.evaluation import dice
        >>> dice(np.array([8, 0]), np.array([2, 0]), np.array([2, 0]))  # an empty mask that was left empty is right
        array([0.8, 1. ])
    """
    return _share(2 * true_positive, 2 * true_positive + false_positive + false_negative)


def iou(true_positive: np.ndarray, false_positive: np.ndarray, false_negative: np.ndarray) -> np.ndarray:
    """Computes intersection over union of counts of any shape; 1 where there is nothing to find and nothing was found.

    Example:
        >>> import numpy as np
        >>> from medattn_lite.evaluation import iou
        >>> iou(np.array([8]), np.array([2]), np.array([0]))
        array([0.8])
    """
    return _share(true_positive, true_positive + false_positive + false_negative)


OVERLAPS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {"Dice": dice, "IoU": iou}


def hausdorff95(predicted: np.ndarray, truth: np.ndarray, *, spacing_mm: Sequence[float]) -> float:
    """Computes the 95 % Hausdorff distance of two masks in mm.

    Args:
        predicted: (D, H, W) of 0 and 1, or (H, W).
        truth: the same.
        spacing_mm: millimetres from voxel to voxel along each axis.

    Raises:
        UserError: other shapes, or a spacing that does not fit.

    Example:
        >>> import numpy as np
        >>> from medattn_lite.evaluation import hausdorff95
        >>> first, second = np.zeros((2, 8, 8), bool)
        >>> first[2:4, 2:4], second[2:4, 4:6] = True, True  # two columns apart, 3 mm each
        >>> hausdorff95(first, second, spacing_mm=(1.0, 3.0))
        6.0
    """
    from monai.metrics import compute_hausdorff_distance

    predicted, truth = _as_mask(predicted, "the prediction"), _as_mask(truth, "the mask")
    if predicted.shape != truth.shape:
        raise UserError(f"the prediction has shape {predicted.shape} and the mask {truth.shape}: make them equal")
    if len(spacing_mm) != truth.ndim or not all(step > 0 for step in spacing_mm):
        raise UserError(f"spacing is {tuple(spacing_mm)} mm: give {truth.ndim} numbers above 0, one per axis")
    if not predicted.any() and not truth.any():
        return 0.0
    if not predicted.any() or not truth.any():
        return float(np.linalg.norm(np.multiply(truth.shape, spacing_mm)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # MONAI warns of an argument that only MONAI passes
        return float(compute_hausdorff_distance(predicted[None, None], truth[None, None], include_background=True,
                                                percentile=95, spacing=list(spacing_mm)))  # fmt: skip


def sample_average(overlap: Callable[..., np.ndarray]) -> Callable[..., float]:
    """The statistic that scores each patient, then takes the mean; of counts (N,) each."""
    return lambda *counts: float(np.mean(overlap(*counts)))


def voxel_average(overlap: Callable[..., np.ndarray]) -> Callable[..., float]:
    """The statistic that adds up the voxels of all patients, then scores; of counts (N,) each."""
    return lambda *counts: float(overlap(*(np.sum(column) for column in counts)))


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.ones_like(whole, dtype=float), where=np.asarray(whole) != 0)


def _as_mask(mask: np.ndarray, name: str) -> np.ndarray:
    mask = np.asarray(mask)
    if mask.dtype != bool and not np.isin(mask, (0, 1)).all():
        raise UserError(f"{name} holds {np.unique(mask)[:5].tolist()} and more: give one mask of 0 and 1 a region")
    return mask.astype(bool)
