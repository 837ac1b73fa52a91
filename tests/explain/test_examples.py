"""The examples in the docstrings of `medattn_lite.explain` run, and show what they say."""

from __future__ import annotations

import doctest
import importlib
import inspect
from pathlib import Path

import pytest
import torch

import medattn_lite.explain as explain

ROOT = Path(explain.__file__).parent
MODULES = [f"medattn_lite.explain.{path.parent.name}.{path.stem}" for path in sorted(ROOT.glob("*/*.py"))
           if path.stem != "__init__" and ">>>" in path.read_text(encoding="utf-8")]  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_show(name: str) -> None:
    torch.manual_seed(0)
    results = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert results.attempted > 0 and results.failed == 0


def test_what_needs_no_trained_network_has_an_example() -> None:
    """Functions to begin with: one in each room that works on small tensors or layers."""
    shown = {name for name in explain.__all__ if ">>>" in (inspect.getdoc(getattr(explain, name)) or "")}
    wanted = {"ClassLogit", "RegionSum", "to_image_grid", "layer_box", "capture_attention", "register_adapter",
              "edited_maps", "channel_gates", "explain_image", "layer_sizes", "localise", "similarity"}  # fmt: skip
    assert wanted <= shown
