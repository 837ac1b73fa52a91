"""One CPU thread for a while: where the same numbers must come out whatever the number of threads.

With several threads torch splits arrays, and the ends of the pieces take other instructions, whose last
bit may differ. A cohort that depends on its seed alone cannot have that.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Torch computes with one CPU thread inside the block; also usable as a decorator.

    The number of threads is the whole process's: Python threads that enter and leave it at the same time may find the
    number that the other one set.
    """
    before = torch.get_num_threads()
    if before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
