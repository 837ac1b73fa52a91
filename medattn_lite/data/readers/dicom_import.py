"""`medattn import`: series of DICOM files as NIfTI files, one each, without what identifies a patient.

    OUT/sub-01/flair_s004.nii.gz        sub-01/ses-1/… where a patient has several studies
    OUT/series.tsv                      what was imported: file, contrast, scanner, sizes

**Removed:** every DICOM tag. Names, identifiers, dates of birth and of examination, institution, physicians, UIDs and
free text reach no file; patients and visits are numbered. **Stays:** the voxels and their place in millimetres, and in
`series.tsv` modality, maker and model of the scanner, field strength, TR, TE, TI. Voxels are not changed: a head shows
its face, and text that was burned into a picture stays there. Removing those is for a tool made for it (`mri_deface`,
`pydeface`), before images leave your institution.

dicom2nifti converts (slices in order, rescaled, on the scanner's axes) and refuses what is not an even grid of slices.
"""

from __future__ import annotations

import csv
import gzip
import logging
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medattn_lite.data.files import new_file
from medattn_lite.data.readers.dicom import Series, Study
from medattn_lite.errors import UserError
from medattn_lite.optional import optional

TABLE = "series.tsv"
_KEPT = {"modality": "Modality", "maker": "Manufacturer", "model": "ManufacturerModelName",
         "field_T": "MagneticFieldStrength", "TR_ms": "RepetitionTime", "TE_ms": "EchoTime",
         "TI_ms": "InversionTime"}  # fmt: skip
_COLUMNS = ("file", "subject", "visit", "contrast", "slices", "shape", "voxel_mm", *_KEPT)
_REASONS = {  # dicom2nifti's words
    "TOO_FEW_SLICES": "too few slices for a volume: a localizer",
    "GANTRY_TILT": "its slices are sheared (a tilted gantry): resample it with dcm2niix",
    "SLICE_INCREMENT": "the distance between its slices changes: slices are missing, or two series share one number",
    "IMAGE_ORIENTATION": "its slices lie in different directions: a localizer, or several series under one number",
    "NON_IMAGING": "it has no position in space: a screen or a photograph",
    "IMPLICIT_VR": "an enhanced file in an implicit transfer syntax: convert it with dcm2niix",
    "NOT_A_VOLUME": "it is not a volume",
    "MISSING_DICOM": "files of it are missing",
}


@dataclass(frozen=True)
class Imported:
    """What became of one series.

    Attributes:
        series: which.
        path: the file written; None where it could not be converted.
        remark: what is worth knowing, or why there is no file.
    """

    series: Series
    path: Path | None
    remark: str = ""


def import_study(
    study: Study, out: str | Path, *, series: Sequence[int] = (), patient: str | None = None
) -> list[Imported]:
    """Writes one NIfTI file per series, and a table of them; nothing that is there is replaced.

    Args:
        study: of `find_series`.
        out: a folder, made if need be.
        series: numbers of the study's list; none takes all that may be a volume.
        patient: name of the patient's folder instead of sub-01, where the study is of one patient.

    Returns:
        One entry per series, converted or not.

    Raises:
        UserError: files exist already, an unknown number, several patients for one name, no series that can be
            converted, or dicom2nifti is not installed.
    """
    chosen = study.chosen(series)
    if patient is not None and len({member.patient for member in chosen}) > 1:
        raise UserError("--patient names one patient, and these series are of several: choose with --series")
    if patient is not None and (not patient.strip() or Path(patient).name != patient or patient.startswith(".")):
        raise UserError(f"--patient {patient!r} is not a name of a folder: use letters, digits, - and _")
    folder = Path(out).expanduser()
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file: name a folder for the images")
    paths = _places(chosen, folder, patient)
    taken = next((path for path in (*paths.values(), folder / TABLE) if path.exists()), None)
    if taken is not None:
        raise UserError(f"{taken} exists already and is not replaced: name another folder")
    optional("dicom2nifti")
    done, rows = [], []
    for chosen_series in chosen:
        volume = _convert(chosen_series)
        if isinstance(volume, str):
            done.append(Imported(chosen_series, None, volume))
            continue
        path, (image, remark) = paths[chosen_series.number], volume
        path.parent.mkdir(parents=True, exist_ok=True)
        with new_file(path) as part:
            part.write_bytes(gzip.compress(image.to_bytes(), compresslevel=6, mtime=0))
        done.append(Imported(chosen_series, path, remark))
        rows.append(_row(chosen_series, path.relative_to(folder), image))
    if not rows:
        reasons = "; ".join(f"{imported.series.number}: {imported.remark}" for imported in done)
        raise UserError(f"no series could be converted: {reasons}")
    with new_file(folder / TABLE) as part, part.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, _COLUMNS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return done


