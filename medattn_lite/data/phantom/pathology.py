"""What a phantom can have: descriptions of a disease, without any voxel.

Each class is a frozen dataclass, so `dataclasses.replace(subject, pathology=...)` gives the same
person with another disease. Where a value is None, it is drawn from the subject's seed.
Label values follow BraTS: 1 necrotic or non-enhancing core, 2 oedema, 4 enhancing; a multiple
sclerosis lesion is 1.
"""

from __future__ import annotations

from dataclasses import dataclass

from medattn_lite.errors import UserError

Site = tuple[float, float, float]


def _check_fraction(name: str, value: float | None, high: float = 1.0) -> None:
    if value is not None and not 0.0 <= value <= high:
        raise UserError(f"{name}={value}: give a number from 0 to {high:g}")


def _check_positive(name: str, value: float | None, high: float) -> None:
    if value is not None and not 0.0 < value <= high:
        raise UserError(f"{name}={value}: give a number above 0 and up to {high:g}")


@dataclass(frozen=True)
class Healthy:
    """No disease.

    Attributes:
        displaced_by: A glioma that this head does not have, but whose mass effect it shows: so that
            displaced tissue alone does not tell a head with a tumour from one without.
    """

    displaced_by: Glioma | None = None
    kind = "healthy"

    def __post_init__(self) -> None:
        if self.displaced_by is not None and not isinstance(self.displaced_by, Glioma):
            raise UserError(f"displaced_by={self.displaced_by!r}: give glioma(...)")


@dataclass(frozen=True)
class Glioma:
    """A glioma. `diameter_mm` is that of a ball with the volume of the whole tumour, oedema included.

    Attributes:
        grade: "high" or "low".
        diameter_mm: Size of the whole tumour; grade does not change it.
        site: Centre as MNI RAS (x, y, z) in mm.
        enhancement: Share of the living core that takes up contrast agent, 0 to 1.
        necrosis: Share of the core that is dead, 0 to 0.9.
        oedema: Share of the whole tumour that is oedema or infiltration, 0 to 0.9.
        mass_effect: Largest shift of the tissue around, relative to the radius of the core, 0 to 0.5;
            None takes 0.40 for high grades and 0.20 for low ones.
        margin: "sharp" or "diffuse"; None takes "sharp" for high grades and "diffuse" for low ones.
    """

    grade: str = "high"
    diameter_mm: float = 44.0
    site: Site | None = None
    enhancement: float | None = None
    necrosis: float | None = None
    oedema: float | None = None
    mass_effect: float | None = None
    margin: str | None = None
    kind = "glioma"

    def __post_init__(self) -> None:
        if self.grade not in ("high", "low"):
            raise UserError(f"grade={self.grade!r}: give 'high' or 'low'")
        _check_positive("diameter_mm", self.diameter_mm, 110.0)
        _check_fraction("enhancement", self.enhancement)
        _check_fraction("necrosis", self.necrosis, 0.9)
        _check_fraction("oedema", self.oedema, 0.9)
        _check_fraction("mass_effect", self.mass_effect, 0.5)
        if self.margin not in (None, "sharp", "diffuse"):
            raise UserError(f"margin={self.margin!r}: give 'sharp' or 'diffuse'")


@dataclass(frozen=True)
class Metastases:
    """Metastases at the border of grey and white matter.

    Attributes:
        count: How many, 1 to 20.
        diameter_mm: Diameter of the largest core; the others are smaller.
        oedema: Volume of oedema relative to that of the cores (metastases swell out of proportion).
        site: Centre of the largest as MNI RAS (x, y, z) in mm.
        necrosis: Share of each core that is dead, 0 to 0.9; None draws it per lesion.
        mass_effect: Largest shift of the tissue around, relative to the radius of each core, 0 to 0.5;
            None takes 0.24.
    """

    count: int = 3
    diameter_mm: float = 18.0
    oedema: float | None = None
    site: Site | None = None
    necrosis: float | None = None
    mass_effect: float | None = None
    kind = "metastases"

    def __post_init__(self) -> None:
        if not 1 <= self.count <= 20:
            raise UserError(f"count={self.count}: give 1 to 20 metastases")
        _check_positive("diameter_mm", self.diameter_mm, 70.0)
        _check_fraction("oedema", self.oedema, 20.0)
        _check_fraction("necrosis", self.necrosis, 0.9)
        _check_fraction("mass_effect", self.mass_effect, 0.5)


@dataclass(frozen=True)
class Meningioma:
    """A meningioma on the dura: outside the brain, pressing on it.

    Attributes:
        diameter_mm: Diameter of the mass.
        oedema: Volume of oedema in the brain beneath, relative to the mass.
        site: A point near the surface as MNI RAS (x, y, z) in mm.
        mass_effect: Largest shift of the tissue around, relative to the radius, 0 to 0.5; None takes 0.33.
    """

    diameter_mm: float = 32.0
    oedema: float | None = None
    site: Site | None = None
    mass_effect: float | None = None
    kind = "meningioma"

    def __post_init__(self) -> None:
        _check_positive("diameter_mm", self.diameter_mm, 90.0)
        _check_fraction("oedema", self.oedema, 10.0)
        _check_fraction("mass_effect", self.mass_effect, 0.5)


@dataclass(frozen=True)
class MSLesions:
    """Lesions of multiple sclerosis. `load_ml` is their total volume.

    Attributes:
        load_ml: Total volume in mL; None draws it from the spread of the Ljubljana masks.
        periventricular: Share of the load along the ventricles; None lets it grow with the load.
    """

    load_ml: float | None = None
    periventricular: float | None = None
    kind = "ms"

    def __post_init__(self) -> None:
        _check_positive("load_ml", self.load_ml, 120.0)
        _check_fraction("periventricular", self.periventricular)


Pathology = Healthy | Glioma | Metastases | Meningioma | MSLesions


def healthy(*, displaced_by: Glioma | None = None) -> Healthy:
    """Makes a healthy head; with `displaced_by` it has the mass effect of a glioma that is not there."""
    return Healthy(displaced_by)


def glioma(
    *, grade: str = "high", diameter_mm: float = 44.0, site: Site | None = None, enhancement: float | None = None,
    necrosis: float | None = None, oedema: float | None = None, mass_effect: float | None = None,
    margin: str | None = None,
) -> Glioma:  # fmt: skip
    """Makes a glioma; see `Glioma` for units."""
    return Glioma(grade, diameter_mm, site, enhancement, necrosis, oedema, mass_effect, margin)


def metastases(
    *, count: int = 3, diameter_mm: float = 18.0, oedema: float | None = None, site: Site | None = None,
    necrosis: float | None = None, mass_effect: float | None = None,
) -> Metastases:  # fmt: skip
    """Makes metastases; see `Metastases` for units."""
    return Metastases(count, diameter_mm, oedema, site, necrosis, mass_effect)


def meningioma(
    *, diameter_mm: float = 32.0, oedema: float | None = None, site: Site | None = None,
    mass_effect: float | None = None,
) -> Meningioma:  # fmt: skip
    """Makes a meningioma; see `Meningioma` for units."""
    return Meningioma(diameter_mm, oedema, site, mass_effect)


def ms_lesions(*, load_ml: float | None = None, periventricular: float | None = None) -> MSLesions:
    """Makes lesions of multiple sclerosis; see `MSLesions` for units."""
    return MSLesions(load_ml, periventricular)
