"""Data: samples of phantoms and of real patients, their splits, transforms and checks.

`readers/` read files of each layout, `nifti_io/` NIfTI itself, `fetching/` fetches public data, `checking/` checks a
folder, `phantom/` and `controls/` make data. Names are looked up on first use; type checkers and editors see them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from medattn_lite.lazy import attach

if TYPE_CHECKING:
    from medattn_lite.data.batches import MonaiSamples, as_monai, collate
    from medattn_lite.data.checking.check_folder import CheckReport, check_dataset
    from medattn_lite.data.fetching.catalogue import SOURCES
    from medattn_lite.data.fetching.fetch_data_set import fetch
    from medattn_lite.data.files import new_file
    from medattn_lite.data.nifti_io.one_grid import onto_one_grid
    from medattn_lite.data.nifti_io.orientation import Grid, Volume, voxel_sizes
    from medattn_lite.data.nifti_io.volumes import load_volume, save_volume
    from medattn_lite.data.patient_splits import Split, stratified_kfold, train_valid_test
    from medattn_lite.data.phantom.cohort import PhantomCohort
    from medattn_lite.data.phantom.subject import Subject
    from medattn_lite.data.readers.cases import Case, PatientDataset
    from medattn_lite.data.readers.registry import DATASETS, open_dataset
    from medattn_lite.data.region_masks import tumour_regions
    from medattn_lite.data.slice_set import SliceSet
    from medattn_lite.data.transforms import crop_around, crop_or_pad, foreground, normalise, resample
else:
    __getattr__, __dir__ = attach(__name__, __file__)

__all__ = [
    "DATASETS",
    "SOURCES",
    "Case",
    "CheckReport",
    "Grid",
    "MonaiSamples",
    "PatientDataset",
    "PhantomCohort",
    "SliceSet",
    "Split",
    "Subject",
    "Volume",
    "as_monai",
    "check_dataset",
    "collate",
    "crop_around",
    "crop_or_pad",
    "fetch",
    "foreground",
    "load_volume",
    "new_file",
    "normalise",
    "onto_one_grid",
    "open_dataset",
    "resample",
    "save_volume",
    "stratified_kfold",
    "train_valid_test",
    "tumour_regions",
    "voxel_sizes",
]
