"""Multi-head attention: several scaled dot-product attentions side by side, each on its own part of the features.

    head_j = softmax(Q_j K_jᵀ / √d_j) V_j        output = W_O [head_1 ; … ; head_h] + b

Paper: Vaswani et al. 2017, "Attention is all you need". Equal to `torch.nn.MultiheadAttention`
(batch first, same widths) after `networks.convert.from_torch_multihead`.

Deviations: no dropout on the weights, and the map keeps one matrix for each head instead of their mean.
"""

from __future__ import annotations

from torch import Tensor, nn

from medattn_lite.attention.dimensions import check_positive
from medattn_lite.attention.scores import AttentionWeights


class MultiHeadAttention(nn.Module):
    """Scaled dot-product attention with several heads.

    Args:
        embed_dim: width of queries, keys, values and output.
        num_heads: number of heads; must divide `embed_dim`.
        bias: whether the four projections have a bias.

    Raises:
        ValueError: the heads do not divide the width.

    Example:
        >>> import torch
        >>> from medattn_lite.attention import MultiHeadAttention
        >>> MultiHeadAttention(16, num_heads=4)(torch.randn(2, 5, 16)).shape
        torch.Size([2, 5, 16])
    """

    def __init__(self, embed_dim: int, *, num_heads: int, bias: bool = True) -> None:
        super().__init__()
        check_positive("embed_dim", embed_dim)
        check_positive("num_heads", num_heads)
        if embed_dim % num_heads:
            raise ValueError(f"{num_heads} heads do not divide embed_dim={embed_dim}; use a divisor of {embed_dim}")
        self.num_heads = num_heads
        self.query = nn.Linear(embed_dim, embed_dim, bias=bias)
        self.key = nn.Linear(embed_dim, embed_dim, bias=bias)
        self.value = nn.Linear(embed_dim, embed_dim, bias=bias)
        self.output = nn.Linear(embed_dim, embed_dim, bias=bias)
        self.weights = AttentionWeights(axes=("batch", "head", "query", "key"), score="scaled")

    def forward(
        self, query: Tensor, keys: Tensor | None = None, values: Tensor | None = None, *, mask: Tensor | None = None
    ) -> Tensor:
        """Attends; with the query alone, to itself.

        Args:
            query: (B, T, E).
            keys: (B, N, E); the query if None.
            values: (B, N, E); the keys if None.
            mask: bool, broadcastable to (B, heads, T, N); False hides a key.

        Returns:
            (B, T, E).
        """
        keys = query if keys is None else keys
        values = keys if values is None else values
        query = self._heads(self.query(query))  # (B, heads, T, E / heads)
        keys = self._heads(self.key(keys))  # (B, heads, N, E / heads)
        values = self._heads(self.value(values))  # (B, heads, N, E / heads)
        weights = self.weights(query, keys, mask)  # (B, heads, T, N)
        context = weights @ values  # (B, heads, T, E / heads)
        context = context.transpose(1, 2).flatten(2)  # (B, T, E)
        return self.output(context)

    def _heads(self, tokens: Tensor) -> Tensor:
        split = tokens.unflatten(-1, (self.num_heads, -1))  # (B, T, heads, E / heads)
        return split.transpose(1, 2)
