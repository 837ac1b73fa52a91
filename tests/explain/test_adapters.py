"""Attention of other libraries' networks: the maps that a hand computation gives, and nothing of the model changed."""

from __future__ import annotations

import copy
import inspect
import math
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medattn_lite.errors import UserError
from medattn_lite.explain import capture_attention, register_adapter
from medattn_lite.explain.attention.adapters import adapter_of
from medattn_lite.explain.attention.capture import has_attention


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def inputs_of(model: nn.Module, x: Tensor, layers: list[str]) -> dict[str, tuple]:
    """What layers were given, by hooks of the test's own."""
    seen: dict[str, tuple] = {}

    def keep(layer: str, module: nn.Module, inputs: tuple, options: dict) -> None:
        call = inspect.signature(module.forward).bind(*inputs, **options)
        seen[layer] = tuple(copy.deepcopy(list(call.arguments.values())))

    handles = [model.get_submodule(layer).register_forward_pre_hook(partial(keep, layer), with_kwargs=True)
               for layer in layers]  # fmt: skip
    with torch.no_grad():
        model(x)
    for handle in handles:
        handle.remove()
    return seen


def vit(**options):
    pytest.importorskip("einops", reason="MONAI's transformers need einops")
    from monai.networks.nets import ViT

    return ViT(1, (16, 24, 32), 8, hidden_size=24, mlp_dim=32, num_layers=2, num_heads=3, classification=True,
               num_classes=2, spatial_dims=3, qkv_bias=True, **options), torch.randn(2, 1, 16, 24, 32)  # fmt: skip


def unetr(**options):
    pytest.importorskip("einops", reason="MONAI's transformers need einops")
    from monai.networks.nets import UNETR

    model = UNETR(1, 2, (16, 16, 32), 4, hidden_size=24, mlp_dim=32, num_heads=3, **options)
    return model, torch.randn(1, 1, 16, 16, 32)


def swin(**options):
    pytest.importorskip("einops", reason="MONAI's transformers need einops")
    from monai.networks.nets import SwinUNETR

    return SwinUNETR(in_channels=1, out_channels=2, feature_size=12, depths=(2, 1, 1, 1), num_heads=(2, 3, 4, 6),
                     spatial_dims=2, **options), torch.randn(2, 1, 64, 128)  # fmt: skip


def by_hand_tokens(attention: nn.Module, x: Tensor) -> Tensor:
    """MONAI's SABlock: softmax(q kᵀ / √d), q and k the first two thirds of one linear layer."""
    heads, width = attention.num_heads, attention.dim_head
    q, k, _ = F.linear(x, attention.qkv.weight, attention.qkv.bias).chunk(3, dim=-1)
    q, k = (part.unflatten(-1, (heads, width)).transpose(1, 2) for part in (q, k))
    return (q @ k.mT / math.sqrt(width)).softmax(-1)


