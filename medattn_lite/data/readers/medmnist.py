"""MedMNIST's 3-D sets: small real volumes with a class each, 28³ or 64³, one `.npz` file per set.

    medattn fetch medmnist3d --layout nodule --accept-licence
    open_dataset("medmnist3d", "data/medmnist3d")                      the only set in the folder
    open_dataset("medmnist3d", "data/medmnist3d", which="vessel", part="train")

A file holds `train_images` (N, 28, 28, 28) uint8 and `train_labels` (N, 1), and the same for `val` and `test`. Axes are
taken as they lie in the file: it has no orientation, no voxel size and no patients. A scan may have given several
volumes, so that a split of your own may leak; `meta["part"]` is the published division.

Source: Yang et al., Scientific Data 2023, doi 10.1038/s41597-022-01721-8; files and checksums:
zenodo.org/records/10519652.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medattn_lite.data.dataset import Sample
from medattn_lite.data.files import existing_folder
from medattn_lite.data.readers.cases import Case, PatientDataset
from medattn_lite.data.readers.find_files import holds
from medattn_lite.errors import UserError

PARTS = {"train": "train", "val": "valid", "test": "test"}  # in the file → in `meta["part"]`
EXPECTS = "a .npz file of MedMNIST, such as nodulemnist3d.npz"


@dataclass(frozen=True)
class MedMNISTSet:
    """One of the sets: its classes in order, and MD5 of its files by their side in voxels, as the record names them."""

    classes: tuple[str, ...]
    md5: Mapping[int, str]


SETS: dict[str, MedMNISTSet] = {
    "nodule": MedMNISTSet(
        ("benign", "malignant"),
        {28: "8755a7e9e05a4d9ce80a24c3e7a256f3", 64: "c47c5b7d457bf6332200d2ea6d64ecd8"},
    ),
    "vessel": MedMNISTSet(
        ("vessel", "aneurysm"),
        {28: "b41fd4f7e7e2feedddb201585ecafa1b", 64: "6bb274a8846e1097066dcd64e2c4520f"},
    ),
    "adrenal": MedMNISTSet(
        ("normal", "hyperplasia"),
        {28: "bbd3c5a5576322bc4cdfea780653b1ce", 64: "17721accfe9fb005146a47d33bc54b2f"},
    ),
    "fracture": MedMNISTSet(
        ("buckle rib fracture", "nondisplaced rib fracture", "displaced rib fracture"),
        {28: "6aa7b0143a6b42da40027a9dda61302f", 64: "f01d7e6316aedf4210da0da5b7437b42"},
    ),
    "organ": MedMNISTSet(
        ("liver", "kidney-right", "kidney-left", "femur-right", "femur-left", "bladder", "heart", "lung-right",
         "lung-left", "spleen", "pancreas"),
        {28: "a0c5a1ff56af4f155c46d46fbb45a2fe", 64: "58a2205adf14a9d0a189cb06dc78bf10"},
    ),
}  # fmt: skip


def file_name(which: str, side: int) -> str:
    """The published name of a set's file."""
    return f"{which}mnist3d.npz" if side == 28 else f"{which}mnist3d_{side}.npz"


