"""Products of queries and keys that a 16-bit float cannot hold: half precision ends at 65,504.

    e = Q K    in 32 bits where Q and K, or autocast, are in float16; the weights of the softmax fit 16 bits again

Scores that are not divided by √d add up a whole slice in slice attention, and pass that limit with features of an
ordinary size; a softmax of infinities is NaN. bfloat16 has the range of 32 bits and is left as it is.

Paper: none; a matter of number formats. torch's fused attention does the same inside.

Deviations: none.
"""

from __future__ import annotations

import torch
from torch import Tensor


def wide_product(queries: Tensor, keys: Tensor) -> Tensor:
    """`queries @ keys`, in 32 bits where 16 would overflow.

    Args:
        queries: (…, T, d).
        keys: (…, d, N).

    Returns:
        (…, T, N).
    """
    if not _is_half(queries):
        return queries @ keys
    with torch.autocast(queries.device.type, enabled=False):
        return queries.float() @ keys.float()


def _is_half(features: Tensor) -> bool:
    if features.dtype == torch.float16:
        return True
    device = features.device.type
    if device == "meta" or not torch.is_autocast_enabled(device):
        return False
    return torch.get_autocast_dtype(device) == torch.float16
