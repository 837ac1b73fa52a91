"""The tests' blocks are small; the kernel of slice attention takes them all the same."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def kernel_for_small_features(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medattn_lite.attention.slice_kernel.FEWEST", 0)
