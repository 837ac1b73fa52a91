"""Data: samples of phantoms and of real patients, their splits, transforms and checks.

Names are looked up on first use, so that `import medattn_lite.data` costs nothing.
"""

from __future__ import annotations

import importlib

_LAZY = {
    "Case": "cases",
    "PatientDataset": "cases",
    "as_monai": "batches",
    "collate": "batches",
    "DATASETS": "datasets",
    "open_dataset": "datasets",
    "Grid": "volumes",
    "Volume": "volumes",
    "load_volume": "volumes",
    "save_volume": "volumes",
    "SliceSet": "slices",
    "slice_table": "slices",
    "crop_around": "transforms",
    "crop_or_pad": "transforms",
    "foreground": "transforms",
    "normalise": "transforms",
    "resample": "transforms",
    "Split": "splits",
    "stratified_kfold": "splits",
    "train_valid_test": "splits",
    "CheckReport": "check",
    "check_dataset": "check",
    "fetch": "fetching",
    "SOURCES": "sources",
    "PhantomCohort": "phantom",
    "Subject": "phantom",
}
__all__ = list(_LAZY)


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
