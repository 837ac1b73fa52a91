"""Random fields in millimetres: seeded streams, band-limited noise, sampling and blurring.

A field belongs to the world, not to a voxel grid, so one person looks the same at 3 mm and at 1 mm.
Random numbers are drawn on the CPU whatever the device, so a seed means the same everywhere.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import torch
import torch.nn.functional as functional

Number = TypeVar("Number")


def stream(seed: int, *names: object) -> torch.Generator:
    """An independent random stream for a purpose: same seed and names, same numbers.

    Args:
        seed: The subject's (or cohort's) seed.
        *names: What the numbers are for, as in `stream(3, "folding")`.
    """
    text = ":".join(str(part) for part in (seed, *names))
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)


def uniform(generator: torch.Generator, low: float, high: float) -> float:
    """One number between `low` and `high`."""
    return low + (high - low) * torch.rand((), generator=generator).item()


def normal(generator: torch.Generator, mean: float = 0.0, spread: float = 1.0, limit: float = 2.5) -> float:
    """One normal number, held within `limit` standard deviations."""
    draw = torch.randn((), generator=generator).item()
    return mean + spread * max(-limit, min(limit, draw))


def triple(values: Iterable[Number]) -> tuple[Number, Number, Number]:
    """Three values, one per axis, as a tuple."""
    first, second, third = values
    return first, second, third


@dataclass(frozen=True)
class NoiseField:
    """Periodic noise of unit variance that can be asked for its value anywhere in the world.

    Attributes:
        values: `(channels, D+1, H+1, W+1)`, first and last plane equal along each axis.
        period_mm: Period along z, y, x in mm.
    """

    values: torch.Tensor
    period_mm: tuple[float, float, float]

    def at(self, points_mm: torch.Tensor) -> torch.Tensor:
        """Values `(channels, ...)` at world points `(..., 3)` given as (z, y, x) in mm."""
        period = points_mm.new_tensor(self.period_mm)
        wrapped = torch.remainder(points_mm / period, 1.0) * 2 - 1
        return sample(self.values.to(points_mm.device), wrapped.flip(-1))


def noise_field(
    generator: torch.Generator,
    wavelength_mm: float,
    *,
    channels: int = 1,
    bandwidth: float = 0.25,
    low_pass: bool = False,
    stretch: tuple[float, float, float] = (1.0, 1.0, 1.0),
    extent_mm: float = 230.0,
) -> NoiseField:
    """Gaussian noise limited to a band around one wavelength.

    Args:
        generator: Where the random numbers come from.
        wavelength_mm: Centre of the band (of a low pass: its half-power point).
        channels: Independent fields.
        bandwidth: Relative width of the band.
        low_pass: Keep everything longer than the wavelength too.
        stretch: Factors along z, y, x by which the field is drawn out.
        extent_mm: Largest period; shorter for short wavelengths, to keep the field small.
    """
    period = min(extent_mm, 11.0 * wavelength_mm)
    count = max(8, 2 * math.ceil(3.2 * period / wavelength_mm))
    # Noise drawn as its spectrum: the inverse transform of random coefficients is random too.
    white = torch.randn(channels, count, count, count // 2 + 1, 2, generator=generator)
    response = _response(count, period, wavelength_mm, None if low_pass else bandwidth)
    shaped = torch.fft.irfftn(torch.view_as_complex(white) * response, s=(count,) * 3, dim=(1, 2, 3))
    shaped = shaped / shaped.std(dim=(1, 2, 3), keepdim=True)
    padded = functional.pad(shaped[None], (0, 1, 0, 1, 0, 1), mode="circular")[0]
    return NoiseField(padded, triple(period * factor for factor in stretch))


@lru_cache(maxsize=24)  # most wavelengths are the same in every head; 0.8 MB each at most
def _response(count: int, period: float, wavelength_mm: float, bandwidth: float | None) -> torch.Tensor:
    """How much of each spatial frequency a field keeps, `(count, count, count // 2 + 1)`; not to be changed in place.

    Args:
        count: Samples along an axis.
        period: Their extent in mm.
        wavelength_mm: Centre of the band, or half-power point of the low pass.
        bandwidth: Relative width of the band; None for a low pass.
    """
    frequency = torch.fft.fftfreq(count, d=period / count)
    half = torch.fft.rfftfreq(count, d=period / count)
    grid = torch.stack(torch.meshgrid(frequency, frequency, half, indexing="ij"))
    relative = grid.square().sum(0).sqrt() * wavelength_mm
    if bandwidth is None:
        response = torch.exp(-0.5 * math.log(2.0) * relative.square())
    else:
        response = torch.exp(-0.5 * ((relative - 1.0) / bandwidth).square())
    response[0, 0, 0] = 0.0
    return response


def sample(volume: torch.Tensor, coordinates: torch.Tensor) -> torch.Tensor:
    """Trilinear values `(channels, ...)` of `(channels, D, H, W)` at `grid_sample` coordinates `(..., 3)`."""
    places = coordinates.reshape(1, 1, 1, -1, 3) if coordinates.dim() != 4 else coordinates[None]
    values = functional.grid_sample(
        volume[None], places, mode="bilinear", padding_mode="border", align_corners=True
    )[0]
    return values.reshape(len(volume), *coordinates.shape[:-1])


def smoothstep(value: torch.Tensor, start: float, end: float) -> torch.Tensor:
    """0 at `start`, 1 at `end` (either may be the larger), smooth between."""
    t = ((value - start) / (end - start)).clamp(0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def gradient(volume: torch.Tensor, spacing_mm: tuple[float, float, float]) -> torch.Tensor:
    """Central differences `(3, D, H, W)` of `(D, H, W)` per mm."""
    return torch.stack(torch.gradient(volume, spacing=list(spacing_mm)))


def blur(volume: torch.Tensor, sigma_voxels: tuple[float, float, float]) -> torch.Tensor:
    """Separable Gaussian blur of `(channels, D, H, W)`; axes with almost no blur are skipped."""
    out = volume[:, None]
    for axis, sigma in enumerate(sigma_voxels):
        if sigma < 0.15:
            continue
        radius = max(1, math.ceil(2.5 * sigma))
        position = torch.arange(-radius, radius + 1, dtype=volume.dtype, device=volume.device)
        kernel = torch.exp(-0.5 * (position / sigma).square())
        kernel = kernel / kernel.sum()
        shape, padding = [1, 1, 1, 1, 1], [0] * 6
        shape[2 + axis] = 2 * radius + 1
        padding[2 * (2 - axis)] = padding[2 * (2 - axis) + 1] = radius
        out = functional.conv3d(functional.pad(out, padding, mode="replicate"), kernel.view(shape))
    return out[:, 0]
