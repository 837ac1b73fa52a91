"""Operations that a calculation needs, counted: products of matrices, convolutions and fused attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count


def operations_of(run: Callable[[], Any]) -> float:
    """Multiplications and additions of one call, with its backward pass if it makes one."""
    aten = torch.ops.aten
    there = aten._scaled_dot_product_flash_attention_for_cpu  # these two are missing in torch's own list
    back = aten._scaled_dot_product_flash_attention_for_cpu_backward
    mapping = {there: _there, back: _back}
    with FlopCounterMode(display=False, custom_mapping=mapping) as counter:
        run()
    return float(counter.get_total_flops())


def _there(query: tuple, key: tuple, value: tuple, *rest: object, **named: object) -> int:
    return sdpa_flop_count(query, key, value)


def _back(gradient: tuple, query: tuple, key: tuple, value: tuple, *rest: object, **named: object) -> int:
    return sdpa_backward_flop_count(gradient, query, key, value)
