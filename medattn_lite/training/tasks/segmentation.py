"""Segmentation of volumes: random windows to train on, sliding windows to predict with, voxels counted by patient.

Volumes are cut to the head, which takes nothing from a score and much from memory. A prediction keeps counts
of voxels and the Hausdorff distance of each region, never a mask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from medattn_lite.data.patient_splits import Split
from medattn_lite.data.transforms import cut_box
from medattn_lite.errors import UserError
from medattn_lite.evaluation.intervals import Interval
from medattn_lite.evaluation.segmentation import hausdorff95
from medattn_lite.networks.coarse import CoarseInPlane
from medattn_lite.training.augmentation import changed_window, mirrored_mean, pad_to, random_window
from medattn_lite.training.image_store import ImageStore
from medattn_lite.training.recipes.recipe import Variant
from medattn_lite.training.tasks.held_out import HeldOutCase, whole_head_case
from medattn_lite.training.tasks.overlap import (
    Measures,
    dice_by_patient,
    mean_dice,
    overlap_differences,
    overlap_scores,
)
from medattn_lite.training.tasks.task import Batch, Prediction, Task
from medattn_lite.training.tasks.volumes import Sample, open_images, read_all
from medattn_lite.training.tasks.windows import require_few_windows, slide

PHANTOM_LABELS = (0, 1, 2, 4)


class Segmentation(Task):
    """Regions of a volume.

    Options of the recipe: `train_share`, patients to train on; `lesion_share`, windows that must hold a lesion;
    `overlap` of the sliding windows, 0 to below 1; `spacing_mm` for files that know theirs; `slice_pixels` for
    those that do not: their slices are shrunk to this many pixels; `label_map`, what the labels of a folder's own masks
    mean, file label to sample label. And, where they are given: `mirror_axes`, 0 (D), 1 (H) or 2 (W), mirrored half of
    the time; `turn_degrees` and `zoom`, how far slices are turned and scaled; `intensity_change`, see
    `random_intensity`; `blur`, see `random_blur`; `lesion_fade`, see `random_lesion_fade`;
    `mirror_test`, the mean over all mirror images is predicted; `cross_validation`, every patient is tested once, in
    place of random splits; `coarse_pixels`, how many pixels of a slice the network sees as one, along H and along W
    (see `networks/coarse.py`); `window_slices`, how many slices a window has, in place of the first of `size`.

    Attributes:
        regions: names, one per channel of the masks.
        measures: score → region and statistic.
        spacings: voxel size of every row in mm (D, H, W), None where unknown.
    """

    regions: tuple[str, ...]
    measures: Measures
    unit = "windows"
    asks = "region"
    topic = "regions voxel by voxel"
    whole_name = "whole tumour"  # of all that a mask holds
    signal_in_input = True
    more_options = MappingProxyType({
        "mirror_axes": (), "turn_degrees": 0.0, "zoom": 0.0, "intensity_change": 0.0, "blur": 0.0,
        "lesion_fade": 0.0, "mirror_test": False, "cross_validation": False, "coarse_pixels": 1,
        "window_slices": None,
    })  # fmt: skip

    def load(self) -> None:
        dataset = open_images(self, **self._label_map())
        self.channels = tuple(dataset.channels)
        self.subjects, self.strata, self.images, self.spacings, self.shapes = [], [], ImageStore(), [], []
        labels = ImageStore()
        for sample in read_all(self, dataset, keep=lambda sample: sample.get("mask") is not None):
            meta = sample["meta"]
            spacing = meta.get("voxel_size_mm", meta.get("spacing_mm"))
            sample = self.shrunk(sample)
            self.shapes.append(tuple(sample["image"].shape[1:]))
            sample = self.crop(sample)
            self.images.append(sample["image"].half())
            labels.append(sample["mask"])
            self.spacings.append(None if spacing is None else tuple(float(size) for size in spacing))
            self.subjects.append(sample["subject"])
            self.strata.append(0)
        if not labels:
            raise UserError(f"no patient of {self.data} has a mask: segmentation learns from masks")
        require_few_windows([tuple(image.shape[1:]) for image in self.images], self.window_size,
                            overlap=self.settings.options.get("overlap", 0.5))  # fmt: skip
        self.regions = self.find_regions(sorted({label for mask in labels for label in mask.unique().tolist()}))
        self.masks = ImageStore(self.to_regions(mask) for mask in labels)
        self.measures = self.find_measures(distances=None not in self.spacings)

    @property
    def window_size(self) -> tuple[int, ...]:
        """(D, H, W) of the windows that a network trains on and predicts."""
        size = self.settings.size
        return (self.option("window_slices") or size[0], *size[1:])

    def _label_map(self) -> dict[str, dict[int, int]]:
        """The option `label_map`, file label to sample label, as the data set is given it.

        Raises:
            UserError: it is not a map, or this data set knows its labels itself.
        """
        label_map = self.settings.options.get("label_map")
        if label_map is None:
            return {}
        if self.data not in ("nifti", "bids"):
            raise UserError(f"{self.data} knows what its labels mean: leave label_map out")
        if not isinstance(label_map, Mapping):
            raise UserError(f"label_map={label_map!r} is not a map of labels: write for example label_map=1:1,2:2,3:4")
        return {"label_map": {int(stored): int(label) for stored, label in label_map.items()}}

    def recall(self, facts: Mapping[str, Any] | None) -> None:
        super().recall(facts)
        self.regions = self.find_regions(PHANTOM_LABELS) if facts is None else tuple(facts["regions"])

    def shrunk(self, sample: Sample) -> Sample:
        """A sample whose files know no voxel size with smaller slices, where the option `slice_pixels` asks for it."""
        pixels, meta = self.settings.options.get("slice_pixels"), sample["meta"]
        if pixels is None or meta.get("voxel_size_mm", meta.get("spacing_mm")) is not None:
            return sample
        image, mask = shrink_slices(sample["image"], sample["mask"], pixels)
        return {**sample, "image": image, "mask": mask}

    def crop(self, sample: Sample) -> Sample:
        """The head's box."""
        sample = self.shrunk(sample)
        image = sample["image"]
        mask = sample["mask"] if sample.get("mask") is not None else torch.zeros_like(image[:1])
        box = head_box(image, mask)[1:]
        first = [side.start or 0 for side in box]
        return cut_box(sample, first, [length if side.stop is None else side.stop - side.start
                                       for side, length in zip(box, image.shape[1:], strict=True)])  # fmt: skip

    def build(self, variant: Variant, trained: dict[str, nn.Module]) -> nn.Module:
        """The variant's network, which sees coarser slices where the option asks for it."""
        network, step = super().build(variant, trained), self.option("coarse_pixels")
        return network if step == 1 else CoarseInPlane(network, step)

    def channel_of(self, region: str) -> int:
        """Channel of the network's output that holds a region's logits."""
        return self.regions.index(region)

    def held_out_case(self, sample: Sample) -> HeldOutCase | None:
        """The whole head, with all that its mask holds."""
        return whole_head_case(sample, sample["mask"][0] > 0, output=self.channel_of(self.regions[0]),
                               name=self.whole_name, link=self.link)  # fmt: skip

    def output_names(self, model: nn.Module) -> list[str]:
        """The regions; a softmax over them has the background first."""
        image = torch.zeros(1, len(self.channels), *self.window_size)
        with torch.no_grad():
            outputs = model(image).shape[1]
        return ["background", *self.regions][-outputs:]

    link = "sigmoid"  # how logits become regions, as `RegionSum` calls it

    def find_regions(self, labels: Sequence[int]) -> tuple[str, ...]:
        """Names of the regions that masks with these labels hold."""
        raise NotImplementedError

    def to_regions(self, mask: Tensor) -> Tensor:
        """A mask of labels (1, D, H, W) as (R, D, H, W) of 0 and 1."""
        raise NotImplementedError

    def find_measures(self, *, distances: bool) -> Measures:
        """What is scored; `distances` says whether all voxel sizes are known."""
        raise NotImplementedError

    def probabilities(self, logits: Tensor) -> Tensor:
        """The network's output to the probability of each region, (B, R, D, H, W)."""
        raise NotImplementedError

    def splits(self) -> list[Split]:
        """Random splits by patient, one per fold; an eighth of the training patients validates where needed."""
        patients = sorted(set(self.subjects))
        least = 3 if self.validates else 2
        if len(patients) < least:
            raise UserError(f"{len(patients)} patient with a mask: a split needs at least {least}; add patients")
        if self.option("cross_validation"):
            return self._parts(patients)
        count = round(self.settings.options["train_share"] * len(patients))
        count = min(max(count, least - 1), len(patients) - 1)
        held = max(1, round(count / 8)) if self.validates else 0
        out = []
        for number in range(self.settings.folds):
            order = np.random.default_rng([self.seed, number]).permutation(patients).tolist()
            train, test = order[:count], order[count:]
            out.append(Split(tuple(sorted(train[held:])), tuple(sorted(test)), tuple(sorted(train[:held]))))
        return out

    def _parts(self, patients: Sequence[str]) -> list[Split]:
        """Cross-validation: part k is tested, part k + 1 validates where needed."""
        parts, least = self.settings.folds, 3 if self.validates else 2
        if not least <= parts <= len(patients):
            raise UserError(f"cross-validation in {parts} folds of {len(patients)} patients: use {least} to "
                            f"{len(patients)} folds")
        order = np.random.default_rng(self.seed).permutation(patients).tolist()
        held = [tuple(sorted(order[number::parts])) for number in range(parts)]
        valid = [held[(number + 1) % parts] if self.validates else () for number in range(parts)]
        return [Split(tuple(patient for patient in patients if patient not in {*test, *watched}), test, watched)
                for test, watched in zip(held, valid, strict=True)]  # fmt: skip

    def batch(self, rows: Sequence[int], generators: Sequence[Generator]) -> Batch:
        """`image` (B, C, D, H, W) and `mask` (B, R, D, H, W) of random windows."""
        pairs = [self.window(row, generator) for row, generator in zip(rows, generators, strict=True)]
        return {"image": torch.stack([image for image, _ in pairs]), "mask": torch.stack([mask for _, mask in pairs])}

    def window(self, row: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """A random window of a row, changed as the options say: image (C, D, H, W) and masks (R, D, H, W)."""
        share = self.settings.options.get("lesion_share", 0.0)
        image, mask = random_window(self.images[row], self.masks[row], self.window_size, generator,
                                    lesion_share=share)  # fmt: skip
        return changed_window(image.float(), mask, generator, self.option)

    def segment(self, model: nn.Module, row: int, device: torch.device) -> Tensor:
        """The regions that a network finds in a whole row, (R, D, H, W) bool on the CPU, by sliding windows."""
        image = self.images[row].float()
        padded, place = pad_to(image, self.window_size, fill=image.flatten(1).amin(1))
        axes = self.option("mirror_axes") if self.option("mirror_test") else ()
        probabilities = slide(
            lambda window: mirrored_mean(lambda seen: self.probabilities(model(seen).float()), window, axes),
            padded[None].to(device), self.window_size, overlap=self.settings.options.get("overlap", 0.5),
        )  # fmt: skip
        return (probabilities[0][(slice(None), *place)] > 0.5).cpu()

    def predict(self, model: nn.Module, row: int, device: torch.device) -> Prediction:
        """Counts of voxels and, where it is scored, the Hausdorff distance of each region."""
        distances = any("HD95" in statistic for _, statistic in self.measures.values())
        return self.measured(self.segment(model, row, device), row, distances=distances)

    def quick_predict(self, model: nn.Module, row: int, device: torch.device) -> Prediction:
        """Counts of voxels alone."""
        return self.measured(self.segment(model, row, device), row, distances=False)

    def measured(self, masks: Tensor, row: int, *, distances: bool) -> Prediction:
        """What is kept of predicted regions (R, D, H, W)."""
        truth, spacing, regions = self.masks[row].bool(), self.spacings[row], {}
        for name, predicted, wanted in zip(self.regions, masks, truth, strict=True):
            counts = {"tp": int((predicted & wanted).sum()), "fp": int((predicted & ~wanted).sum()),
                      "fn": int((wanted & ~predicted).sum())}  # fmt: skip
            distance = None
            if distances and spacing is not None:
                distance = hausdorff95(predicted.numpy(), wanted.numpy(), spacing_mm=spacing)
                # the diagonal of the image as it was, before it was cut to the head
                if predicted.any() != wanted.any():
                    distance = float(np.linalg.norm(np.multiply(self.shapes[row], spacing)))
            regions[name] = {**counts, "hd95": distance}
        return {"subject": self.subjects[row], "regions": regions}

    def quick_score(self, predictions: Sequence[Prediction]) -> float:
        """Mean Dice over patients and regions."""
        return mean_dice(predictions)

    def score(self, predictions: Sequence[Prediction], *, draws: int = 1000) -> dict[str, Interval]:
        """See `overlap_scores`."""
        return overlap_scores(predictions, self.measures, draws=draws)

    def compare(self, first: Sequence[Prediction], second: Sequence[Prediction]) -> dict[str, Interval]:
        """See `overlap_differences`."""
        return overlap_differences(first, second, self.measures)

    def details(self, predictions: Sequence[Prediction]) -> dict[str, Any]:
        """Dice of each patient."""
        return {"dice_by_patient": dice_by_patient(predictions)}

    def about(self) -> dict[str, Any]:
        """Patients, regions, voxel sizes and the share of voxels that each region takes of the head's box."""
        voxels = sum(mask[0].numel() for mask in self.masks)
        share = {name: sum(int(mask[place].sum()) for mask in self.masks) / voxels
                 for place, name in enumerate(self.regions)}  # fmt: skip
        sizes = sorted({spacing for spacing in self.spacings if spacing is not None})
        facts = {**super().about(), "regions": list(self.regions), "share_of_voxels": share,
                 "voxel_sizes_mm": [list(size) for size in sizes], "notes": self.notes()}  # fmt: skip
        return facts

    def notes(self) -> list[str]:
        """What a reader must know beside the scores."""
        if None not in self.spacings:
            return []
        pixels = self.settings.options.get("slice_pixels")
        shrunk = f"; slices are shrunk to {pixels}×{pixels} pixels, and scored so" if pixels else ""
        return [f"voxel sizes are unknown, so distances in mm are left out{shrunk}"]


def head_box(image: Tensor, mask: Tensor) -> tuple[slice, ...]:
    """Where the head lies in a normalised image (C, D, H, W): all that differs from the corner, and all of the mask."""
    corner = image[:, :1, :1, :1]
    inside = (image != corner).any(0) | (mask > 0).any(0)
    place = torch.nonzero(inside)
    if not len(place):
        return (slice(None),) * 4
    low, high = place.amin(0).tolist(), (place.amax(0) + 1).tolist()
    return (slice(None), *(slice(first, last) for first, last in zip(low, high, strict=True)))


def shrink_slices(image: Tensor, mask: Tensor, pixels: int | None) -> tuple[Tensor, Tensor]:
    """Slices averaged down to `pixels` a side where they are larger; a mask keeps what fills half a pixel or more.

    Args:
        image: (C, D, H, W).
        mask: (1, D, H, W) of 0 and 1; other labels are kept by their nearest voxel.
        pixels: None leaves both as they are.
    """
    if pixels is None or max(image.shape[2:]) <= pixels:
        return image, mask
    size = (image.shape[1], min(pixels, image.shape[2]), min(pixels, image.shape[3]))
    small = F.adaptive_avg_pool3d(image[None], size)[0]
    if int(mask.max()) > 1:
        return small, F.interpolate(mask[None].float(), size=size, mode="nearest-exact")[0].to(mask.dtype)
    return small, (F.adaptive_avg_pool3d(mask[None].float(), size)[0] >= 0.5).to(mask.dtype)
