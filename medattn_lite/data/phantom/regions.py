"""Regions of the template that the atlas needs and nilearn does not label.

Everything here is a rule on ICBM coordinates (mm, x left→right, y posterior→anterior, z
inferior→superior) and on the tissue maps: good enough to draw with, no anatomical reference.
"""

from __future__ import annotations

import numpy as np


def soft(region: np.ndarray, sigma_voxels: float = 1.0) -> np.ndarray:
    """A region with a smooth border, values in [0, 1]."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(region.astype(np.float32), sigma_voxels)


def smoothstep_array(value: np.ndarray, start: float, end: float) -> np.ndarray:
    """0 at `start`, 1 at `end` (either may be the larger), smooth between."""
    t = np.clip((value - start) / (end - start), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def ellipsoid(x: np.ndarray, y: np.ndarray, z: np.ndarray, centre: tuple, radii: tuple) -> np.ndarray:
    """Soft membership of an ellipsoid given by centre and radii (x, y, z) in mm."""
    r = np.sqrt(sum(((a - c) / s) ** 2 for a, c, s in zip((x, y, z), centre, radii, strict=True)))
    return smoothstep_array(r, 1.2, 0.8)


def infratentorial(brain: np.ndarray, brightness: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray):
    """Cerebellum and brainstem, flooded from markers along the bright tissue of the T1 template.

    Returns:
        The region as bool and the brainstem's soft membership.
    """
    from scipy.ndimage import binary_opening, gaussian_filter, watershed_ift

    markers = np.zeros(brain.shape, dtype=np.int16)
    tentorium = np.interp(np.abs(x), [0, 20, 45, 70], [-2, -12, -24, -30])
    supra = brain & ((z > tentorium + 16) | ((y > -14) & (z > -26)) | ((y > -22) & (np.abs(x) > 26)))
    supra |= brain & (y < -62) & (z > tentorium + 10)
    cerebellar = brain & (y < -45) & (y > -82) & (z < tentorium - 12)
    pons = brain & (np.abs(x) < 10) & (y < -18) & (y > -42) & (z < -18)
    markers[supra], markers[cerebellar | pons], markers[~brain] = 1, 2, 3
    cost = (255 * (1 - np.clip(gaussian_filter(brightness, 0.5), 0, 1))).astype(np.uint8)
    region = binary_opening(watershed_ift(cost, markers) == 2) & brain
    axis_y = np.interp(z, [-72, -50, -30, -12, 0], [-44, -38, -30, -24, -20])
    stem = ellipsoid(x, y - axis_y, np.zeros_like(z), (0, 0, 0), (17, 13, 1)) * (z < 2) * smoothstep_array(z, 2, -6)
    narrow = ellipsoid(x, y - axis_y, np.zeros_like(z), (0, 0, 0), (10, 9, 1))
    stem = np.where(z < -48, narrow, stem)
    return region | ((stem > 0.5) & brain & (z < -12)), stem * brain


def interhemispheric_cut(white: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The plane between the hemispheres: around the corpus callosum, not through it."""
    middle = np.abs(x) < 0.8
    callosum = white[:, :, np.abs(x[0, 0]) < 1.0].mean(-1) > 0.45  # (D, H)
    z_axis, y_axis = z[:, 0, 0], y[0, :, 0]
    callosum &= (z_axis[:, None] > -8) & (y_axis[None] > -46) & (y_axis[None] < 36)
    top = np.where(callosum.any(0), z_axis[len(z_axis) - 1 - np.argmax(callosum[::-1], axis=0)], -100.0)
    present = np.flatnonzero(callosum.any(0))
    first, last = y_axis[present[0]], y_axis[present[-1]]
    above = (z > top[None, :, None] + 1.0) & (y >= first) & (y <= last)
    in_front = (y > last) & (z > -30)
    behind = (y < first) & (z > np.interp(y, [-100, -60, -40], [-14, -2, 4]))
    return middle & (above | in_front | behind)


def ventricles(brain: np.ndarray, tissue: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Lateral, third and fourth ventricles: fluid deep inside, near where ventricles lie."""
    from scipy.ndimage import binary_closing, label

    lateral = (np.abs(x) < 44) & (y > -72) & (y < 38) & (z > -22) & (z < 32)
    lateral &= ~((np.abs(x) < 8) & (y < -30)) & ~((z < -4) & (np.abs(x) < 18) & (np.abs(y + 20) < 60))
    third = (np.abs(x) < 5) & (y > -30) & (y < 6) & (z > -10) & (z < 14)
    fourth = (np.abs(x) < 14) & (y > -54) & (y < -36) & (z > -46) & (z < -22)
    fluid = brain & (tissue < 0.6) & (lateral | third | fourth)
    names, count = label(fluid)
    sizes = np.bincount(names.ravel(), minlength=count + 1)
    keep = [k for k in range(1, count + 1) if sizes[k] >= 40]
    return binary_closing(np.isin(names, keep))


def cortex(depth: np.ndarray, below: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Where the folding is drawn anew for every person: the convexity, not insula or deep nuclei."""
    shell = smoothstep_array(depth, 32.0, 24.0)
    kept = np.zeros_like(depth)
    for side in (-1, 1):
        kept = np.maximum(kept, ellipsoid(x, y, z, (side * 34, 2, 0), (13, 27, 15)))  # insula, Sylvian floor
        kept = np.maximum(kept, ellipsoid(x, y, z, (side * 24, -20, -16), (11, 20, 10)))  # hippocampus
        kept = np.maximum(kept, ellipsoid(x, y, z, (side * 12, 0, 2), (17, 30, 18)))  # basal ganglia
    kept = np.maximum(kept, ellipsoid(x, y, z, (0, -18, -4), (18, 30, 16)))
    return shell * (1 - kept) * (1 - np.clip(below, 0, 1))


def limbic(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Cortex that FLAIR shows brighter: insula, cingulate gyrus, mesial temporal lobe."""
    total = ellipsoid(np.abs(x), y, z, (4, 18, 26), (9, 26, 18))
    total = np.maximum(total, ellipsoid(np.abs(x), y, z, (4, -30, 34), (9, 24, 12)))
    total = np.maximum(total, ellipsoid(np.abs(x), y, z, (38, 4, 0), (8, 24, 16)))
    return np.maximum(total, ellipsoid(np.abs(x), y, z, (24, -18, -18), (12, 24, 11)))


def pallidum(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Iron-rich nuclei that T2 and FLAIR show darker: globus pallidus, red nucleus, nigra."""
    total = ellipsoid(np.abs(x), y, z, (19, -4, 0), (6, 9, 6))
    return np.maximum(total, ellipsoid(np.abs(x), y, z, (7, -19, -10), (5, 5, 5)))
