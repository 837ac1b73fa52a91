"""A folder of class folders of pictures: `ROOT/CLASS/*.png`, also `ROOT/{train,test}/CLASS/*.jpg`.

Classes are numbered in alphabetical order. Rows are turned so that H grows upwards, as posterior→
anterior does in an axial slice; columns stay as they are, since a picture does not say which side
is left. It does not say either which pictures are of one patient: unless you tell, by a pattern or
a table, each picture counts as a patient, and a split may leak. `meta["patient_known"]` says which.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from medattn_lite.data.dataset import Sample
from medattn_lite.data.files import existing_folder
from medattn_lite.data.nifti_io.headers import what_it_is
from medattn_lite.data.readers.cases import Case, PatientDataset
from medattn_lite.data.readers.csv_tables import column, natural, read_csv, text
from medattn_lite.data.readers.find_files import PICTURES, has_suffix, holds, walk
from medattn_lite.errors import UserError

PARTS = ("train", "training", "valid", "validation", "val", "test", "testing")


class ImageFolderDataset(PatientDataset):
    """One sample per picture: image (1, H, W), or (3, H, W) in colour, with values 0 to 255, and its class.

    Args:
        root: the folder of class folders.
        colour: keep three channels.
        patient: regular expression whose first group, found in the file name, is the patient.
        patients: CSV with the columns `file` (name, or path below `root`) and `subject`.
    """

    expects = "CLASS/picture.png"

    def __init__(
        self, root: str | Path, *, colour: bool = False, patient: str | None = None, patients: str | Path | None = None
    ) -> None:
        folder = existing_folder(root, "class folders of pictures (CLASS/*.png)")
        self.colour = colour
        self.classes, cases = find_cases(folder, patient=patient, patients=patients)
        super().__init__("images", folder, ("red", "green", "blue") if colour else ("grey",), cases)
        self.empty_classes = empty_classes(folder)

    def not_read(self) -> tuple[list[str], list[str]]:
        """What no class holds, and classes without a picture; see `PatientDataset.not_read`."""
        lost, spare = super().not_read()
        empty = f"class folders without a picture that can be read ({len(self.empty_classes)}): "
        return [*lost, *([empty + ", ".join(self.empty_classes)] if self.empty_classes else [])], spare

    def read_image(self, case: Case) -> tuple[np.ndarray, np.ndarray, None]:
        """(C, H, W), an affine that counts in pixels, and no grid."""
        pixels = read_picture(next(iter(case.images.values())), colour=self.colour)
        affine = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]], dtype=np.float64)
        return pixels, affine, None

    def read(self, case: Case) -> Sample:
        """Reads one picture into a sample; see `PatientDataset.read`."""
        sample = super().read(case)
        sample["meta"]["voxel_size_mm"] = None
        return sample


def find_cases(
    root: Path, *, patient: str | None = None, patients: str | Path | None = None
) -> tuple[list[str], list[Case]]:
    """The class names, and one case a picture.

    Raises:
        UserError: there are no class folders with pictures, the pattern is none, or the table does
            not name a picture.
    """
    try:
        pattern = re.compile(patient) if patient else None
    except re.error as error:
        raise UserError(f"patient={patient!r} is not a regular expression ({error}): e.g. r'^(\\d+)_'") from error
    if pattern is not None and pattern.groups < 1:
        raise UserError(f"patient={patient!r} has no group: put the part that names the patient in parentheses")
    known = _table(Path(patients).expanduser()) if patients is not None else None
    class_pictures: list[tuple[str, str, Path]] = []
    for part, place in _parts(root):
        for folder in sorted(path for path in place.iterdir() if path.is_dir() and not path.name.startswith(".")):
            class_pictures += [(part, folder.name, path) for path in pictures(folder)]
    if not class_pictures:
        raise UserError(f"no class folder with pictures in {root}, which holds {holds(root)}: put them as "
                        f"{root.name}/CLASS/picture.png")
    classes = sorted({name for _, name, _ in class_pictures}, key=natural)
    cases = []
    for part, name, path in class_pictures:
        inside = str(path.relative_to(root))
        subject = _subject(pattern, path, inside) if known is None else known.get(inside, known.get(path.name))
        if subject is None:
            what = f"the table {patients}" if known is not None else f"the pattern {patient!r}"
            raise UserError(f"{path}: {what} names no patient for this picture; correct it")
        meta = {"class": name, "classes": classes, "patient_known": known is not None or pattern is not None}
        cases.append(Case(case=inside, subject=subject, images={"red": path, "green": path, "blue": path, "grey": path},
                          label=classes.index(name), meta={**meta, "part": part} if part else meta))
    return classes, cases


def pictures(folder: Path) -> list[Path]:
    """The pictures in and below a folder, in natural order."""
    return [path for path in walk(folder) if has_suffix(path, PICTURES) and path.is_file()]


def empty_classes(root: Path) -> list[str]:
    """Class folders without a picture that can be read: they would vanish from the classes."""
    return [str(folder.relative_to(root)) for _, place in _parts(root) for folder in sorted(place.iterdir())
            if folder.is_dir() and not folder.name.startswith(".") and not pictures(folder)]


def read_picture(path: Path, *, colour: bool = False) -> np.ndarray:
    """(1, H, W) or (3, H, W) float32 in 0 to 255, upright as the camera says (EXIF), H growing upwards.

    More than 8 bits are scaled by the picture's maximum; with values below 0, its range is.

    Raises:
        UserError: the file is damaged, cut short or no picture.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as opened:
            opened.load()
            picture = ImageOps.exif_transpose(opened)
            if picture.mode.startswith(("I", "F")):  # 16 and 32 bits: keep the range, pillow would clip it
                values = np.asarray(picture, dtype=np.float32)
                low = min(float(values.min()), 0.0)
                values = (values - low) / max(float(values.max()) - low, 1e-6 if picture.mode == "F" else 1.0) * 255
                pixels = np.stack([values] * (3 if colour else 1))
            else:
                pixels = np.atleast_3d(np.asarray(picture.convert("RGB" if colour else "L"))).transpose(2, 0, 1)
    except Exception as error:  # every format of pillow's fails in a way of its own
        known = what_it_is(path)
        what = known if known and "picture" not in known else "it is damaged, cut short or no picture"
        raise UserError(f"cannot read {path}: {what}; copy it again") from error
    return pixels[:, ::-1].astype(np.float32)


def pages_of(path: Path) -> int:
    """How many pages or frames a picture has; only the first is read. 1 where it cannot be opened."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return int(getattr(picture, "n_frames", 1))
    except Exception:  # noqa: BLE001 - read_picture says what is wrong
        return 1


def _parts(root: Path) -> list[tuple[str, Path]]:
    """The folders of a ready-made division ("train", …), or the root itself."""
    divided = [path for path in sorted(root.iterdir()) if path.is_dir() and path.name.lower() in PARTS]
    return [(path.name, path) for path in divided] or [("", root)]


def _subject(pattern: re.Pattern | None, path: Path, place: str) -> str | None:
    if pattern is None:
        return place
    match = pattern.search(path.name)
    return match.group(1) if match else None


def _table(path: Path) -> dict[str, str]:
    if not path.is_file():
        raise UserError(f"no table {path}: check the path")
    frame = read_csv(path)
    file, subject = column(frame, ["file", "image", "filename"]), column(frame, ["subject", "patient", "patient_id"])
    if file is None or subject is None:
        raise UserError(f"{path} needs the columns 'file' and 'subject'; it has {', '.join(frame.columns)}")
    return {row[file].strip(): row[subject].strip() for _, row in frame.iterrows() if text(row[subject])}
