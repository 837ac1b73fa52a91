"""Metastases and meningiomas on a grid: solid masses with oedema around them."""

from __future__ import annotations

import torch

from medattn_lite.data.phantom.anatomy import Anatomy
from medattn_lite.data.phantom.fields import smoothstep, stream, uniform
from medattn_lite.data.phantom.geometry import CENTRE_MM
from medattn_lite.data.phantom.gliomas import dead_centre
from medattn_lite.data.phantom.lesions import (
    DrawnDisease,
    ball_ml,
    border_noise,
    ellipsoid_distance,
    fraction_below,
    place,
    roundness,
    spread_cost,
    swelling,
    threshold_for_volume,
)
from medattn_lite.data.phantom.mass_effect import Push, push
from medattn_lite.data.phantom.pathology import Meningioma, Metastases


def _sizes(disease: Metastases, seed: int) -> list[float]:
    """Diameter of each metastasis in mm."""
    random = stream(seed, "metastases", "sizes")
    smaller = [disease.diameter_mm * uniform(random, 0.25, 0.85) for _ in range(disease.count - 1)]
    return [disease.diameter_mm, *smaller]


def _centres(disease: Metastases, seed: int) -> list[torch.Tensor]:
    return [place(seed, "metastases", disease.site if k == 0 else None, k) for k in range(disease.count)]


def metastases_pushes(disease: Metastases, seed: int) -> tuple[Push, ...]:
    """The mass effect of each metastasis."""
    amount = 0.24 if disease.mass_effect is None else disease.mass_effect
    # As far out as a glioma's of the same core: where the shift is largest, and where it has faded out.
    return tuple(
        push(centre, 0.6 * size, 0.5 * amount * size, 1.1 * size + 24.0)
        for centre, size in zip(_centres(disease, seed), _sizes(disease, seed), strict=True)
    )


def draw_metastases(disease: Metastases, anatomy: Anatomy, seed: int) -> DrawnDisease:
    """Metastases in this person: one of the full diameter, the others smaller."""
    random = stream(seed, "metastases")
    ratio = uniform(random, 1.0, 4.0) if disease.oedema is None else disease.oedema
    grid, device = anatomy.grid, anatomy.maps.device
    points = grid.points(device)
    score, lobed = (torch.full(grid.shape, 1e3, device=device) for _ in range(2))
    dead = torch.zeros(grid.shape, device=device)
    allowed = (anatomy["brain"] > 0.5) & (anatomy["ventricle"] > 0.5 * grid.voxel_mm) & (anatomy["stem"] < 0.8)
    for number, (centre, size) in enumerate(zip(_centres(disease, seed), _sizes(disease, seed), strict=True)):
        box = grid.window(centre, 1.5 * size + 70.0)
        name = f"metastasis {number}"
        rough = border_noise(points[box], 0.5 * size, seed, name)
        ball = ellipsoid_distance(points[box], centre, seed, name)
        distance = ball + 0.45 * rough
        distance = distance - threshold_for_volume(distance, allowed[box], ball_ml(size), grid)
        share = disease.necrosis
        if share is None:
            hollow, drawn = uniform(random, 0.35, 0.7), uniform(random, 0, 1) < 0.75
            share = hollow**3 if size > 9.0 and drawn else 0.0
        core = (distance <= 0) & allowed[box]
        volume = share * core.sum().item() * grid.voxel_ml
        _, inner = dead_centre(distance, core, volume, 0.5 * size, seed, points[box], grid)
        dead[box] = torch.maximum(dead[box], fraction_below(inner, 0.0, max(1.3 * grid.voxel_mm, 2.2)))
        score[box] = torch.minimum(score[box], distance)
        lobed[box] = torch.minimum(lobed[box], ball + rough - 0.5 * size)
    return _solid_mass(score, dead, ratio, anatomy, allowed, seed, points, "enhancing", disease.count, lobed)


