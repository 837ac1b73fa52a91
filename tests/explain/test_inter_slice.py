"""Claims about reading the gates of inter-slice attention, making slices alike and closing one."""

from __future__ import annotations

import pytest
import torch

from medattn_lite.errors import UserError
from medattn_lite.explain.attention.inter_slice import move_towards_mean, read_inter_slice, slice_gates
from medattn_lite.networks.p3d import P3DResNet
from medattn_lite.training import predict_probabilities
from tests.widgets.conftest import make_grader, make_volumes

LAYER = "layer1.0.iam.channel"


def test_there_is_a_gate_for_each_channel_of_each_slice_of_each_block():
    gates = slice_gates(make_grader(), make_volumes()[0])
    assert {name: values.shape for name, values in gates.items()} == {
        "layer1.0.iam.channel": (3, 32, 4), "layer2.0.iam.channel": (3, 64, 2),
        "layer3.0.iam.channel": (3, 128, 1), "layer4.0.iam.channel": (3, 256, 1),
    }  # fmt: skip
    assert all(0 < values.min() and values.max() < 1 for values in gates.values())


def test_gates_do_not_depend_on_how_the_volumes_are_batched():
    model = make_grader()
    volumes = torch.cat([make_volumes()[0]] * 4)
    whole, one = slice_gates(model, volumes)[LAYER][10], slice_gates(model, volumes[10:11])[LAYER][0]
    assert torch.allclose(whole, one, atol=1e-6)


def test_without_inter_slice_attention_there_are_no_gates_and_nothing_to_read():
    plain = P3DResNet(in_channels=2, num_classes=2, layers=(1, 1, 1, 1), width=8, attention=False)
    assert slice_gates(plain, make_volumes()[0]) == {}
    with pytest.raises(UserError, match="no attention map"):
        read_inter_slice(plain, make_volumes()[0][:1], LAYER)


def test_a_reading_without_a_change_is_the_network_as_it_is():
    model, (volumes, _) = make_grader(), make_volumes()
    reading = read_inter_slice(model, volumes[1:2], LAYER)
    assert torch.allclose(reading.probabilities, predict_probabilities(model, volumes[1:2])[0], atol=1e-6)
    assert torch.allclose(reading.gates[LAYER], slice_gates(model, volumes)[LAYER][1], atol=1e-6)
    assert reading.spatial.shape == volumes.shape[2:]
    assert reading.extents[LAYER] == (-1.5, 14.5)  # four slices, a stride of four: voxels 0, 4, 8, 12 in the middle


def test_alike_keeps_a_channels_mean_and_takes_its_differences():
    gates = torch.rand(2, 3, 4, 1, 1, generator=torch.Generator().manual_seed(0))
    same = move_towards_mean(gates, 1.0)
    assert torch.allclose(same.mean(2), gates.mean(2))
    assert torch.allclose(same.std(2), torch.zeros(2, 3, 1, 1), atol=1e-6)
    assert torch.equal(move_towards_mean(gates, 0.0), gates)
    assert torch.allclose(move_towards_mean(gates, 0.5).std(2), 0.5 * gates.std(2))


def test_closing_a_slice_closes_it_in_one_block_and_moves_the_prediction():
    model, image = make_grader(), make_volumes()[0][:1]
    plain, closed = read_inter_slice(model, image, LAYER), read_inter_slice(model, image, LAYER, closed=1)
    assert not closed.gates[LAYER][:, 1].any()
    assert torch.allclose(closed.gates[LAYER][:, [0, 2, 3]], plain.gates[LAYER][:, [0, 2, 3]])
    assert (closed.probabilities - plain.probabilities).abs().max() > 1e-5


def test_a_reading_leaves_the_model_as_it_was():
    model, image = make_grader().train(), make_volumes()[0][:1]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    read_inter_slice(model, image, LAYER, towards_mean=1.0, closed=0)
    assert model.training and all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"layer": "layer9.0.iam.channel"}, "choose one of layer1.0.iam.channel"),
     ({"closed": 4}, "slices 0 to 3; cannot close 4"), ({"image": torch.zeros(1, 2, 16, 16)}, "one volume")],
)  # fmt: skip
def test_what_cannot_be_read_is_said(wrong, words):
    options = {"image": make_volumes()[0][:1], "layer": LAYER} | wrong
    with pytest.raises(UserError, match=words):
        read_inter_slice(make_grader(), **options)
