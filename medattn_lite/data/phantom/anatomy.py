"""One person's healthy brain: the template, refolded.

Sulci are the zero sheets of a band-limited random field `F` that is (nearly) constant along the
depth under the hull, so the sheets stand upright in the cortex and wind like gyri do. With
`s = |F| / |∇F|` the distance to the nearest sheet, a voxel is fluid for `s < w`, cortex up to
`w + t`, white matter beyond; how deep a sheet reaches is bounded by the template's white matter.
Fractions are those of a plane through a cubic voxel, so coarse grids show partial volume.

Head shape, mass effect and folding are one chain of coordinates, and every map is computed once, at its
end: a head with a tumour is as sharp as one without. Only the brain's outline stays where it is.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as functional

from medattn_lite.data.phantom.cortical_folds import (
    FoldedFields,
    cerebellum_tissues,
    cortex_tissues,
    deep_tissues,
    folding_of,
)
from medattn_lite.data.phantom.fields import sample, smoothstep
from medattn_lite.data.phantom.geometry import Cloud, VoxelGrid, head_of
from medattn_lite.data.phantom.mass_effect import Push, displacement
from medattn_lite.data.phantom.person import Person
from medattn_lite.data.phantom.templates import CHANNELS, atlas_coordinates, load_atlas
from medattn_lite.data.phantom.vessels import choroid_plexus, draw_vessels

MAPS = (
    "fluid", "grey", "white", "brain", "brain_depth", "depth", "ventricle", "side", "limbic", "pallidum", "stem",
    "cerebellum", "vessel", "choroid", "texture", "tract", "wall_z", "wall_y", "wall_x",
    "shift",
)  # fmt: skip
BRAIN_DEPTH = CHANNELS.index("brain_depth")
SLOW_OF_RIM = 1  # which slow field makes the stripping's cut uneven
_OUTSIDE = {"fluid": 1.0, "brain_depth": -10.0, "depth": -10.0, "ventricle": 60.0}


class Anatomy:
    """Maps `(len(MAPS), D, H, W)` of a person on a grid, looked up by name: `anatomy["grey"]`."""

    def __init__(self, maps: torch.Tensor, grid: VoxelGrid) -> None:
        self.maps = maps
        self.grid = grid

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.maps[MAPS.index(name)]

    def crop(self, box: tuple[slice, slice, slice]) -> Anatomy:
        """The part of it inside a box of voxels (a view)."""
        return Anatomy(self.maps[(slice(None), *box)], self.grid.crop(box))


_CACHE: OrderedDict[tuple, Anatomy] = OrderedDict()
_CACHE_BYTES = 400_000_000


def anatomy_of(
    person: Person, grid: VoxelGrid, device: str | torch.device = "cpu", pushes: tuple[Push, ...] = ()
) -> Anatomy:
    """The person's anatomy, kept for the next counterfactual (least recently used goes first)."""
    key = (person, grid, str(device), pushes)
    if key in _CACHE:
        _CACHE.move_to_end(key)
        return _CACHE[key]
    built = build_anatomy(person, grid, device, pushes)
    _CACHE[key] = built
    while len(_CACHE) > 1 and sum(a.maps.nbytes for a in _CACHE.values()) > _CACHE_BYTES:
        _CACHE.popitem(last=False)
    return built


def forget() -> None:
    """Drop the anatomies that are kept for counterfactuals."""
    _CACHE.clear()
    folding_of.cache_clear()


