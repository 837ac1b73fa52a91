"""Phantoms beside torchio's augmentation and beside reading them; real files beside nibabel; cohorts on disk."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.benchmarks.measuring import Case, Entry
from tests.benchmarks.missing import importable

CONTRASTS = ("t1", "t1ce", "t2", "flair")


@contextmanager
def own_cache(folder: Path) -> Iterator[None]:
    """The atlas of the user's cache, and rendered heads in a folder of our own."""
    from medattn_lite.data.cache import cache_folder

    theirs, before = cache_folder(), os.environ.get("MEDATTN_CACHE")
    atlas = [] if theirs is None else [path for path in theirs.glob("*") if path.is_file()]
    for path in atlas:
        (folder / path.name).symlink_to(path)
    os.environ["MEDATTN_CACHE"] = str(folder)
    try:
        yield
    finally:
        os.environ.pop("MEDATTN_CACHE")
        if before is not None:
            os.environ["MEDATTN_CACHE"] = before


def phantom_cases() -> Iterator[Case]:
    """A new head at each call, beside torchio's changes of four images; and a head that was rendered before."""
    from medattn_lite.data.phantom import Subject
    from medattn_lite.data.phantom.pathology import glioma
    from medattn_lite.data.phantom.rendered import rendered
    from medattn_lite.data.phantom.templates import load_atlas

    load_atlas()
    torchio = importable("torchio")
    for shape in ((64, 64, 64), (96, 112, 96)):
        seeds = itertools.count(1000)
        name = "×".join(map(str, shape))
        yield Case(f"phantom, 4 contrasts {name}", "torchio: affine, elastic, bias, noise, blur of 4 images" +
                   ("" if torchio else " (missing)"),
                   lambda shape=shape, seeds=seeds: Subject(glioma(), next(seeds)).render(shape=shape),
                   torchio and _torchio(torchio, shape), size=float(np.prod(shape)), series="phantom",
                   is_equal=False, most=3 if shape[0] == 64 else 1)  # fmt: skip
    with tempfile.TemporaryDirectory() as folder, own_cache(Path(folder)):
        subject, shape = Subject(glioma(), 7), (64, 64, 64)
        rendered(subject, shape=shape)
        yield Case("phantom rendered before, 64×64×64", "the same rendered anew",
                   lambda: rendered(subject, shape=shape)["image"], lambda: subject.render(shape=shape)["image"],
                   close=0.0, most=5)  # fmt: skip


def _torchio(torchio: Any, shape: tuple[int, ...]) -> Any:
    images = {name: torchio.ScalarImage(tensor=torch.rand(1, *shape)) for name in CONTRASTS}
    subject = torchio.Subject(**images)
    change = torchio.Compose([torchio.RandomAffine(), torchio.RandomElasticDeformation(), torchio.RandomBiasField(),
                              torchio.RandomNoise(), torchio.RandomBlur()])  # fmt: skip
    return lambda: change(subject)


def reading_cases() -> Iterator[Case]:
    """A case in BraTS' layout and size, random voxels inside a ball."""
    import nibabel

    from medattn_lite.data import open_dataset

    with tempfile.TemporaryDirectory() as folder:
        write_brats(Path(folder), 1, (155, 240, 240))
        files = sorted(Path(folder).rglob("*.nii.gz"))
        dataset = open_dataset("brats", folder)
        order = [next(path for path in files if path.name.endswith(f"_{name}.nii.gz")) for name in CONTRASTS]

        def theirs() -> np.ndarray:
            images = [np.asarray(nibabel.load(path).dataobj, dtype=np.float32) for path in order]
            nibabel.load(order[0].with_name(order[0].name.replace("_t1.", "_seg."))).get_fdata(dtype=np.float32)
            return np.stack(images).transpose(0, 3, 2, 1)[:, :, ::-1, ::-1]  # to our orientation, as a view

        yield Case("reading a case in BraTS' layout, 4×155×240×240 and mask", "nibabel, float32",
                   lambda: dataset[0]["image"], theirs, close=0.0, memory="python", most=3)  # fmt: skip


def write_brats(folder: Path, patients: int, shape: tuple[int, int, int]) -> None:
    """Cases that differ, with a tumour and grades: (D, H, W) at 1 mm."""
    import nibabel

    affine = np.diag([-1.0, -1.0, 1.0, 1.0])
    places = np.stack(np.meshgrid(*(np.linspace(-1, 1, side) for side in shape[::-1]), indexing="ij"))
    inside = (places**2).sum(axis=0) < 0.6
    for number in range(patients):
        rng = np.random.default_rng(number)
        case = f"BraTS20_Training_{number:05d}"
        place = folder / ("HGG" if number % 2 else "LGG") / case
        place.mkdir(parents=True)
        for name in CONTRASTS:
            image = (inside * rng.integers(50, 900, inside.shape)).astype(np.int16)
            nibabel.save(nibabel.Nifti1Image(image, affine), place / f"{case}_{name}.nii.gz")
        mask = 4 * (((places - rng.uniform(-0.3, 0.3, (3, 1, 1, 1))) ** 2).sum(axis=0) < 0.1)
        nibabel.save(nibabel.Nifti1Image(mask.astype(np.uint8), affine), place / f"{case}_seg.nii.gz")


def cohort_cases() -> Iterator[Case]:
    """Cohorts of small images on disk: opened and checked; what is kept must not grow with the voxels."""
    import nibabel

    from medattn_lite.data import check_dataset

    with tempfile.TemporaryDirectory() as folder:
        for patients in (10, 100, 300, 1000):
            root = Path(folder) / str(patients)
            write_brats(root, patients, (12, 12, 12))
            files = sorted(root.rglob("*.nii.gz"))

            def ours(root: Path = root, patients: int = patients) -> None:
                report = check_dataset("brats", root, progress=False)
                if report.exit_code != 0 or len(report.cases) != patients:
                    raise ValueError("\n".join(report.lines[-3:]))

            yield Case(f"check-data, {patients:,} patients of 4×12³", "nibabel reads the files, and no more", ours,
                       lambda files=files: _read_all(nibabel, files), size=patients, series="check-data",
                       is_equal=False, memory="python", most=1)  # fmt: skip


def _read_all(nibabel: Any, files: list[Path]) -> None:
    for path in files:
        np.asarray(nibabel.load(path).dataobj)


def entries(device: str = "cpu") -> Iterator[Entry]:
    """What `--only` knows of this room; none on a GPU."""
    if device != "cpu":
        return
    yield Entry("phantom", "Phantoms", ("phantom",), phantom_cases)
    yield Entry("reading", "Reading a case", ("reading",), reading_cases)
    yield Entry("check-data", "Checking a cohort", ("check-data",), cohort_cases)
