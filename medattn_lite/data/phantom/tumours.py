"""Gliomas, metastases and meningiomas on a grid: core, ring, necrosis, oedema, mass effect.

A core is where an irregular distance `ρ(x) − R` is negative; the dead centre is the part of it with
the lowest values of a second irregular distance; oedema spreads from the core through white matter,
hardly through cortex and never through fluid. Each region is cut where it has exactly the volume
asked for, so volume can be matched between groups to the voxel.
"""

from __future__ import annotations

import torch

from medattn_lite.data.phantom.anatomy import Anatomy
from medattn_lite.data.phantom.fields import noise_field, normal, smoothstep, stream, uniform
from medattn_lite.data.phantom.lesions import (
    Lesions,
    ball_ml,
    fraction_below,
    place,
    push_aside,
    threshold_for_volume,
)
from medattn_lite.data.phantom.pathology import Glioma, Meningioma, Metastases


def irregular_distance(
    points: torch.Tensor, centre: torch.Tensor, radius_mm: float, seed: int, name: str, roughness: float
) -> torch.Tensor:
    """Distance from a centre, stretched to an ellipsoid and made lobulated and ragged."""
    random = stream(seed, "shape", name)
    stretch = torch.tensor([uniform(random, 0.8, 1.25) for _ in range(3)])
    mixing = torch.linalg.qr(torch.randn(3, 3, generator=random)).Q
    matrix = mixing @ torch.diag(stretch / stretch.prod() ** (1 / 3)) @ mixing.T
    lobes = noise_field(random, max(1.5 * radius_mm, 14.0), low_pass=True, extent_mm=160.0).at(points)[0]
    ragged = noise_field(random, max(0.5 * radius_mm, 7.0), bandwidth=0.4).at(points)[0]
    distance = ((points - centre.to(points)) @ matrix.to(points)).square().sum(-1).sqrt()
    return distance + radius_mm * roughness * (0.20 * lobes + 0.09 * ragged)


def _spread_cost(anatomy: Anatomy, centre: torch.Tensor, seed: int, points: torch.Tensor) -> torch.Tensor:
    """How hard it is to spread into a voxel, in mm added to the distance; fluid is out of reach."""
    noise = noise_field(stream(seed, "spread"), 17.0, channels=1, bandwidth=0.5).at(points)[0]
    crossing = (anatomy["side"] * torch.sign(_side_at(anatomy, centre, points))).clamp(max=0)
    through_callosum = anatomy["white"] * smoothstep(anatomy["depth"], 10.0, 22.0)
    cost = 5.0 * noise - 2.5 * (1 - through_callosum) * crossing.clamp(min=-12)
    cost = cost + 16.0 * anatomy["grey"] + 60.0 * smoothstep(anatomy["fluid"], 0.2, 0.6)
    return cost + 30.0 * anatomy["stem"] + 30.0 * anatomy["cerebellum"]


