"""The two networks that dual fusion joins: MONAI's DynUNet and SegResNet, at any image size, last feature map included.

    features = decoder(encoder(image))        (B, f, D, H, W), as large as the image
    logits   = f_1(features)                  one channel per region

Papers: Isensee et al. 2021 (nnU-Net, which DynUNet rebuilds), Myronenko 2019 (SegResNet); the dual fusion
paper trains both alone first. With 4 channels in and 3 regions out: 31,192,035 parameters (DynUNet, six
levels) and 4,702,227 (SegResNet, 16 filters).

Reading: which map is SegResNet's last? Its last layer is norm, ReLU, 1×1×1 convolution. By default the map behind norm
and ReLU, which the convolution reads, as DynUNet's map is what its last convolution reads. `normalised=False` gives the
map before the norm, a sum of residual branches whose scale nothing holds (standard deviation 10 after some hundred
steps, 1000 with a larger learning rate, DynUNet's is 1). The recipe `fusion` trains both.

Deviations: none in the networks, they are MONAI's and load MONAI's checkpoints. An image whose sides the
strides do not divide is padded at its far ends with zeros (the background of a normalised image), and
the padding is cut off the output again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from medattn_lite.attention.dimensions import check_spatial_dims
from medattn_lite.errors import UserError

DYNUNET_FILTERS = (32, 64, 128, 256, 320, 320)
NORMS = ("instance", "batch")
SEGRESNET_GROUPS = 8  # of its group norms; the filters must be a multiple


class SegmentationBackbone(nn.Module):
    """A MONAI segmentation network that also gives its last feature map.

    Args:
        network: MONAI's network.
        trunk: the part of it that ends in the last feature map.
        finish: parts that follow the trunk before the map is the last one, in order.
        classifier: the part that makes logits of that map.
        spatial_dims: 2 or 3.
        num_features: channels of the last feature map.
        num_classes: channels of the logits.
        multiple: sides of the image are padded to a multiple of it; or one number for each side.
        minimum: the longest side is padded to at least this.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        trunk: str | None,
        finish: Sequence[str] = (),
        classifier: str,
        spatial_dims: int,
        num_features: int,
        num_classes: int,
        multiple: int | Sequence[int],
        minimum: int,
    ) -> None:
        super().__init__()
        self.network = network
        self.trunk = trunk
        self.finish = tuple(finish)
        self.classifier = classifier
        self.spatial_dims = spatial_dims
        self.num_features = num_features
        self.num_classes = num_classes
        self.multiple = multiple
        self.minimum = minimum

    def features(self, x: Tensor) -> Tensor:
        """(B, C, D, H, W) images to the last feature map (B, num_features, D, H, W)."""
        return crop_to(self._padded_features(x), x.shape[2:])

    def padded_size(self, size: Sequence[int]) -> tuple[int, ...]:
        """Sides of the image as the network inside sees it: padded at the far ends."""
        return padded_sides(size, multiple=self.multiple, minimum=self.minimum)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, D, H, W) images to logits (B, num_classes, D, H, W)."""
        features = self._padded_features(x)  # (B, num_features, D', H', W')
        logits = self.network.get_submodule(self.classifier)(features)  # (B, num_classes, D', H', W')
        return crop_to(logits, x.shape[2:])  # (B, num_classes, D, H, W)

    def _padded_features(self, x: Tensor) -> Tensor:
        if x.dim() != self.spatial_dims + 2:
            raise UserError(
                f"{type(self.network).__name__} is {self.spatial_dims}-D and got images of shape {tuple(x.shape)}; "
                f"give (B, C, {'H, W' if self.spatial_dims == 2 else 'D, H, W'})"
            )
        trunk = self.network if self.trunk is None else self.network.get_submodule(self.trunk)
        features = trunk(pad_to_multiple(x, multiple=self.multiple, minimum=self.minimum))
        for name in self.finish:
            features = self.network.get_submodule(name)(features)
        return features


def dynunet(
    *,
    spatial_dims: int = 3,
    in_channels: int = 4,
    num_classes: int = 3,
    filters: Sequence[int] = DYNUNET_FILTERS,
    flat_levels: int = 0,
    norm: str = "instance",
) -> SegmentationBackbone:
    """Builds MONAI's DynUNet, a U-Net that halves the image at each level but the first.

    Where slices are thicker than their pixels, nnU-Net leaves the third axis alone until voxels are about cubes:
    `flat_levels` of them have kernels of 1×3×3 and halve H and W only. With as many as there are levels it is a 2-D
    U-Net, slice by slice.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the images.
        num_classes: regions; 3 for whole tumour, tumour core and enhancing tumour.
        filters: channels of each level, three levels or more; the published six by default.
        flat_levels: how many levels, from the top, leave the axis D alone; 3-D only.
        norm: "instance", as nnU-Net has it: mean and standard deviation of each map of each image; or "batch": of
            each map over all images of the batch.

    Raises:
        UserError: fewer than three levels, or more flat ones than there are; another norm.

    Example:
        >>> import torch
        >>> from medattn_lite.networks import dynunet
        >>> dynunet(in_channels=1, filters=(8, 8, 16))(torch.randn(1, 1, 16, 16, 16)).shape
        torch.Size([1, 3, 16, 16, 16])
    """
    from monai.networks.nets import DynUNet

    check_spatial_dims(spatial_dims)
    if len(filters) < 3:
        raise UserError(f"filters is {tuple(filters)}; a DynUNet needs three levels or more, such as (16, 32, 64)")
    levels = len(filters)
    if not 0 <= flat_levels <= (levels if spatial_dims == 3 else 0):
        raise UserError(f"flat_levels is {flat_levels}; give 0 to {levels} of a 3-D DynUNet's {levels} levels")
    if norm not in NORMS:
        raise UserError(f"norm is {norm!r}; give {' or '.join(map(repr, NORMS))}")
    kernels: list[Any] = [(1, 3, 3)] * flat_levels + [3] * (levels - flat_levels)
    steps: list[Any] = [(1, 2, 2) if level < flat_levels else 2 for level in range(1, levels)]
    network = DynUNet(
        spatial_dims=spatial_dims,
        in_channels=in_channels,
        out_channels=num_classes,
        kernel_size=kernels,
        strides=[1, *steps],
        upsample_kernel_size=steps,
        filters=list(filters),
        norm_name=(norm, {"affine": True}),
    )
    reach = 2 ** (levels - 1)
    deep = 2 ** sum(step == 2 for step in steps)
    return SegmentationBackbone(
        network,
        trunk="skip_layers",
        classifier="output_block",
        spatial_dims=spatial_dims,
        num_features=filters[0],
        num_classes=num_classes,
        multiple=(deep, reach, reach) if flat_levels else reach,
        minimum=2 * reach,  # instance norm at the deepest level needs more than one voxel
    )


def segresnet(
    *,
    spatial_dims: int = 3,
    in_channels: int = 4,
    num_classes: int = 3,
    init_filters: int = 16,
    normalised: bool = True,
) -> SegmentationBackbone:
    """Builds MONAI's SegResNet, a residual U-Net of four levels without the autoencoder branch.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the images.
        num_classes: regions.
        init_filters: channels of the first level, a multiple of 8; doubled at each of the three below.
        normalised: take the last feature map behind the last norm and its ReLU, or, if False, before them; the logits
            are the same.

    Raises:
        UserError: filters that 8 does not divide.

    Example:
        >>> import torch
        >>> from medattn_lite.networks import segresnet
        >>> segresnet(in_channels=1, init_filters=8)(torch.randn(1, 1, 16, 16, 16)).shape
        torch.Size([1, 3, 16, 16, 16])
    """
    from monai.networks.nets import SegResNet

    check_spatial_dims(spatial_dims)
    if init_filters < SEGRESNET_GROUPS or init_filters % SEGRESNET_GROUPS:
        raise UserError(f"init_filters is {init_filters}; SegResNet's group norms need a multiple of 8, such as 16")
    network = SegResNet(
        spatial_dims=spatial_dims, in_channels=in_channels, out_channels=num_classes, init_filters=init_filters
    )
    network.use_conv_final = False  # its parameters stay: `forward` of the backbone applies them
    return SegmentationBackbone(
        network,
        trunk=None,
        finish=("conv_final.0", "conv_final.1") if normalised else (),
        classifier="conv_final.2" if normalised else "conv_final",
        spatial_dims=spatial_dims,
        num_features=init_filters,
        num_classes=num_classes,
        multiple=8,
        minimum=8,
    )


def pad_to_multiple(x: Tensor, *, multiple: int | Sequence[int], minimum: int) -> Tensor:
    """Zeros at the far end of each side, up to the next multiple; the longest side gets `minimum` at least.

    Args:
        x: (B, C, …).
        multiple: each side becomes a multiple of it; or one number for each side.
        minimum: of the longest side (of the last one, where several are longest); a multiple of `multiple`.
    """
    target = padded_sides(x.shape[2:], multiple=multiple, minimum=minimum)
    padding = [(0, wanted - side) for side, wanted in zip(x.shape[2:], target, strict=True)]
    if not any(after for _, after in padding):
        return x
    return F.pad(x, [amount for pair in reversed(padding) for amount in pair])


def padded_sides(size: Sequence[int], *, multiple: int | Sequence[int], minimum: int) -> tuple[int, ...]:
    """The sides that `pad_to_multiple` gives an image of this size."""
    each = [multiple] * len(size) if isinstance(multiple, int) else multiple
    target = [-(-int(side) // multiple) * multiple for side, multiple in zip(size, each, strict=True)]
    longest = max(range(len(target)), key=lambda axis: (target[axis], axis))
    target[longest] = max(target[longest], minimum)
    return tuple(target)


def crop_to(x: Tensor, size: Sequence[int]) -> Tensor:
    """The first `size` places of each side: undoes `pad_to_multiple`."""
    for axis, side in enumerate(size, start=2):
        x = x.narrow(axis, 0, side)
    return x
