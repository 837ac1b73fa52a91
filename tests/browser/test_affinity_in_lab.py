"""Claims about the affinity explorer in JupyterLab: keyboard alone moves the voxel, the steps and the matrix."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser

EXPLORER = """
import torch
from medattn_lite.networks.rsanet import RSANet
from medattn_lite.widgets import affinity_explorer
torch.manual_seed(0)
options = {"in_channels": 2, "num_classes": 2, "widths": (8, 16), "attention_options": {"scaled": True}}
networks = {"RSA": RSANet(attention="rsa", **options), "non-local": RSANet(attention="non_local", **options)}
for beta in networks["RSA"].attention["center"].betas:
    torch.nn.init.constant_(beta, 0.3)
images = torch.rand(2, 2, 16, 20, 18)
affinity_explorer(networks, images, masks=images[:, 0] > 0.95, channels=("t1", "flair"), title="head")
"""


def test_every_slider_moves_picture_and_words_and_a_chosen_direction_brings_its_matrix(open_notebook, write_notebook):
    page = open_notebook(write_notebook("affinity.ipynb", [EXPLORER]))
    page.run_all()
    [explorer] = page.explorers()
    moved = page.move_sliders(explorer)
    assert set(moved) == {"image", "axial I→S", "coronal P→A", "sagittal L→R", "opacity"}
    assert set(moved.values()) == {"moved"}, moved
    steps = explorer.locator(".widget-dropdown", has_text="RSA steps").locator("select")
    steps.focus()
    for key in ("Enter", "ArrowDown", "Enter"):  # all paths → coronal; a closed menu leaves its arrows to JupyterLab
        page.page.keyboard.press(key)
        page.page.wait_for_timeout(300)
    explorer.locator(".medattn-readout", has_text="coronal step alone").wait_for(timeout=30_000)
    assert explorer.locator(".widget-dropdown", has_text="matrix of").locator("select").input_value() == "coronal"
    assert "20 coronal slices counted from posterior to anterior" in explorer.locator("img").get_attribute("title")
    assert page.errors() == [] and page.outside == [] and page.crashes == []
