"""Series of one examination, each on its own grid, brought to the grid of one of them.

    onto_one_grid({"flair": "flair.nii.gz", "t1": "t1.nii.gz"}, "flair", "out")     out/flair.nii.gz, out/t1.nii.gz

A scanner says of each series where it lies, so series of one examination fit together as long as the head lay still.
Nothing is registered: for a patient who moved, or for two examinations, register first (ANTs, elastix, NiftyReg).
Images are interpolated linearly; masks, named by `labels`, take the nearest voxel. What lies outside a series is 0.

Resampling: nibabel.processing.resample_from_to.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medattn_lite.data.files import new_file
from medattn_lite.data.nifti_io.headers import open_image
from medattn_lite.data.nifti_io.volumes import regular_file, unreadable
from medattn_lite.errors import UserError

LEAST_SHARED = 0.5  # of the reference's voxels that a series has to cover


def onto_one_grid(
    files: Mapping[str, str | Path], reference: str, out: str | Path, *, labels: Sequence[str] = ()
) -> dict[str, Path]:
    """Writes every file of one examination on the grid of one of them.

    Args:
        files: name of each series → its file.
        reference: name of the series whose grid all get; its own voxels are not changed.
        out: a folder, made if need be; the files in it are called NAME.nii.gz.
        labels: names of masks.

    Returns:
        Name → file written.

    Raises:
        UserError: an unknown reference, a file that exists, cannot be read or is not 3-D, or a series that lies
            elsewhere.
    """
    import nibabel as nib
    from nibabel.processing import resample_from_to

    unknown = [name for name in (reference, *labels) if name not in files]
    if unknown:
        raise UserError(f"no series {unknown[0]!r}: there are {', '.join(files)}")
    folder = Path(out).expanduser()
    targets = {name: folder / f"{name}.nii.gz" for name in files}
    taken = next((path for path in targets.values() if path.exists()), None)
    if taken is not None:
        raise UserError(f"{taken} exists already and is not replaced: name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    grid = _read(Path(files[reference]))
    for name, path in files.items():
        moving = grid if name == reference else _read(Path(path))
        resampled = moving
        if name != reference:
            inside = nib.Nifti1Image(np.ones(moving.shape, np.uint8), moving.affine)
            shared = float(np.asarray(resample_from_to(inside, grid, order=0).dataobj).mean())
            if shared < LEAST_SHARED:
                raise UserError(f"{path} covers {100 * shared:.0f} % of {files[reference]}: they are not of one place, "
                                "register them first")
            resampled = resample_from_to(moving, grid, order=0 if name in labels else 1)
        kind = moving.get_data_dtype() if name == reference or name in labels else np.dtype(np.float32)
        values = np.asanyarray(resampled.dataobj).astype(kind)
        with new_file(targets[name]) as part:
            part.write_bytes(gzip.compress(nib.Nifti1Image(values, grid.affine).to_bytes(), 6, mtime=0))
    return targets


def _read(path: Path) -> Any:
    path = regular_file(path)
    try:
        image = open_image(path)
        np.asanyarray(image.dataobj)  # read it now: a file cut short fails here
    except UserError:
        raise
    except Exception as error:  # nibabel's formats fail in ways of their own
        raise unreadable(path, error) from error
    if len(image.shape) != 3:
        raise UserError(f"{path} has shape {image.shape} where a 3-D volume is expected")
    return image
