"""The prepared images of a cohort: in memory up to a limit, beyond it in one temporary file that is read row by row.

    MEDATTN_IMAGES_MB      at most this many MB of prepared images in memory, in each list of them (4,000 if not set)

So a cohort of any size is trained on with the memory of a small one; the disk holds what the limit leaves out, in half
precision, and gives it back when the program ends. A step reads its own rows only.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import IO, Any, Self, overload

import torch
from torch import Tensor

from medattn_lite.data.limits import limit_mb
from medattn_lite.errors import UserError

LIMIT_MB = 4000.0


@dataclass(frozen=True)
class _OnDisk:
    """Where a tensor lies in the file."""

    file: IO[bytes]
    offset: int
    shape: tuple[int, ...]
    dtype: torch.dtype

    def read(self) -> Tensor:
        raw = bytearray(_bytes(self.shape, self.dtype))
        self.file.seek(self.offset)
        if self.file.readinto(raw) != len(raw):  # type: ignore[attr-defined]  # `IO` leaves it out
            raise UserError("the temporary file of prepared images is shorter than it was: is the disk full? Run the "
                            "same command again, which goes on")
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
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="medattn-images-")  # noqa: SIM115 - it lives as long as the rows
        offset = self._end
        try:
            self._file.seek(offset)
            self._file.write(value.view(torch.uint8).numpy().data if value.dim() else value.numpy().tobytes())
        except OSError as error:
            raise UserError(f"the prepared images do not fit on the disk of {tempfile.gettempdir()} "
                            f"({error.strerror}): free some space there, or name another folder with TMPDIR") from None
        self._end += size
        self.bytes_on_disk += size
        return _OnDisk(self._file, offset, tuple(value.shape), value.dtype)

    def _of(self, rows: list[Tensor | _OnDisk]) -> Self:
        own = type(self)()
        own._rows = rows
        sizes = [_bytes(tuple(row.shape), row.dtype) for row in rows]
        kept = [isinstance(row, Tensor) for row in rows]
        own.bytes_in_memory = sum(size for size, here in zip(sizes, kept, strict=True) if here)
        own.bytes_on_disk = sum(sizes) - own.bytes_in_memory
        own._limit = min(own._limit, own.bytes_in_memory)  # what is added goes to a file of its own
        return own


def _bytes(shape: Sequence[int], dtype: torch.dtype) -> int:
    count = 1
    for size in shape:
        count *= int(size)
    return count * dtype.itemsize