def build_anatomy(
    person: Person, grid: VoxelGrid, device: str | torch.device = "cpu", pushes: tuple[Push, ...] = ()
) -> Anatomy:
    """Draw the person on the grid (see the module's docstring).

    Args:
        person: Who.
        grid: The voxel grid.
        device: Where to compute.
        pushes: The mass effect of each lesion.
    """
    head = head_of(person.seed)
    coarse = grid.coarse(6.0)
    coarse_points = coarse.points(device)
    moved = head.displacement(coarse_points)
    atlas_maps = load_atlas().maps.to(device)
    depth_map = atlas_maps[BRAIN_DEPTH : BRAIN_DEPTH + 1]
    outline = sample(depth_map, atlas_coordinates(head.linear(coarse_points) + moved))
    outline = functional.interpolate(outline[None], size=grid.shape, mode="trilinear", align_corners=True)[0, 0]
    cloud = Cloud(grid, outline > -4.0)

    fold = folding_of(person)
    slow_maps = torch.cat([moved.movedim(-1, 0), fold.coarse_fields(coarse_points)])
    slow = sample(slow_maps, coarse.coordinates(cloud.points))  # (9, n)
    template_points = head.linear(cloud.points) + slow[:3].T
    fixed = {}
    if pushes:
        fixed["brain_depth"] = sample(depth_map, atlas_coordinates(template_points))[0]
        fixed["brain"] = _brain(person, fixed["brain_depth"], slow[6 + SLOW_OF_RIM], grid.voxel_mm)
        shift = displacement(cloud.points, fixed["brain_depth"], pushes)
        cloud.points = cloud.points - shift
        slow = sample(slow_maps, coarse.coordinates(cloud.points))
        template_points = head.linear(cloud.points) + slow[:3].T
        fixed["shift"] = shift.square().sum(-1).sqrt()
    values = sample(atlas_maps, atlas_coordinates(template_points))
    atlas = dict(zip(CHANNELS, values, strict=True))
    fields = fold.evaluate(cloud, atlas, slow[3:], template_points[:, 2])
    maps = _tissue_maps(person, fields, atlas, template_points, grid.voxel_mm) | fixed
    maps.setdefault("shift", torch.zeros_like(template_points[:, 0]))
    return Anatomy(torch.stack([cloud.dense(maps[name], _OUTSIDE.get(name, 0.0)) for name in MAPS]), grid)


def _brain(person: Person, brain_depth: torch.Tensor, slow: torch.Tensor, voxel: float) -> torch.Tensor:
    """How much of each voxel the skull stripping left, `(n,)` in [0, 1]."""
    cut = brain_depth - person.strip_mm - 0.4 * slow
    return (0.5 + cut / voxel).clamp(0, 1)


def _tissue_maps(
    person: Person, fold: FoldedFields, atlas: dict[str, torch.Tensor], template_points: torch.Tensor, voxel: float
) -> dict[str, torch.Tensor]:
    """All maps at the cloud's points, `(n,)` each."""
    fluid, white = cortex_tissues(person, fold, atlas, voxel)
    deep_fluid, deep_white = deep_tissues(person, fold, atlas)
    low_fluid, low_white = cerebellum_tissues(fold, atlas, template_points, voxel)
    share, low = atlas["cortex"], atlas["cerebellum"]
    fluid = share * fluid + (1 - share) * torch.lerp(deep_fluid, low_fluid, low)
    white = share * white + (1 - share) * torch.lerp(deep_white, low_white, low)

    wall = person.ventricle_mm * (1 - 0.6 * atlas["stem"].clamp(0, 1)) + 0.6 * fold.slow[0] - 0.2
    ventricle = atlas["ventricle"] - wall
    in_ventricle = (0.5 - ventricle / voxel).clamp(0, 1)
    # The template blurs the walls into a grey seam; next to a ventricle there is white matter.
    seam = smoothstep(ventricle, 3.5, 0.5) * (1 - atlas["cortex"])
    white = white + 0.6 * seam * (1 - fluid - white).clamp(min=0)
    fluid = torch.maximum(fluid, in_ventricle)
    white = torch.minimum(white.clamp(min=0), 1 - fluid)
    tissues = {
        "fluid": fluid,
        "grey": (1 - fluid - white).clamp(min=0),
        "white": white,
        "brain": _brain(person, atlas["brain_depth"], fold.slow[SLOW_OF_RIM], voxel),
        "ventricle": ventricle,
        "side": template_points[:, 2],
        "vessel": draw_vessels(fold, atlas, template_points, voxel),
        "choroid": choroid_plexus(template_points, in_ventricle, fold.fine[3]),
        "texture": fold.fine[2],
        "tract": fold.fine[3],
    }
    return atlas | tissues
