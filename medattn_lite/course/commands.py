"""The command `medattn` inside a notebook, and a file that is stored in other axes, to try it on.

    from medattn_lite.cli import main
    run_medattn(main, "check-data nifti --root scans", hide=WORK)

prints `$ medattn check-data nifti --root scans` and what the command printed.
"""

from __future__ import annotations

import contextlib
import io
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from medattn_lite.errors import UserError


def run_medattn(main: Callable[[Sequence[str]], int], command: str, *, hide: str | Path, show: bool = True) -> int:
    """Runs the command `medattn` in this process, as a terminal would, and prints the command and its output.

    Args:
        main: of `medattn_lite.cli`.
        command: the words after `medattn`; a name with blanks in it stands in quotes, but for the folder of `hide`.
        hide: a folder whose long name is printed as "…".
        show: print the output; a mistake's line is printed in any case.

    Returns:
        the exit code.
    """
    hidden = str(hide)
    print("$ medattn", command.replace(hidden, "…"))
    # A folder's own blanks, quotes and backslashes are no part of the command's grammar
    words = [word.replace("\0", hidden) for word in shlex.split(command.replace(hidden, "\0"))]
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            code = main(words)
        except SystemExit as end:  # a word that the command does not know
            code = 0 if end.code is None else end.code if isinstance(end.code, int) else 2
    if show and out.getvalue():
        print(out.getvalue().rstrip().replace(hidden, "…"))
    if code:  # the last line: above it stand progress bars
        print((err.getvalue().strip().splitlines() or [""])[-1].replace(hidden, "…"), f"(exit code {code})\n")
    return code


def turned_copy(path: str | Path, folder: str | Path, *, axes: str = "PSR") -> Path:
    """Writes a NIfTI file with its axes in another order and direction; its affine follows, so nothing moves in space.

    Args:
        path: the file.
        folder: of the copy, whose name is the last part of the file's: `…_t1ce.nii.gz` becomes `t1ce.nii.gz`.
        axes: where the three axes of the copy point to, such as "PSR": posterior, superior, right.

    Returns:
        the copy's path.

    Raises:
        UserError: the file holds no image with an affine, or the copy would take its place.
    """
    import nibabel
    from nibabel import orientations
    from nibabel.spatialimages import SpatialImage

    scan = nibabel.load(path)
    if not isinstance(scan, SpatialImage):
        raise UserError(f"{path} is not an image with an affine: give a NIfTI file")
    turn = orientations.ornt_transform(orientations.io_orientation(scan.affine), orientations.axcodes2ornt(tuple(axes)))
    copy = Path(folder) / Path(path).name.rpartition("_")[2]
    if copy.resolve() == Path(path).resolve():
        raise UserError(f"the copy of {path} would take its place: name another folder")
    nibabel.save(scan.as_reoriented(turn), copy)
    return copy
