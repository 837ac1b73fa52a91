"""Tests of how phantoms are drawn draw them: none is read from the cache of rendered heads."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDATTN_CACHE_MB", "0")
