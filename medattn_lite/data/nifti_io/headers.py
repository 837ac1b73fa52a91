"""What a header says, and whether to believe it: size, unit, left and right; and what a file is that cannot be read.

A header is a claim. One that claims more voxels than its file can hold is refused before memory is taken for them;
sizes in metres or microns become millimetres; two answers to where left is, or none, are said.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medattn_lite.data.nifti_io.other_formats import FORMATS, claimed_bytes, read_other
from medattn_lite.errors import UserError

if TYPE_CHECKING:
    from gzip import GzipFile
    from io import BufferedReader

DEFLATE = 1032  # no gzip file unpacks to more times its size
PLAUSIBLE_MM = (0.02, 50.0)  # of a voxel's side; an image of a head has sides of 0.1 to 10 mm
USUAL_MM = (0.05, 20.0)
CHUNK = 1 << 24
ROOM = 0.9  # of the free memory


def open_image(path: Path) -> Any:
    """An image whose header has been read, by nibabel; by MONAI where it is NRRD or MetaImage, voxels and all.

    A NIfTI suffix in mixed case (`.Nii.Gz`) is no other format.
    """
    import gzip

    import nibabel as nib

    if path.name.lower().endswith(FORMATS):
        require_memory(path, claimed_bytes(path))
        return read_other(path)
    name, lower = path.name, path.name.lower()
    if not lower.endswith((".nii", ".nii.gz")) or name.endswith((".nii", ".nii.gz", ".NII", ".NII.GZ")):
        return nib.load(path)
    stream = gzip.open(path, "rb") if lower.endswith(".gz") else path.open("rb")  # kept by the image, which reads later
    size = stream.read(4)
    stream.seek(0)
    kind = nib.Nifti2Image if 540 in (int.from_bytes(size, "little"), int.from_bytes(size, "big")) else nib.Nifti1Image
    held = nib.FileHolder(fileobj=stream)
    return kind.from_file_map({"header": held, "image": held})


def read_voxels(path: Path, image: Any, *, volume: int | None = None) -> np.ndarray:
    """The stored values of an opened image, unscaled, in the file's axis order.

    Of a `.nii.gz` no more memory is taken than there are bytes in it, whatever its header claims.

    Args:
        path: the file.
        image: opened, its header read.
        volume: of a 4-D image, read this one only, (X, Y, Z).

    Raises:
        UserError: the header claims more than the file holds, or than the memory takes.
    """
    proxy = image.dataobj
    if isinstance(proxy, np.ndarray):  # read already, see `read_other`
        return proxy if volume is None else proxy[..., volume]
    shape, dtype, offset = tuple(proxy.shape), np.dtype(proxy.dtype), int(getattr(proxy, "offset", 0) or 0)
    if min(shape, default=0) < 1:
        return np.empty(shape, dtype)
    claimed = _bytes(shape, dtype)
    size = path.stat().st_size
    most = size * DEFLATE if _packed(path) else size
    if claimed + offset > most and path.name.lower().endswith((".nii", ".nii.gz", ".mgh", ".mgz")):
        raise UserError(f"cannot read {path}: its header claims {_in_words(claimed)} of voxels ({_times(shape)}) and "
                        f"the file of {_in_words(size)} cannot hold them: it is damaged or cut short; copy or download "
                        "it again")
    if volume is not None:
        shape, whole = shape[:3], claimed
        claimed = _bytes(shape, dtype)
        offset += volume * claimed
        if not (offset and path.name.lower().endswith((".nii", ".nii.gz"))):
            require_memory(path, whole)
            return np.asanyarray(proxy.get_unscaled()).reshape(*shape, -1)[..., volume]
    require_memory(path, claimed)
    if not (_packed(path) and offset and path.name.lower().endswith(".nii.gz")) and volume is None:
        return np.asanyarray(proxy.get_unscaled())
    with unpacked(path) if _packed(path) else path.open("rb") as stream:
        _skip(stream, offset)
        content = bytearray()
        while len(content) < claimed:
            part = stream.read(min(CHUNK, claimed - len(content)))
            if not part:
                raise EOFError(f"{len(content)} of {claimed} bytes of voxels are there")
            content += part
    return np.frombuffer(content, dtype=dtype).reshape(shape, order="F")


def _skip(stream: GzipFile | BufferedReader, count: int) -> None:
    """Goes on by so many bytes without keeping them."""
    while count > 0 and (part := stream.read(min(CHUNK, count))):
        count -= len(part)


def require_memory(path: Path, needed: int) -> None:
    """Raises a UserError if an image's voxels do not fit into the memory that is free."""
    import psutil

    free = psutil.virtual_memory().available
    if needed > ROOM * free:
        raise UserError(f"{path} needs {_in_words(needed)} of memory and {_in_words(free)} are free: resample or crop "
                        "it, or use a larger machine")


