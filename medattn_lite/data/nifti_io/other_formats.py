"""NRRD and MetaImage, the formats of 3D Slicer and ITK: `.nrrd`, `.nhdr`, `.mha`, `.mhd`, read by MONAI's readers.

They count to the patient's left and posterior where NIfTI counts to the right and anterior; the affine that comes back
is NIfTI's (RAS+, mm). Maps and masks are written as NIfTI, which Slicer and ITK read. The extra `nrrd` brings
pynrrd, the extra `mha` ITK.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from medattn_lite.errors import UserError
from medattn_lite.optional import optional

NRRD, META = (".nrrd", ".nhdr"), (".mha", ".mhd")
FORMATS = (*NRRD, *META)
_SIZES = re.compile(rb"^(?:sizes:|DimSize\s*=)\s*([0-9 ]+)", re.MULTILINE)
_HEADER = 1 << 16  # bytes at the start of a file in which its sizes stand


def claimed_bytes(path: Path) -> int:
    """Upper bound of the memory that a file's voxels take, from the sizes in its header; 0 where they are not found."""
    with path.open("rb") as stream:
        match = _SIZES.search(stream.read(_HEADER))
    return 8 * int(np.prod([float(side) for side in match[1].split()])) if match else 0


def read_other(path: Path) -> Any:
    """A NRRD or MetaImage file as a nibabel image with its voxels read.

    Raises:
        UserError: pynrrd or ITK is not installed, its voxels are not numbers, or nobody knows where they lie.
    """
    import nibabel as nib

    # before MONAI, whose message for a missing library has several lines
    optional("nrrd" if path.name.lower().endswith(NRRD) else "itk")
    from monai.data import ITKReader, NrrdReader

    reader: Any = NrrdReader() if path.name.lower().endswith(NRRD) else ITKReader()
    try:
        array, meta = reader.get_data(reader.read(str(path)))
    except KeyError as error:  # of a NRRD header
        raise UserError(f"{path} does not say where its voxels lie ({error.args[0]} is missing in its header): save it "
                        "again from a viewer such as 3D Slicer") from error
    voxels = np.asarray(array)
    if voxels.dtype.kind not in "iuf":
        raise UserError(f"{path} holds {voxels.dtype} where one number per voxel is expected")
    if voxels.dtype in (np.int64, np.uint64):  # NIfTI viewers read no 64-bit integers
        voxels = voxels.astype(np.int32 if np.abs(voxels).max(initial=0) < 2**31 else np.float64)
    return nib.Nifti1Image(voxels, np.asarray(meta["affine"], dtype=np.float64))
