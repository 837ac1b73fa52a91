"""Lesions of multiple sclerosis on a grid.

Along the ventricles a field that is constant in the direction away from the wall makes upright,
finger-like columns (Dawson's fingers); the more load, the lower the threshold, until the fingers
merge into a hairy band. Discrete ovoids lie in deep white matter and under the cortex. One
threshold over both gives exactly the load asked for.
"""

from __future__ import annotations

import math

import torch

from medattn_lite.data.phantom.anatomy import Anatomy
from medattn_lite.data.phantom.fields import noise_field, smoothstep, stream, uniform
from medattn_lite.data.phantom.lesions import (
    DEEP_WHITE_MATTER,
    DrawnDisease,
    fraction_below,
    place,
    threshold_for_volume,
)
from medattn_lite.data.phantom.pathology import MSLesions

# Deciles (0, 10, … 100 %) of lesion load in mL, from the 29 consensus masks of the Ljubljana MS
# database (Lesjak et al., Neuroinformatics 2018) in MNI space.
LOAD_DECILES_ML = (0.32, 1.02, 1.34, 5.35, 11.3, 14.3, 16.7, 19.9, 29.9, 36.1, 52.2)


def draw_load(seed: int) -> float:
    """A total lesion volume in mL, spread like the patients' masks."""
    position = uniform(stream(seed, "ms load"), 0.0, 10.0)
    step = min(int(position), 9)
    low, high = (math.log(LOAD_DECILES_ML[step + k]) for k in (0, 1))
    return math.exp(low + (high - low) * (position - step))


def draw_ms(disease: MSLesions, anatomy: Anatomy, seed: int) -> DrawnDisease:
    """Multiple sclerosis in this person."""
    load = draw_load(seed) if disease.load_ml is None else disease.load_ml
    grid, device = anatomy.grid, anatomy.maps.device
    points = grid.points(device)
    wall = anatomy["ventricle"]
    share = disease.periventricular
    if share is None:
        share = 0.45 + 0.35 * min(1.0, load / 30.0)
    lateral = 1 - smoothstep(points[..., 0], -12.0, -20.0)
    allowed = (anatomy["fluid"] < 0.4) & (anatomy["brain_depth"] > 4) & (anatomy["stem"] < 0.5)
    allowed &= (anatomy["cerebellum"] < 0.5) & (wall > 0)
    allowed &= anatomy["white"] > 0.5

    random = stream(seed, "ms")
    away = torch.stack([anatomy["wall_z"], anatomy["wall_y"], anatomy["wall_x"]])
    along = points - (0.85 * wall.clamp(0, 25) * away).permute(1, 2, 3, 0)
    fingers = noise_field(random, 10.0, channels=1, bandwidth=0.4).at(along)[0]
    patchy = noise_field(random, 45.0, channels=2, low_pass=True).at(points)
    ragged = noise_field(random, 6.0, channels=1, bandwidth=0.4).at(points)[0]
    # The third ventricle is spared, and so are walls that border on thalamus instead of white matter.
    spared = 8.0 * smoothstep(anatomy["side"].abs(), 9.0, 4.0) + 25.0 * (1 - lateral)
    band = wall - 2.4 * fingers - 2.0 * patchy[0] - 0.6 * ragged + spared

    ovoids = _ovoids(seed, anatomy, points, load) - 0.8 * ragged
    band_edge = threshold_for_volume(band, allowed, share * load, grid)
    in_band = allowed & (band <= band_edge)
    rest = max(load - in_band.sum().item() * grid.voxel_ml, grid.voxel_ml)
    ovoid_edge = threshold_for_volume(ovoids, allowed & ~in_band, rest, grid)
    lesion = in_band | (allowed & (ovoids <= ovoid_edge))

    score = torch.minimum(band - band_edge, ovoids - ovoid_edge)
    part = fraction_below(score, 0.0, max(1.4 * grid.voxel_mm, 2.0)) * smoothstep(anatomy["white"], 0.15, 0.6) * allowed
    holes = smoothstep(patchy[1], 0.3, 1.2) * fraction_below(score, -1.5, 3.0)
    fractions = {"plaque": part * (1 - 0.6 * holes), "hole": 0.7 * part * holes}
    facts = {"load_ml": lesion.sum().item() * grid.voxel_ml, "periventricular": share}
    return DrawnDisease(anatomy, fractions, lesion.to(torch.uint8), lesion, facts)


def _ovoids(seed: int, anatomy: Anatomy, points: torch.Tensor, load: float) -> torch.Tensor:
    """Signed distance in mm to the discrete lesions of deep white matter and under the cortex."""
    random = stream(seed, "ovoids")
    count = 6 + int(uniform(random, 0.5, 1.5) * 3.0 * math.sqrt(load))
    out = torch.full(anatomy.grid.shape, 1e3, device=points.device)
    for number in range(count):
        kind = "juxtacortical" if number % 3 == 0 else DEEP_WHITE_MATTER
        centre = place(seed, kind, None, 100 + number)
        radius = uniform(random, 1.0, 1.6) * (1.0 + 2.5 * uniform(random, 0, 1) ** 3)
        stretch = torch.tensor([uniform(random, 0.75, 1.3) for _ in range(3)])
        box = anatomy.grid.window(centre, 26.0)
        away = (points[box] - centre.to(points)) * stretch.to(points)
        out[box] = torch.minimum(out[box], away.square().sum(-1).sqrt() - radius)
    return out
