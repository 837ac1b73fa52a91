"""Skull, scalp and eyes' fat are not drawn in detail: layers around the brain, by distance to its hull.

From inside out: fluid under the dura, the dark inner table, marrow (bright on T1), the dark outer
table, and scalp fat; thickness varies smoothly. For phantoms beside scans that keep the head.
"""

from __future__ import annotations

import torch

from medattn_lite.data.phantom.contrasts import CONTRASTS
from medattn_lite.data.phantom.fields import noise_field, sample, smoothstep, stream
from medattn_lite.data.phantom.geometry import VoxelGrid, head_of
from medattn_lite.data.phantom.templates import CHANNELS, ORIGIN_MM, SHAPE, SPACING_MM, atlas_coordinates, load_atlas

# layer → outer bound in mm outside the hull, intensity in (t1, t1ce, t2, flair)
LAYERS = (
    (1.0, (0.22, 0.26, 0.85, 0.14)),
    (2.2, (0.12, 0.16, 0.12, 0.12)),
    (4.6, (0.55, 0.60, 0.30, 0.34)),
    (5.8, (0.08, 0.09, 0.08, 0.08)),
    (9.6, (1.50, 1.50, 0.80, 1.00)),
)


def add_head(images: torch.Tensor, brain: torch.Tensor, grid: VoxelGrid, seed: int, contrasts: tuple[str, ...]):
    """Wrap the brain in its head.

    Args:
        images: `(C, D, H, W)` noise-free images of the brain.
        brain: `(D, H, W)` fraction of brain.
        grid: The voxel grid.
        seed: The subject's seed.
        contrasts: Sequences of `images`.

    Returns:
        The images with a head, and the head's fraction `(D, H, W)`.
    """
    outside = _distance_outside(grid, seed, images.device)
    noise = noise_field(stream(seed, "head"), 60.0, channels=2, low_pass=True).at(grid.points(images.device))
    outside = outside * (1 + 0.12 * noise[0].clamp(-2, 2))
    width = max(grid.voxel_mm, 0.8)
    shell = torch.zeros_like(images)
    inner = torch.full_like(outside, -1e3)
    for bound, intensity in LAYERS:
        outer = bound + (1.0 * noise[1] if bound > 6 else 0.3 * noise[1])
        below_inner = (0.5 + (inner - outside) / width).clamp(0, 1)
        share = ((0.5 + (outer - outside) / width).clamp(0, 1) - below_inner).clamp(min=0)
        for channel, name in enumerate(contrasts):
            shell[channel] += share * intensity[CONTRASTS.index(name)]
        inner = torch.as_tensor(outer, device=images.device) + torch.zeros_like(outside)
    head = (0.5 + (inner - outside) / width).clamp(0, 1)
    return torch.lerp(shell, images, brain), head


def _distance_outside(grid: VoxelGrid, seed: int, device: torch.device | str) -> torch.Tensor:
    """Mm outside the brain's hull, negative inside; beyond the atlas it grows with the distance to it."""
    shape = head_of(seed)
    points = grid.points(device)
    template = shape.to_template(points)
    low = template.new_tensor(ORIGIN_MM)
    high = low + template.new_tensor([(n - 1) * SPACING_MM for n in SHAPE])
    beyond = (template - torch.minimum(torch.maximum(template, low), high)).square().sum(-1).sqrt()
    hull = CHANNELS.index("skull")
    depth = sample(load_atlas().maps[hull : hull + 1].to(device), atlas_coordinates(template))[0]
    # Under the brain there is a skull base, not another vault: close the shell downward.
    base = 10.0 * smoothstep(template[..., 0], -40.0, -66.0)
    return -depth + beyond + base
