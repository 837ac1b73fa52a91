"""The random fields that fold a cortex, and the tissue fractions they give."""

from __future__ import annotations

import torch

from medattn_lite.data.phantom.fields import noise_field, smoothstep, stream
from medattn_lite.data.phantom.geometry import Cloud
from medattn_lite.data.phantom.person import Person


class Folding:
    """The fields of one cortex, evaluated at a cloud's points.

    Attributes:
        coarse: Slow fields on the coarse grid, `(6, d, h, w)`: three wiggles, three of 60 mm.
        sheet: Distance in mm to the nearest primary sulcal sheet, `(n,)`.
        minor: The same for the shallow secondary sulci.
        across: Distance to sheets that cross the sulci; vessels run where both meet.
        reach: How deep the primary sulci go, mm; `minor_reach` for the secondary.
        slow: Smooth fields `(3, n)`, wavelength 60 mm.
        fine: Fields `(4, n)`, wavelength 11 mm.
    """

    def __init__(self, person: Person, coarse_points: torch.Tensor) -> None:
        self.person = person
        random = stream(person.seed, "slow fields")
        wiggle = noise_field(random, 34.0, channels=3, bandwidth=0.35).at(coarse_points)
        slow = noise_field(random, 60.0, channels=3, low_pass=True).at(coarse_points)
        self.coarse = torch.cat([wiggle, slow])

    def evaluate(self, cloud: Cloud, atlas: dict[str, torch.Tensor], slow: torch.Tensor, side: torch.Tensor) -> None:
        """Look everything up at the cloud's points; `slow` is `coarse` there, `(6, n)`; `side` the template x in mm."""
        person = self.person
        random = stream(person.seed, "folding")
        primary = noise_field(random, person.gyrus_mm, channels=2, bandwidth=0.13)
        secondary = noise_field(random, 0.7 * person.gyrus_mm, bandwidth=0.2)
        fine = noise_field(random, 11.0, channels=4, bandwidth=0.45)
        self.slow = slow[3:]
        self.fine = fine.at(cloud.points)
        inward = torch.stack([atlas["inward_z"], atlas["inward_y"], atlas["inward_x"]], dim=-1)
        surface = cloud.points - 0.82 * atlas["depth"].clamp(-4, 26)[:, None] * inward + 2.0 * slow[:3].T
        # Both medial walls lie on the same plane; far apart in the noise, each hemisphere folds its own way.
        surface[:, 0] += 67.0 * (side > 0)
        field = primary.at(surface)
        shallow = secondary.at(surface)[0]
        self.sheet = _distance(field[0], cloud, person.gyrus_mm)
        self.across = _distance(field[1], cloud, person.gyrus_mm)
        self.minor = _distance(shallow, cloud, 0.7 * person.gyrus_mm)
        self.reach = (19.0 + 4.5 * self.slow[2]).clamp(9.0, 27.0)
        self.minor_reach = (4.0 + 2.5 * self.slow[1]).clamp(0.0, 8.0)


def _distance(field: torch.Tensor, cloud: Cloud, wavelength_mm: float) -> torch.Tensor:
    """First-order distance in mm to the zero sheets of a field of unit variance."""
    floor = (1.5 / wavelength_mm) ** 2  # keeps flat places from looking far away or infinitely near
    return field.abs() / (cloud.slope(field).square() + floor).sqrt()


def _slab(distance: torch.Tensor, half_width: torch.Tensor, voxel: float) -> torch.Tensor:
    """Fraction of a voxel covered by a slab of the given half width at a distance."""
    high = torch.minimum(distance + 0.5 * voxel, half_width)
    low = torch.maximum(distance - 0.5 * voxel, -half_width)
    return ((high - low) / voxel).clamp(0, 1)


