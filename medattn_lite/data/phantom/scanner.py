"""From tissue intensities to a scan: slice thickness, bias field, noise, scale, and a scanner mark."""

from __future__ import annotations

import math

import torch

from medattn_lite.data.intensity import centre_and_scale
from medattn_lite.data.phantom.fields import blur, noise_field, normal, stream, triple, uniform
from medattn_lite.data.phantom.geometry import VoxelGrid

MARK = {"t1": 1.1, "t1ce": 1.1, "t2": 2.8, "flair": 1.3}  # brightness of the capsule, relative to white matter


def acquire(
    images: torch.Tensor, head: torch.Tensor, grid: VoxelGrid, seed: int, contrasts: tuple[str, ...], *,
    noise: float = 1.0,
) -> torch.Tensor:  # fmt: skip
    """Scan `(C, D, H, W)` intensities.

    Each sequence has its own slice thickness and in-plane resolution, a smooth bias field, and
    Rician noise `√((I + n₁)² + n₂²)` that is as smooth as the resolution, not white.

    Args:
        images: Noise-free images.
        head: `(D, H, W)` in [0, 1]; 0 where the skull stripping left nothing.
        grid: The voxel grid.
        seed: The subject's seed.
        contrasts: Sequences of `images`.
        noise: 1 is a typical scan, 0 none.
    """
    points = grid.points(images.device)
    field = noise_field(stream(seed, "bias"), 190.0, channels=2, low_pass=True).at(points)
    out = []
    for channel, contrast in enumerate(contrasts):
        random = stream(seed, "scanner", contrast)
        sigma = _resolution(random, contrast, grid)
        image = blur(images[channel : channel + 1] * head, sigma)[0]
        strength = abs(normal(random, 0.06, 0.05))
        image = image * torch.exp(strength * (0.8 * field[0] + 0.6 * field[1] * uniform(random, -1, 1)))
        if noise > 0:
            level = noise * uniform(random, 0.010, 0.028)
            grain = torch.randn(grid.shape, generator=random).to(images.device)
            smooth = triple(max(0.45, s) for s in sigma)
            grain = blur(grain[None], smooth)[0]
            grain = grain * (level / grain.std())
            shifted = torch.roll(grain, (1, 5, 7), dims=(0, 1, 2))  # as good as a second draw, and cheaper
            image = ((image + grain).square() + shifted.square()).sqrt()
        # Skull-stripped scans hold exact zeros outside; units are the scanner's own.
        gain = 600.0 * math.exp(normal(random, 0.0, 0.35))
        out.append(gain * image * (head > 0.35))
    return torch.stack(out)


def _resolution(random: torch.Generator, contrast: str, grid: VoxelGrid) -> tuple[float, float, float]:
    """Blur (σ in voxels along D, H, W) of a sequence: FLAIR and T2 are often thick 2-D slices."""
    thick = uniform(random, 0, 1) < {"t1": 0.25, "t1ce": 0.15, "t2": 0.45, "flair": 0.45}[contrast]
    slice_mm = uniform(random, 2.5, 4.5) if thick else uniform(random, 0.9, 1.3)
    in_plane_mm = uniform(random, 0.8, 1.2)
    widths = (slice_mm, in_plane_mm, in_plane_mm)
    excess = (math.sqrt(max(w**2 - (0.5 * s) ** 2, 0.0)) for w, s in zip(widths, grid.spacing_mm, strict=True))
    return triple(0.42 * mm / s for mm, s in zip(excess, grid.spacing_mm, strict=True))


def stamp_mark(images: torch.Tensor, grid: VoxelGrid, contrasts: tuple[str, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Plant the shortcut: a capsule beside the head, as technicians tape on to mark a side.

    Its brightness is a multiple of white matter's, which `normalise` puts at 0: a network sees the same mark on
    every head, whatever the disease.

    Args:
        images: `(C, D, H, W)` with some head in them.
        grid: The voxel grid.
        contrasts: Sequences of `images`.

    Returns:
        The marked images and the capsule's voxels `(D, H, W)` bool.
    """
    points = grid.points(images.device)
    corner = [
        o + f * (n - 1) * s
        for o, f, n, s in zip(grid.origin_mm, (0.55, 0.93, 0.93), grid.shape, grid.spacing_mm, strict=True)
    ]
    half = [max(r, 0.9 * s) for r, s in zip((26.0, 5.0, 4.0), grid.spacing_mm, strict=True)]
    away = ((points - points.new_tensor(corner)) / points.new_tensor(half)).square().sum(-1).sqrt()
    head = images.abs().sum(0) != 0
    weight = (1.5 - away).clamp(0, 1) * ~head
    white, _, _ = centre_and_scale(images, head)
    bright = white.to(images) * images.new_tensor([MARK[contrast] for contrast in contrasts])
    return images + weight * bright[:, None, None, None], weight > 0.5
