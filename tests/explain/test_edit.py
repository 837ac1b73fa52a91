"""Edited attention maps: what is put in a map's place is what the network gets, and only inside the block."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from medattn_lite.attention import CBAM, SqueezeExcitation
from medattn_lite.errors import UserError
from medattn_lite.explain import (
    CHANNEL_EDITS,
    PLACE_EDITS,
    SHARE_EDITS,
    SLICE_EDITS,
    WEIGHT_EDITS,
    edited_maps,
    under_edits,
)


def _two_blocks() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(SqueezeExcitation(8, reduction=2), CBAM(8, reduction=2)).eval()


def test_the_edited_map_is_what_multiplies_the_features() -> None:
    block, x = SqueezeExcitation(8, reduction=2), torch.randn(2, 8, 5, 4)
    with edited_maps(block, lambda gate: torch.full_like(gate, 0.25)):
        torch.testing.assert_close(block(x), 0.25 * x)


def test_the_model_is_as_before_after_the_block_and_after_an_exception() -> None:
    model, x = _two_blocks(), torch.randn(2, 8, 5, 4)
    before = model(x)
    with pytest.raises(ZeroDivisionError), edited_maps(model, torch.zeros_like):
        assert not torch.equal(model(x), before)
        raise ZeroDivisionError
    torch.testing.assert_close(model(x), before)


def test_only_the_chosen_kind_and_layer_are_edited() -> None:
    model, seen = _two_blocks(), []

    def note(values: torch.Tensor) -> torch.Tensor:
        seen.append(tuple(values.shape))
        return values

    with edited_maps(model, note) as count:
        model(torch.randn(2, 8, 5, 4))
    assert count == 3 and len(seen) == 3
    seen.clear()
    with edited_maps(model, note, kind="spatial") as count:
        model(torch.randn(2, 8, 5, 4))
    assert count == 1 and seen == [(2, 1, 5, 4)]
    seen.clear()
    with edited_maps(model, note, kind="channel", layer="1.channel") as count:
        model(torch.randn(2, 8, 5, 4))
    assert count == 1 and seen == [(2, 8, 1, 1)]


def test_gradients_flow_through_an_edited_map() -> None:
    block, x = SqueezeExcitation(8, reduction=2), torch.randn(2, 8, 5, 4)
    with edited_maps(block, lambda gate: gate.mean(dim=0, keepdim=True).expand_as(gate)):
        block(x).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in block.parameters())


@pytest.mark.parametrize(
    ("options", "words"),
    [({"kind": "colour"}, "no kind of attention map"), ({"kind": "split"}, "no attention map of kind 'split'"),
     ({"layer": "7.gate"}, "no attention map of name '7.gate'")],
)
def test_a_map_that_is_not_there_is_named(options: dict, words: str) -> None:
    with pytest.raises(UserError, match=words), edited_maps(_two_blocks(), torch.ones_like, **options):
        pass


def test_a_map_of_another_shape_is_refused() -> None:
    model = _two_blocks()
    with pytest.raises(UserError, match="'0.gate' is"), edited_maps(model, lambda gate: gate.mean(), layer="0.gate"):
        model(torch.randn(2, 8, 5, 4))


def test_under_edits_measures_once_per_edit_and_leaves_the_model_as_it_was() -> None:
    model, x = _two_blocks(), torch.rand(4, 8, 5, 4)
    before = model(x)
    outputs = under_edits(
        model, {"own": lambda gates: gates, "shut": torch.zeros_like}, lambda: model(x), kind="channel"
    )
    assert list(outputs) == ["own", "shut"]
    torch.testing.assert_close(outputs["own"], before)
    assert not outputs["shut"].any()
    torch.testing.assert_close(model(x), before)


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 1, 1), (4, 6, 1, 1, 1)])
def test_each_edit_of_channel_gates_takes_away_what_its_name_says(shape: tuple[int, ...]) -> None:
    gates = torch.rand(*shape, generator=torch.Generator().manual_seed(0))
    edited = {name: edit(gates) for name, edit in CHANNEL_EDITS.items()}
    assert all(gate.shape == gates.shape for gate in edited.values())
    torch.testing.assert_close(edited["unchanged"], gates)
    torch.testing.assert_close(edited["frozen"][3], gates.mean(dim=0))
    torch.testing.assert_close(edited["another image's"][0], gates[2])
    assert set(edited["all one half"].flatten().tolist()) == {0.5}
    assert set(edited["open"].flatten().tolist()) == {1.0}
    shuffled = edited["channels shuffled"]
    assert not torch.equal(shuffled, gates)
    torch.testing.assert_close(shuffled.sort(dim=1).values, gates.sort(dim=1).values)


@pytest.mark.parametrize("shape", [(2, 1, 4, 6), (2, 1, 4, 6, 2)])
def test_each_edit_of_maps_of_places_takes_away_what_its_name_says(shape: tuple[int, ...]) -> None:
    maps = torch.rand(*shape, generator=torch.Generator().manual_seed(0))
    edited = {name: edit(maps) for name, edit in PLACE_EDITS.items()}
    assert all(changed.shape == maps.shape for changed in edited.values())
    torch.testing.assert_close(edited["unchanged"], maps)
    torch.testing.assert_close(edited["flat"][1].unique(), maps[1].mean().reshape(1))
    torch.testing.assert_close(edited["shifted"][:, :, 2, 3], maps[:, :, 0, 0].roll(shape[-1] // 2, -1)
                               if len(shape) == 5 else maps[:, :, 0, 0])


def test_each_edit_of_shares_keeps_their_sum_and_takes_away_what_its_name_says() -> None:
    shares = torch.rand(4, 3, 5, generator=torch.Generator().manual_seed(0)).softmax(dim=1)
    edited = {name: edit(shares) for name, edit in SHARE_EDITS.items()}
    for values in edited.values():
        torch.testing.assert_close(values.sum(dim=1), torch.ones(4, 5))
    torch.testing.assert_close(edited["unchanged"], shares)
    torch.testing.assert_close(edited["even"], torch.full((4, 3, 5), 1 / 3))
    torch.testing.assert_close(edited["frozen"][2], shares.mean(dim=0))
    torch.testing.assert_close(edited["another image's"][3], shares[1])
    torch.testing.assert_close(edited["swapped"][:, 0], shares[:, 2])


def test_each_edit_of_gates_by_slice_takes_away_what_its_name_says() -> None:
    gates = torch.rand(4, 3, 5, 1, 1, generator=torch.Generator().manual_seed(0))
    edited = {name: edit(gates) for name, edit in SLICE_EDITS.items()}
    assert all(gate.shape == gates.shape for gate in edited.values())
    torch.testing.assert_close(edited["unchanged"], gates)
    torch.testing.assert_close(edited["the same in every slice"][:, :, 4], gates.mean(dim=2))
    torch.testing.assert_close(edited["upside down"][:, :, 0], gates[:, :, 4])
    torch.testing.assert_close(edited["another volume's"][1], gates[3])
    assert set(edited["all one half"].flatten().tolist()) == {0.5}


def test_each_edit_of_weights_takes_away_what_its_name_says() -> None:
    weights = torch.rand(4, 6, 6, generator=torch.Generator().manual_seed(0)).softmax(dim=-1)
    edited = {name: edit(weights) for name, edit in WEIGHT_EDITS.items()}
    for name in ("unchanged", "even", "shifted", "another image's"):
        torch.testing.assert_close(edited[name].sum(dim=-1), torch.ones(4, 6))
    torch.testing.assert_close(edited["unchanged"], weights)
    torch.testing.assert_close(edited["even"], torch.full((4, 6, 6), 1 / 6))
    torch.testing.assert_close(edited["shifted"][..., 3], weights[..., 0])
    torch.testing.assert_close(edited["another image's"][0], weights[2])
    assert not edited["off"].any()
