"""Does the map lie where the signal is? Scores of one map against the voxels that decide, known for phantoms.

    pointing game     is the map's highest voxel one of the signal's?
    relevance mass    Σ_signal m⁺ / Σ m⁺
    AUC               a signal voxel drawn at random has a higher value than another one, with what probability?

m⁺ is the map without its negative values. All three look at the head alone, or at whatever `within` names: outside it
nothing can be relevant, and counting it would flatter every map. Papers: Zhang et al. 2018 (pointing game), Arras et
al. 2022 (relevance mass). Quantus has the same three for series and pictures, and refuses volumes; where both work they
agree (its numbers are frozen in the tests).

A score says little without what an ignorant map would get: see `chance`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from medattn_lite.errors import UserError
from medattn_lite.evaluation import auc

PLANES = ("axial", "coronal", "sagittal")
LOCALISATION = ("pointing game", "relevance mass", "AUC")


@dataclass(frozen=True)
class Localised:
    """One map against one signal.

    Attributes:
        pointing_game: 1.0 a hit, 0.0 a miss; the share of hits among several equally high voxels.
        relevance_mass: 0 to 1; NaN for a map without a positive value.
        auc: 0 to 1, 0.5 for a map that knows nothing; NaN where all voxels or none are signal.
    """

    pointing_game: float
    relevance_mass: float
    auc: float

    def as_dict(self) -> dict[str, float]:
        """By the names of `LOCALISATION`."""
        return dict(zip(LOCALISATION, (self.pointing_game, self.relevance_mass, self.auc), strict=True))


def localise(values: Tensor | np.ndarray, signal: Tensor | np.ndarray, *, within: Tensor | np.ndarray | None = None,
             tolerance: int = 0) -> Localised:  # fmt: skip
    """Scores a map.

    Args:
        values: (D, H, W) or (H, W); higher is more relevant.
        signal: bool of the same shape.
        within: bool of the same shape, the voxels that count; None counts all.
        tolerance: the pointing game also counts a hit so many voxels beside the signal, along the axes.

    Returns:
        the three scores. A constant map is a guess: its pointing game is the signal's share of voxels, its AUC 0.5.

    Raises:
        UserError: other shapes, values that are not numbers, or no voxel of the signal inside `within`.

    Example:
        >>> localise(torch.tensor([[3.0, 0.0], [1.0, 0.0]]), torch.tensor([[True, False], [False, False]]))
        Localised(pointing_game=1.0, relevance_mass=0.75, auc=1.0)
    """
    scores = np.asarray(values, dtype=np.float64)
    wanted = np.asarray(signal).astype(bool)
    counted = np.ones_like(wanted) if within is None else np.asarray(within).astype(bool)
    if not scores.shape == wanted.shape == counted.shape:
        raise UserError(f"a map of {scores.shape} cannot be scored against a signal of {wanted.shape} within "
                        f"{counted.shape}: bring them to one grid")  # fmt: skip
    if not np.isfinite(scores).all():
        raise UserError("the map holds values that are not numbers: explain again, and look at the note")
    near = _dilated(wanted, tolerance)
    scores, wanted, near = scores[counted], wanted[counted], near[counted]
    if not wanted.any():
        raise UserError("there is no signal inside the voxels that count: give the subject's own signal and head")
    positive = np.clip(scores, 0, None)
    total = positive.sum()
    return Localised(
        pointing_game=float(near[scores == scores.max()].mean()),
        relevance_mass=float(positive[wanted].sum() / total) if total > 0 else math.nan,
        auc=auc(wanted, scores),
    )


def chance(signal: Tensor | np.ndarray, *, within: Tensor | np.ndarray | None = None) -> Localised:
    """Scores a map with the same value everywhere: the signal's share of the voxels, and 0.5.

    Example:
        >>> chance(torch.tensor([[True, False], [False, False]]))
        Localised(pointing_game=0.25, relevance_mass=0.25, auc=0.5)
    """
    return localise(np.ones(np.asarray(signal).shape), signal, within=within)


def concentration(values: Tensor, signal: Tensor, *, within: Tensor | None = None) -> float:
    """Computes a map's mass on the signal, divided by that of a map that is the same everywhere; 1 is chance.

    Args:
        values: a map of places.
        signal: bool, the same shape.
        within: only here anything counts; everywhere if None.

    Returns:
        NaN where the map has no positive value there.

    Raises:
        UserError: as `localise`.

    Example:
        >>> concentration(torch.tensor([[3.0, 0.0], [1.0, 0.0]]), torch.tensor([[True, False], [False, False]]))
        3.0
    """
    return localise(values, signal, within=within).relevance_mass / chance(signal, within=within).relevance_mass


def localise_by_plane(
    values: Tensor | np.ndarray, signal: Tensor | np.ndarray, *, within: Tensor | np.ndarray | None = None
) -> dict[str, Localised]:
    """Scores a volume's map as a reader of slices meets it: each slice that shows signal alone, then their mean.

    Args:
        values: (D, H, W).
        signal: bool of the same shape.
        within: bool of the same shape, the voxels that count; None counts all.

    Returns:
        "axial", "coronal" and "sagittal" → means over the plane's slices with signal, of the slices where a score is
        defined.

    Raises:
        UserError: as `localise`, or no volume.
    """
    if np.ndim(values) != 3:
        raise UserError(f"planes are of a volume (D, H, W), not of shape {tuple(np.shape(values))}")
    localise(values, signal, within=within)  # says what is wrong with the whole
    arrays = [np.asarray(values), np.asarray(signal).astype(bool)]
    arrays.append(np.ones_like(arrays[1]) if within is None else np.asarray(within).astype(bool))
    by_plane = {}
    for axis, plane in enumerate(PLANES):
        slices = [[np.take(array, index, axis=axis) for array in arrays] for index in range(arrays[0].shape[axis])]
        scores = np.array([list(localise(plane_values, there, within=counted).as_dict().values())
                           for plane_values, there, counted in slices if (there & counted).any()])  # fmt: skip
        defined = np.isfinite(scores)
        sums = np.where(defined, scores, 0).sum(0)
        by_plane[plane] = Localised(*(float(total / count) if count else math.nan
                                      for total, count in zip(sums, defined.sum(0), strict=True)))  # fmt: skip
    return by_plane


def ignorant_maps(image: Tensor, *, seed: int = 0) -> dict[str, Tensor]:
    """Makes maps that know nothing of any network, to be beaten: noise, the middle, edges, and the image itself.

    Args:
        image: (C, D, H, W) or (C, H, W), normalised.
        seed: of the noise.

    Returns:
        name → map of the image's grid.
    """
    size = image.shape[1:]
    places = torch.meshgrid(*(torch.linspace(-1, 1, side) for side in size), indexing="ij")
    steps = torch.stack([torch.stack(torch.gradient(channel)).square().sum(0).sqrt() for channel in image.float()])
    return {
        "noise": torch.rand(size, generator=torch.Generator().manual_seed(seed)),
        "middle": -torch.stack(places).square().sum(0),
        "edges": steps.mean(0),
        "brightness": image.float().mean(0),
    }


def _dilated(signal: np.ndarray, steps: int) -> np.ndarray:
    if steps < 1:
        return signal
    from scipy.ndimage import binary_dilation

    return binary_dilation(signal, iterations=steps)
