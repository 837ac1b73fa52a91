"""What the tissues look like in T1, contrast-enhanced T1, T2 and FLAIR.

Intensities are relative to white matter on T1 ≈ 0.85, chosen beside patients' scans; every subject
draws small deviations. A voxel is the mean of its tissues weighted by their fractions.
"""

from __future__ import annotations

import torch

from medattn_lite.data.phantom.anatomy import Anatomy
from medattn_lite.data.phantom.fields import normal, stream, uniform

CONTRASTS = ("t1", "t1ce", "t2", "flair")

# tissue → intensity in (t1, t1ce, t2, flair)
TISSUES: dict[str, tuple[float, float, float, float]] = {
    "fluid": (0.20, 0.22, 1.00, 0.10),
    "grey": (0.60, 0.60, 0.47, 0.60),
    "white": (0.86, 0.80, 0.34, 0.50),
    "vessel": (0.30, 1.45, 0.30, 0.15),
    "choroid": (0.45, 1.20, 0.75, 0.50),
}
LESIONS: dict[str, tuple[float, float, float, float]] = {
    "oedema": (0.58, 0.58, 0.70, 0.78),
    "infiltration": (0.61, 0.62, 0.63, 0.71),
    "solid": (0.52, 0.54, 0.72, 0.75),
    "suppressed": (0.42, 0.44, 0.92, 0.55),
    "enhancing": (0.58, 1.18, 0.62, 0.72),
    "necrosis": (0.38, 0.42, 0.88, 0.62),
    "cyst": (0.26, 0.28, 0.98, 0.26),
    "meningioma": (0.60, 1.16, 0.50, 0.60),
    "plaque": (0.53, 0.54, 0.77, 0.79),
    "hole": (0.42, 0.44, 0.80, 0.76),
    "cleft": (0.25, 0.30, 0.95, 0.20),
    "tail": (0.45, 1.15, 0.50, 0.45),
}

# Relative spread between subjects; plaques vary as they do in the patients of the Ljubljana MS database.
_SPREAD = {"plaque": 0.10, "hole": 0.10}
# Relative variation inside a lesion.
_ROUGHNESS = {"solid": 0.045, "enhancing": 0.13, "necrosis": 0.10, "meningioma": 0.04, "oedema": 0.035}


def tissue_images(
    anatomy: Anatomy, seed: int, contrasts: tuple[str, ...], *, vessels: float = 1.0
) -> torch.Tensor:
    """Images `(C, D, H, W)` of the healthy tissues, without scanner effects.

    Args:
        anatomy: The person on a grid.
        seed: Draws the deviations of this person's tissues.
        contrasts: Which sequences, of `CONTRASTS`.
        vessels: How visible vessels are; 0 removes them.
    """
    images = []
    grey, white, fluid = anatomy["grey"], anatomy["white"], anatomy["fluid"]
    near_wall = torch.exp(-anatomy["ventricle"].clamp(min=0) / 2.5) * (1 - anatomy["stem"])
    for contrast in contrasts:
        index = CONTRASTS.index(contrast)
        random = stream(seed, "tissue", contrast)
        value = {name: row[index] * normal(random, 1.0, 0.03) for name, row in TISSUES.items()}
        low, high = (0.6, 1.1) if contrast in ("t1", "t1ce") else (0.7, 1.4)
        value["grey"] = value["white"] + (value["grey"] - value["white"]) * uniform(random, low, high)
        grey_map = value["grey"] * (1 + 0.020 * anatomy["texture"])
        white_map = value["white"] * (1 + 0.014 * anatomy["tract"])
        if contrast == "flair":
            grey_map = grey_map * (1 + 0.13 * anatomy["limbic"])
            white_map = white_map * (1 + 0.22 * near_wall + 0.10 * anatomy["stem"])
        if contrast in ("t2", "flair"):
            grey_map = grey_map * (1 - 0.16 * anatomy["pallidum"])
            white_map = white_map * (1 - 0.06 * anatomy["pallidum"])
        image = fluid * value["fluid"] + grey * grey_map + white * white_map
        image = torch.lerp(image, torch.full_like(image, value["choroid"]), 0.85 * anatomy["choroid"])
        strength = {"t1ce": 1.0, "t2": 0.35, "flair": 0.30, "t1": 0.25}[contrast] * vessels
        weight = (strength * anatomy["vessel"]).clamp(0, 1)
        images.append(torch.lerp(image, torch.full_like(image, value["vessel"]), weight))
    return torch.stack(images)


def paint_lesions(
    images: torch.Tensor, lesions: dict[str, torch.Tensor], seed: int, contrasts: tuple[str, ...],
    texture: torch.Tensor, *, contrast: float = 1.0,
) -> torch.Tensor:  # fmt: skip
    """Lay lesion tissues over healthy ones, in the order of `LESIONS`.

    Args:
        images: `(C, D, H, W)` healthy images.
        lesions: Name in `LESIONS` → fraction `(D, H, W)`.
        seed: Draws the deviations of this lesion.
        contrasts: Sequences of `images`.
        texture: `(D, H, W)` noise of unit variance for the lesion's inside.
        contrast: How far lesions differ from healthy tissue; 1 is a typical scan, 0 invisible.
    """
    out = images.clone()
    for name, row in LESIONS.items():
        if name not in lesions:
            continue
        weight = lesions[name].clamp(0, 1) * contrast
        for channel, sequence in enumerate(contrasts):
            drawn = normal(stream(seed, "lesion", name, sequence), 1.0, _SPREAD.get(name, 0.05))
            value = row[CONTRASTS.index(sequence)] * drawn
            painted = value * (1 + _ROUGHNESS.get(name, 0.03) * texture)
            out[channel] = torch.lerp(out[channel], painted, weight)
    return out

