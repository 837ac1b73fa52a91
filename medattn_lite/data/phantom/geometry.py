"""Voxel grids, and the map from a person's world to the template's.

`x_template = R S (x − c) + c + u(x)`: rotation, anisotropic scale and a smooth displacement `u`,
all drawn from the person's seed. World coordinates are RAS in mm; tensors hold them as (z, y, x).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch

from medattn_lite.data.phantom.fields import NoiseField, noise_field, normal, stream, triple
from medattn_lite.errors import UserError

CENTRE_MM = (8.0, -17.0, 0.0)  # world z, y, x in the middle of the field of view
HEAD_MM = (172.0, 206.0, 168.0)  # field of view that holds every phantom brain
HEAD_WITH_SKULL_MM = (196.0, 236.0, 196.0)


@dataclass(frozen=True)
class VoxelGrid:
    """A voxel grid in the world: `shape` (D, H, W), `spacing_mm` along them, `centre_mm` (z, y, x)."""

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    centre_mm: tuple[float, float, float] = CENTRE_MM

    @property
    def origin_mm(self) -> tuple[float, ...]:
        """World (z, y, x) of voxel (0, 0, 0)."""
        return tuple(
            c - 0.5 * (n - 1) * s for c, n, s in zip(self.centre_mm, self.shape, self.spacing_mm, strict=True)
        )

    @property
    def voxel_mm(self) -> float:
        """Edge of a cube with the voxel's volume."""
        return math.prod(self.spacing_mm) ** (1 / 3)

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in mL."""
        return math.prod(self.spacing_mm) / 1000.0

    @property
    def affine(self) -> np.ndarray:
        """4×4: array index (d, h, w, 1) → RAS world (x, y, z, 1) in mm."""
        out = np.eye(4)
        out[:3, :3] = 0.0
        for axis in range(3):
            out[2 - axis, axis] = self.spacing_mm[axis]
            out[2 - axis, 3] = self.origin_mm[axis]
        return out

    def points(self, device: str | torch.device = "cpu") -> torch.Tensor:
        """World coordinates `(D, H, W, 3)` of the voxel centres as (z, y, x)."""
        axes = [
            o + s * torch.arange(n, dtype=torch.float32, device=device)
            for o, s, n in zip(self.origin_mm, self.spacing_mm, self.shape, strict=True)
        ]
        return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)

    def window(self, centre_mm: torch.Tensor, radius_mm: float) -> tuple[slice, slice, slice]:
        """Index slices of the box that holds a ball, clipped to the grid (never empty)."""
        def along(axis: int) -> slice:
            middle = (float(centre_mm[axis]) - self.origin_mm[axis]) / self.spacing_mm[axis]
            reach = radius_mm / self.spacing_mm[axis]
            low = min(max(math.floor(middle - reach), 0), self.shape[axis] - 1)
            high = max(min(math.ceil(middle + reach) + 1, self.shape[axis]), low + 1)
            return slice(low, high)

        return along(0), along(1), along(2)

    def crop(self, box: tuple[slice, slice, slice]) -> VoxelGrid:
        """The grid of a box of voxels."""
        shape = triple(b.stop - b.start for b in box)
        centre = triple(
            o + s * (b.start + 0.5 * (b.stop - b.start - 1))
            for o, s, b in zip(self.origin_mm, self.spacing_mm, box, strict=True)
        )
        return VoxelGrid(shape, self.spacing_mm, centre)

    def coarse(self, step_mm: float) -> VoxelGrid:
        """A coarser grid whose corner voxels coincide with this one's."""
        extent = [(n - 1) * s for n, s in zip(self.shape, self.spacing_mm, strict=True)]
        shape = triple(max(2, math.ceil(mm / step_mm) + 1) for mm in extent)
        spacing = triple(max(mm, 1e-3) / (n - 1) for mm, n in zip(extent, shape, strict=True))
        return VoxelGrid(shape, spacing, self.centre_mm)

    def coordinates(self, points_mm: torch.Tensor) -> torch.Tensor:
        """World points `(..., 3)` → `grid_sample` coordinates (x, y, z) in this grid."""
        spacing = points_mm.new_tensor(self.spacing_mm)
        size = points_mm.new_tensor([max(n - 1, 1) for n in self.shape])
        return ((points_mm - points_mm.new_tensor(self.origin_mm)) / spacing / size * 2 - 1).flip(-1)


