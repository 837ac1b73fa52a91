"""Finding image files whatever the case of their suffix, and naming what a reader leaves out.

A folder from elsewhere holds more than a reader takes: links whose target is gone, other formats, downloads that
stopped, classes without a picture. None of them may vanish: `left_out` names each kind, with its number and an example.
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

from medattn_lite.data.nifti_io.other_formats import FORMATS
from medattn_lite.data.readers.csv_tables import natural

NIFTI = (".nii", ".nii.gz")
VOLUMES = (".mha", ".mhd", ".nrrd", ".nhdr", ".hdr", ".img", ".img.gz", ".mgz", ".mgh", ".mnc", ".par", ".rec", ".ima",
           ".dcm", ".dicom", ".nii.bz2", ".nii.xz", ".nii.zst", ".nii.zip", ".v", ".bf", ".head", ".brik", ".gipl")
PICTURES = (".png", ".jpg", ".jpeg", ".jfif", ".tif", ".tiff", ".bmp", ".webp", ".pgm", ".ppm")
OTHER_PICTURES = (".gif", ".jp2", ".j2k", ".heic", ".heif", ".avif", ".svg", ".npy", ".npz", ".svs", ".ndpi")
UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".filepart", ".tmp")
_FEW = 3  # names shown of a kind


def has_suffix(path: Path, suffixes: Collection[str]) -> bool:
    """Whether a name ends in one of the suffixes, in any case; a name that begins with a dot is nobody's image."""
    return not path.name.startswith(".") and path.name.lower().endswith(tuple(suffixes))


def stem(path: Path) -> str:
    """The name without `.nii`, `.nii.gz` or the suffix of another format that is read, in any case."""
    name = path.name
    for ending in (".gz", ".nii", *FORMATS):
        name = name[: -len(ending)] if name.lower().endswith(ending) else name
    return name


def walk(root: Path) -> Iterator[Path]:
    """Every file and link below a folder in natural order, hidden ones left out; a link that leads back up is not gone
    into."""
    listed: list[Path] = []
    for folder, names, files in os.walk(root, followlinks=True):
        names[:] = [name for name in names if not name.startswith(".") and not _leads_up(folder, name)]
        listed += [Path(folder, name) for name in files if not name.startswith(".")]
    yield from sorted(listed, key=lambda path: natural(str(path)))


def _leads_up(folder: str, name: str) -> bool:
    path = os.path.join(folder, name)
    if not os.path.islink(path):
        return False
    here, there = os.path.realpath(folder), os.path.realpath(path)
    return here == there or here.startswith(there.rstrip(os.sep) + os.sep)


def nifti_files(root: Path) -> list[Path]:
    """The NIfTI files below a folder in natural order: regular files, or links to one."""
    return [path for path in walk(root) if has_suffix(path, NIFTI) and path.is_file()]


def volume_files(root: Path) -> list[Path]:
    """The files below a folder in natural order that `load_volume` reads: NIfTI, NRRD, MetaImage."""
    return [path for path in walk(root) if has_suffix(path, (*NIFTI, *FORMATS)) and path.is_file()]


def left_out(root: Path, used: Collection[Path], *, pictures: bool = False) -> tuple[list[str], list[str]]:
    """What looks like an image, or was one, and is not read.

    Args:
        root: the folder of a data set.
        used: files that its cases are made of; a folder stands for everything in it.
        pictures: the data set is one of pictures; else of volumes, and a picture beside them is not an image.

    Returns:
        Problems (images that are lost to the data set) and remarks, a line a kind each.
    """
    files = {path for path in used if not path.is_dir()}
    folders = {path for path in used if path.is_dir()}
    homes = {path.parent for path in files} | folders
    kinds: dict[tuple[str, bool], list[Path]] = {}
    for path in walk(root):
        if path in files:
            continue
        covered = any(folder in path.parents for folder in folders)
        kind = _kind(path, pictures=pictures)
        if kind is None or covered and kind[1] == "spare":
            continue
        spare = kind[1] == "spare" and path.parent in homes
        kinds.setdefault((kind[0], not spare), []).append(path)
    problems: list[str] = []
    remarks: list[str] = []
    for (words, problem), paths in kinds.items():
        names = [str(path.relative_to(root)) for path in paths]
        few = ", ".join(names[:_FEW]) + (f" and {len(names) - _FEW} more" if len(names) > _FEW else "")
        what, _, remedy = words.partition("; ")
        (problems if problem else remarks).append(f"{what} ({len(paths)}): {few}" + (f"; {remedy}" if remedy else ""))
    return problems, remarks


def holds(root: Path) -> str:
    """What lies in a folder, by suffix, for the message that nothing could be read: "5 .mha, 2 .dcm"."""
    counts = Counter("".join(path.suffixes[-2:]).lower() or "without a suffix" for path in walk(root))
    kinds = [f"{count} {suffix}" for suffix, count in counts.most_common(_FEW)]
    if len(counts) > _FEW:
        kinds.append(f"{len(counts) - _FEW} more kinds")
    return ", ".join(kinds) or "no file"


def _kind(path: Path, *, pictures: bool) -> tuple[str, str] | None:
    """A kind in words, and "lost", or "spare" for a file that a reader may set aside beside its images."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return ("links whose target is not there; get the files (git annex get), or copy them", "lost")
    if not stat.S_ISREG(mode):
        return ("pipes or devices, which are not files", "lost") if not stat.S_ISDIR(mode) else None
    name, suffixes = path.name.lower(), PICTURES if pictures else NIFTI
    if name.endswith(UNFINISHED):
        return ("downloads that have not ended; let them end, or delete them", "lost")
    if name.endswith(suffixes):
        return ("images that belong to no case", "spare")
    others = (*OTHER_PICTURES, *VOLUMES, *NIFTI) if pictures else VOLUMES
    ending = max((suffix for suffix in others if name.endswith(suffix)), key=len, default=None)
    if ending is not None:
        return (f"files of the format {ending}, which is not read; convert them first", "lost")
    if not re.search(r"\.[A-Za-z]", path.name) and _is_dicom(path):  # scanners name them 1.2.840.…, or IM0001
        return ("files of the format DICOM, which is not read; convert them first (medattn import)", "lost")
    return None


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False
