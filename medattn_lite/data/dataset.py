"""What every data set of the package offers, whatever stands behind it: files, a phantom's recipe, pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from torch import Tensor

    from medattn_lite.data.nifti_io.orientation import Grid


class Sample(TypedDict, total=False):
    """One image and what is known of it; a key that is not known is absent.

    Plain dicts, so that MONAI's and torch's tools take them as they are; the type checker knows the keys.

    Attributes:
        image: (C, *spatial) float32; a picture (C, H, W), a volume (C, D, H, W).
        mask: (1, *spatial) uint8 labels.
        signal: (1, *spatial) bool, of phantoms: the voxels that decide the label.
        mark: (1, *spatial) bool, of phantoms with a scanner mark.
        affine: 4×4, of voxels (d, h, w) to RAS mm.
        grid: of the file; None where there is none.
        channels: names of the image's channels.
        subject: whose it is.
        source: name of the data set, "phantom" or "file".
        label: class, from 0.
        time: follow-up in days.
        event: whether it ended in death.
        meta: whatever else is known; `voxel_size_mm` (D, H, W) of real files that know it.
        depths: of slices cut from a volume, the index of each.
    """

    image: Tensor
    mask: Tensor
    signal: Tensor
    mark: Tensor
    affine: np.ndarray
    grid: Grid | None
    channels: Sequence[str]
    subject: str
    source: str
    label: int
    time: float
    event: bool | int
    meta: dict[str, Any]
    depths: list[int]


class Samples(Protocol):
    """What can be counted and asked for one sample after another: a list, or a data set."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any:
        """One sample, a dict with `image` (C, *spatial)."""


class Dataset(Protocol):
    """A sequence of samples; voxels are read, or made, when one is asked for."""

    @property
    def channels(self) -> Sequence[str]:
        """Names of the images' channels, in order."""

    @property
    def subjects(self) -> Sequence[str]:
        """Whose sample each is."""

    @property
    def labels(self) -> Sequence[int | None]:
        """The class of every sample, None where unknown."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample:
        """One sample: `image` (C, *spatial), `subject`, and what is known of it."""

    def table(self) -> pd.DataFrame:
        """A row per sample, without reading voxels."""
