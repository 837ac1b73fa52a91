"""One door to every data set: `open_dataset(name, root)`."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

from medattn_lite.data.dataset import Dataset
from medattn_lite.errors import UserError

# name → module below medattn_lite.data and class; looked up on first use
DATASETS: dict[str, tuple[str, str]] = {
    "phantom": ("phantom", "PhantomCohort"),
    "brats": ("readers.brats", "BraTSDataset"),
    "msd": ("readers.msd", "MSDDataset"),
    "lgg": ("readers.lgg", "LGGDataset"),
    "open-ms": ("readers.open_ms", "OpenMSDataset"),
    "images": ("readers.picture_folders", "ImageFolderDataset"),
    "nifti": ("readers.nifti_folders", "NiftiDataset"),
    "bids": ("readers.bids", "BIDSDataset"),
    "medmnist3d": ("readers.medmnist", "MedMNIST3DDataset"),
}
NAMES = tuple(DATASETS)


def dataset_class(name: str) -> type:
    """The class behind a data set's name.

    Raises:
        UserError: there is no data set of that name.
    """
    if name not in DATASETS:
        raise UserError(f"unknown data set {name!r}: choose one of {', '.join(NAMES)}")
    module, kind = DATASETS[name]
    return getattr(importlib.import_module(f"medattn_lite.data.{module}"), kind)


def open_dataset(name: str, root: str | Path | None = None, **options: Any) -> Dataset:
    """Opens a data set; voxels are read, or made, when a sample is asked for.

    Args:
        name: "phantom", "brats", "msd", "lgg", "open-ms", "images", "nifti", "bids" or "medmnist3d".
        root: its folder; none for phantoms.
        **options: options of its class; for phantoms `n` (default 40), `task`, `shape`, `seed`, …

    Returns:
        A sequence of samples with `.subjects`, `.channels` and `.table()`.

    Raises:
        UserError: unknown name or option, wrong folder, or nothing in it that can be read.
    """
    kind = dataset_class(name)
    known = inspect.signature(kind).parameters
    unknown = [option for option in options if option not in known]
    if unknown:
        choices = ", ".join(option for option in known if option not in ("root",))
        raise UserError(f"data set {name!r} has no option {unknown[0]!r}: it has {choices}")
    for option, value in options.items():
        if isinstance(known[option].default, bool) and not isinstance(value, bool):
            raise UserError(f"data set {name!r}: {option}={value} is neither true nor false")
    if name == "phantom":
        if root is not None:
            raise UserError("phantoms are made, not read: leave the folder out, or name another data set")
        return kind(options.pop("n", 40), **options)
    if root is None:
        raise UserError(f"data set {name!r} needs its folder: root=… (on the command line: --root DIR)")
    return kind(root, **options)
