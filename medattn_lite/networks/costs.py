"""What a network costs on one image: parameters, multiplications, and bytes kept for the backward pass.

All three are counted, not timed: they are the same on every computer. Multiplications are those of convolutions,
linear layers, products of matrices and fused attention (one multiply-accumulate each); sums, gates and activation
functions are left out. Bytes are those of the tensors that autograd keeps, each storage once, weights left out: what
grows with the batch in training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Cost:
    """What a network costs.

    Attributes:
        parameters: trainable and not.
        multiplications: multiply-accumulates of one pass.
        kept_bytes: for the backward pass.
    """

    parameters: int
    multiplications: int
    kept_bytes: int


def cost_of(model: nn.Module, image: Tensor) -> Cost:
    """Measures the cost of one pass.

    Args:
        model: left in the mode that it is in.
        image: (1, C, …) on the model's device.

    Example:
        >>> import torch
        >>> from medattn_lite.networks import cost_of
        >>> cost = cost_of(torch.nn.Conv2d(1, 4, 3, bias=False), torch.randn(1, 1, 10, 10))
        >>> cost.parameters, cost.multiplications  # 4 · 9, and 4 · 9 · 8 · 8
        (36, 2304)
    """
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return Cost(parameters, multiplications(model, image), kept_bytes(model, image))


def multiplications(model: Callable[..., Any], *inputs: Tensor) -> int:
    """Multiply-accumulates of one pass without gradients; `model` is a network, or anything that calls one."""
    from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

    def products(query: tuple, key: tuple, value: tuple, *rest: object, **named: object) -> int:
        return sdpa_flop_count(query, key, value)

    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu  # missing in torch's own list
    with FlopCounterMode(display=False, custom_mapping={kernel: products}) as counter, torch.no_grad():
        model(*inputs)
    return counter.get_total_flops() // 2


def kept_bytes(model: nn.Module, *inputs: Tensor) -> int:
    """Bytes that one pass keeps for the backward pass, besides weights, buffers and inputs; each storage once."""
    known = {_place(tensor) for tensor in (*model.parameters(), *model.buffers(), *inputs)}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        if _place(tensor) not in known:
            kept[_place(tensor)] = tensor.untyped_storage().nbytes()
            held.append(tensor)  # else its memory may be given to the next one, and that one not be counted
        return tensor

    held: list[Tensor] = []
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        model(*inputs)
    return sum(kept.values())


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
