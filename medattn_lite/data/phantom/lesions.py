"""Pieces shared by all lesions: where to place them, pushing tissue aside, exact volumes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import torch

from medattn_lite.data.phantom.anatomy import MAPS, Anatomy
from medattn_lite.data.phantom.fields import noise_field, sample, smoothstep, stream, uniform
from medattn_lite.data.phantom.geometry import Grid, HeadShape
from medattn_lite.data.phantom.templates import ORIGIN_MM, SPACING_MM, load_atlas


@dataclass
class Lesions:
    """A disease on a grid.

    Attributes:
        anatomy: The person's anatomy after mass effect.
        fractions: Name in `contrasts.LESIONS` → `(D, H, W)` fraction.
        label: `(D, H, W)` uint8.
        signal: `(D, H, W)` bool, the voxels that decide the label.
        facts: Numbers for the table (volumes in mL and the like).
    """

    anatomy: Anatomy
    fractions: dict[str, torch.Tensor]
    label: torch.Tensor
    signal: torch.Tensor
    facts: dict[str, float] = field(default_factory=dict)


@lru_cache(maxsize=4)
def _candidates(kind: str) -> torch.Tensor:
    """Template points (z, y, x) where a lesion of this kind may start, `(n, 3)`."""
    atlas = load_atlas()
    depth, white = atlas.channel("depth"), atlas.channel("white")
    above = (atlas.channel("cerebellum") < 0.05) & (atlas.channel("stem") < 0.05)
    wall = atlas.channel("ventricle")
    if kind == "glioma":
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


def place(seed: int, kind: str, site: tuple[float, float, float] | None, number: int = 0) -> torch.Tensor:
    """Centre of a lesion in the person's world as (z, y, x) mm; `site` is MNI RAS (x, y, z)."""
    if site is not None:
        point = torch.tensor(site, dtype=torch.float32).flip(0)
    else:
        points = _candidates(kind)
        pick = torch.randint(len(points), (), generator=stream(seed, "site", kind, number))
        point = points[pick]
    return HeadShape(seed).from_template(point)


def push_aside(
    anatomy: Anatomy, pushes: list[tuple[torch.Tensor, float, float]], points: torch.Tensor,
    reach_mm: float = 1e9,
) -> tuple[Anatomy, torch.Tensor]:  # fmt: skip
    """Mass effect: displace the anatomy away from lesion centres.

    Tissue at distance `r` from a centre comes from `r − a (r/R) exp(1 − r/R)`: nothing moves at the
    centre, the shift is largest (`a`) at the lesion's edge `R` and fades outside; at the skull it is 0.

    Args:
        anatomy: The person without the lesion.
        pushes: Per lesion its centre (z, y, x), radius `R` and largest shift `a`, in mm.
        points: World points of the grid `(D, H, W, 3)`.
        reach_mm: Distance from the centre at which the shift has faded out.

    Returns:
        The displaced anatomy, and the length of the displacement `(D, H, W)` in mm.
    """
    grid = anatomy.grid
    shift = torch.zeros_like(points)
    free = smoothstep(anatomy["brain_depth"], 0.0, 14.0)
    for centre, radius, amount in pushes:
        away = points - centre.to(points)
        distance = away.square().sum(-1).sqrt()
        length = min(amount, 0.33 * radius) / radius * torch.exp(1 - distance / radius)
        length = length * smoothstep(distance, reach_mm, 0.6 * reach_mm)
        shift += (length * free)[..., None] * away
    moved = sample(anatomy.maps, grid.coordinates(points - shift))
    moved[MAPS.index("brain")] = anatomy["brain"]
    moved[MAPS.index("brain_depth")] = anatomy["brain_depth"]
    return Anatomy(moved, grid), shift.square().sum(-1).sqrt()


def paste(part: Lesions, whole: Anatomy, box: tuple[slice, slice, slice]) -> Lesions:
    """A disease drawn in a box of the grid, on the whole grid."""

    def spread(values: torch.Tensor) -> torch.Tensor:
        out = values.new_zeros(whole.grid.shape)
        out[box] = values
        return out

    fractions = {name: spread(values) for name, values in part.fractions.items()}
    return Lesions(whole.with_part(box, part.anatomy), fractions, spread(part.label), spread(part.signal), part.facts)


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


def fraction_below(score: torch.Tensor, threshold: float | torch.Tensor, width: float) -> torch.Tensor:
    """Share of a voxel of the given width whose score (mm) lies below the threshold."""
    return (0.5 + (threshold - score) / width).clamp(0, 1)


def threshold_for_volume(score: torch.Tensor, allowed: torch.Tensor, volume_ml: float, grid: Grid) -> torch.Tensor:
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
