"""One person's healthy brain: the template, refolded.

Sulci are the zero sheets of a band-limited random field `F` that is (nearly) constant along the
depth under the hull, so the sheets stand upright in the cortex and wind like gyri do. With
`s = |F| / |∇F|` the distance to the nearest sheet, a voxel is fluid for `s < w`, cortex up to
`w + t`, white matter beyond; how deep a sheet reaches is bounded by the template's white matter.
Fractions are exact for a plane through a cubic voxel, so coarse grids show partial volume.
"""

from __future__ import annotations

from collections import OrderedDict

import torch

from medattn_lite.data.phantom.fields import gradient, noise_field, sample, smoothstep, stream
from medattn_lite.data.phantom.geometry import Grid, HeadShape
from medattn_lite.data.phantom.person import Person
from medattn_lite.data.phantom.templates import CHANNELS, atlas_coordinates, load_atlas

MAPS = (
    "fluid", "grey", "white", "brain", "brain_depth", "depth", "ventricle", "side", "limbic", "pallidum", "stem",
    "cerebellum", "vessel", "choroid", "texture", "tract",
)  # fmt: skip


class Anatomy:
    """Maps `(len(MAPS), D, H, W)` of a person on a grid, looked up by name: `anatomy["grey"]`."""

    def __init__(self, maps: torch.Tensor, grid: Grid) -> None:
        self.maps = maps
        self.grid = grid

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.maps[MAPS.index(name)]


_CACHE: OrderedDict[tuple, Anatomy] = OrderedDict()
_CACHE_BYTES = 400_000_000


def anatomy_of(person: Person, grid: Grid, device: str | torch.device = "cpu") -> Anatomy:
    """The person's anatomy, kept for the next counterfactual (least recently used goes first)."""
    key = (person, grid, str(device))
    if key in _CACHE:
        _CACHE.move_to_end(key)
        return _CACHE[key]
    built = build_anatomy(person, grid, device)
    _CACHE[key] = built
    while len(_CACHE) > 1 and sum(a.maps.nbytes for a in _CACHE.values()) > _CACHE_BYTES:
        _CACHE.popitem(last=False)
    return built


def build_anatomy(person: Person, grid: Grid, device: str | torch.device = "cpu") -> Anatomy:
    """Draw the person on the grid (see the module's docstring)."""
    points = grid.points(device)
    template_points = HeadShape(person.seed).to_template(points)
    values = sample(load_atlas().maps.to(device), atlas_coordinates(template_points))
    atlas = {name: values[i] for i, name in enumerate(CHANNELS)}
    voxel = grid.voxel_mm

    fold = _Folding(person, points, atlas["depth"], grid)
    fluid, white = _cortex_tissues(person, fold, atlas, voxel)
    deep_fluid, deep_white = _deep_tissues(person, fold, atlas, points, voxel)
    share = atlas["cortex"]
    fluid = share * fluid + (1 - share) * deep_fluid
    white = share * white + (1 - share) * deep_white

    wall = person.ventricle_mm * (1 - 0.6 * atlas["stem"].clamp(0, 1)) + 0.7 * fold.slow[0] - 0.4
    ventricle = atlas["ventricle"] - wall
    in_ventricle = (0.5 - ventricle / voxel).clamp(0, 1)
    # The template blurs the walls into a grey seam; next to a ventricle there is white matter.
    seam = smoothstep(ventricle, 3.5, 0.5) * (1 - atlas["cortex"])
    white = white + 0.6 * seam * (1 - fluid - white).clamp(min=0)
    fluid = torch.maximum(fluid, in_ventricle)
    white = torch.minimum(white.clamp(min=0), 1 - fluid)

    cut = atlas["brain_depth"] - person.strip_mm - 0.5 * fold.slow[1]
    brain = (0.5 + cut / voxel).clamp(0, 1)
    maps = {
        "fluid": fluid,
        "grey": (1 - fluid - white).clamp(min=0),
        "white": white,
        "brain": brain,
        "brain_depth": atlas["brain_depth"],
        "depth": atlas["depth"],
        "ventricle": ventricle,
        "side": template_points[..., 2],
        "vessel": _vessels(fold, atlas, template_points, voxel),
        "choroid": _choroid(template_points, in_ventricle, fold),
        "texture": fold.fine[2],
        "tract": fold.fine[3],
    }
    for name in ("limbic", "pallidum", "stem", "cerebellum"):
        maps[name] = atlas[name]
    return Anatomy(torch.stack([maps[name] for name in MAPS]), grid)


