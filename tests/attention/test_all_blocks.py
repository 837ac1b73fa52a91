"""What every block keeps to: shapes, batches, gradients, maps that are seen, one line for a mistake."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch import nn

from medattn_lite.attention import (
    CBAM,
    InterSliceAttention,
    NonLocal,
    RecurrentSliceAttention,
    SliceAttention,
    SplitAttention,
    SqueezeExcitation,
)
from medattn_lite.attention.maps import KINDS, AttentionMap
from tests.attention.support import features, passes_gradcheck, stirred

BLOCKS: dict[str, tuple[int, Callable[[], nn.Module]]] = {
    "squeeze-excitation 2-D": (2, lambda: SqueezeExcitation(16, reduction=4)),
    "squeeze-excitation 3-D": (3, lambda: SqueezeExcitation(16, reduction=4, spatial_dims=3, bias=False)),
    "cbam 2-D": (2, lambda: CBAM(16, reduction=4)),
    "cbam 3-D": (3, lambda: CBAM(16, reduction=4, kernel_size=3, spatial_dims=3, mlp_bias=False, spatial_norm=False)),
    "split attention 2-D": (2, lambda: SplitAttention(16, 16, groups=2)),
    "split attention 3-D": (3, lambda: SplitAttention(16, 16, radix=1, spatial_dims=3)),
    "split attention without norm": (2, lambda: SplitAttention(18, 16, radix=3, norm=False, bias=True)),
    "inter-slice attention": (3, lambda: InterSliceAttention(16, reduction=4)),
    "inter-slice attention 3x1x3": (
        3,
        lambda: InterSliceAttention(16, spatial_kernel=(3, 1, 3), bias=False, norm=True),
    ),
    "non-local 2-D": (2, lambda: NonLocal(16, spatial_dims=2)),
    "non-local 3-D": (3, lambda: NonLocal(16, sub_sample=False, norm=False, scaled=True)),
    "non-local dot product": (3, lambda: NonLocal(16, mode="dot_product")),
    "non-local gaussian": (2, lambda: NonLocal(16, mode="gaussian", spatial_dims=2)),
    "slice attention": (3, lambda: SliceAttention(16, plane="sagittal", scaled=True)),
    "slice attention of rows": (2, lambda: SliceAttention(16, spatial_dims=2, scaled=True)),
    "recurrent slice attention 3-D": (3, lambda: RecurrentSliceAttention(16, scaled=True)),
    "recurrent slice attention 2-D": (2, lambda: RecurrentSliceAttention(16, spatial_dims=2, scaled=True)),
}
CHANNELS_IN = {"split attention without norm": 18}
every_block = pytest.mark.parametrize("name", BLOCKS)


def make(name: str, *, batch: int = 2) -> tuple[nn.Module, torch.Tensor]:
    spatial_dims, build = BLOCKS[name]
    torch.manual_seed(0)
    return stirred(build()).eval(), features(spatial_dims, batch=batch, channels=CHANNELS_IN.get(name, 16))


@every_block
def test_block_keeps_odd_sizes(name: str) -> None:
    block, x = make(name)
    assert block(x).shape == (x.shape[0], 16, *x.shape[2:])


@every_block
def test_block_does_something(name: str) -> None:
    block, x = make(name)
    assert CHANNELS_IN.get(name, 16) != 16 or (block(x) - x).abs().max() > 1e-3


@every_block
def test_a_batch_of_one_gives_the_same_as_in_a_batch(name: str) -> None:
    block, x = make(name)
    torch.testing.assert_close(block(x[:1]), block(x)[:1], rtol=1e-4, atol=1e-5)


@every_block
def test_gradient_is_right_to_float64(name: str) -> None:
    block, x = make(name, batch=1)
    assert passes_gradcheck(block, x[..., :4, :3])


@every_block
def test_every_parameter_gets_a_gradient(name: str) -> None:
    block, x = make(name)
    block(x).square().sum().backward()
    gradients = {key: parameter.grad for key, parameter in block.named_parameters()}
    # A bias of the keys adds the same to every score of a query, which a softmax does not see.
    idle = [key for key, grad in gradients.items() if grad is None or not (grad.any() or key.endswith("key.bias"))]
    assert idle == []


@every_block
def test_a_hook_sees_a_map_that_is_neither_empty_nor_flat(name: str) -> None:
    block, x = make(name)
    seen: list[torch.Tensor] = []
    maps = [module for module in block.modules() if isinstance(module, AttentionMap)]
    handles = [module.register_forward_hook(lambda module, inputs, output: seen.append(output)) for module in maps]
    block(x)
    for handle in handles:
        handle.remove()
    assert len(seen) == len(maps) >= 1
    for module, values in zip(maps, seen, strict=True):
        assert module.kind in KINDS
        assert values.dim() == len(module.axes)
        assert values.std() > 1e-4
        assert torch.isfinite(values).all()


@every_block
def test_a_gate_really_multiplies_what_passes(name: str) -> None:
    block, x = make(name)
    before = block(x)
    for module in block.modules():
        if isinstance(module, AttentionMap):
            module.register_forward_hook(lambda module, inputs, output: torch.zeros_like(output))
    assert (block(x) - before).abs().max() > 1e-3


@every_block
def test_nothing_of_the_pass_stays_in_the_block(name: str) -> None:
    block, x = make(name)
    before = {key: set(vars(module)) for key, module in block.named_modules()}
    block(x)
    assert {key: set(vars(module)) for key, module in block.named_modules()} == before


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: SqueezeExcitation(8), "use reduction=8 or less"),
        (lambda: SqueezeExcitation(16, spatial_dims=4), "use 2 for"),
        (lambda: SqueezeExcitation(0), "whole number of at least 1"),
        (lambda: CBAM(8, reduction=9), "use reduction=8 or less"),
        (lambda: CBAM(16, kernel_size=4), "use an odd number"),
        (lambda: CBAM(16, pool_order="mean"), "'max-mean' or 'mean-max'"),
        (lambda: CBAM(16, initial_gate=1.0), "strictly between 0 and 1"),
        (lambda: CBAM(16, spatial_norm=False, initial_gate=0.9), "use norm=True or bias=True"),
        (lambda: SplitAttention(15, 16), "not a multiple of groups × radix"),
        (lambda: SplitAttention(30, 16, groups=3), "must divide channels"),
        (lambda: InterSliceAttention(4), "use reduction=4 or less"),
        (lambda: InterSliceAttention(16, spatial_kernel=(3, 2, 3)), "use an odd number"),
        (lambda: InterSliceAttention(16, spatial_kernel=(3, 3)), "give three sizes"),
        (lambda: NonLocal(16, mode="softmax"), "embedded_gaussian"),
        (lambda: NonLocal(16, hidden_channels=0), "whole number of at least 1"),
        (lambda: SliceAttention(4, plane="rows"), "axial, coronal, sagittal"),
        (lambda: RecurrentSliceAttention(4, order=("axial", "axial")), "name each direction once"),
        (lambda: RecurrentSliceAttention(4, order=()), "name each direction once"),
    ],
)
def test_a_wrong_size_gets_one_line_that_says_what_to_do(build: Callable[[], nn.Module], says: str) -> None:
    with pytest.raises(ValueError, match=says.replace("(", r"\(")) as error:
        build()
    assert "\n" not in str(error.value)


def test_attention_imports_neither_monai_nor_the_rest_of_the_package() -> None:
    code = (
        "import sys, medattn_lite.attention\n"
        "ours = {m for m in sys.modules if m.startswith('medattn_lite.')}\n"
        "assert all(m.startswith('medattn_lite.attention') for m in ours), ours\n"
        "assert 'monai' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