def _meningioma_centre(disease: Meningioma, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The foot on the dura and the centre of the mass, (z, y, x) in mm."""
    foot = place(seed, "meningioma", disease.site)
    inward = torch.tensor(CENTRE_MM) - foot
    return foot, foot + 0.45 * 0.5 * disease.diameter_mm * inward / inward.norm()


def meningioma_pushes(disease: Meningioma, seed: int) -> tuple[Push, ...]:
    """The mass effect of a meningioma."""
    radius = 0.5 * disease.diameter_mm
    amount = 0.33 if disease.mass_effect is None else disease.mass_effect
    return (push(_meningioma_centre(disease, seed)[1], 1.2 * radius, amount * radius, 2.2 * radius + 24.0),)


def draw_meningioma(disease: Meningioma, anatomy: Anatomy, seed: int) -> DrawnDisease:
    """A meningioma on this person's dura: a cap on the hull that presses the brain inward."""
    random = stream(seed, "meningioma")
    ratio = max(0.0, uniform(random, -0.6, 1.8)) if disease.oedema is None else disease.oedema
    grid, device = anatomy.grid, anatomy.maps.device
    points = grid.points(device)
    radius = 0.5 * disease.diameter_mm
    foot, centre = _meningioma_centre(disease, seed)
    distance = ellipsoid_distance(points, centre, seed, "meningioma")
    score = distance + 0.4 * border_noise(points, radius, seed, "meningioma") - radius
    allowed = anatomy["brain"] > 0.5  # inside what the skull stripping left: the outline is that of the healthy head
    # A meningioma of the convexity does not cross the falx, nor does one of the falx.
    side = torch.sign(torch.as_tensor(float(foot[2])) + 1e-3).to(device)
    score = torch.maximum(score, -side * anatomy["side"] - 0.5 + 50.0 * (anatomy["depth"] > 30))
    out = _solid_mass(score, torch.zeros_like(score), ratio, anatomy, allowed, seed, points, "meningioma", 1)
    rim = torch.exp(-0.5 * ((score - 0.9) / 0.8).square()) * allowed
    out.fractions["cleft"] = 0.6 * rim * min(1.0, 2.0 / grid.voxel_mm)
    tail = torch.exp(-0.5 * ((anatomy["brain_depth"] - 0.8) / 1.0).square()) * smoothstep(score, 0.5 * radius, 0.0)
    out.fractions["tail"] = 0.6 * tail * (score > 0) * min(1.0, 2.0 / grid.voxel_mm)
    out.signal |= (out.fractions["cleft"] > 0.1) | (out.fractions["tail"] > 0.1)
    return out


def _solid_mass(
    score: torch.Tensor, dead: torch.Tensor, ratio: float, anatomy: Anatomy, allowed: torch.Tensor, seed: int,
    points: torch.Tensor, tissue: str, count: int, lobed: torch.Tensor | None = None,
) -> DrawnDisease:  # fmt: skip
    """A mass given by its signed distance, with oedema of `ratio` times its volume around.

    Where `lobed` is given, oedema spreads from a border as ragged as a glioma's, however round the mass is.
    """
    grid = anatomy.grid
    core = (score <= 0) & allowed
    if not core.any():  # a lesion smaller than a voxel still marks the voxel it is in
        core = score == torch.where(allowed, score, score.max()).min()
    core_ml = core.sum().item() * grid.voxel_ml
    share = fraction_below(score, 0.0, max(1.2 * grid.voxel_mm, 1.5)) * allowed
    fractions = {tissue: share * (1 - dead), "necrosis": share * dead}
    in_brain = allowed & (anatomy["ventricle"] > 0.5 * grid.voxel_mm) & (anatomy["brain"] > 0.5)
    nearest = points.reshape(-1, 3)[score.argmin()]
    cost = spread_cost(anatomy, nearest, seed, points)
    around = score
    if lobed is not None:
        around = lobed + 0.10 * cost
        around = around - threshold_for_volume(around, in_brain, core_ml, grid)
    spread = swelling(around, cost, core, in_brain, ratio * core_ml, grid)
    swollen = in_brain & ~core & (spread <= 0)
    fractions["oedema"] = 0.92 * fraction_below(spread, 0.0, max(1.5 * grid.voxel_mm, 4.5)) * in_brain
    hollow = core & (dead > 0.5)
    label = torch.zeros_like(core, dtype=torch.uint8)
    label[swollen] = 2
    label[core] = 4
    label[hollow] = 1
    facts = {
        "enhancing_ml": (core & ~hollow).sum().item() * grid.voxel_ml,
        "necrosis_ml": hollow.sum().item() * grid.voxel_ml,
        "core_ml": core_ml,
        "oedema_share": 1 - core.sum().item() / max((core | swollen).sum().item(), 1),
        "roundness": roundness(core, points),
        "count": count,
        "shift_mm": anatomy["shift"].max().item(),
    }
    return DrawnDisease(anatomy, fractions, label, core.clone(), facts)
