"""Pieces shared by all lesions: where to place them, how they spread, exact volumes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import torch

from medattn_lite.data.phantom.anatomy import Anatomy
from medattn_lite.data.phantom.fields import noise_field, smoothstep, stream, triple, uniform
from medattn_lite.data.phantom.geometry import VoxelGrid, head_of
from medattn_lite.data.phantom.templates import ORIGIN_MM, SPACING_MM, load_atlas

# A kind of place, named by the disease that it was first drawn for: the word is part of the seed, and another one would
# put every glioma and MS lesion elsewhere.
DEEP_WHITE_MATTER = "glioma"


@dataclass
class DrawnDisease:
    """A disease on a grid.

    Attributes:
        anatomy: The person's anatomy after mass effect.
        fractions: Name in `contrasts.LESIONS` → `(D, H, W)` fraction.
        label: `(D, H, W)` uint8.
        signal: `(D, H, W)` bool, the voxels that decide the label: of both grades of a glioma the core.
        facts: Numbers for the table (volumes in mL and the like).
    """

    anatomy: Anatomy
    fractions: dict[str, torch.Tensor]
    label: torch.Tensor
    signal: torch.Tensor
    facts: dict[str, float] = field(default_factory=dict)


def slab_of(lesions: DrawnDisease, slab: slice) -> DrawnDisease:
    """Some slices of a disease that was drawn on a whole volume."""
    height, width = lesions.label.shape[1:]
    box = (slab, slice(0, height), slice(0, width))
    fractions = {name: values[slab] for name, values in lesions.fractions.items()}
    return DrawnDisease(lesions.anatomy.crop(box), fractions, lesions.label[slab], lesions.signal[slab], lesions.facts)


def spread_over(part: DrawnDisease, anatomy: Anatomy, box: tuple[slice, slice, slice]) -> DrawnDisease:
    """A disease drawn in a box of the grid, on the whole grid."""

    def whole(values: torch.Tensor) -> torch.Tensor:
        out = values.new_zeros(anatomy.grid.shape)
        out[box] = values
        return out

    fractions = {name: whole(values) for name, values in part.fractions.items()}
    return DrawnDisease(anatomy, fractions, whole(part.label), whole(part.signal), part.facts)


@lru_cache(maxsize=4)
def _candidates(kind: str) -> torch.Tensor:
    """Template points (z, y, x) where a lesion of this kind may start, `(n, 3)`."""
    atlas = load_atlas()
    depth, white = atlas.channel("depth"), atlas.channel("white")
    above = (atlas.channel("cerebellum") < 0.05) & (atlas.channel("stem") < 0.05)
    wall = atlas.channel("ventricle")
    if kind == DEEP_WHITE_MATTER:
        chosen = above & (white > 0.5) & (depth > 9) & (wall > 7)
    elif kind in ("metastases", "juxtacortical"):
        chosen = above & (white > 0.25) & (white < 0.75) & (depth > 5) & (depth < 14)
        if kind == "metastases":
            chosen |= (atlas.channel("cerebellum") > 0.9) & (atlas.channel("brain_depth") > 8)
    else:  # meningioma: under the hull of the convexity, and along the falx
        chosen = above & (depth > 0) & (depth < 2)
    index = chosen.nonzero().float()
    index = index[(torch.arange(len(index)) % 7) == 0]
    return index * SPACING_MM + torch.tensor(ORIGIN_MM)


def draw_site(seed: int, kind: str, number: int = 0) -> tuple[float, float, float]:
    """Where a lesion of a kind starts, as MNI RAS (x, y, z) in mm: what `place` takes where no site is asked for."""
    points = _candidates(kind)
    pick = torch.randint(len(points), (), generator=stream(seed, "site", kind, number))
    return triple(float(value) for value in points[pick].flip(0))


def place(seed: int, kind: str, site: tuple[float, float, float] | None, number: int = 0) -> torch.Tensor:
    """Centre of a lesion in the person's world as (z, y, x) mm; `site` is MNI RAS (x, y, z)."""
    chosen = draw_site(seed, kind, number) if site is None else site
    return head_of(seed).from_template(torch.tensor(chosen, dtype=torch.float32).flip(0))


def ellipsoid_distance(points: torch.Tensor, centre: torch.Tensor, seed: int, name: str) -> torch.Tensor:
    """Distance in mm from a centre in a space stretched at random, its volumes kept."""
    random = stream(seed, "ellipsoid", name)
    stretch = torch.tensor([uniform(random, 0.78, 1.25) for _ in range(3)])
    axes = torch.linalg.qr(torch.randn(3, 3, generator=random)).Q
    matrix = axes @ torch.diag(stretch / stretch.prod() ** (1 / 3)) @ axes.T
    return ((points - centre.to(points)) @ matrix.to(points)).square().sum(-1).sqrt()


