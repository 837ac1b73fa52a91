"""Gliomas on a grid: core, ring, necrosis, oedema or infiltration, mass effect.

The core is where an irregular distance lies below a threshold, the dead centre where it lies
further below, and oedema spreads from the core by `distance + cost`, cheap in white matter, dear in
cortex. Every threshold is set so that the region has exactly the volume asked for, so that groups
can be matched in volume to the voxel.
"""

from __future__ import annotations

import torch

from medattn_lite.data.phantom.anatomy import Anatomy
from medattn_lite.data.phantom.fields import noise_field, smoothstep, stream, uniform
from medattn_lite.data.phantom.lesions import (
    Lesions,
    ball_ml,
    border_noise,
    ellipsoid_distance,
    fraction_below,
    paste,
    place,
    push_aside,
    spread_cost,
    threshold_for_volume,
)
from medattn_lite.data.phantom.pathology import Glioma


def shares_of(disease: Glioma, seed: int) -> dict[str, float]:
    """Enhancement, necrosis and oedema as asked for, or as the seed draws them."""
    random = stream(seed, "glioma", disease.grade)
    high = disease.grade == "high"
    drawn = {
        "enhancement": uniform(random, 0.8, 1.0) if high else 0.0,
        "necrosis": uniform(random, 0.12, 0.45) if high else 0.0,
        "oedema": uniform(random, 0.40, 0.70) if high else uniform(random, 0.10, 0.35),
    }
    return {name: value if getattr(disease, name) is None else getattr(disease, name) for name, value in drawn.items()}


def draw_glioma(disease: Glioma, whole_anatomy: Anatomy, seed: int) -> Lesions:
    """A glioma in this person, drawn in a box around it."""
    high = disease.grade == "high"
    shares = shares_of(disease, seed)
    centre = place(seed, "glioma", disease.site)
    reach = disease.diameter_mm + 24.0
    box = whole_anatomy.grid.window(centre, reach)
    anatomy = whole_anatomy.crop(box)
    grid, points = anatomy.grid, anatomy.grid.points(anatomy.maps.device)
    whole_ml = ball_ml(disease.diameter_mm)
    core_ml = whole_ml * (1 - shares["oedema"])
    radius = 0.5 * disease.diameter_mm * (1 - shares["oedema"]) ** (1 / 3)
    moved, shift = push_aside(anatomy, [(centre, 1.2 * radius, (0.40 if high else 0.20) * radius)], points, reach)

    allowed = (moved["brain"] > 0.5) & (moved["ventricle"] > 0.5 * grid.voxel_mm) & (moved["stem"] < 0.8)
    cost = spread_cost(moved, centre, seed, points)
    distance = ellipsoid_distance(points, centre, seed, "glioma")
    distance = distance + border_noise(points, radius, seed, "glioma") * (1.0 if high else 1.3)
    distance = distance + cost * (0.10 if high else 0.22)
    distance = distance - threshold_for_volume(distance, allowed, core_ml, grid)
    core = (distance <= 0) & allowed
    away = distance.clamp(min=0) * (1.0 if high else 0.6) + cost.clamp(min=0) + 1e-3
    spread = torch.where(distance <= 0, distance, away)
    spread = spread - threshold_for_volume(spread, allowed, whole_ml, grid)
    whole = (spread <= 0) & allowed

    dead, inner = _dead_centre(distance, core, shares["necrosis"] * core_ml, radius, seed, points, grid)
    takes_up, uptake = _uptake(distance, core & ~dead, shares["enhancement"], radius, seed, points, grid)
    label = torch.zeros_like(core, dtype=torch.uint8)
    label[whole] = 2
    label[core] = 1
    label[takes_up] = 4
    fractions = _fractions(high, seed, distance, spread, inner, uptake, allowed, grid.voxel_mm)
    facts = {
        "enhancing_ml": takes_up.sum().item() * grid.voxel_ml,
        "necrosis_ml": dead.sum().item() * grid.voxel_ml,
        "core_ml": core.sum().item() * grid.voxel_ml,
        "shift_mm": shift.max().item(),
    }
    signal = (takes_up | dead) if high else core
    return paste(Lesions(moved, fractions, label, signal, facts), whole_anatomy, box)


def _dead_centre(distance, core, volume_ml, radius, seed, points, grid):
    """Necrosis: the voxels deepest in the core, unevenly so; its mask and its signed distance."""
    if volume_ml < grid.voxel_ml:
        return torch.zeros_like(core), torch.full_like(distance, 1e3)
    inner = distance + 0.9 * border_noise(points, radius, seed, "necrosis")
    inner = torch.maximum(inner, distance + 1.2)  # a rim remains everywhere
    inner = inner - threshold_for_volume(inner, core, volume_ml, grid)
    return core & (inner <= 0), inner


def _uptake(distance, living, share, radius, seed, points, grid):
    """Which part of the living core takes up contrast agent; its mask and its score in mm."""
    volume_ml = share * living.sum().item() * grid.voxel_ml
    if volume_ml < grid.voxel_ml:
        return torch.zeros_like(living), torch.full_like(distance, 1e3)
    noise = noise_field(stream(seed, "uptake"), max(0.8 * radius, 10.0), bandwidth=0.5).at(points)[0]
    score = 3.0 * noise - 0.35 * distance
    score = score - threshold_for_volume(score, living, volume_ml, grid)
    return living & (score <= 0), score


def _fractions(
    high: bool, seed: int, distance: torch.Tensor, spread: torch.Tensor, inner: torch.Tensor, uptake: torch.Tensor,
    allowed: torch.Tensor, voxel: float,
) -> dict[str, torch.Tensor]:  # fmt: skip
    """What the lesion's tissues contribute to the picture, with borders as soft as the disease's."""
    core = fraction_below(distance, 0.0, max(1.3 * voxel, 1.8) if high else max(1.5 * voxel, 5.0)) * allowed
    around = fraction_below(spread, 0.0, max(1.5 * voxel, 4.5)) * allowed
    dead = fraction_below(inner, 0.0, max(1.3 * voxel, 2.2))
    bright = fraction_below(uptake, 0.0, max(1.3 * voxel, 2.5))
    out = {"oedema" if high else "infiltration": 0.92 * around, "solid": core * (0.95 if high else 0.86)}
    out["enhancing"] = core * (1 - dead) * bright
    out["cyst" if uniform(stream(seed, "cyst"), 0, 1) < 0.15 else "necrosis"] = core * dead
    if not high and uniform(stream(seed, "mismatch"), 0, 1) < 0.2:
        # The T2-FLAIR mismatch of some astrocytomas: suppressed inside, bright rim.
        out["suppressed"] = 0.75 * core * smoothstep(distance, -2.0, -7.0)
    return out
