"""Who the phantom is: age, atrophy, ventricles, folding; drawn from the seed, apart from any disease."""

from __future__ import annotations

from dataclasses import dataclass

from medattn_lite.data.phantom.fields import normal, stream, uniform


@dataclass(frozen=True)
class Person:
    """Traits that stay the same in every counterfactual of a subject.

    Attributes:
        seed: Seed of folding, head shape and texture.
        age_years: Age; older brains have wider sulci and ventricles.
        ventricle_mm: How far the ventricle walls lie outside the template's.
        sulcus_mm: Half width of a sulcus at the surface.
        cortex_mm: Cortical thickness.
        gyrus_mm: Wavelength of the folding.
        rim_mm: Fluid between hull and gyral crowns.
        strip_mm: Where the skull stripping cut, mm inside the hull.
    """

    seed: int
    age_years: float
    ventricle_mm: float
    sulcus_mm: float
    cortex_mm: float
    gyrus_mm: float
    rim_mm: float
    strip_mm: float


def draw_person(seed: int, age_years: float | None = None, *, age_range: tuple[float, float] = (22.0, 82.0)) -> Person:
    """The person of a seed; give the age to fix it (the other traits keep their draw)."""
    random = stream(seed, "person")
    drawn_age = uniform(random, *age_range)
    age = drawn_age if age_years is None else float(age_years)
    atrophy = (age - 50.0) / 30.0
    return Person(
        seed=seed,
        age_years=age,
        ventricle_mm=max(-1.2, normal(random, 0.6 + 1.2 * atrophy, 1.1)),
        sulcus_mm=max(0.35, normal(random, 0.75 + 0.28 * atrophy, 0.15)),
        cortex_mm=normal(random, 2.8 - 0.12 * atrophy, 0.12),
        gyrus_mm=normal(random, 24.0, 1.2),
        rim_mm=max(0.2, normal(random, 0.7 + 0.4 * atrophy, 0.3)),
        strip_mm=normal(random, 1.3, 0.6),
    )
