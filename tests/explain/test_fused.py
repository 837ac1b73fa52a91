"""The weights of PyTorch's fused attention: what they weigh the values with is what the kernel answers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medattn_lite.explain import capture_attention
from medattn_lite.explain.attention.fused_kernels import attention_weights

Q, K, V = torch.randn(2, 4, 5, 6), torch.randn(2, 4, 7, 6), torch.randn(2, 4, 7, 3)
SHARED = {"key": K[:, :2], "value": V[:, :2]}


@pytest.mark.parametrize("options", [
    {}, {"scale": 0.3}, {"is_causal": True}, {"attn_mask": torch.rand(5, 7) > 0.3}, {"attn_mask": torch.randn(5, 7)},
    {"attn_mask": torch.randn(2, 1, 5, 7), "scale": 2.0}, {"enable_gqa": True},
], ids=str)  # fmt: skip
def test_the_weights_times_the_values_are_the_kernel_s_answer(options: dict) -> None:
    key, value = (SHARED["key"], SHARED["value"]) if "enable_gqa" in options else (K, V)
    if "attn_mask" in options and options["attn_mask"].dtype == torch.bool:
        options["attn_mask"][:, 0] = True  # each query sees something
    wanted = F.scaled_dot_product_attention(Q, key, value, **options)
    weights = attention_weights(Q, key, **options)
    value = value.repeat_interleave(2, 1) if "enable_gqa" in options else value
    torch.testing.assert_close(weights @ value, wanted, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 4, 5))


class Block(nn.Module):
    """Attention as timm and transformers write it: a fused call in a module that nobody registered."""

    def __init__(self, heads: int = 2) -> None:
        super().__init__()
        self.qkv, self.heads = nn.Linear(8, 24), heads

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def test_a_fused_call_is_seen_without_a_word_about_its_module() -> None:
    torch.manual_seed(0)
    model, x, other = nn.Sequential(Block(), nn.LayerNorm(8), Block(4)), torch.randn(3, 5, 8), Block()
    with capture_attention(model) as maps:
        output = model(x)
        other(x)  # not part of the model
        F.scaled_dot_product_attention(Q, K, V)
    assert torch.equal(output, model(x))
    assert {name: tuple(captured.values.shape) for name, captured in maps.items()} == {
        "0": (3, 2, 5, 5),
        "2": (3, 4, 5, 5),
    }
    assert all(
        captured.kind == "query×key" and captured.axes == ("batch", "head", "query", "key")
        for captured in maps.values()
    )
    q, k, _ = model[0].qkv(x).unflatten(-1, (3, 2, -1)).permute(2, 0, 3, 1, 4)
    torch.testing.assert_close(maps["0"].values, (q @ k.mT / 2).softmax(-1))


def test_nothing_listens_after_the_block_also_after_an_exception() -> None:
    from torch.nn.modules import module as hooks

    before = (len(hooks._global_forward_hooks), len(hooks._global_forward_pre_hooks))
    model = nn.Sequential(Block(), nn.Linear(3, 3))
    with pytest.raises(RuntimeError), capture_attention(model) as maps:
        model(torch.randn(1, 5, 8))
    assert (len(hooks._global_forward_hooks), len(hooks._global_forward_pre_hooks)) == before and len(maps) == 1
    kept = dict(maps)
    model[0](torch.randn(1, 5, 8))
    assert maps == kept
