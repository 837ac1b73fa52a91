"""Unpacking an archive from outside: every member is looked at before the first one is written.

Refused are members that leave the folder (`../`, absolute paths, drive letters), links of either
kind, devices and pipes, members that would overwrite each other, and archives that hold more than the
disk has room for.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from tqdm.auto import tqdm

from medattn_lite.errors import UserError


def unpack(archive: Path, folder: Path, *, progress: bool = True) -> list[Path]:
    """Unpacks a `.tar`, `.tar.gz` or `.zip` into a folder.

    Everything goes to a temporary folder beside `folder` first; its top-level entries are then
    renamed into place, so that an unpacking that stops leaves nothing half done.

    Args:
        archive: the archive.
        folder: where its top-level entries go.
        progress: show a bar.

    Returns:
        The top-level entries.

    Raises:
        UserError: a member is refused, the archive is damaged, an entry exists already, or the disk
            is full. Nothing has been written into `folder` then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                members = [_zip_member(info, archive) for info in opened.infolist()]
                return _unpack(archive, members, opened.open, folder, progress)
        with tarfile.open(archive) as opened:
            members = [_tar_member(info, archive) for info in opened]
            return _unpack(archive, members, opened.extractfile, folder, progress)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, RuntimeError) as error:
        raise UserError(f"{archive} is not an archive, or damaged ({error}): delete it and fetch again") from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise UserError(f"the disk is full while unpacking {archive}: free some space and try again") from error
        raise UserError(f"cannot unpack {archive} into {folder} ({error.strerror or error}): "
                        "check the folder, or get the archive from elsewhere") from error


Member = tuple[PurePosixPath, bool, int, object]  # path, is a folder, bytes, the archive's own record


def _tar_member(info: tarfile.TarInfo, archive: Path) -> Member:
    if info.issym() or info.islnk():
        raise UserError(f"{archive} was refused: its member {info.name!r} is a link; get the archive from elsewhere")
    if not (info.isreg() or info.isdir()):
        raise UserError(f"{archive} was refused: its member {info.name!r} is not a file; get it from elsewhere")
    if info.issparse():
        raise UserError(f"{archive} was refused: its member {info.name!r} is sparse: it would write more than it "
                        "holds; get the archive from elsewhere")
    return _inside(info.name, archive), info.isdir(), info.size, info


def _zip_member(info: zipfile.ZipInfo, archive: Path) -> Member:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UserError(f"{archive} was refused: its member {info.filename!r} is a link or a device; "
                        "get the archive from elsewhere")
    return _inside(info.filename, archive), info.is_dir(), info.file_size, info


def _inside(name: str, archive: Path) -> PurePosixPath:
    path = PurePosixPath(name)
    drive = len(name) > 1 and name[1] == ":"
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or drive:
        raise UserError(f"{archive} was refused: its member {name!r} would leave the folder; "
                        "get the archive from elsewhere")
    return path


def _unpack(archive: Path, members: list[Member], read: Callable, folder: Path, progress: bool) -> list[Path]:
    _require_unlike(archive, members)
    needed = sum(size for _, _, size, _ in members)
    if shutil.disk_usage(folder).free < needed:
        raise OSError(errno.ENOSPC, "not enough space")
    tops = sorted({path.parts[0] for path, _, _, _ in members if path.parts})
    _require_new(folder, tops)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unpacking-") as scratch:
        for path, is_folder, _, record in tqdm(members, desc=f"unpacking {archive.name}", unit="file",
                                               disable=not progress, leave=False):
            target = Path(scratch, *path.parts)
            if is_folder:
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with read(record) as source, target.open("xb") as stream:
                shutil.copyfileobj(source, stream, 1 << 20)
        _require_new(folder, tops)
        for top in tops:
            os.rename(Path(scratch, top), folder / top)
    return [folder / top for top in tops]


def _require_unlike(archive: Path, members: list[Member]) -> None:
    files = [path for path, is_folder, _, _ in members if not is_folder]
    parents = {parent for path, _, _, _ in members for parent in path.parents}
    seen: set[PurePosixPath] = set()
    for path in files:
        if not path.parts or path in seen or path in parents:
            raise UserError(f"{archive} was refused: its member {str(path)!r} comes twice, or is a file and a folder; "
                            "get the archive from elsewhere")
        seen.add(path)


def _require_new(folder: Path, tops: list[str]) -> None:
    for top in tops:
        if (folder / top).exists():
            raise UserError(f"{folder / top} exists already: move it away first, nothing was overwritten")
