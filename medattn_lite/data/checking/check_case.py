"""What is wrong or odd with one case: read leniently, file by file, never ending in an exception.

`medattn_lite.data.checking.check_folder` runs these inspections over a data set and compares the cases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np

from medattn_lite.data.checking.check_channels import MEND, ChannelsLook
from medattn_lite.data.checking.duplicates import digest
from medattn_lite.data.nifti_io.volumes import Grid, header_remarks, load_volume
from medattn_lite.data.readers import lgg, picture_folders
from medattn_lite.data.readers.cases import Case, PatientDataset
from medattn_lite.data.readers.read_voxels import label_counts, load_labels, map_labels, require_same_grid
from medattn_lite.errors import UserError
from medattn_lite.escaping import printable

ASTRAY = 0.2  # share of a mask in the background from which it counts as misplaced


P = ParamSpec("P")
T = TypeVar("T")


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

    def attempt(self, read: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T | None:
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
        parts = [*(f"PROBLEM {text}" for text in self.problems), *(f"note: {text}" for text in self.remarks)]
        return printable(f"  {self.case} ({facts}): {'; '.join(parts) or 'ok'}").replace("\n", "\\n")


def inspect_case(dataset: PatientDataset, case: Case) -> Inspection:
    """Looks at one case with the inspector of its data set."""
    report = Inspection(case.case, case.subject)
    inspect = {"lgg": _lgg, "msd": _msd, "images": _picture, "medmnist3d": _array}.get(dataset.source, _volumes)
    report.attempt(inspect, dataset, case, report)
    if case.missing and not report.problems:
        report.problems.append(f"missing {case.lacks}")
    return report


def _volumes(dataset: PatientDataset, case: Case, report: Inspection) -> None:
    """BraTS, open_ms_data and folders of NIfTI: one file per channel, and one channel in memory at a time."""
    if case.missing:
        report.problems.append(f"missing {case.lacks}")
    for role, names in case.meta.get("several_files", {}).items():
        report.problems.append(f"several files for {role}: {', '.join(names)}")
    free_grids = getattr(dataset, "layout", "") == "raw"
    first: tuple[Path, Grid] | None = None
    look = ChannelsLook(report)
    # FLAIR is the sequence that others are filled up with, so it is named as the original
    for name in sorted(case.images, key=lambda name: name != "flair") if len(case.images) > 1 else case.images:
        path = case.images[name]
        if name not in dataset.channels:
            continue
        volume = report.attempt(load_volume, path)
        if volume is None:
            continue
        _header(path, report, name)
        if first is None:
            first = (path, volume.grid)
            report.shape = volume.array.shape
            report.voxel_mm = tuple(round(size, 2) for size in volume.spacing_mm)
        elif free_grids:
            report.remarks += [f"{name} lies on its own grid"] if volume.array.shape != report.shape else []
        else:
            report.attempt(require_same_grid, first[1], volume.grid, first[0], path)
        look.add(name, volume.array, path)
        del volume  # before the next one is read
    look.say()
    if case.mask is not None:
        mask = report.attempt(load_labels, case.mask)
        if mask is not None:
            if first is not None and not free_grids:
                report.attempt(require_same_grid, first[1], mask.grid, first[0], case.mask)
                if mask.grid.axes != first[1].axes:  # right if its header is, and worth a look
                    report.remarks.append(f"the mask's axes are stored as {mask.grid.axes}, the image's as "
                                          f"{first[1].axes}: turned by their headers")
            values = report.attempt(_values, dataset, case, mask.array)
            if values is not None or dataset.mask_values is None and dataset.source != "brats":
                _mask(mask.array, values, case.mask, report, look)
    elif dataset.source == "brats":
        report.remarks.append("no segmentation")


def _header(path: Path, report: Inspection, name: str) -> None:
    """Unit, size, left and right of a header, once for what several channels share."""
    problems, remarks = header_remarks(path)
    report.problems += [f"{name}: {text}" for text in problems if not _is_mentioned(text, report.problems)]
    report.remarks += [f"{name}: {text}" for text in remarks if not _is_mentioned(text, report.remarks)]


def _is_mentioned(text: str, lines: Sequence[str]) -> bool:
    return any(line.endswith(text) for line in lines)


def _values(dataset: PatientDataset, case: Case, array: np.ndarray) -> Mapping[int, int] | None:
    values = getattr(dataset, "label_values", None)
    return dataset.mask_values if values is None else values(case, array)


def _msd(dataset: PatientDataset, case: Case, report: Inspection) -> None:
    """The Decathlon: all channels in one file."""
    if case.missing:
        report.problems.append("dataset.json names it but the image file is missing")
        return
    path = next(iter(case.images.values()))
    look, grid = ChannelsLook(report), None
    for name in sorted(dataset.channels, key=lambda name: name != "flair"):
        volume = report.attempt(dataset.read_channel, case, name)  # type: ignore[attr-defined]  # an MSD
        if volume is None:
            break  # all channels are in one file
        report.shape, grid = volume.array.shape, volume.grid
        look.add(name, volume.array)
        del volume  # before the next one is read
    if grid is not None:
        _header(path, report, path.name)
    look.say()
    if case.mask is not None:
        mask = report.attempt(load_labels, case.mask)
        if mask is not None:
            if grid is not None:
                report.attempt(require_same_grid, grid, mask.grid, path, case.mask)
            _mask(mask.array, dataset.mask_values, case.mask, report, look)
    elif case.meta["part"] == "train":
        report.problems.append("a training case without its label file")


def _lgg(dataset: PatientDataset, case: Case, report: Inspection) -> None:
    """TIFF slices: each is read by itself, so that one bad slice does not hide the others."""
    files = lgg.slice_files(next(iter(case.images.values())))
    numbers = [lgg.slice_number(path) for path in files]
    gaps = sorted(set(range(1, max(numbers) + 1)) - set(numbers))
    if gaps:
        report.problems.append(f"missing slices {gaps}")
    slices: list[np.ndarray] = []
    voxels, absent = 0, list[int]()
    odd: set[int] = set()
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
        look = ChannelsLook(report, hashes=False)
        for name in sorted(lgg.CHANNELS, key=lambda name: name != "flair"):
            look.add(name, stack[..., lgg.CHANNELS.index(name)])
        look.say()


def _picture(dataset: PatientDataset, case: Case, report: Inspection) -> None:
    """One picture of a class folder."""
    path = next(iter(case.images.values()))
    pixels = report.attempt(picture_folders.read_picture, path, colour=True)
    if pixels is None:
        return
    report.shape = pixels.shape[1:]
    if not np.isfinite(pixels).all():
        report.problems.append(f"it holds NaN or infinite values: {MEND}")
    elif pixels.max() == pixels.min():
        report.problems.append(f"it is constant ({pixels.flat[0]:g} everywhere)")
    else:
        report.digests["picture"] = digest(pixels)
    pages = picture_folders.pages_of(path)
    if pages > 1:
        report.remarks.append(f"page 1 of {pages} is read")


def _array(dataset: PatientDataset, case: Case, report: Inspection) -> None:
    """A volume of a file that holds many."""
    values, _, _ = dataset.read_image(case)
    report.shape = values.shape[1:]
    if values.max() == values.min():
        report.problems.append(f"it is constant ({values.flat[0]:g} everywhere)")
    else:
        report.digests["volume"] = digest(values)


def _mask(
    array: np.ndarray,
    values: Mapping[int, int] | None,
    path: Path,
    report: Inspection,
    look: ChannelsLook,
) -> None:
    """Unknown labels, an empty mask, a mask beside the head."""
    mask = report.attempt(map_labels, array, values, path)
    if mask is None:
        return
    counts = label_counts(mask)
    report.mask_voxels = int(counts[1:].sum())
    report.mask_labels = tuple((np.flatnonzero(counts[1:]) + 1).tolist())
    if report.mask_voxels == 0:
        report.problems.append("empty mask")
        return
    head = look.head(mask.shape)
    if head is not None:
        outside = float((~head[mask > 0]).mean())
        if outside > ASTRAY:
            report.problems.append(f"{100 * outside:.0f} % of the mask lies in the background: is it this image's?")
