"""Single facts about a case that could give its label away: the lesion, the grid, the channels, the files, the patient.

A fact is a number or a word. What is known depends on the data set: a picture has no slices, a phantom no files.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medattn_lite.audit.regions import Regions, as_volume, voxel_mm

if TYPE_CHECKING:
    from medattn_lite.data.readers.cases import Case

Facts = dict[str, float | str]

# of `meta`: how the reader works, not what a case is like
BOOKKEEPING = {"case", "voxel_size_mm", "spacing_mm", "mask_labels", "patient_known", "not_found", "several_files",
               "channel_copies", "slices", "class", "classes", "synthetic", "brain_mask"}  # fmt: skip
# of a phantom's `meta`: what was asked for, by name and size, and the truth behind the outcome
TOLD = {"pathology", "grade", "oracle_risk", "diameter_mm"}
# the label itself, in another word
SAME_AS = {"idh": {"idh", "who_2021"}, "grade": {"grade", "who_2021"}}
SHARE = "lesion share of mask label"
_SITE = re.compile(r"(?i)tcga[-_]([a-z0-9]{2})[-_]|brats\d*_([a-z]+)[a-z0-9]*_")
_DAY = re.compile(r"(?<!\d)(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])(?!\d)")
_LEADING = re.compile(r"^[A-Za-z]+")


def image_facts(sample: Mapping[str, Any], regions: Regions) -> Facts:
    """Facts of the voxels: grid, head, intensity range, copied channels, and the lesion's volume, shape and site.

    Args:
        sample: `image` (C, D, H, W) or (C, H, W) as read; `mask` if there is one.
        regions: of the same image.
    """
    image, size = as_volume(sample["image"]), voxel_mm(sample)
    depth, height, width = image.shape[1:]
    facts: Facts = {"matrix, rows": height, "matrix, columns": width}
    if sample["image"].ndim == 4:
        facts["slice count"] = depth
    if size is not None:
        facts |= {f"voxel size, {name} (mm)": side for name, side in
                  zip(("slices", "rows", "columns"), np.round(size, 3).tolist(), strict=True)}
    millilitres, unit = (1.0, "voxels") if size is None else (float(np.prod(size)) / 1000, "mL")
    facts[f"head volume ({unit})"] = float(regions.head.sum()) * millilitres
    names = [str(name) for name in sample.get("channels", range(len(image)))]
    for name, channel in zip(names, image, strict=True):
        values = channel[regions.outside]
        if values.size:
            facts[f"intensity range, {name}"] = float(np.subtract(*np.percentile(values, (99, 1))))
    facts["copied channels"] = _copies(names, image)
    if regions.lesion is not None:
        facts |= lesion_facts(sample["mask"], regions, size, millilitres, unit)
    return facts


def lesion_facts(
    mask: Any, regions: Regions, size: tuple[float, ...] | None, millilitres: float, unit: str
) -> Facts:
    """Volume, number of parts, shape and site of the lesion; of an empty mask the first two, without a mask nothing."""
    from scipy import ndimage

    lesion = regions.lesion
    if lesion is None:
        return {}
    voxels = int(lesion.sum())
    facts: Facts = {f"lesion volume ({unit})": voxels * millilitres, "lesion count": float(ndimage.label(lesion)[1])}
    if not voxels:
        return facts
    labels = as_volume(mask).max(axis=0)
    values = [int(value) for value in np.unique(labels) if value]
    facts |= {f"{SHARE} {value}": float((labels == value).sum() / voxels) for value in values}
    places = np.argwhere(lesion) * np.asarray(size or (1.0, 1.0, 1.0))
    spread = np.sqrt(np.clip(np.linalg.eigvalsh(np.atleast_2d(np.cov(places.T))), 0, None)) if voxels > 3 else [np.nan]
    if voxels > 3 and spread[-1] > 0:
        facts["lesion elongation"] = float(spread[-1] / max(spread[-2], 1e-6))
    padded = np.pad(lesion, 1)
    faces = sum(np.count_nonzero(np.diff(padded, axis=axis)) for axis in range(3))
    facts["lesion compactness"] = float(voxels ** (2 / 3) / faces)  # 1/6 for a cube, less for what is ragged
    box = [np.flatnonzero(regions.head.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    centre = np.argwhere(lesion).mean(axis=0)
    if all(len(used) for used in box):
        below, back, left = ((at - used[0]) / max(1, used[-1] - used[0]) for at, used in zip(centre, box, strict=True))
        facts |= {"lesion site, height": float(below)} if lesion.shape[0] > 1 else {}
        facts |= {"lesion site, back to front": float(back), "lesion site, side": float(left),
                  "lesion site, from the middle": float(abs(left - 0.5))}
    return facts


def case_facts(case: Case) -> Facts:
    """Facts of the files and the name: size, date, site of acquisition, day of the scan, missing channels."""
    facts: Facts = {"missing channels": ", ".join(case.missing) or "none"}
    files = list(_files(case))
    if files:
        stats = [path.stat() for path in files]
        facts["file size (MB)"] = sum(stat.st_size for stat in stats) / 1e6
        facts["file date"] = max(stat.st_mtime for stat in stats) / 86400  # days
    site = _SITE.search(case.case) or _SITE.search(case.subject)
    stem = _LEADING.match(Path(case.subject).name)
    if site:
        facts["site in the name"] = next(part for part in site.groups() if part).upper()
    elif stem:
        facts["start of the name"] = stem.group().lower()
    day = _DAY.search(case.case)
    if day:
        facts["day of the scan in the name"] = _day_number(day[0])
    return facts


def same_as(label: str) -> set[str]:
    """Facts that are this label in another word."""
    return SAME_AS.get(label, {label})


def meta_facts(meta: Mapping[str, Any], *, left_out: Collection[str] = (), phantom: bool = False) -> Facts:
    """Whatever else the source says about a case that is a number, a word or true or false.

    Args:
        meta: of a sample or a case.
        left_out: the label's own names.
        phantom: leave out what a phantom knows of its own disease and outcome.
    """
    left_out = {*left_out, *BOOKKEEPING, *(TOLD if phantom else ())}
    facts: Facts = {}
    for name, value in meta.items():
        if name in left_out or value is None:
            continue
        if isinstance(value, str | bool | np.bool_):
            facts[name] = str(value)
        elif isinstance(value, int | float | np.number) and np.isfinite(value):
            facts[name] = float(value)
    return facts


def _day_number(digits: str) -> float:
    """Days since 1970 of a date such as 19970222; the 31st of a shorter month is the next month's first."""
    month = np.datetime64(f"{digits[:4]}-{digits[4:6]}", "M").astype("datetime64[D]")
    return float((month + (int(digits[6:]) - 1)).astype(int))


def _copies(names: list[str], image: np.ndarray) -> str:
    same = [f"{name} = {other}" for (name, first), (other, second) in itertools.combinations(
        zip(names, image, strict=True), 2) if np.array_equal(first, second)]
    return ", ".join(same) or "none"


def _files(case: Case) -> Iterator[Path]:
    for path in sorted(set(case.images.values())):
        if path.is_dir():
            yield from (part for part in sorted(path.iterdir()) if part.is_file() and "_mask" not in part.name)
        elif path.is_file():
            yield path
