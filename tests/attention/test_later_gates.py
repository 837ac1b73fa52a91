"""Efficient channel attention and coordinate attention: what tells them from the gates they came after."""

from __future__ import annotations

import pytest
import torch

from medattn_lite.attention import create
from medattn_lite.explain import capture_attention
from tests.attention.support import features, stirred


def moved(before: torch.Tensor, after: torch.Tensor) -> list[int]:
    """Channels whose gate moved."""
    return torch.nonzero((before - after).abs().flatten(2).amax(dim=2)[0] > 1e-7).flatten().tolist()


def gates_of(block: torch.nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    with capture_attention(block) as maps, torch.no_grad():
        block(x)
    return [one.values for one in maps.values()]


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_a_gate_of_eca_hears_its_neighbours_and_one_of_se_hears_all(spatial_dims: int) -> None:
    x = features(spatial_dims, batch=1)
    louder = x.clone()
    louder[:, 6] += 1.0
    heard = {}
    for name, options in {"eca": {"kernel_size": 3}, "se": {"reduction": 2}}.items():
        block = stirred(create(name, 16, spatial_dims=spatial_dims, **options))
        heard[name] = moved(gates_of(block, x)[0], gates_of(block, louder)[0])
    assert heard["eca"] == [5, 6, 7]
    assert heard["se"] == list(range(16))


def test_eca_has_as_many_weights_as_its_kernel_and_se_many_more() -> None:
    weights = {
        name: sum(parameter.numel() for parameter in create(name, 512, spatial_dims=3).parameters())
        for name in ("eca", "se")
    }
    assert weights == {"eca": 5, "se": 2 * 512 * 32 + 512 + 32}


@pytest.mark.parametrize(("spatial_dims", "axes"), [(2, ("height", "width")), (3, ("depth", "height", "width"))])
def test_coordinate_attention_has_one_gate_for_each_axis_and_channel(spatial_dims: int, axes: tuple[str, ...]) -> None:
    block, x = stirred(create("coordinate", 16, spatial_dims=spatial_dims)).eval(), features(spatial_dims)
    with capture_attention(block) as maps:
        output = block(x)
    assert list(maps) == [f"gates.{axis}" for axis in axes]
    product = x
    for dim, captured in enumerate(maps.values(), start=2):
        sides = [x.shape[dim] if other == dim else 1 for other in range(2, x.dim())]
        assert captured.kind == "channel×position" and captured.values.shape == (2, 16, *sides)
        product = product * captured.values
    torch.testing.assert_close(output, product)


def test_coordinate_attention_tells_places_apart_where_a_channel_gate_cannot() -> None:
    x = features(2, batch=1)
    rolled = x.roll(1, dims=2)
    se, coordinate = (stirred(create(name, 16, spatial_dims=2)).eval() for name in ("se", "coordinate"))
    torch.testing.assert_close(*(gates_of(se, one)[0] for one in (x, rolled)))
    (height, width), (height_rolled, width_rolled) = (gates_of(coordinate, one) for one in (x, rolled))
    torch.testing.assert_close(height.roll(1, dims=2), height_rolled)
    torch.testing.assert_close(width, width_rolled)
    assert (height - height_rolled).abs().max() > 1e-3


def test_the_hidden_layer_of_coordinate_attention_has_at_least_eight_channels() -> None:
    assert create("coordinate", 64, spatial_dims=2).shared[0].out_channels == 8
    assert create("coordinate", 512, spatial_dims=3).shared[0].out_channels == 16
    assert create("coordinate", 64, spatial_dims=2, reduction=2).shared[0].out_channels == 32