def by_hand_windows(attention: nn.Module, x: Tensor, mask: Tensor | None) -> Tensor:
    """Swin: softmax(q kᵀ / √d + B + mask), windows as parts of the batch."""
    q, k, _ = attention.qkv(x).unflatten(-1, (3, attention.num_heads, -1)).permute(2, 0, 3, 1, 4)
    n = x.shape[1]
    bias = attention.relative_position_bias_table[attention.relative_position_index[:n, :n].reshape(-1)]
    scores = q @ k.mT * attention.scale + bias.reshape(n, n, -1).permute(2, 0, 1)
    if mask is not None:
        scores = scores + mask.repeat(len(x) // len(mask), 1, 1)[:, None]
    return scores.softmax(-1)


@pytest.mark.parametrize("make", [vit, unetr])
def test_a_vit_s_heads_are_softmax_of_queries_and_keys(make) -> None:
    torch.manual_seed(0)
    model, x = make()
    model.eval()
    with torch.no_grad(), capture_attention(model) as maps:
        model(x)
    assert len(maps) == (2 if make is vit else 12) and all(one.kind == "query×key" for one in maps.values())
    for layer, (tokens, *_) in inputs_of(model, x, list(maps)).items():
        torch.testing.assert_close(maps[layer].values, by_hand_tokens(model.get_submodule(layer), tokens))
        assert maps[layer].axes == ("batch", "head", "query", "key")


def test_the_fused_kernel_of_monai_s_vit_is_seen_too() -> None:
    torch.manual_seed(0)
    plain, x = vit()
    plain.eval()
    with torch.no_grad(), capture_attention(plain) as wanted:
        plain(x)
    fused = copy.deepcopy(plain)
    for block in fused.blocks:
        block.attn.use_flash_attention = True
    with torch.no_grad():
        before = fused(x)[0]
        with capture_attention(fused) as maps:
            after = fused(x)[0]
    assert torch.equal(before, after), "the kernel itself must go on answering"
    assert list(maps) == list(wanted)
    for layer, captured in maps.items():
        torch.testing.assert_close(captured.values, wanted[layer].values)


def test_swin_unetr_s_windows_by_hand() -> None:
    torch.manual_seed(1)
    model, x = swin()
    model.eval()
    for module in model.modules():
        if hasattr(module, "relative_position_bias_table"):
            nn.init.normal_(module.relative_position_bias_table)
    with torch.no_grad(), capture_attention(model) as maps:
        model(x)
    assert len(maps) == 5
    seen, masked = inputs_of(model, x, list(maps)), 0
    for layer, captured in maps.items():
        tokens, mask = seen[layer]
        masked += mask is not None
        wanted = by_hand_windows(model.get_submodule(layer), tokens, mask)
        assert captured.axes == ("batch", "window", "head", "query", "key") and len(captured.values) == 2
        torch.testing.assert_close(captured.values.flatten(0, 1), wanted)
    assert masked, "one of the blocks is shifted"


@pytest.mark.parametrize("dims", [2, 3])
def test_attention_unet_s_gates_by_hand(dims: int) -> None:
    from monai.networks.nets import AttentionUnet

    torch.manual_seed(2)
    model, x = AttentionUnet(dims, 1, 2, (4, 8, 16), (2, 2)).eval(), torch.randn(2, 1, *(16, 24, 8)[:dims])
    with torch.no_grad(), capture_attention(model) as maps:
        model(x)
    assert len(maps) == 2 and all(one.kind == "spatial" for one in maps.values())
    convolve = {2: F.conv2d, 3: F.conv3d}[dims]

    def applied(pair: nn.Sequential, x: Tensor) -> Tensor:
        convolution, norm = pair[0].conv, pair[1]
        shape = (1, -1, *[1] * dims)
        y = convolve(x, convolution.weight, convolution.bias)
        y = (y - norm.running_mean.reshape(shape)) / (norm.running_var.reshape(shape) + norm.eps).sqrt()
        return y * norm.weight.reshape(shape) + norm.bias.reshape(shape)

    for layer, (gate, features) in inputs_of(model, x, list(maps)).items():
        block = model.get_submodule(layer)
        with torch.no_grad():
            wanted = applied(block.psi, (applied(block.W_g, gate) + applied(block.W_x, features)).relu()).sigmoid()
        torch.testing.assert_close(maps[layer].values, wanted)
        assert maps[layer].axes == ("batch", "channel", *("depth", "height", "width")[3 - dims :])


@pytest.mark.parametrize("name", ["SEResNet50", "SEResNext50"])
@pytest.mark.parametrize("dims", [2, 3])
def test_se_networks_gates_by_hand(name: str, dims: int) -> None:
    import monai.networks.nets

    torch.manual_seed(3)
    model = getattr(monai.networks.nets, name)(spatial_dims=dims, in_channels=1, num_classes=2, layers=(1, 1, 1, 1))
    model, x = model.eval(), torch.randn(2, 1, *[32] * dims)
    with torch.no_grad(), capture_attention(model) as maps:
        model(x)
    assert len(maps) == 4 and {one.kind for one in maps.values()} == {"channel"}
    for layer, (features,) in inputs_of(model, x, list(maps)).items():
        one, two = model.get_submodule(layer).fc[0], model.get_submodule(layer).fc[2]
        hidden = (features.flatten(2).mean(2) @ one.weight.T + one.bias).relu()
        wanted = (hidden @ two.weight.T + two.bias).sigmoid()
        torch.testing.assert_close(maps[layer].values.flatten(1), wanted)
        assert maps[layer].values.dim() == dims + 2 and maps[layer].axes[-1] == "width"


def heads_by_hand(attention: nn.MultiheadAttention, x: Tensor) -> Tensor:
    """softmax(q kᵀ / √d) of `nn.MultiheadAttention`, (B, H, N, N)."""
    q, k, _ = F.linear(x, attention.in_proj_weight, attention.in_proj_bias).chunk(3, dim=-1)
    q, k = (part.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2) for part in (q, k))
    return (q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1)


