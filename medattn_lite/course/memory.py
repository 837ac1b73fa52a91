"""What a calculation needs: seconds, and the bytes of all tensors alive at its highest point.

Counted, not sampled: the same on every computer. A tensor counts from the operation that makes it until nothing
holds it any more, whether Python or the graph of the gradients. Scratch space that one operation takes and gives back
by itself is not seen; in torch's fused attention that is a tile of the map.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


@dataclass(frozen=True)
class Cost:
    """What one call needed.

    Attributes:
        seconds: wall time of the fastest call.
        peak_bytes: bytes of the tensors it made, at the highest point; what it was given is not counted.
    """

    seconds: float
    peak_bytes: int

    @property
    def mebibytes(self) -> float:
        """The peak in MiB, 2²⁰ bytes."""
        return self.peak_bytes / 2**20


@contextmanager
def without_numbers() -> Iterator[None]:
    """Makes tensors inside with shapes and no numbers, so that a calculation of any size can be counted.

    Unlike the device `meta`, torch chooses the operations that it would choose on a CPU.
    """
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        yield


class _Alive(TorchDispatchMode):
    """Adds up the storages that operations make, until they are given back."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: dict[int, weakref.ref] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        inputs = {storage._cdata for storage in map(_storage, tree_leaves((args, kwargs))) if storage is not None}
        out = func(*args, **(kwargs or {}))
        for storage in map(_storage, tree_leaves(out)):
            if storage is None or storage._cdata in inputs or storage._cdata in self._known:
                continue  # nothing, a view, or worked on in place
            size, key = storage.nbytes(), storage._cdata
            self._known[key] = weakref.ref(storage, partial(self._gone, size, key))
            self.now += size
            self.peak = max(self.peak, self.now)
        return out

    def _gone(self, size: int, key: int, _: object) -> None:
        self.now -= size
        self._known.pop(key, None)


def _storage(value: object) -> Any:
    return value.untyped_storage() if isinstance(value, Tensor) else None


def measure_cost(function: Callable[..., Any], *arguments: Any, calls: int = 1) -> Cost:
    """Measures time and peak memory of `function(*arguments)`.

    Args:
        function: what to measure.
        *arguments: given to it.
        calls: how often it is timed; the fastest counts. The memory is counted in one more call.
    """
    seconds = []
    for _ in range(max(1, calls)):
        began = time.perf_counter()
        function(*arguments)
        seconds.append(time.perf_counter() - began)
    with _Alive() as alive:
        function(*arguments)
    return Cost(min(seconds), alive.peak)
