"""Small made-up heads: textured, noisy, each with its own gain, with a lesion. Nothing in them tells the label."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

SHAPE = (10, 28, 28)
SPACING = (6.0, 5.0, 5.0)


def toy(seed: int, label: int, *, lesion: float = 1.0, flat: bool = False) -> dict:
    """One sample of two channels; `lesion` is the lesion's brightness over the tissue, 0 for none."""
    random = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, side) for side in SHAPE), indexing="ij"))
    head = (grid**2).sum(0) < random.uniform(0.6, 0.75)
    centre = random.uniform(-0.3, 0.3, 3)
    near = np.sqrt(((grid - centre[:, None, None, None]) ** 2).sum(0)) < random.uniform(0.2, 0.3)
    image = []
    for _ in range(2):
        texture = gaussian_filter(random.normal(size=SHAPE), 1.2)
        tissue = 1 + 0.25 * texture / texture.std() + 0.05 * random.normal(size=SHAPE)
        tissue = np.clip(tissue, 0.05, None) + near * lesion
        image.append(tissue * head * random.lognormal(0, 0.1) * 100)
    mask = (near & head & (lesion > 0)).astype(np.uint8)[None]
    image = np.stack(image).astype(np.float32)
    sample = {
        "image": torch.from_numpy(image[:, 5] if flat else image),
        "mask": torch.from_numpy(mask[:, 5] if flat else mask),
        "label": label,
        "subject": f"p{seed}",
        "channels": ("t1", "flair"),
        "meta": {"voxel_size_mm": SPACING, "age": float(random.uniform(20, 80)), "sex": str(random.choice(["f", "m"]))},
    }
    return sample


def toys(count: int = 48, *, seed: int = 0, **options: float) -> list[dict]:
    """Samples of both classes in turn; no two cohorts share a head."""
    return [toy(1000 * seed + at, at % 2, **options) for at in range(count)]
