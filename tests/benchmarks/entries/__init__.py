"""Every comparison, by room; `medattn study benchmarks --only NAME` runs one."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from tests.benchmarks.measuring import Entry

ROOMS = ("attention", "growth", "networks", "survival", "data", "explaining", "training", "program")


def entries(device: str = "cpu") -> Iterator[Entry]:
    """All of them, in the order of the page; on a GPU those that have something to gain there."""
    for room in ROOMS:
        module = importlib.import_module(f"tests.benchmarks.entries.{room}")
        yield from module.entries(device)
