"""What is made once and kept: a folder of the user's, bounded, shared by processes, safe to delete at any time.

Two things lie there: the atlas that phantoms start from, and rendered phantoms (`rendered/`, one file per head). A file
appears whole or not at all; what cannot be read is made again; where the folder cannot be written, nothing is kept.

    MEDATTN_CACHE      another folder; an empty string keeps nothing on disk
    MEDATTN_CACHE_MB   at most this many MB of rendered phantoms (2,000 if not set); 0 keeps none
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from medattn_lite.data.limits import limit_mb
from medattn_lite.errors import UserError

LIMIT_MB = 2000
_CHECK_EVERY = 64  # files written by this process between two looks at the folder's size
_written = 0
_UMASK = os.umask(0o022)  # asked for once, when the module is imported: it belongs to the whole process
os.umask(_UMASK)


def cache_folder() -> Path | None:
    """The folder, which need not exist; None where nothing is to be kept, or a container has no HOME.

    Raises:
        UserError: MEDATTN_CACHE names a file.
    """
    named = os.environ.get("MEDATTN_CACHE")
    if named is not None:
        folder = Path(named).expanduser() if named else None
        if folder is not None and folder.is_file():
            raise UserError(f"MEDATTN_CACHE={named} is a file: name a folder, or set it to an empty text to keep "
                            "nothing on disk")
        return folder
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or _home("AppData", "Local")
    elif sys.platform == "darwin":
        base = _home("Library", "Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or _home(".cache")
    return None if base is None else Path(base) / "medattn-lite"


def rendered_folder() -> Path | None:
    """Where rendered phantoms are kept; None where they are not."""
    folder = cache_folder()
    return None if folder is None or rendered_limit_mb() == 0 else folder / "rendered"


def rendered_limit_mb() -> float:
    """How many MB of rendered phantoms are kept at most; UserError where MEDATTN_CACHE_MB is no such number."""
    return limit_mb("MEDATTN_CACHE_MB", default=LIMIT_MB, at_zero="keep no rendered phantoms")


def store(path: Path, write: Callable[[Path], None]) -> bool:
    """Writes a file beside its place and moves it there; a folder that cannot be written is not an error.

    Args:
        path: the file; replaced if it is there.
        write: writes the path that it is given; an OSError where it cannot.

    Returns:
        Whether the file is there now.
    """
    part: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        os.close(handle)
        part = Path(name)
        write(part)
        with contextlib.suppress(OSError):  # a temporary file is its owner's alone; a shared folder is for all
            os.chmod(part, 0o666 & ~_UMASK)
        os.replace(part, path)
    except OSError:  # a read-only home, a full disk: it is made again next time
        return False
    finally:
        if part is not None:
            with contextlib.suppress(OSError):  # it has moved, where all went well
                part.unlink()
    return True


def store_rendered(path: Path, write: Callable[[Path], None]) -> bool:
    """Like `store`, for a rendered phantom: now and then the least recently used files make room."""
    global _written
    kept = store(path, write)
    _written += kept
    if kept and _written % _CHECK_EVERY == 1:
        make_room(path.parents[1])
    return kept


def make_room(folder: Path, limit: float | None = None) -> int:
    """Deletes the least recently used rendered phantoms until nine tenths of the limit are left, if it is exceeded.

    Args:
        folder: `rendered_folder()`.
        limit: MB; `rendered_limit_mb()` if left out.

    Returns:
        How many files were deleted.
    """
    limit = rendered_limit_mb() if limit is None else limit
    entries = []
    for path in _kept(folder):
        with contextlib.suppress(OSError):  # another process may have deleted it
            status = path.stat()
            entries.append((status.st_mtime, status.st_size, path))
    total, deleted = sum(size for _, size, _ in entries), 0
    if total <= limit * 1e6:
        return 0
    for _, size, path in sorted(entries, key=lambda entry: entry[0]):
        if total <= 0.9 * limit * 1e6:
            break
        with contextlib.suppress(OSError):  # on Windows a file that is open stays
            path.unlink()
            deleted += 1
            total -= size
    return deleted


@dataclass(frozen=True)
class CacheContent:
    """What the cache holds.

    Attributes:
        folder: where it is; None where nothing is kept.
        atlases: MB of atlases, of this and older versions.
        heads: number of rendered phantoms.
        rendered: their MB.
    """

    folder: Path | None
    atlases: float
    heads: int
    rendered: float


def cache_content() -> CacheContent:
    """Looks into the cache folder."""
    folder = cache_folder()
    if folder is None:
        return CacheContent(None, 0.0, 0, 0.0)
    heads = [_size(path) for path in _kept(folder / "rendered") if path.suffix == ".safetensors"]
    atlases = sum(_size(path) for path in folder.glob("phantom_atlas_*.npy"))
    return CacheContent(folder, atlases / 1e6, len(heads), sum(heads) / 1e6)


def clear_rendered() -> int:
    """Deletes all rendered phantoms and says how many; the atlas stays."""
    folder = cache_folder()
    return 0 if folder is None else make_room(folder / "rendered", 0.0)


def _kept(folder: Path) -> Iterator[Path]:
    """What we wrote, and nothing that a user has put beside it."""
    hexadecimal = "[0-9a-f]"
    for path in folder.glob(f"{hexadecimal * 2}/*"):
        if path.suffix in (".safetensors", ".part"):
            yield path


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _home(*parts: str) -> str | None:
    """A folder of the user's home; None where there is no home."""
    try:
        return str(Path.home().joinpath(*parts))
    except RuntimeError:
        return None
