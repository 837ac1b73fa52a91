"""Integrated gradients and occlusion: what a linear network must give, complete, and within little memory."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from medattn_lite.errors import UserError
from medattn_lite.explain.methods import attribution
from medattn_lite.explain.methods.attribution import darkest, integrated_gradients, occlusion
from medattn_lite.explain.methods.registry import explain_image
from medattn_lite.explain.model.targets import ClassLogit, RegionSum
from tests.explain.nets import Small, Voxelwise

SIZE = {2: (9, 7), 3: (5, 9, 7)}
TARGET = ClassLogit(0)


class Weighted(nn.Module):
    """y = Σ w x, and how many images came at once."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.weight, self.most = nn.Parameter(weight), 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.most = max(self.most, len(x))
        return (x * self.weight).flatten(1).sum(1, keepdim=True)


@pytest.mark.parametrize("dims", [2, 3])
def test_a_linear_network_s_voxels_add_their_weight_times_their_brightness(dims: int) -> None:
    x, weight = torch.randn(2, 3, *SIZE[dims]), torch.randn(3, *SIZE[dims])
    wanted = ((x - darkest(x)) * weight).sum(dim=1)
    values, missed = integrated_gradients(Weighted(weight), x, target=TARGET, steps=2)
    assert torch.allclose(values, wanted, atol=1e-5) and missed.abs().max() < 1e-4
    hidden = occlusion(Weighted(weight), x, target=TARGET, window=1)
    assert torch.allclose(hidden, wanted, atol=1e-4)


def test_occlusion_gives_each_voxel_the_mean_over_the_windows_that_hold_it() -> None:
    x, weight = torch.randn(1, 1, 6, 5), torch.randn(1, 6, 5)
    values = occlusion(Weighted(weight), x, target=TARGET, window=(2, 3), stride=(1, 1))
    lost = ((x - darkest(x)) * weight)[0, 0]
    total, count = torch.zeros(6, 5), torch.zeros(6, 5)
    for top in range(5):
        for left in range(3):
            window = (slice(top, top + 2), slice(left, left + 3))
            total[window] += lost[window].sum()
            count[window] += 1
    assert torch.allclose(values[0], total / count, atol=1e-5)


@pytest.mark.parametrize("dims", [2, 3])
def test_integrated_gradients_add_up_to_the_difference_from_the_dark_image(dims: int) -> None:
    torch.manual_seed(0)
    network, x = Small(dims).eval(), torch.randn(2, 2, *SIZE[dims])
    values, missed = integrated_gradients(network, x, target=ClassLogit(2), steps=64)
    with torch.no_grad():
        difference = network(x)[:, 2] - network(darkest(x))[:, 2]
    assert torch.allclose(values.flatten(1).sum(1) - missed, difference, atol=1e-5)
    assert (missed.abs() < 0.02 * difference.abs()).all()


def test_integrated_gradients_with_too_few_steps_are_said_to_be_incomplete() -> None:
    class Steep(Weighted):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) ** 8

    network, x = Steep(torch.rand(1, 4, 4)), torch.rand(2, 1, 4, 4)
    coarse = explain_image(network, x, method="integrated gradients", steps=1)
    fine = explain_image(network, x, method="integrated gradients", steps=16)
    assert coarse.note.startswith("image 0, 1: ") and "raise steps" in coarse.note and fine.note == ""


def test_the_baseline_is_each_channel_s_darkest_value() -> None:
    x = torch.randn(2, 3, 4, 5, 6)
    start = darkest(x)
    assert start.shape == x.shape
    assert all((start[b, c] == x[b, c].min()).all() for b in range(2) for c in range(3))


@pytest.mark.parametrize("method", ["integrated gradients", "occlusion"])
def test_no_more_images_at_once_than_memory_allows(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network, x = Weighted(torch.randn(2, 8, 8)), torch.randn(3, 2, 8, 8)
    whole = explain_image(network, x, method=method)
    assert network.most > 3
    monkeypatch.setattr(attribution, "AT_ONCE", 3 * 2 * 64)
    network.most = 0
    in_parts = explain_image(network, x, method=method)
    assert network.most == 3
    assert torch.allclose(whole.values, in_parts.values, atol=1e-5)


def test_a_region_is_asked_about_the_same_voxels_while_the_image_changes() -> None:
    """Two classes with logits x and −x: the predicted region is where x > 0, and it must stay there."""
    network = Voxelwise([1.0], [[-1.0], [1.0]])
    x = torch.randn(1, 1, 4, 5, 6)
    inside = (x > 0)[:, 0]
    values, _ = integrated_gradients(network, x, target=RegionSum(1).fixed(network(x)), steps=8)
    assert torch.allclose(values, (x - darkest(x))[:, 0] * inside, atol=1e-5)
    lost = explain_image(network, x, method="occlusion", target=RegionSum(1), window=1)
    assert torch.allclose(lost.values, (x - darkest(x))[:, 0] * inside, atol=1e-5)


def test_each_image_of_a_batch_is_asked_about_its_own_region() -> None:
    network, x = Voxelwise([1.0], [[-1.0], [1.0]]), torch.randn(2, 1, 3, 4, 5)
    for method, options in (("integrated gradients", {"steps": 4}), ("occlusion", {"window": 2}), ("Grad-CAM", {})):
        layer = {"layer": "layer"} if method == "Grad-CAM" else {}
        together = explain_image(network, x, method=method, target=RegionSum(1), **layer, **options)
        alone = explain_image(network, x[1:], method=method, target=RegionSum(1), **layer, **options)
        assert torch.allclose(together.values[1], alone.values[0], atol=1e-5)


def test_what_stands_beside_the_image_goes_into_every_pass() -> None:
    class Beside(Weighted):
        def forward(self, x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
            return super().forward(x) * factor

    network, x = Beside(torch.randn(1, 6, 6)), torch.randn(2, 1, 6, 6)
    for method in ("integrated gradients", "occlusion"):
        one = explain_image(network, x, method=method, extra_inputs=[torch.tensor([[1.0], [1.0]])]).values
        two = explain_image(network, x, method=method, extra_inputs=[torch.tensor([[1.0], [3.0]])]).values
        assert torch.allclose(two, one * torch.tensor([1.0, 3.0]).reshape(2, 1, 1), atol=1e-4)


@pytest.mark.parametrize("options", [{"window": 0}, {"window": (2, 2, 2)}, {"window": (2, 9)},
                                     {"window": 2, "stride": (3, 1)}])
def test_a_window_that_does_not_fit_is_a_mistake_of_one_line(options: dict) -> None:
    with pytest.raises(UserError, match="voxels along"):
        occlusion(Weighted(torch.ones(1, 8, 8)), torch.randn(1, 1, 8, 8), target=TARGET, **options)
    with pytest.raises(UserError, match="at least one step"):
        integrated_gradients(Weighted(torch.ones(1, 8, 8)), torch.randn(1, 1, 8, 8), target=TARGET, steps=0)
