"""Where the audit looks: the head, its rim, the air around it, and the tissue far from the lesion.

"Outside" is tissue at least `margin_mm` away from the annotated lesion, and from the zones that are borrowed from
cases of other classes: otherwise tissue would differ between classes by what their lesions leave of a head (`zones`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from medattn_lite.audit.zones import Zone

MARGIN_MM = 11.0
HEAD_WIDTH_MM = 140.0  # of a brain, left to right: gives the pixel size where the files do not
SLICE_MM = 5.0  # assumed distance of slices where the files do not say it
RIM = 2  # voxels: thickness of the head's rim, and of the gap between head and background


@dataclass(frozen=True)
class Regions:
    """Parts of one image, each (D, H, W) bool.

    Attributes:
        head: the largest connected part of the foreground.
        background: everything at least 2 voxels away from the head.
        border: the outermost 2 voxels of the head, where they are far from the lesion.
        outside: the head, where it is far from the lesion.
        zone: the lesion and its margin; None without a lesion.
        lesion: the annotated voxels; None without a mask.
    """

    head: np.ndarray
    background: np.ndarray
    border: np.ndarray
    outside: np.ndarray
    zone: np.ndarray | None
    lesion: np.ndarray | None


def as_volume(tensor: Any) -> np.ndarray:
    """(C, D, H, W) of a volume or of a picture (C, H, W), which counts as one slice."""
    array = tensor.detach().cpu().numpy() if hasattr(tensor, "detach") else np.asarray(tensor)
    return array[:, None] if array.ndim == 3 else array


def voxel_mm(sample: Mapping[str, Any]) -> tuple[float, float, float] | None:
    """Voxel size along D, H and W in mm; None where the source does not know it."""
    meta = sample.get("meta", {})
    size = meta.get("voxel_size_mm", meta.get("spacing_mm"))
    if size is None:
        return None
    depth, height, width = (float(side) for side in np.broadcast_to(size, 3))
    return depth, height, width


def regions_of(
    sample: Mapping[str, Any], *, borrowed: Sequence[Zone] = (), margin_mm: float = MARGIN_MM
) -> Regions:
    """Divides an image.

    Args:
        sample: `image` (C, D, H, W) or (C, H, W), and `mask` if there is one.
        borrowed: zones of other cases that are left out as well, fitted to the head; not where there is no mask.
        margin_mm: distance to the lesion from which tissue counts as outside. Where the voxel size is unknown, the
            head's width is taken as 140 mm and slices as 5 mm apart.
    """
    from scipy import ndimage

    image = as_volume(sample["image"])
    head = _head(image)
    lesion = None if sample.get("mask") is None else np.any(as_volume(sample["mask"]) > 0, axis=0)
    zone = near(lesion, voxel_mm(sample) or _guessed_mm(head), margin_mm) if lesion is not None else None
    outside = head if zone is None else head & ~zone
    for other in borrowed if lesion is not None else ():
        outside = outside & ~other.fitted(head)
    flat = ndimage.generate_binary_structure(3, 1)
    if head.shape[0] == 1:
        flat[[0, 2]] = False  # a picture has no slices beside it
    core = ndimage.binary_erosion(head, flat, iterations=RIM, border_value=1)
    background = ~ndimage.binary_dilation(head, flat, iterations=RIM)
    return Regions(head, background, outside & ~core, outside, zone, lesion)


def _head(image: np.ndarray) -> np.ndarray:
    import torch
    from scipy import ndimage

    from medattn_lite.data.transforms import foreground

    inside = foreground(torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32)))[0].numpy()
    parts, count = ndimage.label(inside)
    if count < 2:
        return inside
    return parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])


def near(lesion: np.ndarray, size: tuple[float, ...], margin_mm: float) -> np.ndarray | None:
    """Voxels within the margin of the lesion; None without a lesion."""
    from scipy import ndimage

    if not lesion.any():
        return None
    bounds = ndimage.find_objects(lesion.astype(np.uint8))[0]
    reach = [int(np.ceil(margin_mm / side)) + 1 for side in size]
    box = tuple(slice(max(0, part.start - more), part.stop + more) for part, more in zip(bounds, reach, strict=True))
    near = np.zeros(lesion.shape, dtype=bool)
    near[box] = ndimage.distance_transform_edt(~lesion[box], sampling=size) < margin_mm
    return near


def _guessed_mm(head: np.ndarray) -> tuple[float, float, float]:
    columns = np.flatnonzero(head.any(axis=(0, 1)))
    pixel = HEAD_WIDTH_MM / max(1, columns[-1] - columns[0] + 1) if len(columns) else 1.0
    return SLICE_MM, pixel, pixel
