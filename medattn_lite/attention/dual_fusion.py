"""Dual fusion attention: joins the last feature maps of two segmentation networks.

    N₁, N₂ = f_1(F₁), f_1(F₂)                                             to f channels each
    E = f_3(f_1(f_3([N₁ ; N₂]))) + f_1([N₁ ; N₂])                          early fusion
    V = (E + N₁ + N₂) / 3
    G = (softmax(N₁ N₂ᵀ / √f) V) ⊗ V                                       global fusion, Q = N₁, K = N₂
    L = f_1(f_3(f_1(G))) + G                                              local attention, GELU in between
    logits = f_1(L)                                                       one channel per region

Paper: the dual fusion paper, "3D dual-fusion attention network for brain tumor segmentation". No code is
public; with 32 and 16 channels in, f = 32 and 3 regions this reading has 117,635 parameters.

Readings, each with its option:
- The paper attends "at every voxel": at 128³ the map would take 16 TiB. Default: queries, keys and values
  are mean pooled to at most `token_grid` tokens per axis and the result comes back by linear interpolation;
  `token_grid=None` is exact at any size. Feature maps no larger than the grid are attended voxel by voxel
  either way.
- `residual`: "multiply" by V, as eq. G says (default), or "add".
- `activation`: the early block's is not named ("inspired by Xception"): ReLU between its convolutions
  (default), or None for a purely linear block.
- Which map is the query: `swap_query_key=True` for Q = N₂, K = N₁.

Deviations: 2-D from the same classes. The attention does not build its matrix unless a hook listens to `affinity`
(memory-efficient kernel of torch); the result is the same up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medattn_lite.attention.dimensions import CONVOLUTION, INTERPOLATION, check_positive, check_spatial_dims
from medattn_lite.attention.voxel_affinity import VoxelAffinity, attend_voxels

ACTIVATIONS: dict[str | None, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, None: nn.Identity}
RESIDUALS = ("multiply", "add")


class EarlyFusion(nn.Module):
    """Early fusion: 3 → 1 → 3 convolutions on the joined maps with a shortcut, then the mean with both inputs.

    Args:
        channels: f, channels of each input and of the output.
        spatial_dims: 2 or 3.
        activation: "relu", "gelu" or None, between the convolutions.

    Raises:
        ValueError: an unknown activation.
    """

    def __init__(self, channels: int, *, spatial_dims: int = 3, activation: str | None = "relu") -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        check_positive("channels", channels)
        if activation not in ACTIVATIONS:
            raise ValueError(f"unknown activation {activation!r}; use 'relu', 'gelu' or None")
        convolution = CONVOLUTION[spatial_dims]
        self.block = nn.Sequential(
            convolution(2 * channels, channels, 3, padding=1),
            ACTIVATIONS[activation](),
            convolution(channels, channels, 1),
            ACTIVATIONS[activation](),
            convolution(channels, channels, 3, padding=1),
        )
        self.shortcut = convolution(2 * channels, channels, 1)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Two (B, f, D, H, W) to V of the same shape."""
        joined = torch.cat([first, second], dim=1)  # (B, 2f, D, H, W)
        early = self.block(joined) + self.shortcut(joined)  # (B, f, D, H, W)
        return (early + first + second) / 3


class GlobalFusion(nn.Module):
    """Global fusion: scaled dot-product attention over voxels (or tokens of them), joined with the values.

    Args:
        spatial_dims: 2 or 3.
        token_grid: most tokens per axis, one number or one per axis; None for every voxel.
        residual: "multiply" or "add".

    Raises:
        ValueError: an unknown residual or a grid that does not fit.
    """

    def __init__(
        self, *, spatial_dims: int = 3, token_grid: int | tuple[int, ...] | None = 16, residual: str = "multiply"
    ) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        if residual not in RESIDUALS:
            raise ValueError(f"unknown residual {residual!r}; use {' or '.join(map(repr, RESIDUALS))}")
        self.token_grid = _grid(token_grid, spatial_dims)
        self.interpolation = INTERPOLATION[spatial_dims]
        self.residual = residual
        self.affinity = VoxelAffinity(spatial_dims=spatial_dims, scaled=True)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Three (B, f, D, H, W) to one of the same shape."""
        tokens = [self.to_tokens(features) for features in (query, key, value)]  # 3 × (B, f, d, h, w)
        context = attend_voxels(self.affinity, *tokens)  # (B, f, d, h, w)
        context = self._to_size(context, value.shape[2:])  # (B, f, D, H, W)
        return context * value if self.residual == "multiply" else context + value

    def is_exact(self, size: tuple[int, ...]) -> bool:
        """Whether features of this size are attended voxel by voxel."""
        return self._grid_for(size) == tuple(size)

    def to_tokens(self, features: Tensor) -> Tensor:
        """(B, f, D, H, W) to what is attended: means over the token grid, or the features as they are."""
        size = tuple(features.shape[2:])
        if self.is_exact(size):
            return features
        pool: Callable[..., Tensor] = F.adaptive_avg_pool2d if len(size) == 2 else F.adaptive_avg_pool3d
        return pool(features, self._grid_for(size))

    def _grid_for(self, size: tuple[int, ...]) -> tuple[int, ...]:
        grid = size if self.token_grid is None else self.token_grid
        return tuple(min(most, length) for most, length in zip(grid, size, strict=True))

    def _to_size(self, context: Tensor, size: torch.Size) -> Tensor:
        if context.shape[2:] == size:
            return context
        return F.interpolate(context, size=size, mode=self.interpolation, align_corners=False)


class LocalAttention(nn.Module):
    """Local attention: 1 → 3 → 1 convolutions with GELU in between, and a skip connection.

    Args:
        channels: f, channels of the input and the output.
        hidden_channels: channels in the middle; f if None (the paper gives no number).
        spatial_dims: 2 or 3.
    """

    def __init__(self, channels: int, *, hidden_channels: int | None = None, spatial_dims: int = 3) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        check_positive("channels", channels)
        hidden = channels if hidden_channels is None else check_positive("hidden_channels", hidden_channels)
        convolution = CONVOLUTION[spatial_dims]
        self.block = nn.Sequential(
            convolution(channels, hidden, 1),
            nn.GELU(),
            convolution(hidden, hidden, 3, padding=1),
            nn.GELU(),
            convolution(hidden, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, f, D, H, W) to the same shape."""
        return x + self.block(x)