def _side_at(anatomy: Anatomy, centre: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    nearest = (points - centre.to(points)).square().sum(-1).argmin()
    side = anatomy["side"].flatten()[nearest]
    return torch.where(side.abs() < 1e-3, torch.ones_like(side), side)


def draw_glioma(disease: Glioma, anatomy: Anatomy, seed: int) -> Lesions:
    """A glioma in this person (values left None come from the seed)."""
    random = stream(seed, "glioma", disease.grade)
    high = disease.grade == "high"
    drawn = {
        "enhancement": uniform(random, 0.75, 1.0) if high else 0.0,
        "necrosis": uniform(random, 0.15, 0.6) if high else 0.0,
        "oedema": uniform(random, 0.40, 0.72) if high else uniform(random, 0.10, 0.30),
    }
    asked = {name: drawn[name] if getattr(disease, name) is None else getattr(disease, name) for name in drawn}
    grid, device = anatomy.grid, anatomy.maps.device
    points = grid.points(device)
    centre = place(seed, "glioma", disease.site)
    whole_ml = ball_ml(disease.diameter_mm)
    core_ml = whole_ml * (1 - asked["oedema"])
    radius = 0.5 * disease.diameter_mm * (1 - asked["oedema"]) ** (1 / 3)
    moved, shift = push_aside(anatomy, [(centre, 1.1 * radius, (0.30 if high else 0.17) * radius)], points)

    allowed = (moved["brain"] > 0.5) & (moved["ventricle"] > 0.5 * grid.voxel_mm) & (moved["stem"] < 0.8)
    cost = _spread_cost(moved, centre, seed, points)
    distance = irregular_distance(points, centre, radius, seed, "core", 1.0 if high else 1.25)
    distance = distance + cost * (0.10 if high else 0.22)
    edge = threshold_for_volume(distance, allowed, core_ml, grid)
    outside = (distance - edge).clamp(min=0)
    spread = torch.where(distance <= edge, distance - edge, outside * (1.0 if high else 0.6) + cost.clamp(min=0) + 1e-3)
    whole_edge = threshold_for_volume(spread, allowed, whole_ml, grid)
    core, whole = (distance <= edge) & allowed, (spread <= whole_edge) & allowed

    inner = irregular_distance(points, centre, radius, seed, "necrosis", 1.3) + 0.5 * (distance - edge)
    dead_edge = threshold_for_volume(inner, core, asked["necrosis"] * core_ml, grid)
    dead = core & (inner <= dead_edge) if asked["necrosis"] * core_ml >= grid.voxel_ml else torch.zeros_like(core)
    patches = noise_field(random, max(0.8 * radius, 10.0), bandwidth=0.5).at(points)[0] + 0.12 * (edge - distance)
    living = core & ~dead
    living_ml = living.sum().item() * grid.voxel_ml
    takes_up_edge = threshold_for_volume(patches, living, asked["enhancement"] * living_ml, grid)
    takes_up = living & (patches <= takes_up_edge) if asked["enhancement"] > 0 else torch.zeros_like(core)

    width = grid.voxel_mm
    core_share = fraction_below(distance, edge, 1.6 * width if high else 2.5 * width) * allowed
    fractions = _glioma_fractions(high, seed, core_share, spread, whole_edge, width, allowed)
    dead_share = fraction_below(inner, dead_edge, 1.5 * width) * dead.any()
    bright = fraction_below(patches, takes_up_edge, 0.35) if asked["enhancement"] > 0 else torch.zeros_like(inner)
    fractions["enhancing"] = core_share * (1 - dead_share) * bright
    cystic = uniform(stream(seed, "cyst"), 0, 1) < 0.3
    fractions["cyst" if cystic else "necrosis"] = core_share * dead_share
    label = torch.zeros_like(core, dtype=torch.uint8)
    label[whole] = 2
    label[core] = 1
    label[takes_up] = 4
    signal = (takes_up | dead) if high else core
    facts = {
        "enhancing_ml": takes_up.sum().item() * grid.voxel_ml,
        "necrosis_ml": dead.sum().item() * grid.voxel_ml,
        "core_ml": core.sum().item() * grid.voxel_ml,
        "shift_mm": shift.max().item(),
    }
    return Lesions(moved, fractions, label, signal, facts)


def _glioma_fractions(
    high: bool, seed: int, core: torch.Tensor, spread: torch.Tensor, edge: torch.Tensor, width: float,
    allowed: torch.Tensor,
) -> dict[str, torch.Tensor]:  # fmt: skip
    """Oedema or infiltration around, and the solid core's own look."""
    around = fraction_below(spread, edge, 3.0 * width if high else 3.5 * width) * allowed
    out = {"oedema" if high else "infiltration": 0.92 * around, "solid": core * (0.95 if high else 0.88)}
    if not high and uniform(stream(seed, "mismatch"), 0, 1) < 0.25:
        # The T2-FLAIR mismatch of some astrocytomas: suppressed inside, bright rim.
        out["suppressed"] = 0.8 * smoothstep(core, 0.85, 1.0) * smoothstep(spread, -2.0, -6.0)
    return out


def draw_metastases(disease: Metastases, anatomy: Anatomy, seed: int) -> Lesions:
    """Metastases in this person: one of the full diameter, the others smaller."""
    random = stream(seed, "metastases")
    ratio = uniform(random, 1.5, 5.0) if disease.oedema is None else disease.oedema
    grid, device = anatomy.grid, anatomy.maps.device
    points = grid.points(device)
    sizes = [disease.diameter_mm] + [
        disease.diameter_mm * uniform(random, 0.25, 0.85) for _ in range(disease.count - 1)
    ]
    centres = [place(seed, "metastases", disease.site if k == 0 else None, k) for k in range(disease.count)]
    pushes = [(c, 0.5 * s, 0.11 * s) for c, s in zip(centres, sizes, strict=True)]
    moved, shift = push_aside(anatomy, pushes, points)
    score = torch.full(grid.shape, 1e3, device=device)
    dead = torch.zeros(grid.shape, device=device)
    for number, (centre, size) in enumerate(zip(centres, sizes, strict=True)):
        distance = irregular_distance(points, centre, 0.5 * size, seed, f"metastasis {number}", 0.55) - 0.5 * size
        hollow = uniform(random, 0.3, 0.65) * (size > 10.0)
        dead = torch.maximum(dead, fraction_below(distance, -0.5 * size * (1 - hollow), 1.2 * grid.voxel_mm) * (hollow > 0))
        score = torch.minimum(score, distance)
    allowed = (moved["brain"] > 0.5) & (moved["ventricle"] > 0.5 * grid.voxel_mm)
    return _solid_mass(score, dead, ratio, moved, allowed, seed, points, shift, "enhancing")


def draw_meningioma(disease: Meningioma, anatomy: Anatomy, seed: int) -> Lesions:
    """A meningioma on this person's dura."""
    random = stream(seed, "meningioma")
    ratio = max(0.0, uniform(random, -0.6, 2.0)) if disease.oedema is None else disease.oedema
    grid, device = anatomy.grid, anatomy.maps.device
    points = grid.points(device)
    radius = 0.5 * disease.diameter_mm
    centre = place(seed, "meningioma", disease.site)
    inward = torch.tensor([8.0, -17.0, 0.0]) - centre
    centre = centre + 0.55 * radius * inward / inward.norm()
    moved, shift = push_aside(anatomy, [(centre, 1.05 * radius, 0.33 * radius)], points)
    score = irregular_distance(points, centre, radius, seed, "meningioma", 0.45) - radius
    allowed = moved["brain_depth"] > -0.5
    out = _solid_mass(score, torch.zeros_like(score), ratio, moved, allowed, seed, points, shift, "meningioma")
    rim = torch.exp(-0.5 * ((score - 1.0) / 0.9).square()) * allowed
    out.fractions["cleft"] = 0.6 * rim * min(1.0, 2.0 / grid.voxel_mm)
    tail = torch.exp(-0.5 * ((moved["brain_depth"] - 0.8) / 1.0).square()) * smoothstep(score, 0.5 * radius, 0.0)
    out.fractions["tail"] = 0.6 * tail * (score > 0) * min(1.0, 2.0 / grid.voxel_mm)
    out.anatomy.maps[3] = torch.maximum(out.anatomy["brain"], out.fractions["meningioma"])
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
    nearest = points.reshape(-1, 3)[score.argmin()]
    spread = score.clamp(min=0) + _spread_cost(moved, nearest, seed, points).clamp(min=0)
    core_ml = core.sum().item() * grid.voxel_ml
    reachable = allowed & ~core & (moved["white"] > 0.3) & (moved["ventricle"] > 0.5 * grid.voxel_mm)
    swollen = torch.zeros_like(core)
    fractions = {}
    if ratio * core_ml >= grid.voxel_ml and reachable.any():
        edge = threshold_for_volume(spread, reachable, ratio * core_ml, grid)
        swollen = reachable & (spread <= edge)
        fractions["oedema"] = 0.92 * fraction_below(spread, edge, 3.0 * grid.voxel_mm) * (moved["ventricle"] > 0)
    share = fraction_below(score, 0.0, 1.2 * grid.voxel_mm) * allowed
    fractions[tissue] = share * (1 - dead)
    fractions["necrosis"] = share * dead
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


def jitter(seed: int, name: str, spread: float) -> float:
    """A factor around 1 for this subject and purpose."""
    return normal(stream(seed, "jitter", name), 1.0, spread)
