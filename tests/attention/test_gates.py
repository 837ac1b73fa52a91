"""Squeeze-and-excitation, CBAM, inter-slice and split attention against their formulas and against usual mistakes."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from medattn_lite.attention import (
    CBAM,
    ChannelAttention,
    InterSliceAttention,
    SpatialAttention,
    SplitAttention,
    SqueezeExcitation,
)
from tests.attention.support import features, stirred


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture
def squeeze_excitation() -> SqueezeExcitation:
    torch.manual_seed(0)
    return stirred(SqueezeExcitation(16, reduction=4))


def excite(block: SqueezeExcitation, squeezed: torch.Tensor, *, relu=torch.relu, sigmoid=torch.sigmoid) -> torch.Tensor:
    gate = block.gate
    hidden = relu(F.linear(squeezed, gate.reduce.weight, gate.reduce.bias))
    return sigmoid(F.linear(hidden, gate.expand.weight, gate.expand.bias))[..., None, None]


def test_squeeze_excitation_is_its_formula(squeeze_excitation: SqueezeExcitation) -> None:
    x = features(2)
    torch.testing.assert_close(squeeze_excitation(x), x * excite(squeeze_excitation, x.mean(dim=(2, 3))))


def test_usual_mistakes_in_squeeze_excitation_change_the_result(squeeze_excitation: SqueezeExcitation) -> None:
    x = features(2)
    right = squeeze_excitation(x)
    same = torch.nn.Identity()
    mistakes = {
        "no sigmoid": x * excite(squeeze_excitation, x.mean(dim=(2, 3)), sigmoid=same),
        "no relu": x * excite(squeeze_excitation, x.mean(dim=(2, 3)), relu=same),
        "maximum instead of mean": x * excite(squeeze_excitation, x.amax(dim=(2, 3))),
        "added instead of multiplied": x + excite(squeeze_excitation, x.mean(dim=(2, 3))),
        "softmax over channels": x * excite(squeeze_excitation, x.mean(dim=(2, 3)), sigmoid=lambda v: v.softmax(-1)),
    }
    for mistake, wrong in mistakes.items():
        assert (wrong - right).abs().max() > 1e-2, mistake


def test_squeeze_excitation_has_the_published_number_of_parameters() -> None:
    assert count(SqueezeExcitation(256)) == 2 * 256 * 16 + 16 + 256
    assert count(SqueezeExcitation(256, bias=False)) == 2 * 256 * 16


def test_the_same_gate_serves_two_and_three_dimensions(squeeze_excitation: SqueezeExcitation) -> None:
    volume = SqueezeExcitation(16, reduction=4, spatial_dims=3)
    volume.load_state_dict(squeeze_excitation.state_dict())
    x = features(2)
    torch.testing.assert_close(volume(x.unsqueeze(2)).squeeze(2), squeeze_excitation(x))


def test_channel_attention_shares_one_mlp_between_mean_and_maximum() -> None:
    torch.manual_seed(0)
    gate = stirred(ChannelAttention(16, reduction=4))
    x = features(2)
    logits = gate.mlp(x.mean(dim=(2, 3))) + gate.mlp(x.amax(dim=(2, 3)))
    torch.testing.assert_close(gate(x), torch.sigmoid(logits)[..., None, None])
    assert count(gate) == 2 * 16 * 4 + 4 + 16
    only_mean = torch.sigmoid(gate.mlp(x.mean(dim=(2, 3))))[..., None, None]
    before_sum = torch.sigmoid(gate.mlp(x.mean(dim=(2, 3)))) + torch.sigmoid(gate.mlp(x.amax(dim=(2, 3))))
    assert (gate(x) - only_mean).abs().max() > 1e-2
    assert (gate(x) - before_sum[..., None, None]).abs().max() > 1e-2


@pytest.mark.parametrize("order", ["max-mean", "mean-max"])
def test_spatial_attention_is_its_formula(order: str) -> None:
    torch.manual_seed(0)
    gate = stirred(SpatialAttention(kernel_size=3, norm=False, pool_order=order))
    x = features(2)
    pools = [x.amax(dim=1, keepdim=True), x.mean(dim=1, keepdim=True)]
    pools = pools if order == "max-mean" else pools[::-1]
    expected = torch.sigmoid(F.conv2d(torch.cat(pools, dim=1), gate.convolution.weight, padding=1))
    torch.testing.assert_close(gate(x), expected)
    swapped = torch.sigmoid(F.conv2d(torch.cat(pools[::-1], dim=1), gate.convolution.weight, padding=1))
    assert (gate(x) - swapped).abs().max() > 1e-2


def test_turning_the_spatial_kernel_round_turns_one_pool_order_into_the_other() -> None:
    torch.manual_seed(0)
    official, paper = SpatialAttention(norm=False), SpatialAttention(norm=False, pool_order="mean-max")
    with torch.no_grad():
        paper.convolution.weight.copy_(official.convolution.weight.flip(1))
    torch.testing.assert_close(paper(features(2)), official(features(2)))


def test_cbam_looks_for_places_after_the_channels_are_weighted() -> None:
    torch.manual_seed(0)
    block = stirred(CBAM(16, reduction=4, kernel_size=3)).eval()
    x = features(2)
    weighted = x * block.channel(x)
    torch.testing.assert_close(block(x), weighted * block.spatial(weighted))
    in_parallel = x * block.channel(x) * block.spatial(x)
    assert (block(x) - in_parallel).abs().max() > 1e-2


def test_spatial_norm_has_the_authors_momentum() -> None:
    assert CBAM(16).spatial.norm.momentum == 0.01
    assert isinstance(CBAM(16, spatial_norm=False).spatial.norm, torch.nn.Identity)


@pytest.mark.parametrize("options", [{"norm": True}, {"norm": False, "bias": True}])
@pytest.mark.parametrize("gate", [0.5, 0.98])
def test_spatial_attention_starts_where_it_is_told(options: dict, gate: float) -> None:
    block = SpatialAttention(initial_gate=gate, **options).eval()
    torch.testing.assert_close(block(features(2)), torch.full((2, 1, 7, 5), gate))


def test_without_a_told_start_the_spatial_gate_is_not_flat() -> None:
    torch.manual_seed(0)
    assert SpatialAttention(norm=False)(features(2)).std() > 1e-3


def test_inter_slice_attention_is_its_formula() -> None:
    torch.manual_seed(0)
    block = stirred(InterSliceAttention(16, reduction=4))
    x = features(3)
    channel = block.channel
    squeezed = x.mean(dim=(3, 4), keepdim=True)
    hidden = F.relu(F.conv3d(squeezed, channel.reduce.weight, channel.reduce.bias, padding=(1, 0, 0)))
    gate = torch.sigmoid(F.conv3d(hidden, channel.expand.weight, channel.expand.bias, padding=(1, 0, 0)))
    assert gate.shape == (2, 16, 5, 1, 1)
    weighted = x * gate
    spatial = block.spatial.convolution
    place = torch.sigmoid(F.conv3d(weighted.mean(dim=1, keepdim=True), spatial.weight, spatial.bias, padding=1))
    torch.testing.assert_close(block(x), weighted * place)


def test_the_inter_slice_gate_looks_at_neighbouring_slices_only() -> None:
    torch.manual_seed(0)
    gate = stirred(InterSliceAttention(16, reduction=4)).channel
    x = torch.randn(1, 16, 9, 4, 4)
    changed = x.clone()
    changed[:, :, 8] += 5.0
    moved = (gate(changed) - gate(x)).abs().amax(dim=(0, 1, 3, 4))
    # Two 3×1×1 convolutions reach two slices far.
    assert (moved[6:] > 0).all()
    assert (moved[:6] == 0).all()


def test_both_readings_of_the_inter_slice_kernel_are_there() -> None:
    isotropic, flat = InterSliceAttention(16), InterSliceAttention(16, spatial_kernel=(3, 1, 3))
    assert isotropic.spatial.convolution.weight.numel() == 27
    assert flat.spatial.convolution.weight.numel() == 9


def test_sixteen_inter_slice_modules_cost_what_the_paper_network_gains() -> None:
    per_stage = {256: 3, 512: 4, 1024: 6, 2048: 3}
    assert sum(blocks * count(InterSliceAttention(channels)) for channels, blocks in per_stage.items()) == 7_561_328


def test_split_weights_sum_to_one_over_the_radix() -> None:
    torch.manual_seed(0)
    block = stirred(SplitAttention(18, 12, radix=3, groups=2)).eval()
    seen = []
    block.rsoftmax.register_forward_hook(lambda module, inputs, output: seen.append(output))
    block(features(2, channels=18))
    assert seen[0].shape == (2, 3, 12)
    torch.testing.assert_close(seen[0].sum(dim=1), torch.ones(2, 12))


def test_the_split_softmax_runs_over_the_radix_and_not_over_the_groups() -> None:
    torch.manual_seed(0)
    block = SplitAttention(18, 12, radix=3, groups=2)
    logits = torch.randn(2, 36, 1, 1)
    # In the authors' layout the groups come first, then the radix, then the channels of a group.
    expected = logits.reshape(2, 2, 3, 6).softmax(dim=2).transpose(1, 2).reshape(2, 3, 12)
    torch.testing.assert_close(block.rsoftmax(logits), expected)
    radix_first = logits.reshape(2, 3, 12).softmax(dim=1)
    assert (block.rsoftmax(logits) - radix_first).abs().max() > 1e-2


def test_radix_one_is_a_sigmoid_gate() -> None:
    torch.manual_seed(0)
    block = SplitAttention(16, 16, radix=1)
    logits = torch.randn(2, 16, 1, 1)
    torch.testing.assert_close(block.rsoftmax(logits).squeeze(1), torch.sigmoid(logits).flatten(1))


def test_split_attention_says_why_it_cannot_train_on_one() -> None:
    with pytest.raises(ValueError, match="cannot train on a batch of 1"):
        SplitAttention(16, 16).train()(features(2, batch=1))
    assert SplitAttention(16, 16, norm=False).train()(features(2, batch=1)).shape == (1, 16, 7, 5)


def test_cbam_gives_the_same_with_and_without_a_gradient_which_goes_to_one_of_equal_maxima() -> None:
    torch.manual_seed(0)
    block, x = stirred(CBAM(16, reduction=4, spatial_dims=3)).eval(), features(3)
    with torch.no_grad():
        expected = block(x)
    assert torch.equal(block(x.clone().requires_grad_()), expected)
    flat = torch.ones(1, 16, 3, 3, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(block.channel(flat).sum(), flat)
    mean = gradient[0, 0].flatten().sort().values[0]  # what every place gets by the mean
    assert ((gradient[0, 0] - mean).abs() > 1e-7).sum() == 1