def _places(chosen: Sequence[Series], folder: Path, patient: str | None) -> dict[int, Path]:
    """Number of each series in the list → its file; two of one name get that number, too."""
    paths = {member.number: folder / _place(member, patient) for member in chosen}
    often = Counter(paths.values())
    return {number: path if often[path] == 1 else path.with_name(path.name.replace(".nii.gz", f"_{number}.nii.gz"))
            for number, path in paths.items()}  # fmt: skip


def _place(series: Series, patient: str | None) -> Path:
    number = series.facts.get("SeriesNumber") or series.number
    folder = Path(patient or f"sub-{series.patient:02d}")
    folder = folder / f"ses-{series.visit}" if series.visits > 1 else folder
    return folder / f"{series.name}_s{number:03d}.nii.gz"


def _convert(series: Series) -> tuple[Any, str] | str:
    """The image and a remark, or in words why there is none."""
    import nibabel as nib

    pydicom, convert = optional("pydicom"), optional("dicom2nifti.convert_dicom")
    logging.getLogger("dicom2nifti").setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            slices = [pydicom.dcmread(path) for path in series.files]
            cut = _incomplete(series, slices)
            if cut:
                return cut
            made = convert.dicom_array_to_nifti(slices, None, reorient_nifti=False)["NII"]
    except Exception as error:  # noqa: BLE001 - a bad series must not end the import of the others
        words = str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
        known = next((reason for code, reason in _REASONS.items() if code in words), series.not_a_volume)
        return known or f"it cannot be converted ({words}): export the series again, or try dcm2niix"
    voxels = np.asanyarray(made.dataobj)
    if voxels.dtype.kind not in "iuf":
        return "it holds colours where one number per voxel is expected"
    if voxels.dtype in (np.int64, np.uint64):
        voxels = voxels.astype(np.int32)
    image = nib.Nifti1Image(voxels, made.affine)  # a header of its own: nothing of the old one's text
    image.set_sform(made.affine, code="scanner")
    image.set_qform(made.affine, code="scanner")
    image.header.set_xyzt_units("mm")
    stacked = int(np.prod(voxels.shape[2:]))
    remark = f"4-D, {voxels.shape[3]} volumes" if voxels.ndim == 4 else ""
    if len(series.files) > 1 and stacked != len(series.files):
        fewer = f"{len(series.files)} files gave {stacked} slices: the others are copies or localizers"
        remark = f"{remark}; {fewer}" if remark else fewer
    return image, remark


def _incomplete(series: Series, slices: Sequence[Any]) -> str:
    """Which files lack pixels, in words; "" where none does. An end slice without them would be left out in silence."""
    if not series.facts.get("Rows"):
        return ""
    lacking = [path.name for path, item in zip(series.files, slices, strict=True) if not _has_its_pixels(item)]
    if not lacking:
        return ""
    more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
    return f"of its {len(slices)} files, {lacking[0]}{more} lack pixels (cut short?): copy or export the series again"


def _has_its_pixels(item: Any) -> bool:
    """Whether a file holds as many bytes as its header says; where they are compressed, whether they can be decoded."""
    if "PixelData" not in item:
        return "FloatPixelData" in item or "DoubleFloatPixelData" in item
    try:
        if not _can_be_read(item.file_meta.TransferSyntaxUID):
            return True  # the conversion says so
        if item.file_meta.TransferSyntaxUID.is_compressed:
            return item.pixel_array is not None
        bits = item.Rows * item.Columns * item.get("SamplesPerPixel", 1) * item.BitsAllocated
        return len(item.PixelData) * 8 >= bits * int(item.get("NumberOfFrames") or 1)
    except (AttributeError, TypeError, ImportError):  # a header that lacks a size: the conversion says so
        return True
    except (RuntimeError, ValueError, EOFError, IndexError, OSError):
        return False


def _can_be_read(syntax: Any) -> bool:
    """Whether pixels stored in this way can be read here: not in a maker's own way, nor without its decoder."""
    if not syntax.is_transfer_syntax:
        return False
    try:
        return not syntax.is_compressed or optional("pydicom.pixels").get_decoder(syntax).is_available
    except NotImplementedError:
        return False


def _row(series: Series, path: Path, image: Any) -> dict[str, str]:
    sizes = np.linalg.norm(image.affine[:3, :3], axis=0)
    kept = {name: "" if series.facts.get(tag) is None else str(series.facts[tag]) for name, tag in _KEPT.items()}
    place = path.parts
    return {
        "file": path.as_posix(), "subject": place[0], "visit": place[1] if len(place) > 2 else "",
        "contrast": series.name, "slices": str(series.slices), "shape": "×".join(map(str, image.shape)),
        "voxel_mm": "×".join(f"{size:.3g}" for size in sizes), **kept,
    }  # fmt: skip