def border_noise(points: torch.Tensor, radius_mm: float, seed: int, name: str) -> torch.Tensor:
    """Lobes and raggedness of a border, in mm: about a fifth of the radius."""
    random = stream(seed, "border", name)
    lobes = noise_field(random, max(1.5 * radius_mm, 12.0), low_pass=True, extent_mm=160.0).at(points)[0]
    ragged = noise_field(random, max(0.55 * radius_mm, 7.0), bandwidth=0.4).at(points)[0]
    return radius_mm * (0.19 * lobes + 0.055 * ragged)


def spread_cost(anatomy: Anatomy, centre: torch.Tensor, seed: int, points: torch.Tensor) -> torch.Tensor:
    """How hard it is to spread into a voxel, in mm added to the distance.

    White matter is easy, cortex hard, fluid out of reach; the other hemisphere is reached through
    the corpus callosum only.
    """
    noise = noise_field(stream(seed, "spread"), 17.0, bandwidth=0.5).at(points)[0]
    nearest = (points - centre.to(points)).square().sum(-1).argmin()
    side = torch.sign(anatomy["side"].flatten()[nearest] + 1e-3)
    beyond = smoothstep(-side * anatomy["side"], -1.0, 3.0)
    through_callosum = anatomy["white"] * smoothstep(anatomy["depth"], 6.0, 16.0)
    cost = 5.0 * noise + 45.0 * (1 - through_callosum) * beyond
    cost = cost + 16.0 * anatomy["grey"] + 60.0 * smoothstep(anatomy["fluid"], 0.2, 0.6)
    return cost + 30.0 * anatomy["stem"] + 30.0 * anatomy["cerebellum"]


def swelling(
    distance: torch.Tensor, cost: torch.Tensor, core: torch.Tensor, allowed: torch.Tensor, volume_ml: float,
    grid: VoxelGrid, slope: float = 1.0,
) -> torch.Tensor:  # fmt: skip
    """Signed distance in mm to the outer border of the oedema around a core, negative inside.

    Args:
        distance: Signed distance to the core's border in mm.
        cost: From `spread_cost`.
        core: The core's voxels.
        allowed: Voxels that oedema may reach.
        volume_ml: Volume of the oedema; exact as far as voxels permit.
        grid: Of all of them.
        slope: How much of the distance counts beside the cost.
    """
    away = slope * distance.clamp(min=0) + cost.clamp(min=0) + 1e-3
    reachable = allowed & ~core
    if volume_ml < grid.voxel_ml or not reachable.any():
        return torch.where(core, distance.clamp(max=0), away + 1e3)
    edge = threshold_for_volume(away, reachable, volume_ml, grid)
    return torch.where(core, distance.clamp(max=0) - edge, away - edge)


def roundness(core: torch.Tensor, points: torch.Tensor) -> float:
    """Mean distance to the centre of a ball of the same volume ÷ that of the core's voxels: 1 for a ball, else less."""
    inside = points[core]
    if len(inside) < 8:
        return 1.0
    spacing = [(points[1, 0, 0] - points[0, 0, 0])[0], (points[0, 1, 0] - points[0, 0, 0])[1],
               (points[0, 0, 1] - points[0, 0, 0])[2]]  # fmt: skip
    radius = (float(torch.stack(spacing).prod()) * len(inside) * 0.75 / 3.14159265) ** (1 / 3)
    return 0.75 * radius / float((inside - inside.mean(0)).square().sum(-1).sqrt().mean())


def fraction_below(score: torch.Tensor, threshold: float | torch.Tensor, width: float) -> torch.Tensor:
    """Share of a voxel of the given width whose score (mm) lies below the threshold."""
    return (0.5 + (threshold - score) / width).clamp(0, 1)


def threshold_for_volume(score: torch.Tensor, allowed: torch.Tensor, volume_ml: float, grid: VoxelGrid) -> torch.Tensor:
    """The score below which exactly `volume_ml` of allowed voxels lie (as far as voxels permit)."""
    values = score[allowed]
    count = min(max(round(volume_ml / grid.voxel_ml), 1), max(len(values), 1))
    if len(values) == 0:
        return score.new_tensor(float("-inf"))
    if count == len(values):
        return values.max() + 1e-3
    low, high = torch.topk(values, count + 1, largest=False, sorted=True).values[-2:]
    return 0.5 * (low + high)


def ball_ml(diameter_mm: float) -> float:
    """Volume in mL of a ball."""
    return 0.5235988 * diameter_mm**3 / 1000.0
