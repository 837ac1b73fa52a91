"""Axial slices of any data set as one batch of pictures: what notebooks 02 and 03 train on.

A slice is used if it shows enough of the head. For "presence" its label is 1 where the tumour
covers enough of it and 0 where there is none; slices with a sliver in between are left out. With
`match_height`, slices without tumour are drawn from the heights at which tumours occur, so that
a network cannot tell the classes apart by the eyes and the skull base alone.

All sizes are relative (to the subject's largest slice), so that they hold for images whose voxel
size is unknown. Slices stay with their patient: split with `medattn_lite.data.patient_splits`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from medattn_lite.data.dataset import Dataset
from medattn_lite.data.slice_cutting import Slice, fit_slice, samples_of, slices_of
from medattn_lite.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

ENOUGH_TUMOUR = 0.01  # of the largest slice's foreground
HEIGHTS = 6  # bins over a subject's head, for `match_height`


class SliceSet:
    """A batch of axial slices.

    Args:
        dataset: volumes (C, D, H, W) or pictures (C, H, W), e.g. from `open_dataset`.
        size: (H, W) of the pictures. Slices keep their aspect ratio and are padded.
        per_subject: at most this many slices of a patient, as many of either class as there are;
            None for all.
        seed: of the drawing.
        task: "presence" labels a slice by its tumour; any other word takes the patient's label, for
            slices with tumour (all slices where there is no mask).
        match_height: see the module's text; only for "presence".
        min_tumour: area from which a tumour counts as seen, as a share of the patient's largest slice.
        progress: show a bar.

    Attributes:
        images: (N, C, H, W) float32, normalised over the whole volume.
        labels: (N,) int64.
        subjects: patient of every slice.
        masks: (N, 1, H, W) uint8; all 0 where the data set has none.
        signal: (N, 1, H, W) bool for phantoms: the pixels that decide the label; else None.
        depths: (N,) int64, index of the slice in its volume.
        heights: (N,) float32, 0 at the lowest slice used of its patient, 1 at the highest.
        channels: names of the channels.

    Raises:
        UserError: no slice is left, or the data set has no masks to label slices by.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        size: tuple[int, int] = (128, 128),
        per_subject: int | None = None,
        seed: int = 0,
        task: str = "presence",
        match_height: bool = True,
        min_tumour: float = ENOUGH_TUMOUR,
        progress: bool = True,
    ) -> None:
        if min(size) < 8:
            raise UserError(f"slices of size {tuple(size)} are too small: choose at least (8, 8)")
        if per_subject is not None and per_subject < 1:
            raise UserError(f"per_subject is a number of slices, at least 1, not {per_subject}")
        self.channels = tuple(dataset.channels)
        self.source = getattr(dataset, "source", "phantom")
        self.task = task
        generator = np.random.default_rng(seed)
        slices: list[Slice] = []
        for sample in samples_of(dataset, progress):
            candidates = [item for item in slices_of(sample, task, min_tumour) if item.label is not None]
            # heights are matched over all patients below, so keep the spare negatives until then
            spare = None if per_subject is None else (4 if match_height and task == "presence" else 1) * per_subject
            slices += [fit_slice(item, sample, size) for item in _draw(candidates, spare, generator)]
        if task == "presence" and match_height:
            slices = _match_heights(slices, generator)
        if per_subject is not None:
            slices = [
                item
                for subject_slices in _by_subject(slices).values()
                for item in _draw(subject_slices, per_subject, generator)
            ]
        if not slices:
            raise UserError(
                "no slice has both enough head and a label: the data set needs "
                + ("tumour masks for task='presence'" if task == "presence" else f"labels for task={task!r}")
            )
        self._fill(slices)

    def _fill(self, slices: list[Slice]) -> None:
        self.images = torch.stack([item.image for item in slices])
        self.labels = torch.tensor([item.label for item in slices], dtype=torch.int64)
        self.subjects = [item.subject for item in slices]
        self.masks = torch.stack([item.mask for item in slices])
        signals = [item.signal for item in slices if item.signal is not None]
        self.signal = torch.stack(signals) if signals else None
        self.depths = torch.tensor([item.depth for item in slices], dtype=torch.int64)
        self.heights = torch.tensor([item.height for item in slices], dtype=torch.float32)

    def __len__(self) -> int:
        return len(self.subjects)

    def subset(self, subjects: Iterable[str]) -> SliceSet:
        """The slices of these patients."""
        wanted = {str(subject) for subject in subjects}
        keep = [index for index, subject in enumerate(self.subjects) if subject in wanted]
        if not keep:
            raise UserError("no slice belongs to these patients: take them from slices.subjects")
        return self[keep]

    def __getitem__(self, rows: Sequence[int] | torch.Tensor | np.ndarray | slice) -> SliceSet:
        """The slices of these rows, as another `SliceSet`."""
        index = torch.arange(len(self))[rows].reshape(-1)
        part = object.__new__(SliceSet)
        part.channels, part.source, part.task = self.channels, self.source, self.task
        for name in ("images", "labels", "masks", "depths", "heights", "signal"):
            whole = getattr(self, name)
            setattr(part, name, None if whole is None else whole[index])
        part.subjects = [self.subjects[number] for number in index.tolist()]
        return part

    def table(self) -> pd.DataFrame:
        """One row per slice: subject, depth, height, label and tumour pixels."""
        import pandas as pd

        return pd.DataFrame({
            "subject": self.subjects,
            "depth": self.depths.numpy(),
            "height": self.heights.numpy(),
            "label": self.labels.numpy(),
            "tumour_pixels": (self.masks > 0).sum(dim=(1, 2, 3)).numpy(),
        })

    def __repr__(self) -> str:
        counts = torch.bincount(self.labels).tolist()
        return (f"SliceSet({len(self)} slices of {len(set(self.subjects))} patients, "
                f"{tuple(self.images.shape[1:])}, {self.task}: {counts} by class)")


def _draw(slices: list[Slice], count: int | None, generator: np.random.Generator) -> list[Slice]:
    """At most `count` slices, half of them of either class as far as they go, in their order."""
    if count is None or len(slices) <= count:
        return slices
    order = generator.permutation(len(slices))
    ones = [index for index in order if slices[index].label]
    zeros = [index for index in order if not slices[index].label]
    take = min(len(ones), max((count + 1) // 2, count - len(zeros)))
    chosen = ones[:take] + zeros[: count - take]
    return [slices[index] for index in sorted(chosen)]


def _match_heights(slices: list[Slice], generator: np.random.Generator) -> list[Slice]:
    """Drops slices without tumour until, at every height, there are as many as with tumour, or as there are."""
    bins = [min(int(item.height * HEIGHTS), HEIGHTS - 1) for item in slices]
    keep = set()
    for height in range(HEIGHTS):
        ones = [index for index, item in enumerate(slices) if bins[index] == height and item.label]
        zeros = [index for index, item in enumerate(slices) if bins[index] == height and not item.label]
        keep.update(ones)
        keep.update(generator.permutation(zeros)[: len(ones)].astype(int).tolist())
    matched = [item for index, item in enumerate(slices) if index in keep]
    both = {item.label for item in slices} == {0, 1}
    # one or two patients may have no slice of either class at the same height: then keep them all
    return slices if both and len({item.label for item in matched}) < 2 else matched


def _by_subject(slices: list[Slice]) -> dict[str, list[Slice]]:
    grouped: dict[str, list[Slice]] = {}
    for item in slices:
        grouped.setdefault(item.subject, []).append(item)
    return grouped