class _Folding:
    """The random fields of a cortex, evaluated on a grid.

    Attributes:
        sheet: Distance in mm to the nearest primary sulcal sheet.
        minor: The same for the shallow secondary sulci.
        reach: How deep the primary sulci go, mm.
        slow: Smooth fields `(3, D, H, W)`, wavelength 60 mm.
        fine: Fields `(4, D, H, W)`, wavelength 12 mm.
    """

    def __init__(self, person: Person, points: torch.Tensor, depth: torch.Tensor, grid: Grid) -> None:
        random = stream(person.seed, "folding")
        primary = noise_field(random, person.gyrus_mm, channels=2, bandwidth=0.16)
        secondary = noise_field(random, 0.72 * person.gyrus_mm, bandwidth=0.2)
        wiggle = noise_field(random, 26.0, channels=3, bandwidth=0.4)
        slow = noise_field(random, 60.0, channels=3, low_pass=True)
        fine = noise_field(random, 11.0, channels=4, bandwidth=0.45)
        self.slow = slow.at(points)
        self.fine = fine.at(points)
        inward = gradient(depth, grid.spacing_mm)
        inward = inward / inward.square().sum(0, keepdim=True).sqrt().clamp(min=0.5)
        shift = (0.85 * depth.clamp(-4, 30) * inward).permute(1, 2, 3, 0)
        surface = points - shift + 1.8 * wiggle.at(points).permute(1, 2, 3, 0)
        field = primary.at(surface)
        self.sheet = _distance(field[0], grid, person.gyrus_mm)
        self.across = _distance(field[1], grid, person.gyrus_mm)
        self.minor = _distance(secondary.at(surface)[0], grid, 0.72 * person.gyrus_mm)
        self.reach = (15.0 + 4.5 * self.slow[2]).clamp(7.0, 24.0)
        self.minor_reach = (4.5 + 2.5 * self.slow[1]).clamp(0.0, 9.0)


def _distance(field: torch.Tensor, grid: Grid, wavelength_mm: float) -> torch.Tensor:
    """First-order distance in mm to the zero sheets of a field of unit variance."""
    slope = gradient(field, grid.spacing_mm).square().sum(0)
    floor = (1.2 / wavelength_mm) ** 2  # keeps flat places from looking far away or infinitely near
    return field.abs() / (slope + floor).sqrt()


def _slab(distance: torch.Tensor, half_width: torch.Tensor, voxel: float) -> torch.Tensor:
    """Fraction of a voxel covered by a slab of the given half width at a distance."""
    high = torch.minimum(distance + 0.5 * voxel, half_width)
    low = torch.maximum(distance - 0.5 * voxel, -half_width)
    return ((high - low) / voxel).clamp(0, 1)


