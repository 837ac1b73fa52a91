"""Checkpoints: whole, without pickle, and refused where they do not fit."""

from __future__ import annotations

import io
import pickletools

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from medattn_lite.errors import UserError
from medattn_lite.training.checkpoint import load_state, load_weights, save_state, save_weights
from medattn_lite.training.run import remedy_for


def network(width: int = 4) -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, width, 3), nn.BatchNorm2d(width), nn.Flatten(), nn.LazyLinear(2))


def trained(optimiser: type, **options):
    torch.manual_seed(0)
    model = network()
    model(torch.randn(3, 1, 8, 8))
    its_optimiser = optimiser(model.parameters(), lr=0.1, **options)
    for _ in range(3):
        its_optimiser.zero_grad()
        model(torch.randn(3, 1, 8, 8)).square().sum().backward()
        its_optimiser.step()
    return model, its_optimiser


@pytest.mark.parametrize(
    ("optimiser", "options"),
    [(torch.optim.Adam, {}), (torch.optim.AdamW, {"amsgrad": True}), (torch.optim.SGD, {"momentum": 0.9}),
     (torch.optim.SGD, {})],
)  # fmt: skip
def test_network_and_optimiser_come_back_as_they_were(tmp_path, optimiser, options):
    model, its_optimiser = trained(optimiser, **options)
    save_state(model, its_optimiser, tmp_path / "state.safetensors", iteration=3)
    torch.manual_seed(9)
    other = network()
    other(torch.randn(3, 1, 8, 8))
    fresh = optimiser(other.parameters(), lr=0.5, **options)
    assert load_state(other, fresh, tmp_path / "state.safetensors") == {"iteration": 3}
    image = torch.randn(3, 1, 8, 8)
    for network_, optimiser_ in ((model, its_optimiser), (other, fresh)):
        optimiser_.zero_grad()
        network_(image).square().sum().backward()
        optimiser_.step()
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name
    assert fresh.param_groups[0]["lr"] == 0.1


def test_a_checkpoint_holds_no_pickle(tmp_path):
    model, its_optimiser = trained(torch.optim.Adam)
    path = tmp_path / "state.safetensors"
    save_state(model, its_optimiser, path, iteration=3)
    assert any(name.startswith("model.") for name in load_file(path))
    with pytest.raises(ValueError):
        pickletools.dis(path.read_bytes(), out=io.StringIO())


def test_what_was_read_lies_in_memory_and_not_in_the_file(tmp_path):
    """Else Windows, which replaces no file that is mapped, could not save the next state of a run that goes on."""
    model, its_optimiser = trained(torch.optim.Adam)
    path = tmp_path / "state.safetensors"
    save_state(model, its_optimiser, path, iteration=3)
    fresh = torch.optim.Adam(model.parameters())
    load_state(model, fresh, path)
    before = [entry["exp_avg"].clone() for entry in fresh.state.values()]
    with path.open("r+b") as file:  # in its place, as no code of ours does: a mapped tensor would change
        file.write(bytes([255]) * path.stat().st_size)
    assert before and all(torch.equal(old, new["exp_avg"])
                          for old, new in zip(before, fresh.state.values(), strict=True))  # fmt: skip


def test_a_save_that_is_cut_leaves_the_one_before(tmp_path, monkeypatch):
    model, _ = trained(torch.optim.Adam)
    path = tmp_path / "last.safetensors"
    save_weights(model, path, iteration=1)
    before = path.read_bytes()

    def fails(tensors, name, metadata):
        name.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr("safetensors.torch.save_file", fails)
    with pytest.raises(OSError, match="disk full"):
        save_weights(model, path, iteration=2)
    assert path.read_bytes() == before


def test_what_does_not_fit_is_named_in_one_line(tmp_path):
    model, its_optimiser = trained(torch.optim.Adam)
    path = tmp_path / "last.safetensors"
    save_weights(model, path)
    wide = network(8)
    wide(torch.randn(1, 1, 8, 8).expand(2, 1, 8, 8))
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(path.read_bytes()[:100])
    for action, message in (
        (lambda: load_weights(wide, path), "belongs to another network"),
        (lambda: load_weights(model, damaged), "damaged"),
        (lambda: load_weights(model, tmp_path / "none.safetensors"), "train anew"),
        (lambda: load_state(model, its_optimiser, path), "holds no state"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            action()
        assert "\n" not in str(caught.value)


def test_one_bit_turned_over_in_weights_or_facts_is_noticed(tmp_path):
    model, _ = trained(torch.optim.Adam)
    path = tmp_path / "fold-0" / "last.safetensors"
    save_weights(model, path, iteration=7)
    good = path.read_bytes()
    for place in (len(good) - 1, len(good) // 2, good.index(b"iteration") + 12):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        with pytest.raises(UserError, match=rf"damaged.*delete {path.parent} and run the same medattn train again"):
            load_weights(model, path, remedy=remedy_for(path))
    path.write_bytes(good)
    assert load_weights(model, path) == {"iteration": 7}
    with pytest.raises(UserError, match="there is no checkpoint"):
        load_weights(model, path.with_name("none.safetensors"))
