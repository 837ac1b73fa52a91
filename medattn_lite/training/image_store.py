"""The prepared images of a cohort: in memory up to a limit, beyond it in one temporary file that is read row by row.

    MEDATTN_IMAGES_MB      at most this many MB of prepared images in memory, in each list of them (4,000 if not set)

So a cohort of any size is trained on with the memory of a small one; the disk holds what the limit leaves out, in half
precision, and gives it back when the program ends. A step reads its own rows only. Each read names its place in the
file, so that processes that share the file, such as a loader's workers, do not move each other's place in it.
"""

from __future__ import annotations

import errno
import os
import tempfile
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import IO, Any, Self, overload

import numpy as np
import torch
from torch import Tensor

from medattn_lite.data.limits import limit_mb
from medattn_lite.errors import UserError

LIMIT_MB = 4000.0
_ONE_AT_A_TIME = threading.Lock()  # where the system cannot read at a place without moving there first (Windows)


@dataclass(frozen=True)
class _OnDisk:
    """Where a tensor lies in the file."""

    file: IO[bytes]
    offset: int
    shape: tuple[int, ...]
    dtype: torch.dtype

    def read(self) -> Tensor:
        raw, at = bytearray(_bytes(self.shape, self.dtype)), 0
        while at < len(raw):  # one read gives at most 2 GB
            part = _read_at(self.file, len(raw) - at, self.offset + at)
            if not part:
                raise UserError("the temporary file of prepared images is shorter than it was: is the disk full? Run "
                                "the same command again, which goes on")
            raw[at : at + len(part)] = part
            at += len(part)
        return torch.frombuffer(raw, dtype=self.dtype).reshape(self.shape)


class ImageStore(Sequence[Tensor]):
    """A list of tensors that takes no more memory than its limit.

    Args:
        values: to begin with.

    Attributes:
        bytes_in_memory: of the tensors that are kept in memory.
        bytes_on_disk: of the others.

    Raises:
        UserError: MEDATTN_IMAGES_MB is not a number of MB, or the disk is full.
    """

    def __init__(self, values: Iterable[Tensor] = ()) -> None:
        self._rows: list[Tensor | _OnDisk] = []
        limit = limit_mb("MEDATTN_IMAGES_MB", default=LIMIT_MB, at_zero="keep no prepared image in memory")
        self._limit, self._end = limit * 1e6, 0
        self._file: IO[bytes] | None = None
        self.bytes_in_memory = self.bytes_on_disk = 0
        for value in values:
            self.append(value)

    def append(self, value: Tensor) -> None:
        """Adds a tensor; it lies on the CPU when it is read again."""
        value = value.detach().cpu().contiguous()
        size = _bytes(value.shape, value.dtype)
        if self.bytes_in_memory + size <= self._limit:
            self._rows.append(value)
            self.bytes_in_memory += size
        else:
            self._rows.append(self._written(value, size))

    def chosen(self, rows: Sequence[int]) -> Self:
        """Some of the rows, in the order given; nothing is copied."""
        return self._of([self._rows[row] for row in rows])

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Tensor: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self._of(self._rows[index])
        row = self._rows[index]
        return row.read() if isinstance(row, _OnDisk) else row

    def __add__(self, other: ImageStore) -> Self:
        """The rows of both; nothing is copied."""
        return self._of([*self._rows, *other._rows])

    def _written(self, value: Tensor, size: int) -> _OnDisk:
        offset, raw = self._end, memoryview(value.reshape(-1).view(torch.uint8).numpy().data)
        try:
            if self._file is None:  # without a buffer: a full disk is noticed here, and other processes see the rows
                self._file = tempfile.TemporaryFile(prefix="medattn-images-", buffering=0)  # noqa: SIM115 - as the rows
            self._file.seek(offset)
            while raw:
                raw = raw[self._file.write(raw) :]
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise UserError(f"the prepared images do not fit on the disk of {tempfile.gettempdir()} "
                                f"({error.strerror}): free some space there, or name another folder with "
                                "TMPDIR") from None
            raise UserError(f"cannot write prepared images to a temporary file ({error.strerror}): name another folder "
                            "with TMPDIR, or raise MEDATTN_IMAGES_MB") from None
        self._end += size
        self.bytes_on_disk += size
        return _OnDisk(self._file, offset, tuple(value.shape), value.dtype)

    def _of(self, rows: list[Tensor | _OnDisk]) -> Self:
        store = type(self)()
        store._rows = rows
        sizes = [_bytes(tuple(row.shape), row.dtype) for row in rows]
        kept = [isinstance(row, Tensor) for row in rows]
        store.bytes_in_memory = sum(size for size, here in zip(sizes, kept, strict=True) if here)
        store.bytes_on_disk = sum(sizes) - store.bytes_in_memory
        store._limit = min(store._limit, store.bytes_in_memory)  # what is added goes to a file of its own
        return store


def _read_at(file: IO[bytes], count: int, offset: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(file.fileno(), count, offset)
    with _ONE_AT_A_TIME:
        file.seek(offset)
        return file.read(count)


def _bytes(shape: Sequence[int], dtype: torch.dtype) -> int:
    count = 1
    for size in shape:
        count *= int(size)
    return count * dtype.itemsize


def chained(first: Any, second: Any) -> Any:
    """One after the other: tensors and arrays along their first axis, lists, stores."""
    if isinstance(first, Tensor):
        return torch.cat([first, second])
    if isinstance(first, ImageStore):
        return first + second
    return np.concatenate([first, second]) if isinstance(first, np.ndarray) else [*first, *second]
