"""What several test files need and takes long to make: made once per run of the tests, by who asks first."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that all workers of this run share; tests read it and leave it as it is.

    Args:
        factory: pytest's own.
        name: of the folder.
        make: fills the empty folder it is given. Where it fails, the next who asks tries again.
    """
    own = factory.getbasetemp()
    place = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own  # above it: other runs of the tests
    folder, done = place / name, place / f"{name}.made"
    with FileLock(place / f"{name}.lock"):
        if not done.exists():
            folder.mkdir(exist_ok=True)
            make(folder)
            done.touch()
    return folder
