"""Numbers that describe an image without its lesion, in groups; a model of each group is asked for the label.

    outside      raw intensities of tissue far from the lesion: mean, sd, quantiles
    normalised   the same after `normalise`, as a network sees them
    sharpness    second differences at 1, 2 and 4 voxels, across slices, and the noise that they leave
    border       the head's rim: intensities and their step to the air
    background   the air, and where the head lies in the frame
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from medattn_lite.audit.regions import Regions, as_volume

GROUPS = ("outside", "normalised", "sharpness", "border", "background")
IN_WORDS = {
    "outside": "raw intensities far from the lesion",
    "normalised": "normalised intensities far from the lesion",
    "sharpness": "sharpness at three scales and noise, far from the lesion",
    "border": "the head's border",
    "background": "the background and the frame",
    "everything": "all of these together",
}
SCALES = (1, 2, 4)  # voxels
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
FEWEST = 30  # voxels, below which a region has no statistics

Numbers = dict[str, float]


def image_statistics(sample: Mapping[str, Any], regions: Regions) -> dict[str, Numbers]:
    """Statistics of a sample by group; NaN where a region is too small.

    Args:
        sample: `image` (C, D, H, W) or (C, H, W) as read, not normalised.
        regions: of the same image.

    Returns:
        group → name → number. Every sample with the same channels has the same names.
    """
    image = as_volume(sample["image"]).astype(np.float32)
    names = [str(name) for name in sample.get("channels", range(len(image)))]
    statistics: dict[str, Numbers] = {group: {} for group in GROUPS}
    normalised = _normalised(sample["image"], image.shape)
    for name, channel, scored in zip(names, image, normalised, strict=True):
        inside = channel[regions.outside]
        statistics["outside"] |= _named(_moments(inside), name)
        statistics["normalised"] |= _named(_moments(scored[regions.outside]), name)
        statistics["sharpness"] |= _named(_sharpness(channel, regions.outside), name)
        level = float(np.median(inside)) if inside.size else np.nan
        statistics["border"] |= _named(_border(channel, regions, level), name)
        statistics["background"] |= _named(_background(channel, regions, level), name)
    statistics["background"] |= _frame(regions.head)
    return statistics


def _moments(values: np.ndarray) -> Numbers:
    names = ["mean", "sd", *(f"{100 * q:g} %" for q in QUANTILES)]
    if values.size < FEWEST:
        return dict.fromkeys(names, np.nan)
    wide = values.astype(np.float64)
    return dict(zip(names, [wide.mean(), wide.std(), *np.quantile(values, QUANTILES)], strict=True))


def _sharpness(channel: np.ndarray, region: np.ndarray) -> Numbers:
    """Logarithms of second differences, relative to the region's spread, so that the scanner's gain cancels."""
    ratios: Numbers = {}
    values = channel[region]
    spread = float(np.subtract(*np.percentile(values, (75, 25)))) if values.size >= FEWEST else np.nan
    spread = spread if spread > 0 else float(values.std()) if values.size else np.nan
    for scale in SCALES:
        rough = np.concatenate([_second_difference(channel, region, axis, scale) for axis in (1, 2)])
        ratios[f"roughness at {scale}"] = _log_ratio(np.median, rough, spread)
        ratios[f"mean roughness at {scale}"] = _log_ratio(np.mean, rough, spread)
    if channel.shape[0] > 1:
        ratios["roughness across slices"] = _log_ratio(np.median, _second_difference(channel, region, 0, 1), spread)
    # what neither a slope nor an edge along an axis leaves: noise (Immerkær 1996)
    rows = channel[:, 2:] - 2 * channel[:, 1:-1] + channel[:, :-2]
    both = np.abs(rows[:, :, 2:] - 2 * rows[:, :, 1:-1] + rows[:, :, :-2])
    kept = region[:, 1:-1, 1:-1]
    for axis in (1, 2):
        length = region.shape[axis] - 2
        for step in (0, 2):
            part = np.take(region, range(step, step + length), axis=axis)
            kept = kept & (part[:, :, 1:-1] if axis == 1 else part[:, 1:-1])
    ratios["noise"] = _log_ratio(np.median, both[kept] / (6 * 0.6745), spread)
    ratios["noise, as it is"] = _log_ratio(np.median, both[kept] / (6 * 0.6745), 1.0)
    return ratios


def _second_difference(channel: np.ndarray, region: np.ndarray, axis: int, step: int) -> np.ndarray:
    """|x(i − s) − 2 x(i) + x(i + s)| wherever all three voxels are in the region."""
    length = channel.shape[axis] - 2 * step
    if length < 1:
        return np.empty(0, dtype=np.float32)
    cuts = [tuple(slice(None) if dimension != axis else slice(first, first + length) for dimension in range(3))
            for first in (0, step, 2 * step)]
    kept = region[cuts[0]] & region[cuts[1]] & region[cuts[2]]
    return np.abs(channel[cuts[0]][kept] - 2 * channel[cuts[1]][kept] + channel[cuts[2]][kept])


def _log_ratio(statistic: Any, values: np.ndarray, spread: float) -> float:
    if values.size < FEWEST or not spread > 0:
        return np.nan
    return float(np.log(max(float(statistic(values)) / spread, 1e-6)))


def _border(channel: np.ndarray, regions: Regions, level: float) -> Numbers:
    values = channel[regions.border]
    air = channel[regions.background]
    if values.size < FEWEST or not level:
        return dict.fromkeys(("mean", "sd", "step to the air"), np.nan)
    step = values.mean() - (air.mean() if air.size else 0.0)
    return {"mean": float(values.mean() / level), "sd": float(values.std() / level),
            "step to the air": float(step / level)}


def _background(channel: np.ndarray, regions: Regions, level: float) -> Numbers:
    names = ("mean", "sd", "highest", "share above a tenth")
    air = channel[regions.background]
    if air.size < FEWEST or not level:
        return dict.fromkeys(names, np.nan)
    relative = air / abs(level)
    numbers = (relative.mean(), relative.std(), relative.max(), (relative > 0.1).mean())
    return dict(zip(names, map(float, numbers), strict=True))


def _frame(head: np.ndarray) -> Numbers:
    """First and last place of the head along each axis, as a share of the frame."""
    positions: Numbers = {}
    for axis, name in enumerate(("slices", "rows", "columns")):
        used = np.flatnonzero(head.any(axis=tuple({0, 1, 2} - {axis})))
        ends = (used[0], used[-1] + 1) if len(used) else (np.nan, np.nan)
        positions[f"first of the {name}"] = float(ends[0] / head.shape[axis])
        positions[f"last of the {name}"] = float(ends[1] / head.shape[axis])
    return positions


def _normalised(tensor: Any, shape: tuple[int, ...]) -> np.ndarray:
    import torch

    from medattn_lite.data.transforms import normalise
    from medattn_lite.errors import UserError

    try:
        return normalise(torch.as_tensor(tensor)).cpu().numpy().reshape(shape)
    except UserError:  # a constant channel: it has no z-score
        return np.full(shape, np.nan, dtype=np.float32)


def _named(numbers: Numbers, channel: str) -> Numbers:
    return {f"{channel}: {name}": value for name, value in numbers.items()}
