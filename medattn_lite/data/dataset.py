"""What every data set of the package offers, whatever stands behind it: files, a phantom's recipe, pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pandas as pd


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

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One sample: `image` (C, *spatial), `subject`, and what is known of it."""

    def table(self) -> pd.DataFrame:
        """A row per sample, without reading voxels."""
