"""Vessels, falx and choroid plexus: dark on most sequences, bright after contrast agent."""

from __future__ import annotations

import torch

from medattn_lite.data.phantom.cortical_folds import FoldedFields
from medattn_lite.data.phantom.fields import smoothstep


def draw_vessels(
    fold: FoldedFields, atlas: dict[str, torch.Tensor], template_points: torch.Tensor, voxel: float
) -> torch.Tensor:
    """How much vessel is in a voxel, `(n,)` in [0, 1]: cortical veins, sagittal sinus, falx."""
    radius = 0.7
    partial = min(1.0, (2.2 * radius / voxel) ** 1.2)
    reach = (fold.sheet.square() + fold.across.square()) / (radius**2 + 0.12 * voxel**2)
    veins = partial * torch.exp(-0.5 * reach) * smoothstep(atlas["depth"], 14.0, 2.0) * atlas["cortex"]
    z, y, x = template_points.unbind(-1)
    sinus = torch.exp(-0.5 * ((x / 2.4).square() + ((atlas["brain_depth"] - 0.8) / 1.8).square()))
    sinus = sinus * ((z > 10) | (y < -70)).float()
    falx = torch.exp(-0.5 * (x / (0.5 + 0.3 * voxel)).square()) * smoothstep(atlas["depth"], 3.0, 0.5)
    falx = 0.3 * min(1.0, 1.2 / voxel) * falx * (1 - smoothstep(atlas["brain_depth"], 30.0, 40.0)) * (z > 5)
    return torch.maximum(torch.maximum(veins, sinus), falx).clamp(0, 1)


def choroid_plexus(template_points: torch.Tensor, in_ventricle: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Tufts in the atria of the lateral ventricles, `(n,)` in [0, 1]."""
    z, y, x = template_points.unbind(-1)
    along = ((x.abs() - 22) / 5).square() + ((y + 38) / 8).square() + ((z - 6) / 9).square()
    return in_ventricle * (torch.exp(-0.5 * along) * (1 + 0.5 * noise)).clamp(0, 1)
