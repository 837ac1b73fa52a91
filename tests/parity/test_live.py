"""Blocks equal the libraries that have them, with weights copied over."""

from __future__ import annotations

import pytest
import torch

from medattn_lite.attention.eca import adaptive_kernel_size
from tests.parity import formulae
from tests.parity.live import LIVE, LIVE_LIMIT
from tests.parity.table import Row, markdown


@pytest.mark.parametrize("name", LIVE)
def test_block_equals_the_library(name: str) -> None:
    output, gradient = LIVE[name][2]()
    assert output <= LIVE_LIMIT
    assert gradient <= LIVE_LIMIT


@pytest.mark.parametrize(("channels", "size"), [(1, 1), (16, 3), (64, 3), (128, 5), (256, 5), (512, 5), (2048, 7)])
def test_the_kernel_of_eca_grows_as_the_paper_says(channels: int, size: int) -> None:
    assert adaptive_kernel_size(channels) == formulae.kernel_size(channels) == size


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_the_formulas_would_notice_a_wrong_block(spatial_dims: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(torch.nn.Conv1d, "forward", lambda self, x: x.flip(1) * self.weight.sum())
        assert max(formulae.eca_difference(spatial_dims)) > 1e-2
    with monkeypatch.context() as patch:
        patch.setattr(torch.nn.Hardswish, "forward", lambda self, x: torch.relu(x))
        assert max(formulae.coordinate_difference(spatial_dims)) > 1e-3


def test_table_marks_what_does_not_hold() -> None:
    text = markdown([Row("a", "Block", "theirs", output=1e-6, gradient=2e-3, limit=1e-4, parameters=1234)])
    assert "| 1,234 | 1.0e-06 | 2.0e-03 | 1e-04 | NO |" in text


def test_table_says_how_a_gradient_was_settled() -> None:
    row = Row("a", "Block", "theirs", 1e-6, 3e-6, 1e-3, gradient_as_computed=5e-3, undecided=2)
    assert "[1] a: 5.0e-03 as computed. 2 ReLU inputs" in markdown([row])
