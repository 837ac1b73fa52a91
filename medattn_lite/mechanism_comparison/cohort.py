"""The images of a task, read or made once for all mechanisms and seeds, and which patients are trained on.

Phantoms are kept in the folder of results, so that a second call need not make them; patients' images are read anew
with every call, and no copy of them is written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from medattn_lite.data import open_dataset
from medattn_lite.data.dataset import Dataset, Sample, Samples
from medattn_lite.data.patient_splits import Split, train_valid_test
from medattn_lite.data.slice_set import SliceSet
from medattn_lite.data.transforms import crop_around, normalise
from medattn_lite.errors import UserError
from medattn_lite.mechanism_comparison.kept_phantoms import read_phantoms, write_phantoms
from medattn_lite.mechanism_comparison.plans import TaskPlan
from medattn_lite.training.data_identity import identify

SPLIT_SEED = 0  # one split for all seeds: what varies between them is the training
FILE = "phantoms.safetensors"


@dataclass(frozen=True, eq=False)
class Cohort:
    """A task's images.

    Attributes:
        images: (N, C, …) half precision, normalised.
        labels: (N,) 0 or 1; for masks, whether anything is marked.
        masks: (N, …) bool; None where labels are asked for.
        subjects: patient of each row.
        train: rows to train on.
        test: rows to test on, of other patients.
        source: of patients' images, checksums of the files and of what tables say, and how they were read.
    """

    images: Tensor
    labels: Tensor
    masks: Tensor | None
    subjects: tuple[str, ...]
    train: tuple[int, ...]
    test: tuple[int, ...]
    source: Mapping[str, Any] = field(default_factory=dict)

    @property
    def spatial_dims(self) -> int:
        """2 or 3."""
        return self.images.dim() - 2

    @property
    def in_channels(self) -> int:
        """Channels of the images."""
        return self.images.shape[1]

    def facts(self) -> dict[str, Any]:
        """What a record keeps of the data: counts, and a fingerprint of who they are and on which side."""
        sides = {"train": self.train, "test": self.test}
        text = "\n".join(f"{side} {self.subjects[row]} {int(self.labels[row])}" for side, rows in sides.items()
                         for row in rows)  # fmt: skip
        return {
            "channels": self.in_channels, "fingerprint": sha256(text.encode()).hexdigest()[:16],
            **{f"{side}_patients": len({self.subjects[row] for row in rows}) for side, rows in sides.items()},
            **{f"{side}_rows": len(rows) for side, rows in sides.items()}, **self.source,
        }  # fmt: skip


def open_cohort(
    plan: TaskPlan, folder: Path, *, root: Path | None = None, options: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> Cohort:  # fmt: skip
    """The images of a task.

    Args:
        plan: the task.
        folder: of its results; phantoms are kept there.
        root: folder of patients' images; None for phantoms.
        options: of the reader of patients' images.
        progress: show bars.

    Raises:
        UserError: the data set cannot be read, or does not answer the task's question.
    """
    kept, source = folder / FILE, dict[str, Any]()
    if plan.data == "phantom" and kept.is_file():
        images, labels, masks, subjects = read_phantoms(kept)
    elif plan.data == "phantom":
        dataset = open_dataset("phantom", n=plan.subjects, **{"shape": plan.size, **plan.phantom})
        images, labels, masks, subjects = _gather(plan, dataset, progress)
        write_phantoms(kept, images, labels, masks, subjects)
    else:
        dataset = open_dataset(plan.data, root, **(options or {}))
        source = _source(dataset)
        images, labels, masks, subjects = _gather(plan, dataset, progress)
    split = _split(plan, subjects, labels.tolist())
    rows = {side: tuple(split.rows(side, subjects).tolist()) for side in ("train", "test")}
    return Cohort(images, labels, masks, tuple(subjects), rows["train"], rows["test"], source)


def _source(dataset: Samples) -> dict[str, Any]:
    """Other images of the same patients, other masks or another order of channels are other data."""
    masks = getattr(dataset, "mask_values", None)
    return {
        "files": sha256(json.dumps(identify(dataset), sort_keys=True).encode()).hexdigest()[:16],
        "channel_names": list(getattr(dataset, "channels", ())),
        "mask_labels": None if masks is None else {str(label): value for label, value in sorted(masks.items())},
    }


def _split(plan: TaskPlan, subjects: Sequence[str], labels: Sequence[int]) -> Split:
    """By patient; whether anything of a patient is of class 1 is spread evenly where both kinds are common enough."""
    highest: dict[str, int] = {}
    for subject, label in zip(subjects, labels, strict=True):
        highest[subject] = max(label, highest.get(subject, 0))
    kinds = list(highest.values())
    if min(kinds.count(0), kinds.count(1)) < 2:
        kinds = [number % 2 for number in range(len(kinds))]
    return train_valid_test(list(highest), kinds, (1 - plan.test_share, 0.0, plan.test_share), SPLIT_SEED)


def _gather(
    plan: TaskPlan, dataset: Dataset, progress: bool
) -> tuple[Tensor, Tensor, Tensor | None, list[str]]:
    if plan.question == "presence":
        height, width = plan.size[-2:]
        slices = SliceSet(dataset, size=(height, width), per_subject=plan.per_subject, task="presence",
                          progress=progress)  # fmt: skip
        _two_classes(plan, slices.labels.tolist())
        return slices.images.half().cpu(), slices.labels, None, list(slices.subjects)
    return _whole(plan, dataset, progress)


def _whole(plan: TaskPlan, dataset: Samples, progress: bool) -> tuple[Tensor, Tensor, Tensor | None, list[str]]:
    from tqdm.auto import tqdm

    images, labels, masks, subjects = [], [], [], []
    for index in tqdm(range(len(dataset)), desc="images", disable=not progress, leave=False):
        sample: Sample = dataset[index]
        wanted = sample.get("label") if plan.question == "label" else sample.get("mask")
        if wanted is None:
            continue
        size = plan.size if len(plan.size) == sample["image"].dim() - 1 else plan.size[-2:]
        if len(size) != sample["image"].dim() - 1:
            raise UserError(f"size={plan.size} does not fit images of shape {tuple(sample['image'].shape[1:])}: give "
                            "three numbers")  # fmt: skip
        sample = {**sample, "image": normalise(sample["image"]).cpu()}
        sample = crop_around(sample, size) if plan.around_mask else _scaled(sample, size)
        images.append(sample["image"].half())
        subjects.append(str(sample["subject"]))
        if plan.question == "label":
            labels.append(int(wanted))
        else:
            masks.append((sample["mask"] > 0).any(dim=0).cpu())
            labels.append(int(masks[-1].any()))
    if not images:
        missing = "label" if plan.question == "label" else "mask"
        raise UserError(f"no image of {plan.data} has a {missing}: the task {plan.name} needs them")
    if plan.question == "label":
        _two_classes(plan, labels)
    if len({tuple(image.shape) for image in images}) > 1:
        raise UserError(f"the images of {plan.data} differ in their channels or dimensions: read one kind of them")
    return torch.stack(images), torch.tensor(labels), torch.stack(masks) if masks else None, subjects


def resized(image: Tensor, size: Sequence[int]) -> Tensor:
    """(C, …) scaled to a size by means over areas; each axis by its own factor."""
    if tuple(image.shape[1:]) == tuple(size):
        return image
    pool: Callable[..., Tensor] = F.adaptive_avg_pool3d if len(size) == 3 else F.adaptive_avg_pool2d
    return pool(image, tuple(size))


def _scaled(sample: Sample, size: Sequence[int]) -> Sample:
    """A sample scaled to a size: the image by means, the mask by its nearest voxels."""
    scaled: Sample = {**sample, "image": resized(sample["image"], size)}
    mask = sample.get("mask")
    if mask is not None and tuple(mask.shape[1:]) != tuple(size):
        scaled["mask"] = F.interpolate(mask[None].float(), size=tuple(size), mode="nearest-exact")[0]
    return scaled


def _two_classes(plan: TaskPlan, labels: Sequence[int]) -> None:
    values = sorted(set(labels))
    if values != [0, 1]:
        raise UserError(f"the task {plan.name} needs the classes 0 and 1, and {plan.data} has {values}: use other data")
