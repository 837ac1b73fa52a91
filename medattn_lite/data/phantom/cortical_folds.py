"""The random fields that fold a cortex, and the tissue fractions they give."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch

from medattn_lite.data.phantom.fields import noise_field, smoothstep, stream
from medattn_lite.data.phantom.geometry import Cloud
from medattn_lite.data.phantom.person import Person


@dataclass(frozen=True)
class FoldedFields:
    """The fields of one cortex at `n` points.

    Attributes:
        sheet: Distance in mm to the nearest primary sulcal sheet, `(n,)`.
        minor: The same for the shallow secondary sulci.
        across: Distance to sheets that cross the sulci; vessels run where both meet.
        reach: How deep the primary sulci go, mm; `minor_reach` for the secondary.
        minor_reach: See `reach`.
        slow: Smooth fields `(3, n)`, wavelength 60 mm.
        fine: Fields `(4, n)`, wavelength 11 mm.
    """

    sheet: torch.Tensor
    minor: torch.Tensor
    across: torch.Tensor
    reach: torch.Tensor
    minor_reach: torch.Tensor
    slow: torch.Tensor
    fine: torch.Tensor


class Folding:
    """The random fields of one person, drawn once and asked for their values anywhere."""

    def __init__(self, person: Person) -> None:
        self.person = person
        random = stream(person.seed, "slow fields")
        self._wiggle = noise_field(random, 34.0, channels=3, bandwidth=0.35)
        self._slow = noise_field(random, 60.0, channels=3, low_pass=True)
        random = stream(person.seed, "folding")
        self._primary = noise_field(random, person.gyrus_mm, channels=2, bandwidth=0.13)
        self._secondary = noise_field(random, 0.7 * person.gyrus_mm, bandwidth=0.2)
        self._fine = noise_field(random, 11.0, channels=4, bandwidth=0.45)

    def coarse_fields(self, points: torch.Tensor) -> torch.Tensor:
        """The slow fields at the points `(..., 3)` of a coarse grid, `(6, ...)`: three wiggles, three of 60 mm."""
        return torch.cat([self._wiggle.at(points), self._slow.at(points)])

    def evaluate(
        self, cloud: Cloud, atlas: dict[str, torch.Tensor], slow: torch.Tensor, side: torch.Tensor
    ) -> FoldedFields:
        """Everything at the cloud's points; `slow` is `coarse_fields` there, `(6, n)`; `side` the template x in mm."""
        person = self.person
        inward = torch.stack([atlas["inward_z"], atlas["inward_y"], atlas["inward_x"]], dim=-1)
        surface = cloud.points - 0.82 * atlas["depth"].clamp(-4, 26)[:, None] * inward + 2.0 * slow[:3].T
        # Both medial walls lie on the same plane; far apart in the noise, each hemisphere folds its own way.
        surface[:, 0] += 67.0 * (side > 0)
        field = self._primary.at(surface)
        shallow = self._secondary.at(surface)[0]
        slow = slow[3:]
        return FoldedFields(
            sheet=_distance(field[0], cloud, person.gyrus_mm),
            minor=_distance(shallow, cloud, 0.7 * person.gyrus_mm),
            across=_distance(field[1], cloud, person.gyrus_mm),
            reach=(19.0 + 4.5 * slow[2]).clamp(9.0, 27.0),
            minor_reach=(4.0 + 2.5 * slow[1]).clamp(0.0, 8.0),
            slow=slow,
            fine=self._fine.at(cloud.points),
        )


@lru_cache(maxsize=8)
def folding_of(person: Person) -> Folding:
    """A person's folding; the last eight are kept, about 10 MB each."""
    return Folding(person)


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
    person: Person, fold: FoldedFields, atlas: dict[str, torch.Tensor], voxel: float
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
    person: Person, fold: FoldedFields, atlas: dict[str, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Fluid and white fractions where the template is kept: deep nuclei, insula, brainstem."""
    template_fluid = (1 - atlas["grey"] - atlas["white"]).clamp(0, 1)
    opening = 0.42 - 0.12 * (person.sulcus_mm - 0.75) / 0.4
    fluid = smoothstep(template_fluid + 0.03 * fold.fine[0], opening - 0.2, opening + 0.2)
    share = (atlas["white"] / (atlas["grey"] + atlas["white"]).clamp(min=1e-3)).clamp(0.01, 0.99)
    white = torch.sigmoid(1.35 * torch.logit(share) + 0.22 * fold.fine[1])
    return fluid, white * (1 - fluid)


def cerebellum_tissues(
    fold: FoldedFields, atlas: dict[str, torch.Tensor], template_points: torch.Tensor, voxel: float
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
