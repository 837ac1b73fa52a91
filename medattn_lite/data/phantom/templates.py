"""The atlas every phantom starts from: ICBM 152 tissue maps and the distances derived from them.

nilearn ships the symmetric ICBM 2009a grey- and white-matter maps (Fonov et al., NeuroImage 2011),
averages of 152 people. From them this module derives, once, what a person is drawn with: how deep
a point lies under the cortical surface, how far it is from the ventricles, and soft labels of the
regions that behave differently. The result is kept for the process and in the user's cache folder.

All arrays are `(D, H, W)` = (inferior→superior, posterior→anterior, left→right) at 1.5 mm.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from medattn_lite.data.cache import cache_folder, store

if TYPE_CHECKING:
    from nibabel import Nifti1Image

SPACING_MM = 1.5
ORIGIN_MM = (-84.0, -121.5, -85.5)  # world z, y, x of voxel (0, 0, 0)
SHAPE = (122, 141, 115)
VERSION = 10  # part of the cache's file name: raise it when the derivation changes

CHANNELS = (
    "grey", "white", "depth", "brain_depth", "ventricle", "cortex", "cerebellum", "limbic", "pallidum", "stem", "skull",
    "inward_z", "inward_y", "inward_x", "wall_z", "wall_y", "wall_x",
)  # fmt: skip


@dataclass(frozen=True)
class Atlas:
    """Tissue maps and distances in template space.

    Attributes:
        maps: `(channels, D, H, W)` float32, in the order of `CHANNELS`. `grey` and `white` are
            fractions; `depth` is mm under the hull of one's own hemisphere, `brain_depth` under the
            hull of the brain, `skull` under a rounder one, `ventricle` mm to the ventricles
            (negative inside); `inward_*` point away from the hull, `wall_*` from the ventricles;
            the others are soft memberships in [0, 1].
    """

    maps: torch.Tensor

    def channel(self, name: str) -> torch.Tensor:
        """One map `(D, H, W)` by its name."""
        return self.maps[CHANNELS.index(name)]


def atlas_coordinates(points_mm: torch.Tensor) -> torch.Tensor:
    """World points `(..., 3)` as (z, y, x) mm → `grid_sample` coordinates (x, y, z) in [-1, 1]."""
    origin = points_mm.new_tensor(ORIGIN_MM)
    extent = points_mm.new_tensor([(n - 1) * SPACING_MM for n in SHAPE])
    return ((points_mm - origin) / extent * 2 - 1).flip(-1)


@lru_cache(maxsize=1)
def load_atlas() -> Atlas:
    """Read the atlas from the cache, or derive it (about 10 s) and keep it.

    Where it is kept, and how to keep nothing: `medattn_lite.data.cache`.
    """
    path = _cache_file()
    if path is not None and path.exists():
        with contextlib.suppress(OSError, ValueError, EOFError):
            maps = np.load(path)
            if maps.shape == (len(CHANNELS), *SHAPE):
                return Atlas(_interleaved(maps))
    maps = _derive()
    if path is not None:
        _store(path, maps)
    # Through float16 in either case, so that the first process and the later ones agree.
    return Atlas(_interleaved(maps.astype(np.float16)))


def _interleaved(maps: np.ndarray) -> torch.Tensor:
    """Float32 maps whose channels lie side by side in memory: all are looked up at the same points."""
    tensor = torch.from_numpy(maps.astype(np.float32))
    return tensor[None].contiguous(memory_format=torch.channels_last_3d)[0]


def _cache_file() -> Path | None:
    folder = cache_folder()
    return None if folder is None else folder / f"phantom_atlas_v{VERSION}.npy"


def _store(path: Path, maps: np.ndarray) -> None:
    def write(part: Path) -> None:
        with part.open("wb") as file:
            np.save(file, maps.astype(np.float16))

    store(path, write)


def _on_atlas_grid(image: Nifti1Image) -> np.ndarray:
    """A nilearn image (RAS, 1 mm) resampled to the atlas grid as `(D, H, W)`."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    data = gaussian_filter(np.asarray(image.dataobj, dtype=np.float32), 0.45)
    world = np.stack(_world_axes(), axis=-1)[..., ::-1]  # x, y, z
    index = (world - image.affine[:3, 3]) / np.diag(image.affine)[:3]
    return map_coordinates(data, index.transpose(3, 0, 1, 2), order=1).astype(np.float32)