@pytest.mark.parametrize(("need", "average"), [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("gradients", [True, False])
def test_multi_head_attention_answers_its_caller_as_ever(need: bool, average: bool, gradients: bool) -> None:
    torch.manual_seed(4)
    attention, x = nn.MultiheadAttention(12, 3, batch_first=True).eval(), torch.randn(2, 5, 12)
    nn.init.normal_(attention.in_proj_bias)
    options = {"need_weights": need, "average_attn_weights": average}
    with torch.set_grad_enabled(gradients):
        before = attention(x, x, x, **options)
        with capture_attention(attention) as maps:
            after = attention(x, x, x, **options)
        with capture_attention(attention) as positional:
            attention(x, x, x, None, need, None, average)
    torch.testing.assert_close(after, before)
    wanted = heads_by_hand(attention, x)
    for captured in (maps, positional):
        torch.testing.assert_close(captured["MultiheadAttention"].values, wanted)
    assert hooks(attention) == 0


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("gradients", [True, False])
def test_a_transformer_encoder_leaves_its_fast_path_only_inside_the_block(norm_first: bool, gradients: bool) -> None:
    torch.manual_seed(5)
    layer = nn.TransformerEncoderLayer(12, 4, 24, batch_first=True, norm_first=norm_first)
    model, x = nn.TransformerEncoder(layer, 2, enable_nested_tensor=not norm_first).eval(), torch.randn(2, 5, 12)
    padding = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
    fast = torch.backends.mha.get_fastpath_enabled()
    with torch.set_grad_enabled(gradients):
        before = model(x, src_key_padding_mask=padding)
        with capture_attention(model) as maps:
            after = model(x, src_key_padding_mask=padding)
        again = model(x, src_key_padding_mask=padding)
    torch.testing.assert_close(after[~padding], before[~padding])
    assert torch.equal(again, before) and torch.backends.mha.get_fastpath_enabled() == fast and hooks(model) == 0
    assert list(maps) == ["layers.0.self_attn", "layers.1.self_attn"]
    first = model.layers[0].norm1(x) if norm_first else x
    wanted = heads_by_hand(model.layers[0].self_attn, first)
    torch.testing.assert_close(maps["layers.0.self_attn"].values[0], wanted[0])
    assert (maps["layers.0.self_attn"].values[1, ..., 3:] == 0).all(), "padded keys take no part"


@pytest.mark.parametrize("make", [vit, swin])
@pytest.mark.parametrize("training", [True, False])
def test_nothing_of_the_model_is_left_changed(make, training: bool) -> None:
    torch.manual_seed(6)
    model, x = make()
    model.train(training)
    before = {name: (dict(vars(m)), set(vars(m))) for name, m in model.named_modules()}
    state = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(KeyboardInterrupt), capture_attention(model):
        raise KeyboardInterrupt
    with torch.no_grad(), capture_attention(model):
        model(x)
    assert hooks(model) == 0 and all(m.training == training for m in model.modules())
    assert {name: set(vars(m)) for name, m in model.named_modules()} == {
        name: state[1] for name, state in before.items()
    }
    plain = (bool, int, float, str, type(None))
    for name, module in model.named_modules():
        variables = before[name][0]
        assert {k: v for k, v in vars(module).items() if isinstance(v, plain)} == {
            k: v for k, v in variables.items() if isinstance(v, plain)}
    own_statistics = ("running_mean", "running_var", "num_batches_tracked")
    kept = {k: v for k, v in model.state_dict().items() if not (training and k.endswith(own_statistics))}
    assert all(torch.equal(state[k], v) for k, v in kept.items())


class Gate(nn.Module):
    """Somebody's block: a squeeze whose gate is a local variable behind a part called `squash`."""

    def __init__(self) -> None:
        super().__init__()
        self.mix, self.squash = nn.Linear(4, 4), nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.squash(self.mix(x.mean((2, 3))))[..., None, None]


class Wider(Gate):
    """A subclass is known by its base."""


def test_a_block_of_one_s_own_is_registered_and_taken_back() -> None:
    x = torch.randn(2, 4, 3, 3)
    model = nn.Sequential(nn.Conv2d(4, 4, 1), Wider())
    with pytest.raises(UserError, match="register_adapter"), capture_attention(model):
        model(x)
    take_back = register_adapter(Gate, part="squash", kind="channel", axes=("batch", "channel", ...),
                                 read=lambda values, module: values[..., None, None])  # fmt: skip
    try:
        assert has_attention(model, "channel") and not has_attention(model, "spatial")
        with capture_attention(model) as maps:
            output = model(x)
        assert list(maps) == ["1"] and maps["1"].axes == ("batch", "channel", "height", "width")
        torch.testing.assert_close(output, model[0](x) * maps["1"].values)
        with pytest.raises(UserError, match="no kind of attention map"):
            register_adapter(Gate, kind="magic", axes=())
        with pytest.raises(UserError, match="output"):
            register_adapter(Gate, kind="channel", axes=(), of="somewhere")
        by_name = register_adapter(f"{Wider.__module__}.{Wider.__qualname__}", part="mix", kind="channel",
                                   axes=("batch", "channel"))  # fmt: skip
        with capture_attention(model) as named:
            model(x)
        by_name()
        assert named["1"].values.shape == (2, 4), "the nearest type counts"
    finally:
        take_back()
    assert adapter_of(model[1]) is None


def test_weights_are_those_before_dropout() -> None:
    torch.manual_seed(8)
    model, x = vit(dropout_rate=0.5)
    with torch.no_grad(), capture_attention(model.train()) as maps:
        model(x)
    for captured in maps.values():
        torch.testing.assert_close(captured.values.sum(-1), torch.ones(captured.values.shape[:-1]))
        assert (captured.values > 0).all()