def cortex_tissues(
    person: Person, fold: Folding, atlas: dict[str, torch.Tensor], voxel: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Fluid and white fractions of the refolded cortex."""
    depth = atlas["depth"] - person.rim_mm
    barrier = 14.0 * (atlas["white"] - 0.92).clamp(min=0)
    bottom = (depth - fold.reach).clamp(min=0) + barrier
    sheet = (fold.sheet.square() + bottom.square()).sqrt()
    minor_bottom = (depth - fold.minor_reach).clamp(min=0) + barrier
    minor = (fold.minor.square() + minor_bottom.square()).sqrt()
    taper = 1.0 - 0.55 * (depth / fold.reach).clamp(0, 1)
    width = person.sulcus_mm * taper * (1 + 0.4 * fold.slow[0]).clamp(0.35, 1.9)
    # Large fissures, the same in everyone, come from the template's own fluid.
    template_fluid = (1 - atlas["grey"] - atlas["white"]).clamp(0, 1)
    fissure = 8.0 * (0.26 - template_fluid) + 120.0 * (0.08 - template_fluid).clamp(min=0)
    fissure = fissure + 0.5 * fold.fine[1]
    fluid = torch.maximum(_slab(sheet, width, voxel), _slab(minor, 0.5 * width, voxel))
    fluid = torch.maximum(fluid, (0.5 - torch.minimum(depth, fissure) / voxel).clamp(0, 1))
    pial = torch.minimum(torch.minimum(sheet - width, minor - 0.5 * width), torch.minimum(depth, fissure))
    thickness = person.cortex_mm * (1 + 0.12 * fold.slow[1] + 0.10 * fold.fine[0])
    white = (0.5 + (pial - thickness) / (voxel + 0.6)).clamp(0, 1)
    return fluid, torch.minimum(white, 1 - fluid)


def deep_tissues(
    person: Person, fold: Folding, atlas: dict[str, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Fluid and white fractions where the template is kept: deep nuclei, insula, brainstem."""
    template_fluid = (1 - atlas["grey"] - atlas["white"]).clamp(0, 1)
    opening = 0.42 - 0.12 * (person.sulcus_mm - 0.75) / 0.4
    fluid = smoothstep(template_fluid + 0.03 * fold.fine[0], opening - 0.2, opening + 0.2)
    share = (atlas["white"] / (atlas["grey"] + atlas["white"]).clamp(min=1e-3)).clamp(0.01, 0.99)
    white = torch.sigmoid(1.35 * torch.logit(share) + 0.22 * fold.fine[1])
    return fluid, white * (1 - fluid)


def cerebellum_tissues(
    fold: Folding, atlas: dict[str, torch.Tensor], template_points: torch.Tensor, voxel: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Fluid and white fractions of the cerebellum: fissures fan out from the fourth ventricle."""
    z, y, x = template_points.unbind(-1)
    angle = torch.atan2(z + 36.0, -(y + 44.0) + 0.12 * x.abs())
    radius = ((z + 36.0).square() + (y + 44.0).square()).sqrt()
    phase = angle * 34.0 + 1.1 * fold.fine[2] + 2.0 * fold.slow[1]
    grooves = (torch.sin(2 * torch.pi * phase / 6.5)).clamp(min=0) ** 4
    deep = (torch.sin(2 * torch.pi * phase / 19.5 + 1.0)).clamp(min=0) ** 10
    visible = max(0.0, 1.0 - (voxel / 4.0) ** 2)
    outer = smoothstep(atlas["brain_depth"], 16.0, 6.0) * smoothstep(radius, 10.0, 20.0)
    template_fluid = (1 - atlas["grey"] - atlas["white"]).clamp(0, 1)
    rim = smoothstep(template_fluid, 0.25, 0.6)
    fluid = torch.maximum(rim, outer * (0.62 * visible * grooves + 0.6 * deep).clamp(max=0.8))
    share = (atlas["white"] / (atlas["grey"] + atlas["white"]).clamp(min=1e-3)).clamp(0.01, 0.99)
    blades = 1.6 * outer * (torch.cos(2 * torch.pi * phase / 19.5 + 1.0 + 1.57) - 0.3)
    white = torch.sigmoid(1.9 * torch.logit(share) + 0.5 + blades + 0.3 * fold.fine[1])
    return fluid, white * (1 - fluid)