def _world_axes() -> list[np.ndarray]:
    axes = [ORIGIN_MM[i] + SPACING_MM * np.arange(SHAPE[i], dtype=np.float32) for i in range(3)]
    return list(np.meshgrid(*axes, indexing="ij"))


def _signed_depth(region: np.ndarray) -> np.ndarray:
    """Distance to the border in mm, positive inside, a little smoothed against voxel steps."""
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    inside = distance_transform_edt(region)
    outside = distance_transform_edt(~region)
    return gaussian_filter(((inside - outside) * SPACING_MM).astype(np.float32), 0.8)


def _direction(distance: np.ndarray, sigma_voxels: float) -> np.ndarray:
    """Unit vectors `(3, D, H, W)` along the growth of a distance, smoothed over its creases."""
    from scipy.ndimage import gaussian_filter

    slope = np.stack(np.gradient(gaussian_filter(distance, sigma_voxels), SPACING_MM))
    return slope / np.maximum(np.sqrt((slope**2).sum(0)), 0.4)


def _closed(region: np.ndarray, radius_mm: float) -> np.ndarray:
    """Morphological closing by distances (a ball of any radius in two transforms)."""
    from scipy.ndimage import distance_transform_edt

    margin = int(radius_mm / SPACING_MM) + 3  # room to grow: the border of the grid must not cut in
    region = np.pad(region, margin)
    grown = distance_transform_edt(~region) * SPACING_MM <= radius_mm
    closed = distance_transform_edt(grown) * SPACING_MM > radius_mm
    return closed[margin:-margin, margin:-margin, margin:-margin]


def _derive() -> np.ndarray:
    from nilearn import datasets

    from medattn_lite.data.phantom import regions

    grey = _on_atlas_grid(datasets.load_mni152_gm_template(resolution=1))
    white = _on_atlas_grid(datasets.load_mni152_wm_template(resolution=1))
    brightness = _on_atlas_grid(datasets.load_mni152_template(resolution=1))
    brain = _on_atlas_grid(datasets.load_mni152_brain_mask(resolution=1)) > 0.5
    z, y, x = _world_axes()

    brain_hull = _closed(brain, 6.0)
    infratentorial, stem = regions.infratentorial(brain, brightness, x, y, z)
    cerebrum = brain_hull & ~infratentorial
    cut = regions.interhemispheric_cut(white, x, y, z)
    depth = _signed_depth(cerebrum & ~cut)
    ventricles = regions.ventricles(brain, grey + white, x, y, z)
    maps = {
        "grey": grey,
        "white": white,
        "depth": depth,
        "brain_depth": _signed_depth(brain_hull),
        "skull": _signed_depth(_closed(brain_hull, 22.0)),
        "ventricle": -_signed_depth(ventricles),
        "cerebellum": regions.soft(infratentorial & (stem < 0.5)),
        "stem": regions.soft(stem > 0.5),
        "limbic": regions.limbic(x, y, z),
        "pallidum": regions.pallidum(x, y, z),
    }
    for axis, name in enumerate("zyx"):
        maps[f"inward_{name}"] = _direction(depth, 2.0)[axis]
        maps[f"wall_{name}"] = _direction(maps["ventricle"], 1.5)[axis]
    maps["cortex"] = regions.cortex(depth, regions.soft(infratentorial), x, y, z)
    return np.stack([maps[name] for name in CHANNELS]).astype(np.float32)
