"""Which layer to explain at: the deepest one whose map still says where.

The deeper a layer, the more its channels mean and the fewer places it has. In a small image the last stage of a network
that divides by 32 has one or two voxels an axis, and its map is one number for the whole head. So the default is the
deepest stage with at least four places along every axis, of the stages that the papers' networks are made of.

Papers: Selvaraju et al. 2017 take the last convolution; Vinogradova et al. 2020 the bottleneck of a U-Net, since in the
last layer before the 1×1×1 convolution Grad-CAM gives the logits back.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from medattn_lite.errors import UserError
from medattn_lite.explain.passes import find_layer, output_of

MINIMUM_SIDE = 4


def stages(model: nn.Module) -> list[str]:
    """Names of the stages of one of the papers' networks, the deepest first; empty for any other network."""
    from medattn_lite.networks.dual_fusion_backbones import SegmentationBackbone
    from medattn_lite.networks.dual_fusion_net import DualFusionNet
    from medattn_lite.networks.residual import ResidualNetwork
    from medattn_lite.networks.rsanet import RSANet
    from medattn_lite.networks.survival import DenseNetFeatures, SurvivalNetwork

    if isinstance(model, ResidualNetwork):
        return ["layer4", "layer3", "layer2", "layer1"]
    if isinstance(model, DenseNetFeatures):
        return ["features", "features.denseblock3", "features.denseblock2", "features.denseblock1"]
    if isinstance(model, SurvivalNetwork):
        return [f"backbone.{name}" for name in stages(model.backbone)]
    if isinstance(model, RSANet):
        center = "attention.center" if "center" in model.attention else "center"
        return [center, *(f"encoder.{level}" for level in reversed(model.levels))]
    if isinstance(model, SegmentationBackbone):
        if hasattr(model.network, "bottleneck"):
            levels = range(len(model.network.downsamples) - 1, -1, -1)
            return ["network.bottleneck", *(f"network.downsamples.{n}" for n in levels), "network.input_block"]
        return [f"network.down_layers.{n}" for n in range(len(model.network.down_layers) - 1, -1, -1)]
    if isinstance(model, DualFusionNet):
        joined = ["head.early_fusion"] if model.fusion == "attention" else []
        return [*joined, *(f"first.{name}" for name in stages(model.first))]
    return []


def layer_sizes(
    model: nn.Module, image: Tensor, names: Sequence[str] | None = None, *, beside: Sequence[Tensor] = ()
) -> dict[str, tuple[int, ...]]:
    """Sides of the maps that layers give for an image.

    Args:
        model: any network.
        image: (B, C, D, H, W) or (B, C, H, W).
        names: of layers; None for every module that gives a map.
        beside: what the network takes besides the image.

    Returns:
        layer → (d, h, w), in the order in which the layers end their work.
    """
    found: dict[str, tuple[int, ...]] = {}
    chosen = [name for name, _ in model.named_modules() if name] if names is None else names
    handles = []
    for name in chosen:

        def hook(module: nn.Module, inputs: tuple, output: object, name: str = name) -> None:
            if isinstance(output, Tensor) and output.dim() == image.dim():
                found.pop(name, None)  # of several uses the last one counts
                found[name] = tuple(output.shape[2:])

        handles.append(find_layer(model, name).register_forward_hook(hook))
    try:
        output_of(model, image[:1], beside=[extra[:1] for extra in beside])
    finally:
        for handle in handles:
            handle.remove()
    return found


@torch.no_grad()
def default_layer(model: nn.Module, image: Tensor, *, beside: Sequence[Tensor] = ()) -> str:
    """The deepest stage with at least four places along every axis, or with as many as the image has.

    Of a network that is none of the papers', the last layer with so many places that does not give the output itself.
    Where no layer has them, the one with the most places along its shortest axis.

    Raises:
        UserError: no layer gives a map.
    """
    known = stages(model)
    sizes = layer_sizes(model, image, known or None, beside=beside)
    order = [name for name in known if name in sizes]
    if not known:
        output = output_of(model, image[:1], beside=[extra[:1] for extra in beside])
        own = tuple(output.shape[2:])  # of a segmentation network
        order = [name for name in reversed(sizes) if not own or min(sizes[name]) < min(own)] or list(sizes)[:1]
    if not order:
        raise UserError(f"no layer of {type(model).__name__} gives a map of this image: name one with layer=")
    wanted = [min(MINIMUM_SIDE, side) for side in image.shape[2:]]
    enough = [name for name in order if all(n >= w for n, w in zip(sizes[name], wanted, strict=True))]
    return enough[0] if enough else max(order, key=lambda name: min(sizes[name]))
