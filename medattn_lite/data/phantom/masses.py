"""Metastases and meningiomas on a grid: solid masses with oedema around them."""

from __future__ import annotations

import torch

from medattn_lite.data.phantom.anatomy import MAPS, Anatomy
from medattn_lite.data.phantom.fields import smoothstep, stream, uniform
from medattn_lite.data.phantom.geometry import CENTRE_MM
from medattn_lite.data.phantom.lesions import (
    Lesions,
    border_noise,
    ellipsoid_distance,
    fraction_below,
    place,
    push_aside,
    spread_cost,
    threshold_for_volume,
)
from medattn_lite.data.phantom.pathology import Meningioma, Metastases


def draw_metastases(disease: Metastases, anatomy: Anatomy, seed: int) -> Lesions:
    """Metastases in this person: one of the full diameter, the others smaller."""
    random = stream(seed, "metastases")
    ratio = uniform(random, 1.0, 4.0) if disease.oedema is None else disease.oedema
    grid, device = anatomy.grid, anatomy.maps.device
    points = grid.points(device)
    sizes = [disease.diameter_mm]
    sizes += [disease.diameter_mm * uniform(random, 0.25, 0.85) for _ in range(disease.count - 1)]
    centres = [place(seed, "metastases", disease.site if k == 0 else None, k) for k in range(disease.count)]
    pushes = [(centre, 0.5 * size, 0.12 * size) for centre, size in zip(centres, sizes, strict=True)]
    moved, shift = push_aside(anatomy, pushes, points, 60.0)
    score = torch.full(grid.shape, 1e3, device=device)
    dead = torch.zeros(grid.shape, device=device)
    for number, (centre, size) in enumerate(zip(centres, sizes, strict=True)):
        box = grid.window(centre, 1.5 * size + 70.0)
        name = f"metastasis {number}"
        rough = 0.45 * border_noise(points[box], 0.5 * size, seed, name)
        distance = ellipsoid_distance(points[box], centre, seed, name) + rough - 0.5 * size
        hollow = uniform(random, 0.35, 0.7)
        if size > 9.0 and uniform(random, 0, 1) < 0.75:
            middle = distance + 0.5 * rough + 0.5 * size * (1 - hollow)
            dead[box] = torch.maximum(dead[box], fraction_below(middle, 0.0, max(1.2 * grid.voxel_mm, 1.8)))
        score[box] = torch.minimum(score[box], distance)
    allowed = (moved["brain"] > 0.5) & (moved["ventricle"] > 0.5 * grid.voxel_mm)
    return _solid_mass(score, dead, ratio, moved, allowed, seed, points, shift, "enhancing")


def draw_meningioma(disease: Meningioma, anatomy: Anatomy, seed: int) -> Lesions:
    """A meningioma on this person's dura: a cap on the hull that presses the brain inward."""
    random = stream(seed, "meningioma")
    ratio = max(0.0, uniform(random, -0.6, 1.8)) if disease.oedema is None else disease.oedema
    grid, device = anatomy.grid, anatomy.maps.device
    points = grid.points(device)
    radius = 0.5 * disease.diameter_mm
    foot = place(seed, "meningioma", disease.site)
    inward = torch.tensor(CENTRE_MM) - foot
    centre = foot + 0.45 * radius * inward / inward.norm()
    moved, shift = push_aside(anatomy, [(centre, 1.1 * radius, 0.33 * radius)], points, 2.2 * radius + 40.0)
    distance = ellipsoid_distance(points, centre, seed, "meningioma")
    score = distance + 0.4 * border_noise(points, radius, seed, "meningioma") - radius
    allowed = moved["brain_depth"] > -0.5
    # A meningioma of the convexity does not cross the falx, nor does one of the falx.
    side = torch.sign(torch.as_tensor(float(foot[2])) + 1e-3).to(device)
    score = torch.maximum(score, -side * moved["side"] - 0.5 + 50.0 * (moved["depth"] > 30))
    out = _solid_mass(score, torch.zeros_like(score), ratio, moved, allowed, seed, points, shift, "meningioma")
    rim = torch.exp(-0.5 * ((score - 0.9) / 0.8).square()) * allowed
    out.fractions["cleft"] = 0.6 * rim * min(1.0, 2.0 / grid.voxel_mm)
    tail = torch.exp(-0.5 * ((moved["brain_depth"] - 0.8) / 1.0).square()) * smoothstep(score, 0.5 * radius, 0.0)
    out.fractions["tail"] = 0.6 * tail * (score > 0) * min(1.0, 2.0 / grid.voxel_mm)
    brain = MAPS.index("brain")
    out.anatomy.maps[brain] = torch.maximum(out.anatomy.maps[brain], out.fractions["meningioma"])
    return out


def _solid_mass(
    score: torch.Tensor, dead: torch.Tensor, ratio: float, moved: Anatomy, allowed: torch.Tensor, seed: int,
    points: torch.Tensor, shift: torch.Tensor, tissue: str,
) -> Lesions:  # fmt: skip
    """A mass given by its signed distance, with oedema of `ratio` times its volume around."""
    grid = moved.grid
    core = (score <= 0) & allowed
    if not core.any():  # a lesion smaller than a voxel still marks the voxel it is in
        core = score == torch.where(allowed, score, score.max()).min()
    core_ml = core.sum().item() * grid.voxel_ml
    share = fraction_below(score, 0.0, max(1.2 * grid.voxel_mm, 1.5)) * allowed
    fractions = {tissue: share * (1 - dead), "necrosis": share * dead}
    swollen = torch.zeros_like(core)
    reachable = allowed & ~core & (moved["white"] > 0.3) & (moved["ventricle"] > 0.5 * grid.voxel_mm)
    if ratio * core_ml >= grid.voxel_ml and reachable.any():
        nearest = points.reshape(-1, 3)[score.argmin()]
        spread = score.clamp(min=0) + spread_cost(moved, nearest, seed, points).clamp(min=0)
        spread = spread - threshold_for_volume(spread, reachable, ratio * core_ml, grid)
        swollen = reachable & (spread <= 0)
        soft = fraction_below(spread, 0.0, max(1.5 * grid.voxel_mm, 4.0))
        fractions["oedema"] = 0.92 * soft * (moved["ventricle"] > 0)
    hollow = core & (dead > 0.5)
    label = torch.zeros_like(core, dtype=torch.uint8)
    label[swollen] = 2
    label[core] = 4
    label[hollow] = 1
    facts = {
        "enhancing_ml": (core & ~hollow).sum().item() * grid.voxel_ml,
        "necrosis_ml": hollow.sum().item() * grid.voxel_ml,
        "core_ml": core_ml,
        "shift_mm": shift.max().item(),
    }
    return Lesions(moved, fractions, label, core.clone(), facts)
