"""Samples in batches: for torch's `DataLoader` as they are, and for MONAI as its own tensors.

    loader = DataLoader(dataset, batch_size=2, collate_fn=collate)          torch's or MONAI's
    loader = DataLoader(dataset.as_monai(), batch_size=2)                   MONAI's transforms before it, if you like

A sample holds things that are not tensors (the grid of its file, what the source says), and not every sample has a mask
or a label. `collate` stacks what every sample has, and keeps the rest as lists, in the order of the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from medattn_lite.errors import UserError

Sample = dict[str, Any]
STACKED = ("image", "mask", "signal", "label", "time", "event", "affine")
UNKNOWN = {"label": -1, "time": float("nan"), "event": -1}


def collate(samples: Sequence[Sample]) -> Sample:
    """Collates samples into one batch.

    Args:
        samples: of one data set, with images of one shape.

    Returns:
        `image` (B, C, *spatial), `mask`, `signal`, `label` (int64), `time` (float32), `event` (bool) and `affine`
        (B, 4, 4) as tensors where every sample has them; where some have none, a list with None for those. Everything
        else is a list of B.

    Raises:
        UserError: no sample, or images of different shapes.
    """
    if not samples:
        raise UserError("a batch needs at least one sample")
    names = dict.fromkeys(name for sample in samples for name in sample)
    return {name: _together(name, [sample.get(name) for sample in samples]) for name in names}


def as_monai(dataset: Sequence) -> MonaiSamples:
    """Wraps a data set of this package, or a cohort of phantoms, for MONAI and the default `DataLoader`.

    Args:
        dataset: from `open_dataset`.

    Returns:
        A sequence of flat dicts: `image` and `mask` as `MetaTensor` with the affine; `subject`, `case`; and, where any
        sample of the data set knows them, `label`, `time` and `event` (-1, NaN and -1 where this one does not).
    """
    return MonaiSamples(dataset)


class MonaiSamples(Sequence):
    """The samples of a data set as flat dicts of `MetaTensor`, numbers and text.

    Args:
        dataset: from `open_dataset`.
        transform: applied to each dict, such as a `monai.transforms.Compose`.

    Raises:
        UserError: when a sample is read, if it lacks a mask that others have.
    """

    def __init__(self, dataset: Sequence, *, transform: Callable[[Sample], Any] | None = None) -> None:
        self.dataset = dataset
        self.transform = transform
        cases = [*getattr(dataset, "cases", ())]
        self._labels = [name for name in ("label", "time", "event")
                        if any(getattr(case, name) is not None for case in cases)]
        self._masked = [case.mask is not None for case in cases]

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:  # type: ignore[override]  # samples one by one, no ranges
        from monai.data import MetaTensor

        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        sample = self.dataset[index]
        case = str(sample.get("meta", {}).get("case", sample["subject"]))
        affine = torch.as_tensor(np.asarray(sample["affine"]), dtype=torch.float64)
        item: Sample = {"image": MetaTensor(sample["image"], affine=affine, meta={"filename_or_obj": case})}
        if sample.get("mask") is not None:
            item["mask"] = MetaTensor(sample["mask"], affine=affine, meta={"filename_or_obj": case})
        elif any(self._masked):
            raise UserError(f"{sample['subject']} has no mask and others of this data set have one: leave it out with "
                            "dataset.subset, or use collate")
        item["subject"] = str(sample["subject"])
        item["case"] = case
        labels = self._labels or [name for name in UNKNOWN if sample.get(name) is not None]
        for name in labels:
            value = sample.get(name)
            item[name] = UNKNOWN[name] if value is None else float(value) if name == "time" else int(value)
        return item if self.transform is None else self.transform(item)


def _together(name: str, values: list[Any]) -> Any:
    if name not in STACKED or any(value is None for value in values):
        return values
    if name == "affine":
        return torch.stack([torch.as_tensor(np.asarray(value), dtype=torch.float64) for value in values])
    if not isinstance(values[0], torch.Tensor):
        kind = {"label": torch.int64, "time": torch.float32, "event": torch.bool}[name]
        return torch.tensor([value.item() if hasattr(value, "item") else value for value in values], dtype=kind)
    shapes = {tuple(value.shape) for value in values}
    if len(shapes) > 1:
        raise UserError(f"images of different shapes ({', '.join(map(str, sorted(shapes)))}) do not fit one batch: "
                        "crop_or_pad or resample them first, or use batch_size=1")
    return torch.stack(values)