def unit_of(image: Any) -> float:
    """Millimetres per unit of length of a header: 1000 for metres, 0.001 for microns, else 1.

    A unit that would make a voxel of a micron or of a metre was written by mistake: then the sizes are taken as
    millimetres, and `remarks` says so.
    """
    factor = _stated_unit(image)
    return factor if factor == 1.0 or _plausible(_sides(image) * factor) or not _plausible(_sides(image)) else 1.0


def remarks(image: Any) -> tuple[list[str], list[str]]:
    """What a header leaves uncertain: problems and remarks, in words, about sizes and about left and right."""
    problems, lines = [], []
    stated_unit, used = _stated_unit(image), unit_of(image)
    name = {1000.0: "metres", 0.001: "microns"}.get(stated_unit)
    if name and used != 1.0:
        lines.append(f"its header counts in {name}: turned into mm")
    elif name:
        lines.append(f"its header says {name}, which its sizes cannot be: taken as mm")
    sides = _sides(image) * used
    if not (USUAL_MM[0] <= sides.min() and sides.max() <= USUAL_MM[1]):
        size = "×".join(f"{side:.3g}" for side in sides)
        problems.append(f"a voxel of {size} mm: the unit or the size in its header is wrong, correct it")
    header = image.header
    if hasattr(header, "get_qform") and "sform_code" in header:
        problems += _two_answers(header)
        if int(header["sform_code"]) == 0 and int(header["qform_code"]) == 0:
            lines.append("its header has no orientation (sform and qform codes are 0): left and right are a guess")
    return problems, lines


def what_it_is(path: Path) -> str:
    """What a file that is not a NIfTI image is, and the remedy; "" where its first bytes do not tell."""
    try:
        with path.open("rb") as stream:
            start = stream.read(352)
    except OSError:
        return ""
    packed, name = start[:2] == b"\x1f\x8b", path.name.lower()
    named_so = name.endswith(FORMATS)
    nifti = len(start) > 4 and start[:4] in (b"\x5c\x01\0\0", b"\0\0\x01\x5c", b"\x1c\x02\0\0", b"\0\0\x02\x1c")
    if nifti and name.endswith(".gz"):
        return f"it is not compressed although its name ends in .gz: rename it to {path.name[:-3]}"
    if packed and not name.endswith((".gz", ".mgz")):
        return f"it is compressed although its name does not end in .gz: rename it to {path.name}.gz"
    known = ((b"version https://git-lfs", "it is a pointer of Git LFS, not the image: run git lfs pull"),
             (b"PK\x03\x04", "it is a ZIP archive: unpack it"), (b"\x89PNG", "it is a PNG picture"),
             (b"BZh", "it is compressed with bzip2: unpack it"), (b"\xfd7zXZ", "it is compressed with xz: unpack it"),
             (b"NRRD", "" if named_so else "it is an NRRD file: let its name end in .nrrd"),
             (b"\xff\xd8\xff", "it is a JPEG picture"))
    text = start.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "it is a web page, perhaps of a login: download the file again"
    if start[128:132] == b"DICM":
        return "it is a DICOM file: convert it to NIfTI (medattn import)"
    return next((words for magic, words in known if start.startswith(magic)), "it is empty" if not start else "")


@contextmanager
def unpacked(path: Path) -> Iterator[GzipFile]:
    """The content of a gzip file as a stream; damage is a `zlib.error`, `EOFError` or `OSError`."""
    import gzip

    with gzip.open(path, "rb") as stream:
        yield stream


def _two_answers(header: Any) -> list[str]:
    from nibabel.orientations import aff2axcodes

    if int(header["sform_code"]) == 0 or int(header["qform_code"]) == 0:
        return []
    try:
        first, second = header.get_sform(), header.get_qform()
        codes = "".join(map(str, aff2axcodes(first))), "".join(map(str, aff2axcodes(second)))
    except (ValueError, np.linalg.LinAlgError):
        return []
    mirrored = np.linalg.det(first[:3, :3]) * np.linalg.det(second[:3, :3]) < 0
    if not mirrored and codes[0] == codes[1]:
        return []
    return [f"sform and qform of its header disagree on {'left and right' if mirrored else 'the axes'} ({codes[0]}, "
            f"{codes[1]}); the sform is taken: correct the header"]


def _stated_unit(image: Any) -> float:
    try:
        return {"meter": 1000.0, "micron": 0.001}.get(image.header.get_xyzt_units()[0], 1.0)
    except (AttributeError, KeyError, ValueError):
        return 1.0


def _sides(image: Any) -> np.ndarray:
    return np.linalg.norm(np.asarray(image.affine, dtype=np.float64)[:3, :3], axis=0)


def _plausible(sides: np.ndarray) -> bool:
    return bool(PLAUSIBLE_MM[0] <= sides.min() and sides.max() <= PLAUSIBLE_MM[1])


def _packed(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def _bytes(shape: tuple[int, ...], dtype: np.dtype) -> int:
    total = dtype.itemsize
    for side in shape:
        total *= int(side)
    return total


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _in_words(count: float) -> str:
    if count >= 1e6:
        return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
    return f"{count:.0f} bytes"
