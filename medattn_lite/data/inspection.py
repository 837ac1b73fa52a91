"""What is wrong or odd with one case: read leniently, file by file, never ending in an exception.

`medattn_lite.data.check` runs these inspections over a data set and compares the cases.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from medattn_lite.data import brats, images, lgg
from medattn_lite.data.cases import Case, PatientDataset
from medattn_lite.data.likeness import correlation, digest
from medattn_lite.data.reading import map_labels, require_same_grid
from medattn_lite.data.transforms import foreground
from medattn_lite.data.volumes import Volume, load_volume
from medattn_lite.errors import UserError

COPY = 0.9995  # correlation from which a channel counts as a rescaled copy of another
MEND = "repair or leave out this case"
ASTRAY = 0.2  # share of a mask in the background from which it counts as misplaced


@dataclass
class Inspection:
    """What was found in one case.

    Attributes:
        case: its name.
        subject: its patient.
        problems: what makes it unusable or misleading.
        remarks: what is worth knowing.
        shape: spatial shape, if it could be read.
        voxel_mm: its voxel size (D, H, W), where the files know it.
        mask_voxels: size of the mask, None without one.
        mask_labels: the labels of the mask, as a sample has them.
        digests: hash of each channel, or slice, to find duplicates by.
    """

    case: str
    subject: str
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    shape: tuple[int, ...] | None = None
    voxel_mm: tuple[float, ...] | None = None
    mask_voxels: int | None = None
    mask_labels: tuple[int, ...] = ()
    digests: dict[str, str] = field(default_factory=dict)

    def attempt(self, read: Callable, *arguments: object, **options: object) -> object | None:
        """The result of `read`, or None and a problem noted."""
        try:
            return read(*arguments, **options)
        except UserError as error:
            self.problems.append(str(error))
        except Exception as error:  # noqa: BLE001 - a bad case must not end the check of the others
            self.problems.append(f"cannot be read ({type(error).__name__}: {error})")
        return None

    def line(self) -> str:
        """One line for the report."""
        facts = "×".join(map(str, self.shape)) if self.shape else "not read"
        if self.mask_voxels is not None:
            facts += f", mask {self.mask_voxels} voxels"
        said = [*(f"PROBLEM {text}" for text in self.problems), *(f"note: {text}" for text in self.remarks)]
        return f"  {self.case} ({facts}): {'; '.join(said) or 'ok'}"


def inspect_case(dataset: PatientDataset, case: Case) -> Inspection:
    """Looks at one case with the inspector of its data set."""
    report = Inspection(case.case, case.subject)
    inspect = {"lgg": _lgg, "msd": _msd, "images": _picture}.get(dataset.source, _volumes)
    report.attempt(inspect, dataset, case, report)
    if case.missing and not report.problems:
        report.problems.append(f"missing {case.lacks}")
    return report


def _volumes(dataset: PatientDataset, case: Case, report: Inspection) -> None:
    """BraTS, open_ms_data and folders of NIfTI: one file a channel."""
    if case.missing:
        report.problems.append(f"missing {case.lacks}")
    for role, names in case.meta.get("several_files", {}).items():
        report.problems.append(f"several files for {role}: {', '.join(names)}")
    free_grids = getattr(dataset, "layout", "") == "raw"
    first: tuple[Path, Volume] | None = None
    channels: dict[str, np.ndarray] = {}
    for name, path in case.images.items():
        if name not in dataset.channels:
            continue
        volume = report.attempt(load_volume, path)
        if volume is None:
            continue
        channels[name] = volume.array
        if first is None:
            first = (path, volume)
            report.shape = volume.array.shape
            report.voxel_mm = tuple(round(size, 2) for size in volume.spacing_mm)
        elif free_grids:
            report.remarks += [f"{name} lies on its own grid"] if volume.array.shape != first[1].array.shape else []
        else:
            report.attempt(require_same_grid, first[1].grid, volume.grid, first[0], path)
    _intensities(channels, report, files=case.images)
    if case.mask is not None:
        mask = report.attempt(load_volume, case.mask)
        if mask is not None:
            if first is not None and not free_grids:
                report.attempt(require_same_grid, first[1].grid, mask.grid, first[0], case.mask)
            _mask(mask.array, _values(dataset, case, mask.array, report), case.mask, report, channels)
    elif dataset.source == "brats":
        report.remarks.append("no segmentation")


def _values(dataset: PatientDataset, case: Case, array: np.ndarray, report: Inspection) -> Mapping[int, int] | None:
    if dataset.source != "brats" or dataset.mask_values:
        return dataset.mask_values
    return report.attempt(brats.label_values, case.case, np.unique(array), case.mask)


def _msd(dataset: PatientDataset, case: Case, report: Inspection) -> None:
    """The Decathlon: all channels in one file."""
    if case.missing:
        report.problems.append("dataset.json names it but the image file is missing")
        return
    read = report.attempt(dataset.read_image, case)
    channels = {}
    if read is not None:
        report.shape = read[0].shape[1:]
        channels = dict(zip(dataset.channels, read[0], strict=True))
        _intensities(channels, report)
    if case.mask is not None:
        mask = report.attempt(load_volume, case.mask)
        if mask is not None:
            if read is not None:
                report.attempt(require_same_grid, read[2], mask.grid, next(iter(case.images.values())), case.mask)
            _mask(mask.array, dataset.mask_values, case.mask, report, channels)
    elif case.meta["part"] == "train":
        report.problems.append("a training case without its label file")


def _lgg(dataset: PatientDataset, case: Case, report: Inspection) -> None:
    """TIFF slices: each is read by itself, so that one bad slice does not hide the others."""
    files = lgg.slice_files(next(iter(case.images.values())))
    numbers = [lgg.slice_number(path) for path in files]
    gaps = sorted(set(range(1, max(numbers) + 1)) - set(numbers))
    if gaps:
        report.problems.append(f"missing slices {gaps}")
    slices, voxels, odd, absent = [], 0, set(), []
    for path in files:
        pixels = report.attempt(lgg.read_tiff, path)
        if pixels is not None and (pixels.ndim != 3 or pixels.shape[2] != 3):
            report.problems.append(f"{path.name} is not RGB (shape {pixels.shape})")
        elif pixels is not None:
            slices.append(pixels)
            if pixels.max() > 20:  # blank slices above the head are alike in many patients
                report.digests[path.name] = digest(pixels)
        if not lgg.mask_file(path).exists():
            absent.append(lgg.slice_number(path))
            continue
        mask = report.attempt(lgg.read_tiff, lgg.mask_file(path))
        if mask is not None:
            odd |= set(np.unique(mask).tolist()) - {0, 255}
            voxels += int((mask > 127).sum())
            if pixels is not None and mask.shape != pixels.shape[:2]:
                report.problems.append(f"mask of slice {lgg.slice_number(path)} has another size than its image")
    report.mask_voxels = voxels
    if absent:
        report.problems.append(f"no mask for slices {absent}")
    if odd:
        report.problems.append(f"mask values {sorted(odd)} besides 0 and 255")
    if voxels == 0:
        report.problems.append("empty mask")
    if len({pixels.shape for pixels in slices}) > 1:
        report.problems.append(f"slices of different sizes: {sorted({pixels.shape[:2] for pixels in slices})}")
    elif slices:
        stack = np.stack(slices)
        report.shape = stack.shape[:3]
        _intensities({name: stack[..., number] for number, name in enumerate(lgg.CHANNELS)}, report, hashes=False)


def _picture(dataset: PatientDataset, case: Case, report: Inspection) -> None:
    """One picture of a class folder."""
    pixels = report.attempt(images.read_picture, next(iter(case.images.values())), colour=True)
    if pixels is None:
        return
    report.shape = pixels.shape[1:]
    if pixels.max() == pixels.min():
        report.problems.append(f"it is constant ({pixels.flat[0]:g} everywhere)")
    else:
        report.digests["picture"] = digest(pixels)


def _intensities(
    channels: Mapping[str, np.ndarray], report: Inspection, *, files: Mapping[str, Path] | None = None,
    hashes: bool = True,
) -> None:
    """NaN, constant channels, and channels that are copies."""
    def shown(name: str) -> str:
        return f"{files[name]} (channel {name})" if files else name

    usable = {}
    for name, array in channels.items():
        if not np.isfinite(array).all():
            share = 100 * float((~np.isfinite(array)).mean())
            report.problems.append(f"{shown(name)} holds NaN or infinite values ({share:.2g} % of its voxels): {MEND}")
        elif array.max() == array.min():
            report.problems.append(f"{shown(name)} is constant ({array.flat[0]:g} everywhere): {MEND}")
        else:
            usable[name] = array
            if hashes:
                report.digests[name] = digest(array)
    # FLAIR is the sequence that others are filled up with, so it is named as the original
    names = sorted(usable, key=lambda name: name != "flair")
    copies: set[str] = set()
    for original, copy in itertools.combinations(names, 2):
        first, second = usable[original], usable[copy]
        if copy in copies or first.shape != second.shape:
            continue
        same = np.array_equal(first, second)
        if same or correlation(first, second) > COPY:
            copies.add(copy)
            report.problems.append(f"channel {copy} is a {'' if same else 'rescaled '}copy of {original}")


def _mask(
    array: np.ndarray,
    values: Mapping[int, int] | None,
    path: Path,
    report: Inspection,
    channels: Mapping[str, np.ndarray],
) -> None:
    """Unknown labels, an empty mask, a mask beside the head."""
    mask = report.attempt(map_labels, array, values, path)
    if mask is None:
        return
    report.mask_voxels = int((mask > 0).sum())
    report.mask_labels = tuple(np.unique(mask[mask > 0]).tolist())
    if report.mask_voxels == 0:
        report.problems.append("empty mask")
        return
    whole = [channel for channel in channels.values() if channel.shape == mask.shape and np.isfinite(channel).all()]
    if whole:
        head = foreground(torch.from_numpy(np.stack(whole).astype(np.float32)))[0].numpy()
        outside = float((~head[mask > 0]).mean())
        if outside > ASTRAY:
            report.problems.append(f"{100 * outside:.0f} % of the mask lies in the background: is it this image's?")
