"""Files that appear whole or not at all, and never replace another one by accident."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from medattn_lite.errors import UserError


def existing_folder(root: str | Path | None, what: str) -> Path:
    """The folder `root` as a path.

    Args:
        root: the folder that the user named.
        what: what should lie in it, for the message ("BraTS cases").

    Raises:
        UserError: nothing was named, it does not exist, it is a file, or it is empty.
    """
    if root is None or not str(root).strip():
        raise UserError(f"{what} need a folder: name it with root=… (on the command line: --root DIR)")
    folder = Path(root).expanduser()
    if not folder.exists():
        raise UserError(f"no folder {folder}: check the path; it should hold {what}")
    if not folder.is_dir():
        raise UserError(f"{folder} is a file: name the folder that holds {what}")
    if not any(folder.iterdir()):
        raise UserError(f"{folder} is empty: it should hold {what}; see notebooks/data.md for where to get them")
    return folder


@contextmanager
def new_file(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Gives a temporary path beside `path`, which is renamed to `path` when the block ends without an error.

    A reader never sees half a file. Without `overwrite` an existing file is left as it is, even
    if it appeared while the block ran.

    Args:
        path: where the file shall be.
        overwrite: replace what is there.

    Yields:
        The path to write to, with the same suffixes, so that writers choose the same format.

    Raises:
        UserError: the file exists already, its folder does not, or the disk is full.
    """
    path = Path(path).expanduser()
    if os.path.lexists(path) and not overwrite:
        raise UserError(f"{path} exists already: choose another name, or pass overwrite=True")
    if not path.parent.is_dir():
        raise UserError(f"no folder {path.parent}: make it first, or choose another path")
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".unfinished-") as folder:
        part = Path(folder) / path.name
        try:
            yield part
            _publish(part, path, overwrite=overwrite)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise UserError(f"the disk is full: {path} was not written; free some space and try again") from error
            raise


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A file of the package's own, written beside its place as `NAME.part` and moved there when the block ends.

    What a killed process left under that name is removed first; a link of that name is removed and never followed.
    After an error the file is as it was, and nothing is left beside it.

    Args:
        path: the file; its folder is made where it is missing.

    Yields:
        the path to write to.

    Raises:
        UserError: a folder lies where the file belongs.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder where a file belongs: move it away and run the same command again")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    try:
        yield part
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def _publish(part: Path, path: Path, *, overwrite: bool) -> None:
    if overwrite:
        os.replace(part, path)
        return
    try:
        os.link(part, path)  # unlike a rename, this fails when the name is taken meanwhile
    except FileExistsError as error:
        raise UserError(f"{path} exists already: choose another name, or pass overwrite=True") from error
    except OSError:  # a file system without hard links
        os.rename(part, path)
