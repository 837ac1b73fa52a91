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
from medattn_lite.data.phantom.geometry import VoxelGrid
from medattn_lite.data.phantom.lesions import (
    DEEP_WHITE_MATTER,
    DrawnDisease,
    ball_ml,
    border_noise,
    ellipsoid_distance,
    fraction_below,
    place,
    roundness,
    spread_cost,
    spread_over,
    swelling,
    threshold_for_volume,
)
from medattn_lite.data.phantom.mass_effect import Push, push
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


def core_radius(disease: Glioma, seed: int) -> float:
    """Radius in mm of a ball with the core's volume."""
    return 0.5 * disease.diameter_mm * (1 - shares_of(disease, seed)["oedema"]) ** (1 / 3)


def glioma_pushes(disease: Glioma, seed: int) -> tuple[Push, ...]:
    """The mass effect of a glioma."""
    amount = disease.mass_effect
    if amount is None:
        amount = 0.40 if disease.grade == "high" else 0.20
    radius = core_radius(disease, seed)
    return (push(place(seed, DEEP_WHITE_MATTER, disease.site), 1.2 * radius, amount * radius, 2.2 * radius + 24.0),)


def draw_glioma(disease: Glioma, whole_anatomy: Anatomy, seed: int) -> DrawnDisease:
    """A glioma in this person, drawn in a box around it; the anatomy has its mass effect already."""
    sharp = disease.grade == "high" if disease.margin is None else disease.margin == "sharp"
    shares = shares_of(disease, seed)
    centre = place(seed, DEEP_WHITE_MATTER, disease.site)
    box = whole_anatomy.grid.window(centre, disease.diameter_mm + 24.0)
    anatomy = whole_anatomy.crop(box)
    grid, points = anatomy.grid, anatomy.grid.points(anatomy.maps.device)
    whole_ml = ball_ml(disease.diameter_mm)
    core_ml = whole_ml * (1 - shares["oedema"])
    radius = core_radius(disease, seed)

    allowed = (anatomy["brain"] > 0.5) & (anatomy["ventricle"] > 0.5 * grid.voxel_mm) & (anatomy["stem"] < 0.8)
    cost = spread_cost(anatomy, centre, seed, points)
    distance = ellipsoid_distance(points, centre, seed, "glioma")
    distance = distance + border_noise(points, radius, seed, "glioma") * (1.0 if sharp else 1.3)
    distance = distance + cost * (0.10 if sharp else 0.22)
    distance = distance - threshold_for_volume(distance, allowed, core_ml, grid)
    core = (distance <= 0) & allowed
    spread = swelling(distance, cost, core, allowed, whole_ml - core_ml, grid, slope=1.0 if sharp else 0.6)
    whole = (spread <= 0) & allowed

    dead, inner = dead_centre(distance, core, shares["necrosis"] * core_ml, radius, seed, points, grid)
    takes_up, uptake = _uptake(distance, core & ~dead, shares["enhancement"], radius, seed, points, grid)
    label = torch.zeros_like(core, dtype=torch.uint8)
    label[whole] = 2
    label[core] = 1
    label[takes_up] = 4
    mismatch = disease.grade == "low" and uniform(stream(seed, "mismatch"), 0, 1) < 0.2
    fractions = _fractions(sharp, mismatch, seed, distance, spread, inner, uptake, allowed, grid.voxel_mm)
    facts = {
        "enhancing_ml": takes_up.sum().item() * grid.voxel_ml,
        "necrosis_ml": dead.sum().item() * grid.voxel_ml,
        "core_ml": core.sum().item() * grid.voxel_ml,
        "oedema_share": 1 - core.sum().item() / max(whole.sum().item(), 1),
        "roundness": roundness(core, points),
        "count": 1,
        "shift_mm": whole_anatomy["shift"].max().item(),
    }
    signal = whole & (core | (fractions["solid"] > 0.05))  # with the soft border, in which a grade shows too
    return spread_over(DrawnDisease(anatomy, fractions, label, signal, facts), whole_anatomy, box)


def dead_centre(
    distance: torch.Tensor, core: torch.Tensor, volume_ml: float, radius: float, seed: int, points: torch.Tensor,
    grid: VoxelGrid,
) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
    """Necrosis: the voxels deepest in the core, unevenly so; its mask and its signed distance."""
    if volume_ml < grid.voxel_ml:
        return torch.zeros_like(core), torch.full_like(distance, 1e3)
    inner = distance + 0.9 * border_noise(points, radius, seed, "necrosis")
    inner = torch.maximum(inner, distance + 1.2)  # a rim remains everywhere
    inner = inner - threshold_for_volume(inner, core, volume_ml, grid)
    return core & (inner <= 0), inner


def _uptake(
    distance: torch.Tensor, living: torch.Tensor, share: float, radius: float, seed: int, points: torch.Tensor,
    grid: VoxelGrid,
) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
    """Which part of the living core takes up contrast agent; its mask and its score in mm."""
    volume_ml = share * living.sum().item() * grid.voxel_ml
    if volume_ml < grid.voxel_ml:
        return torch.zeros_like(living), torch.full_like(distance, 1e3)
    noise = noise_field(stream(seed, "uptake"), max(0.8 * radius, 10.0), bandwidth=0.5).at(points)[0]
    score = 3.0 * noise - 0.35 * distance
    score = score - threshold_for_volume(score, living, volume_ml, grid)
    return living & (score <= 0), score


def _fractions(
    sharp: bool, mismatch: bool, seed: int, distance: torch.Tensor, spread: torch.Tensor, inner: torch.Tensor,
    uptake: torch.Tensor, allowed: torch.Tensor, voxel: float,
) -> dict[str, torch.Tensor]:  # fmt: skip
    """What the lesion's tissues contribute to the picture, with borders as soft as the disease's."""
    core = fraction_below(distance, 0.0, max(1.3 * voxel, 1.8) if sharp else max(1.5 * voxel, 5.0)) * allowed
    around = fraction_below(spread, 0.0, max(1.5 * voxel, 4.5)) * allowed
    dead = fraction_below(inner, 0.0, max(1.3 * voxel, 2.2))
    bright = fraction_below(uptake, 0.0, max(1.3 * voxel, 2.5))
    out = {"oedema" if sharp else "infiltration": 0.92 * around, "solid": core * (0.95 if sharp else 0.86)}
    out["enhancing"] = core * (1 - dead) * bright
    out["cyst" if uniform(stream(seed, "cyst"), 0, 1) < 0.15 else "necrosis"] = core * dead
    if mismatch:
        # The T2-FLAIR mismatch of some astrocytomas: suppressed inside, bright rim.
        out["suppressed"] = 0.75 * core * smoothstep(distance, -2.0, -7.0)
    return out