class MedMNIST3DDataset(PatientDataset):
    """One sample per volume: image (1, D, H, W) of 0 to 255, and its class.

    Args:
        root: the folder of the files, or one file.
        which: "nodule", "vessel", "adrenal", "fracture" or "organ"; None takes the only set in the folder.
        side: 28 or 64; None takes the only one there is of that set.
        part: "train", "valid" or "test" of the published division; None takes all three.

    Raises:
        UserError: no such file, several to choose from, or a file that is not a set of volumes.
    """

    expects = EXPECTS

    def __init__(
        self, root: str | Path, *, which: str | None = None, side: int | None = None, part: str | None = None
    ) -> None:
        if part is not None and part not in PARTS.values():
            raise UserError(f"part={part!r}: choose one of {', '.join(PARTS.values())}")
        place = Path(root).expanduser()
        folder = place.parent if place.is_file() else existing_folder(root, EXPECTS)
        self.file = place if place.is_file() else _chosen(folder, which, side)
        self._arrays: dict[str, np.ndarray] = {}
        name = self.file.name.lower().partition("mnist3d")[0]
        labels = {name: _read(self.file, f"{key}_labels") for key, name in PARTS.items() if part in (None, name)}
        largest = max(int(values.max(initial=0)) for values in labels.values())
        self.classes = SETS[name].classes if name in SETS else tuple(str(label) for label in range(largest + 1))
        if largest >= len(self.classes):
            raise UserError(f"{self.file} has the label {largest} and {name} has {len(self.classes)} classes: is it "
                            "another file under this name? download it again")
        cases = [
            Case(case=f"{name}-{row:05d}", subject=f"{name}-{row:05d}", images={"grey": self.file}, label=int(label),
                 meta={"part": name, "row": row, "class": self.classes[int(label)], "patient_known": False})
            for name, values in labels.items() for row, label in enumerate(values.reshape(-1))
        ]  # fmt: skip
        super().__init__("medmnist3d", folder, ("grey",), cases)
        self.set_aside = list(folder.glob("*.npz"))

    def read_image(self, case: Case) -> tuple[np.ndarray, np.ndarray, None]:
        """(1, D, H, W), an affine that counts in voxels, and no grid; a part is unpacked once and kept."""
        part = case.meta["part"]
        if part not in self._arrays:
            key = next(name for name, prefix in PARTS.items() if prefix == part)
            values, labels = _read(self.file, f"{key}_images"), sum(case.meta["part"] == part for case in self.cases)
            if values.ndim != 4 or len(values) < labels:
                raise UserError(f"{self.file}: {key}_images has shape {values.shape} for {labels} labels: it is "
                                "damaged, download it again")
            self._arrays[part] = values
        affine = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]], dtype=np.float64)
        return self._arrays[part][case.meta["row"]][None].astype(np.float32), affine, None

    def read(self, case: Case) -> Sample:
        """Reads one volume into a sample; see `PatientDataset.read`."""
        sample = super().read(case)
        sample["meta"]["voxel_size_mm"] = None
        return sample


def _chosen(folder: Path, which: str | None, side: int | None) -> Path:
    if which is not None and which not in SETS:
        raise UserError(f"which={which!r}: choose one of {', '.join(SETS)}")
    if side not in (None, 28, 64):
        raise UserError(f"side={side!r}: the files have 28 or 64 voxels per side")
    sizes = (28, 64) if side is None else (side,)
    wanted = [file_name(name, size) for name in ([which] if which else SETS) for size in sizes]
    files = [folder / name for name in wanted if (folder / name).is_file()]
    if not files:
        raise UserError(f"no {wanted[0] if len(wanted) == 1 else 'set of MedMNIST 3-D'} in {folder}, which holds "
                        f"{holds(folder)}: get one with medattn fetch medmnist3d")
    if len(files) > 1:
        raise UserError(f"{folder} holds {', '.join(path.name for path in files)}: choose with which=NAME and "
                        "side=28 or side=64")
    return files[0]


def _read(path: Path, key: str) -> np.ndarray:
    """One array of a file, without unpacking the others; pickled objects are refused."""
    try:
        with np.load(path, allow_pickle=False) as content:
            values = content[key]
    except KeyError as error:
        raise UserError(f"{path} has no array {key}: it is not a file of MedMNIST") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        if path.suffix != ".npz":
            raise UserError(f"{path} is a file, and no .npz of MedMNIST: name such a file or its folder") from error
        raise UserError(f"cannot read {path}: it is damaged, cut short or no .npz file; download it again") from error
    if values.dtype.kind not in "iuf":
        raise UserError(f"{path}: {key} holds {values.dtype} where numbers are expected")
    return values
