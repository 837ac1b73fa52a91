"""Phantoms beside real patients: same planes, same windowing, one picture to judge them by.

The picture shows patients of the folder you name: it is for your eyes, not for a repository.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medattn_lite.data.dataset import Dataset, Sample
from medattn_lite.data.nifti_io.orientation import voxel_sizes
from medattn_lite.data.phantom.pathology import MSLesions, Pathology, glioma, ms_lesions
from medattn_lite.data.phantom.subject import Subject
from medattn_lite.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The channel of a data set → the phantom's sequence shown beside it.
SEQUENCES = {"flair": "flair", "t1": "t1", "t2": "t2", "t1ce": "t1ce", "post": "t1ce", "pre": "t1"}
SLICE_SHAPE = (152, 184, 152)


def recognise(root: str | Path) -> str:
    """Which data set a folder holds: "brats", "lgg" or "open-ms".

    Raises:
        UserError: The folder is missing, or holds none of them.
    """
    folder = Path(root)
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder: name one with BraTS, kaggle_3m or open_ms_data cases")
    if next(folder.glob("*/*_mask.tif"), None):
        return "lgg"
    if next(folder.rglob("*_seg.nii*"), None):
        return "brats"
    if next(folder.rglob("*regtoMNI.nii*"), None) or next(folder.rglob("GOLD_STANDARD*"), None):
        return "open-ms"
    raise UserError(f"{folder}: found neither BraTS (_seg.nii.gz), nor kaggle_3m (_mask.tif), nor open_ms_data cases")


def draw_phantoms_and_patients(root: str | Path, out: str | Path, *, n: int = 4, seed: int = 0) -> Path:
    """Draw `n` real patients and `n` phantoms with the like disease, row under row.

    Args:
        root: Folder of real patients (BraTS, kaggle_3m or open_ms_data).
        out: A picture that does not exist yet (.png).
        n: Patients, and phantoms.
        seed: Of the phantoms.

    Returns:
        The picture's path.
    """
    from medattn_lite.data.readers.registry import open_dataset

    path = Path(out)
    if path.exists():
        raise UserError(f"{path} is there already: name another file")
    kind = recognise(root)
    dataset = open_dataset(kind, root)
    count = min(n, len(dataset))
    chosen = _with_images(dataset, count)
    if not chosen:
        raise UserError(f"{root}: no case there has images to show")
    rows = []
    for number, sample in enumerate(chosen):
        rows.append((f"patient {number + 1}", _panels(sample)))
        rows.append((f"phantom {number + 1} (synthetic)", _panels(_phantom_like(sample, kind, seed + number))))
    figure = draw(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    return path


def _with_images(dataset: Dataset, count: int) -> list[Sample]:
    step = max(1, len(dataset) // max(count, 1))
    order = [*range(0, len(dataset), step), *range(len(dataset))]
    chosen: list[Sample] = []
    seen = set()
    for index in order:
        if len(chosen) == count:
            break
        if index in seen:
            continue
        seen.add(index)
        try:
            sample = dataset[index]
        except UserError:
            continue  # a case with a mask alone
        if sample["image"].numel() and "mask" in sample:
            chosen.append(sample)
    return chosen


def _phantom_like(sample: Sample, kind: str, seed: int) -> Sample:
    """A phantom with about the lesion volume of a patient, on a fine grid."""
    voxel_ml = abs(np.linalg.det(np.asarray(sample["affine"])[:3, :3])) / 1000.0
    volume = float((sample["mask"] > 0).sum()) * voxel_ml
    disease: Pathology
    if kind == "open-ms":
        disease = ms_lesions(load_ml=float(np.clip(volume, 0.5, 60.0)))
    else:
        diameter = float(np.clip((6000.0 * max(volume, 1.0) / np.pi) ** (1 / 3), 30.0, 75.0))
        high = (sample.get("meta") or {}).get("grade") == "HGG"
        disease = glioma(grade="high" if high else "low", diameter_mm=diameter)
    names = tuple(dict.fromkeys(SEQUENCES[name] for name in sample["channels"] if name in SEQUENCES))
    age = 40.0 if isinstance(disease, MSLesions) else None
    return Subject(disease, seed, age_years=age).render(
        shape=SLICE_SHAPE, contrasts=names, skull=kind == "lgg"
    )


def _panels(sample: Sample) -> list[tuple[str, np.ndarray, tuple[float, float], tuple[float, float]]]:
    """Axial slices of every sequence, then coronal and sagittal of the first: title, picture, window, voxel edges."""
    image = sample["image"].cpu().numpy()
    mask = sample["mask"][0].cpu().numpy() > 0
    edges = voxel_sizes(np.asarray(sample["affine"]))
    at = [int(mask.sum(axis=tuple(a for a in range(3) if a != axis)).argmax()) for axis in range(3)]
    names = list(sample["channels"])
    first = names.index("flair") if "flair" in names else 0
    out = []
    for channel in [first, *[c for c in range(len(names)) if c != first]]:
        if names[channel] in SEQUENCES:
            volume = image[channel]
            out.append((f"{names[channel]}, axial", volume[at[0]], window(volume), (edges[1], edges[2])))
    volume = image[first]
    out.append((f"{names[first]}, coronal", volume[:, at[1]], window(volume), (edges[0], edges[2])))
    out.append((f"{names[first]}, sagittal", volume[:, :, at[2]], window(volume), (edges[0], edges[1])))
    return out


def window(volume: np.ndarray) -> tuple[float, float]:
    """Black is the air, white the 99.7th percentile of the head: one rule for patients and phantoms."""
    head = volume[volume > 0.05 * np.percentile(volume, 99.5)]
    return (float(volume.flat[0]), float(np.percentile(head, 99.7)) if head.size else 1.0)


def draw(rows: list[tuple[str, list]]) -> Figure:
    """Rows of panels as a figure; every panel in the same frame, its voxels in proportion."""
    from matplotlib.figure import Figure

    columns = max(len(panels) for _, panels in rows)
    figure = Figure(figsize=(2.6 * columns, 3.0 * len(rows)), facecolor="black", layout="constrained")
    for row, (name, panels) in enumerate(rows):
        for column in range(columns):
            axes = figure.add_subplot(len(rows), columns, row * columns + column + 1)
            axes.axis("off")
            if column >= len(panels):
                continue
            title, picture, (low, high), (tall, wide) = panels[column]
            axes.imshow(_trim(picture), cmap="gray", origin="lower", vmin=low, vmax=high, aspect=tall / wide,
                        interpolation="bicubic")  # fmt: skip
            axes.set_title(title if column else f"{name}\n{title}", color="white", fontsize=10, loc="left")
    return figure


def _trim(picture: np.ndarray, margin: int = 4) -> np.ndarray:
    """Cut away empty border, so that heads are of like size in the picture."""
    inside = picture > 0.05 * max(float(picture.max()), 1e-6)
    if not inside.any():
        return picture
    (top, bottom), (left, right) = ((np.flatnonzero(inside.any(axis=a))[[0, -1]]) for a in (1, 0))
    return picture[max(top - margin, 0) : bottom + margin + 1, max(left - margin, 0) : right + margin + 1]
