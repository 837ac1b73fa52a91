"""The frame that the residual networks of the papers share: stem, four stages of blocks, mean over space, classifier.

Every block is an `AttentiveBlock`: it has a place for a mechanism, which is a part of it by its own name (`block.se`,
`block.cbam`, `block.eca`). So the name of a layer says what it is, and published weights keep their names.

Layers carry the names of torchvision's ResNet (`conv1`, `bn1`, `layer1` … `layer4`, `fc`), so that
official checkpoints need few renames, and a Grad-CAM's usual target is `layer4`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from medattn_lite.attention.dimensions import check_positive, spatial_indices
from medattn_lite.attention.maps import AttentionMap
from medattn_lite.errors import UserError
from medattn_lite.networks.attention_plug import make_attention

EXPANSION = 4  # a bottleneck block of width w has 4w channels out


class ResidualNetwork(nn.Module):
    """Stem → pool → layer1 … layer4 → mean over space → dropout → classifier.

    Args:
        spatial_dims: 2 or 3.
        stem: first convolution(s), without the norm that follows.
        stem_norm: the norm after the stem.
        activation: after the stem's norm.
        pool: after that.
        stages: the four stages, from `make_stages`.
        num_features: channels of the last stage.
        num_classes: outputs; None leaves the classifier out and gives the `num_features` means.
        dropout: probability in front of the classifier.
        norm_first: norm, then activation after the stem; False for the other order.
    """

    def __init__(
        self,
        *,
        spatial_dims: int,
        stem: nn.Module,
        stem_norm: nn.Module,
        activation: nn.Module,
        pool: nn.Module,
        stages: Sequence[nn.Module],
        num_features: int,
        num_classes: int | None,
        dropout: float = 0.0,
        norm_first: bool = True,
    ) -> None:
        super().__init__()
        self.spatial_dims = spatial_dims
        self.num_features = num_features
        self.norm_first = norm_first
        self.conv1 = stem
        self.bn1 = stem_norm
        self.relu = activation
        self.maxpool = pool
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Identity() if num_classes is None else nn.Linear(num_features, num_classes)
        initialise(self)

    def features(self, x: Tensor) -> Tensor:
        """(B, C, …) images to the last stage's feature map (B, num_features, …), 32 times smaller as published."""
        self._check_input(x)
        x = self.conv1(x)  # 1/2
        x = self.relu(self.bn1(x)) if self.norm_first else self.bn1(self.relu(x))
        x = self.maxpool(x)  # 1/4
        x = self.layer1(x)  # 1/4
        x = self.layer2(x)  # 1/8
        x = self.layer3(x)  # 1/16
        return self.layer4(x)  # 1/32

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, …) images to logits (B, num_classes)."""
        x = self.features(x)  # (B, num_features, …)
        x = x.mean(dim=spatial_indices(self.spatial_dims))  # (B, num_features)
        x = self.dropout(x)
        return self.fc(x)  # (B, num_classes)

    def _check_input(self, x: Tensor) -> None:
        if x.dim() != self.spatial_dims + 2:
            raise UserError(
                f"{type(self).__name__} is {self.spatial_dims}-D and got images of shape {tuple(x.shape)}; "
                f"give (B, C, {'H, W' if self.spatial_dims == 2 else 'D, H, W'})"
            )


class AttentiveBlock(nn.Module):
    """A residual block with a place for a mechanism: act(attention(branch(x)) + shortcut(x)).

    A subclass makes its layers, calls `plug` where the mechanism's weights stand in their order, sets `downsample`
    (None where the shortcut is the input itself), and says what its `branch` computes.
    """

    mechanism: str
    downsample: nn.Module | None

    def plug(self, name: str, channels: int, *, spatial_dims: int, options: Mapping[str, Any] | None = None) -> None:
        """Makes the mechanism a part of the block, under its own name.

        Raises:
            UserError: no such mechanism, none in so many dimensions, or options that do not fit.
        """
        self.mechanism = name
        self.add_module(name, make_attention(name, channels, spatial_dims=spatial_dims, options=options))

    @property
    def attention(self) -> nn.Module:
        """The mechanism."""
        return self.get_submodule(self.mechanism)

    def branch(self, x: Tensor) -> Tensor:
        """(B, C_in, …) to (B, 4w, …): what the attention looks at."""
        raise NotImplementedError

    def activate(self, x: Tensor) -> Tensor:
        """After the addition; a ReLU unless a subclass has another one."""
        return torch.relu(x)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, …) to (B, 4w, …)."""
        shortcut = x if self.downsample is None else self.downsample(x)  # (B, 4w, …)
        x = self.branch(x)  # (B, 4w, …)
        x = self.attention(x)  # (B, 4w, …)
        return self.activate(x + shortcut)


def make_stages(
    block: Callable[..., nn.Module],
    *,
    in_channels: int,
    width: int,
    layers: Sequence[int],
    strides: Sequence[int] = (1, 2, 2, 2),
) -> list[nn.Sequential]:
    """Four stages of `layers` blocks, of widths w, 2w, 4w and 8w.

    Args:
        block: called as `block(in_channels, width, stride=…)`; gives 4 × width channels.
        in_channels: channels that come from the stem.
        width: w.
        layers: blocks per stage; four numbers.
        strides: stride of the first block of each stage.

    Raises:
        UserError: not four stages, or strides other than 1 and 2.
    """
    if len(layers) != 4:
        raise UserError(f"layers is {tuple(layers)}; give the number of blocks of four stages, such as (3, 4, 6, 3)")
    if len(strides) != 4 or set(strides) - {1, 2}:
        raise UserError(f"strides is {tuple(strides)}; give 1 or 2 for each of four stages, such as (1, 2, 2, 2)")
    check_positive("width", width)
    stages = []
    for index, (depth, stride) in enumerate(zip(layers, strides, strict=True)):
        check_positive("layers", depth)
        stage_width = width * 2**index
        blocks = [block(in_channels, stage_width, stride=stride)]
        in_channels = stage_width * EXPANSION
        blocks += [block(in_channels, stage_width, stride=1) for _ in range(depth - 1)]
        stages.append(nn.Sequential(*blocks))
    return stages


def make_shortcut(
    convolution: type[nn.Module],
    batch_norm: type[nn.Module],
    in_channels: int,
    out_channels: int,
    stride: int | tuple[int, ...],
) -> nn.Module | None:
    """1×1 convolution and batch norm where a block changes size or channels, else None."""
    keeps_size = set(stride if isinstance(stride, tuple) else (stride,)) == {1}
    if keeps_size and in_channels == out_channels:
        return None
    return nn.Sequential(convolution(in_channels, out_channels, 1, stride=stride, bias=False), batch_norm(out_channels))


def initialise(network: nn.Module) -> None:
    """He initialisation of the convolutions, as in ResNet. Gates and mechanisms keep the start they gave themselves."""
    if isinstance(network, AttentionMap):
        return
    if isinstance(network, nn.Conv2d | nn.Conv3d):
        nn.init.kaiming_normal_(network.weight, mode="fan_out", nonlinearity="relu")
    mechanism = network.attention if isinstance(network, AttentiveBlock) else None
    for child in network.children():
        if child is not mechanism:
            initialise(child)