class DualFusionAttention(nn.Module):
    """Dual fusion attention head: two feature maps in, the logits of each region out.

    Args:
        in_channels: channels of the first and the second network's last feature map.
        channels: f, channels inside.
        num_classes: regions; 3 for whole tumour, tumour core and enhancing tumour.
        spatial_dims: 2 or 3.
        token_grid: see `GlobalFusion`.
        residual: see `GlobalFusion`.
        activation: see `EarlyFusion`.
        swap_query_key: take the second network's map as query.

    Raises:
        ValueError: not two numbers of channels, or an unknown option.

    Example:
        >>> import torch
        >>> from medattn_lite.attention import DualFusionAttention
        >>> head = DualFusionAttention((32, 16), channels=8)
        >>> head(torch.randn(1, 32, 8, 8, 8), torch.randn(1, 16, 8, 8, 8)).shape
        torch.Size([1, 3, 8, 8, 8])
    """

    def __init__(
        self,
        in_channels: tuple[int, int],
        *,
        channels: int = 32,
        num_classes: int = 3,
        spatial_dims: int = 3,
        token_grid: int | tuple[int, ...] | None = 16,
        residual: str = "multiply",
        activation: str | None = "relu",
        swap_query_key: bool = False,
    ) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        if not isinstance(in_channels, tuple | list) or len(in_channels) != 2:
            raise ValueError(f"in_channels is {in_channels!r}; give the channels of both maps, such as (32, 16)")
        convolution = CONVOLUTION[spatial_dims]
        self.first = convolution(check_positive("in_channels[0]", in_channels[0]), channels, 1)
        self.second = convolution(check_positive("in_channels[1]", in_channels[1]), channels, 1)
        self.early_fusion = EarlyFusion(channels, spatial_dims=spatial_dims, activation=activation)
        self.global_fusion = GlobalFusion(spatial_dims=spatial_dims, token_grid=token_grid, residual=residual)
        self.local_attention = LocalAttention(channels, spatial_dims=spatial_dims)
        self.head = convolution(channels, check_positive("num_classes", num_classes), 1)
        self.swap_query_key = swap_query_key

    def forward(self, first_features: Tensor, second_features: Tensor) -> Tensor:
        """(B, f₁, D, H, W) and (B, f₂, D, H, W) to logits (B, classes, D, H, W)."""
        first = self.first(first_features)  # (B, f, D, H, W)
        second = self.second(second_features)  # (B, f, D, H, W)
        value = self.early_fusion(first, second)  # (B, f, D, H, W)
        query, key = (second, first) if self.swap_query_key else (first, second)
        fused = self.global_fusion(query, key, value)  # (B, f, D, H, W)
        local = self.local_attention(fused)  # (B, f, D, H, W)
        return self.head(local)  # (B, classes, D, H, W)


def _grid(token_grid: int | tuple[int, ...] | None, spatial_dims: int) -> tuple[int, ...] | None:
    if token_grid is None:
        return None
    grid = (token_grid,) * spatial_dims if isinstance(token_grid, int) else tuple(token_grid)
    if len(grid) != spatial_dims:
        raise ValueError(f"token_grid is {token_grid}; give one number, or {spatial_dims} of them")
    return tuple(check_positive("token_grid", most) for most in grid)