class Cloud:
    """The voxels that hold something: world points `(n, 3)` and where they belong on the grid."""

    def __init__(self, grid: VoxelGrid, occupied: torch.Tensor) -> None:
        self.grid = grid
        self.index = occupied.flatten().nonzero()[:, 0]
        self.points = grid.points(occupied.device).reshape(-1, 3)[self.index]

    def dense(self, values: torch.Tensor, outside: float = 0.0) -> torch.Tensor:
        """Spread `(n,)` over the grid `(D, H, W)`."""
        out = values.new_full((self.grid.shape[0] * self.grid.shape[1] * self.grid.shape[2],), outside)
        out[self.index] = values
        return out.view(self.grid.shape)

    def slope(self, values: torch.Tensor) -> torch.Tensor:
        """|∇| of `(n,)` per mm, by central differences on the grid."""
        volume = self.dense(values)
        steps = torch.gradient(volume, spacing=[float(s) for s in self.grid.spacing_mm])
        along_z, along_y, along_x = (step.flatten()[self.index].square() for step in steps)
        return (along_z + along_y + along_x).sqrt()


def make_grid(
    shape: tuple[int, ...], spacing_mm: float | tuple[float, ...] | None, *, skull: bool = False
) -> VoxelGrid:
    """Makes the grid of a 3-D shape; without a spacing the voxels are cubes that fit the whole head."""
    if len(shape) != 3 or any(int(n) != n or n < 2 for n in shape):
        raise UserError(f"shape={shape!r}: give three whole numbers above 1 (D, H, W), or two (H, W) for one slice")
    size = triple(int(n) for n in shape)
    if spacing_mm is None:
        field = HEAD_WITH_SKULL_MM if skull else HEAD_MM
        spacing_mm = max(mm / n for mm, n in zip(field, size, strict=True))
    spacing = (spacing_mm,) * 3 if isinstance(spacing_mm, (int, float)) else tuple(spacing_mm)
    if len(spacing) != 3 or any(not s > 0 for s in spacing):
        raise UserError(f"spacing_mm={spacing_mm!r}: give one positive number or three (D, H, W), in mm")
    return VoxelGrid(size, triple(float(s) for s in spacing))


class HeadShape:
    """How a person's head differs from the template: size, tilt, and a smooth displacement."""

    def __init__(self, seed: int) -> None:
        random = stream(seed, "head shape")
        common = normal(random, 0.93, 0.035, limit=2.2)
        scale = torch.tensor([common * normal(random, 1.0, 0.022) for _ in range(3)])
        tilt = [math.radians(normal(random, 0.0, degrees)) for degrees in (2.2, 2.2, 5.0)]
        self.matrix = _rotation(*tilt) @ torch.diag(1.0 / scale)
        self.seed = seed

    @cached_property
    def _displacement(self) -> tuple[NoiseField, NoiseField]:
        random = stream(self.seed, "displacement")
        return (
            noise_field(random, 125.0, channels=3, low_pass=True),
            noise_field(random, 46.0, channels=3, bandwidth=0.3),
        )

    def to_template(self, points_mm: torch.Tensor) -> torch.Tensor:
        """Person's world points `(..., 3)` (z, y, x) → template world points."""
        return self.linear(points_mm) + self.displacement(points_mm)

    def linear(self, points_mm: torch.Tensor) -> torch.Tensor:
        """The affine part of `to_template`."""
        centre = points_mm.new_tensor(CENTRE_MM)
        return (points_mm - centre) @ self.matrix.to(points_mm).T + centre

    def displacement(self, points_mm: torch.Tensor) -> torch.Tensor:
        """The smooth part of `to_template`, in mm: slow enough to be looked up on a coarse grid."""
        broad, fine = self._displacement
        return (2.2 * broad.at(points_mm) + 0.4 * fine.at(points_mm)).movedim(0, -1)

    def from_template(self, point_mm: torch.Tensor) -> torch.Tensor:
        """One template point (z, y, x) → the person's world, by fixed-point iteration."""
        inverse = torch.linalg.inv(self.matrix)
        point = point_mm.clone().float()
        for _ in range(12):
            point = point + inverse @ (point_mm - self.to_template(point))
        return point


@lru_cache(maxsize=16)
def head_of(seed: int) -> HeadShape:
    """The head shape of a seed; the last sixteen are kept with their fields."""
    return HeadShape(seed)


def _rotation(around_z: float, around_y: float, around_x: float) -> torch.Tensor:
    """Rotation matrix for (z, y, x) vectors from three small angles in radians."""
    def turn(i: int, j: int, angle: float) -> torch.Tensor:
        out = torch.eye(3)
        out[i, i] = out[j, j] = math.cos(angle)
        out[i, j], out[j, i] = -math.sin(angle), math.sin(angle)
        return out

    return turn(1, 2, around_z) @ turn(0, 2, around_y) @ turn(0, 1, around_x)
