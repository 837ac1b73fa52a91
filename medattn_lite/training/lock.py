"""A run's folder belongs to one process at a time.

The lock is the operating system's, so that it ends with its process, however that ends. Where a file system knows no
locks, there is none.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from medattn_lite.errors import UserError

NAME = ".lock"
_TAKEN = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other processes out of a folder while the block lasts.

    Args:
        folder: of a run; made where it is missing.

    Raises:
        UserError: another process is at work in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    descriptor = _open(path, folder)
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        os.close(descriptor)
        if sys.platform == "win32":  # where a file that is open cannot be removed
            with suppress(OSError):
                path.unlink()


def _open(path: Path, folder: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        try:
            _take(descriptor)
            if os.fstat(descriptor).st_ino == path.stat().st_ino:
                return descriptor
        except FileNotFoundError:  # removed by the process that had it, between its opening and here
            pass
        except OSError as error:
            if error.errno not in _TAKEN:
                return descriptor  # no locks here
            os.close(descriptor)
            raise UserError(f"another process is at work in {folder}: let it end, or choose another --out") from None
        os.close(descriptor)


def _take(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
