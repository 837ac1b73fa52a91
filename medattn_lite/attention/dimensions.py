"""One class for 2-D and 3-D: layer types by `spatial_dims`, axis names, and checks of sizes.

The axes follow the package's orientation: depth runs inferior to superior, height posterior to
anterior, width left to right. A 2-D feature map is (B, C, H, W), a 3-D one (B, C, D, H, W).
"""

from __future__ import annotations

from torch import Tensor, nn

CONVOLUTION: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}
BATCH_NORM: dict[int, type[nn.BatchNorm2d] | type[nn.BatchNorm3d]] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
MAX_POOL: dict[int, type[nn.Module]] = {2: nn.MaxPool2d, 3: nn.MaxPool3d}
AVERAGE_POOL: dict[int, type[nn.Module]] = {2: nn.AvgPool2d, 3: nn.AvgPool3d}
INTERPOLATION = {2: "bilinear", 3: "trilinear"}
SPATIAL_AXES = {2: ("height", "width"), 3: ("depth", "height", "width")}


def check_spatial_dims(spatial_dims: int) -> int:
    """Returns `spatial_dims` if it is 2 or 3.

    Raises:
        ValueError: it is anything else.
    """
    if spatial_dims not in CONVOLUTION:
        raise ValueError(f"spatial_dims is {spatial_dims!r}; use 2 for (B, C, H, W) or 3 for (B, C, D, H, W)")
    return spatial_dims


def check_positive(name: str, value: int) -> int:
    """Returns `value` if it is a whole number of at least 1.

    Raises:
        ValueError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} is {value!r}; use a whole number of at least 1")
    return value


def reduced_channels(channels: int, reduction: int) -> int:
    """Width of the bottleneck, C / r rounded down.

    Raises:
        ValueError: nothing would be left of the channels.
    """
    check_positive("channels", channels)
    check_positive("reduction", reduction)
    if channels < reduction:
        raise ValueError(
            f"{channels} channels cannot be reduced {reduction} times; "
            f"use reduction={channels} or less, or at least {reduction} channels"
        )
    return channels // reduction


def check_odd(name: str, value: int) -> int:
    """Returns `value` if it is odd, so that half of it on each side keeps the size.

    Raises:
        ValueError: it is even or below 1.
    """
    check_positive(name, value)
    if value % 2 == 0:
        raise ValueError(f"{name} is {value}; use an odd number, so that the map keeps the size of its input")
    return value


def check_feature_map(x: Tensor, *, channels: int, spatial_dims: int) -> None:
    """Asks for a feature map of these channels and dimensions.

    Raises:
        ValueError: it is another.
    """
    if x.dim() != 2 + spatial_dims:
        shape = "(B, C, H, W)" if spatial_dims == 2 else "(B, C, D, H, W)"
        raise ValueError(f"this block is {spatial_dims}-D and got a map of shape {tuple(x.shape)}; give {shape}")
    if x.shape[1] != channels:
        raise ValueError(f"this block was made for {channels} channels and got {x.shape[1]} (shape {tuple(x.shape)}); "
                         "make it with as many as the map has")


def broadcast_shape(spatial_dims: int) -> tuple[int, ...]:
    """The trailing (1, 1) or (1, 1, 1) that lets a (B, C) gate multiply a feature map."""
    return (1,) * spatial_dims


def spatial_indices(spatial_dims: int) -> tuple[int, ...]:
    """Dimensions of height and width (and depth) in a feature map: (2, 3) or (2, 3, 4)."""
    return tuple(range(2, 2 + spatial_dims))