def _cortex_tissues(
    person: Person, fold: _Folding, atlas: dict[str, torch.Tensor], voxel: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Fluid and white fractions of the refolded cortex."""
    depth = atlas["depth"] - person.rim_mm
    barrier = 22.0 * (atlas["white"] - 0.72).clamp(min=0)
    bottom = (depth - fold.reach).clamp(min=0) + barrier
    sheet = (fold.sheet.square() + bottom.square()).sqrt()
    minor_bottom = (depth - fold.minor_reach).clamp(min=0) + barrier
    minor = (fold.minor.square() + minor_bottom.square()).sqrt()
    taper = 1.0 - 0.6 * (depth / fold.reach).clamp(0, 1)
    width = person.sulcus_mm * taper * (1 + 0.35 * fold.slow[0]).clamp(0.4, 1.8)
    # Large fissures, the same in everyone, come from the template's own fluid.
    template_fluid = (1 - atlas["grey"] - atlas["white"]).clamp(0, 1)
    fissure = 7.0 * (0.34 - template_fluid) + 120.0 * (0.10 - template_fluid).clamp(min=0)
    fluid = torch.maximum(_slab(sheet, width, voxel), _slab(minor, 0.6 * width, voxel))
    fluid = torch.maximum(fluid, (0.5 - torch.minimum(depth, fissure) / voxel).clamp(0, 1))
    pial = torch.minimum(torch.minimum(sheet - width, minor - 0.6 * width), torch.minimum(depth, fissure))
    thickness = person.cortex_mm * (1 + 0.12 * fold.slow[1] + 0.10 * fold.fine[0])
    white = (0.5 + (pial - thickness) / voxel).clamp(0, 1)
    return fluid, torch.minimum(white, 1 - fluid)


def _deep_tissues(
    person: Person, fold: _Folding, atlas: dict[str, torch.Tensor], points: torch.Tensor, voxel: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Fluid and white fractions where the template is kept: deep nuclei, insula, stem, cerebellum."""
    template_fluid = (1 - atlas["grey"] - atlas["white"]).clamp(0, 1)
    opening = 0.62 - 0.12 * (person.sulcus_mm - 0.7) / 0.4
    fluid = smoothstep(template_fluid, opening - 0.3, opening + 0.2)
    share = (atlas["white"] / (atlas["grey"] + atlas["white"]).clamp(min=1e-3)).clamp(0.01, 0.99)
    logits = torch.logit(share) * (1.0 + 0.8 * atlas["cerebellum"]) + 0.45 * fold.fine[1]
    white = torch.sigmoid(1.25 * logits)
    # Folia run left to right and are finer than most voxels: fade them where the grid cannot show them.
    random = stream(person.seed, "folia")
    folia = noise_field(random, 6.0, bandwidth=0.25, stretch=(1.0, 1.0, 2.5)).at(points)[0]
    visible = max(0.0, 1.0 - (voxel / 4.5) ** 2)
    grooves = visible * atlas["cerebellum"] * smoothstep(folia, 0.3, 1.6) * smoothstep(white, 0.75, 0.3)
    fluid = torch.maximum(fluid, 0.5 * grooves)
    return fluid, white * (1 - fluid)


def _vessels(
    fold: _Folding, atlas: dict[str, torch.Tensor], template_points: torch.Tensor, voxel: float
) -> torch.Tensor:
    """Cortical veins in the sulci, the sagittal sinus, and the enhancing falx."""
    radius = 0.75
    partial = min(1.0, (2.2 * radius / voxel) ** 1.2)
    reach = (fold.sheet.square() + fold.across.square()) / (radius**2 + 0.12 * voxel**2)
    veins = partial * torch.exp(-0.5 * reach) * smoothstep(atlas["depth"], 14.0, 2.0) * atlas["cortex"]
    z, y, x = template_points.unbind(-1)
    sinus = torch.exp(-0.5 * ((x / 2.6).square() + ((atlas["brain_depth"] - 1.0) / 2.2).square()))
    sinus = sinus * ((z > 10) | (y < -70)).float()
    falx = torch.exp(-0.5 * (x / (0.5 + 0.3 * voxel)).square()) * smoothstep(atlas["depth"], 3.0, 0.5)
    falx = 0.35 * min(1.0, 1.2 / voxel) * falx * (1 - smoothstep(atlas["brain_depth"], 30.0, 40.0)) * (z > 5)
    return torch.maximum(torch.maximum(veins, sinus), falx).clamp(0, 1)


def _choroid(template_points: torch.Tensor, in_ventricle: torch.Tensor, fold: _Folding) -> torch.Tensor:
    """Choroid plexus: tufts in the atria of the lateral ventricles."""
    z, y, x = template_points.unbind(-1)
    along = ((x.abs() - 22) / 5).square() + ((y + 38) / 8).square() + ((z - 6) / 9).square()
    return in_ventricle * (torch.exp(-0.5 * along) * (1 + 0.5 * fold.fine[3])).clamp(0, 1)
