"""Peers that need not be installed (`pip install "medattn-lite[bench]"`): here, or None."""

from __future__ import annotations

import importlib
import warnings
from typing import Any


def importable(module: str, name: str = "") -> Any:
    """A module, or what it calls `name`; None where it cannot be imported."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            imported = importlib.import_module(module)
    except ImportError:
        return None
    return getattr(imported, name) if name else imported
