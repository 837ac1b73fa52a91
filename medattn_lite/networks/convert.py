"""From the state dicts of official code to the package's names, so that published weights load as they are.

    network.load_state_dict(from_monai_se_resnext(torch.load("se_resnext50.pt", weights_only=True)))

Each converter renames (and where needed reshapes) one source's parameters and leaves the values alone.
A `module.` in front of every name, which DataParallel adds, is taken away first. `load_matching` loads
what fits and lists what did not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from medattn_lite.errors import UserError

StateDict = dict[str, Tensor]
Rules = Sequence[tuple[str, str]]


def rename(state_dict: Mapping[str, Tensor], rules: Rules) -> StateDict:
    """Applies every rule (regular expression, replacement) to every name, in order.

    Raises:
        UserError: two parameters would get one name.
    """
    renamed: StateDict = {}
    for key, value in without_wrapper(state_dict).items():
        for pattern, replacement in rules:
            key = re.sub(pattern, replacement, key)
        if key in renamed:
            raise UserError(f"two parameters of the checkpoint would both be called {key}; is it of this network?")
        renamed[key] = value
    return renamed


def without_wrapper(state_dict: Mapping[str, Tensor]) -> StateDict:
    """Takes away DataParallel's `module.` where every name has it."""
    prefix = "module."
    if state_dict and all(key.startswith(prefix) for key in state_dict):
        return {key.removeprefix(prefix): value for key, value in state_dict.items()}
    return dict(state_dict)


# Blocks


def from_rsa_block(state_dict: Mapping[str, Tensor]) -> StateDict:
    """`rsaBlock` of tinymilky/RSANet to `RecurrentSliceAttention`; its 1×1×1 convolutions become matrices."""
    renamed = rename(state_dict, _RSA)
    return {key: value.flatten(1) if _is_projection(key) else value for key, value in renamed.items()}


def from_cbam(state_dict: Mapping[str, Tensor]) -> StateDict:
    """`CBAM` of Jongchan/attention-module to `CBAM`."""
    return rename(state_dict, _CBAM)


def from_non_local(state_dict: Mapping[str, Tensor]) -> StateDict:
    """`NONLocalBlock2D/3D` of AlexHex7/Non-local_pytorch to `NonLocal`."""
    return rename(state_dict, _NON_LOCAL)


def from_split_attention(state_dict: Mapping[str, Tensor]) -> StateDict:
    """`SplAtConv2d` of zhanghang1989/ResNeSt (timm's `SplitAttn` has the same names) to `SplitAttention`."""
    return without_wrapper(state_dict)


def from_p3d_bottleneck(state_dict: Mapping[str, Tensor]) -> StateDict:
    """`Bottleneck` of qijiezhao/pseudo-3d-pytorch with structure A to `P3DBlock`: the names are the same."""
    return without_wrapper(state_dict)


def from_monai_se_layer(state_dict: Mapping[str, Tensor]) -> StateDict:
    """`ChannelSELayer` of MONAI to `SqueezeExcitation`."""
    return rename(state_dict, ((r"^fc\.0\.", "gate.reduce."), (r"^fc\.2\.", "gate.expand.")))


def from_torch_multihead(state_dict: Mapping[str, Tensor]) -> StateDict:
    """Converts `torch.nn.MultiheadAttention` (same width for query, key and value) to `MultiHeadAttention`.

    Example:
        >>> import torch
        >>> from medattn_lite.attention import MultiHeadAttention
        >>> from medattn_lite.networks import from_torch_multihead
        >>> theirs, ours = torch.nn.MultiheadAttention(16, 4, batch_first=True), MultiHeadAttention(16, num_heads=4)
        >>> ours.load_state_dict(from_torch_multihead(theirs.state_dict()))
        <All keys matched successfully>
        >>> x = torch.randn(2, 5, 16)
        >>> torch.allclose(ours(x), theirs(x, x, x)[0], atol=1e-5)
        True
    """
    converted: StateDict = {}
    for key, value in without_wrapper(state_dict).items():
        if key.startswith("in_proj_"):
            leaf = key.removeprefix("in_proj_")
            width = value.shape[0] // 3
            for index, name in enumerate(("query", "key", "value")):
                converted[f"{name}.{leaf}"] = value[index * width : (index + 1) * width]
        else:
            converted[key.replace("out_proj.", "output.")] = value
    return converted


# Networks


def from_monai_se_resnext(state_dict: Mapping[str, Tensor]) -> StateDict:
    """`SEResNext50` and its like of MONAI to `SEResNeXt`."""
    return rename(state_dict, _MONAI_SE_RESNEXT)


def from_senet_se_resnext(state_dict: Mapping[str, Tensor]) -> StateDict:
    """Cadene's `se_resnext50_32x4d` (timm: `legacy_seresnext50_32x4d`), whose gates are 1×1 convolutions."""
    renamed = rename(state_dict, _SENET_SE_RESNEXT)
    return {key: value.flatten(1) if _is_flat_gate(key, value) else value for key, value in renamed.items()}


def from_survival_resnet_cbam(state_dict: Mapping[str, Tensor]) -> StateDict:
    """`resnet50_cbam` of kyuchoi/3D_MRI_survival_glioma to `ResNetCBAM`; its MLP is 1×1×1 convolutions."""
    renamed = rename(state_dict, _SURVIVAL_CBAM)
    return {key: value.reshape(value.shape[:2]) if ".mlp." in key else value for key, value in renamed.items()}


def from_official_resnet_cbam(state_dict: Mapping[str, Tensor]) -> StateDict:
    """`ResidualNet` with CBAM of Jongchan/attention-module to `ResNetCBAM(**OFFICIAL_CBAM)`."""
    return rename(state_dict, _CBAM)


def from_resnest(state_dict: Mapping[str, Tensor]) -> StateDict:
    """`resnest50` of zhanghang1989/ResNeSt or timm's `resnest50d` to `ResNeSt`: the names are the same."""
    return without_wrapper(state_dict)


def from_rsanet(state_dict: Mapping[str, Tensor]) -> StateDict:
    """The 3-D U-Net of tinymilky/RSANet to `RSANet` with RSA at 010."""
    return from_rsa_block(rename(state_dict, _RSANET))


@dataclass(frozen=True)
class LoadReport:
    """What `load_matching` did with a checkpoint.

    Attributes:
        loaded: names that were loaded.
        other_shape: names in both whose shapes differ, such as a classifier of other classes.
        missing: names the network has and the checkpoint has not; they keep their start.
        unused: names the checkpoint has and the network has not.
    """

    loaded: tuple[str, ...]
    other_shape: tuple[str, ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]

    def __str__(self) -> str:
        parts = {"other shape": self.other_shape, "missing": self.missing, "unused": self.unused}
        lines = [f"loaded {len(self.loaded)} tensors"]
        lines += [f"{what}: {', '.join(names)}" for what, names in parts.items() if names]
        return "; ".join(lines)


def load_matching(network: nn.Module, state_dict: Mapping[str, Tensor]) -> LoadReport:
    """Loads what fits by name and shape, and says what did not.

    Args:
        network: changed in place.
        state_dict: already in the package's names (see the converters above).

    Raises:
        UserError: nothing fits.

    Example:
        >>> import torch
        >>> from medattn_lite.networks import load_matching
        >>> big, small = torch.nn.Linear(8, 1000), torch.nn.Linear(8, 2)
        >>> print(load_matching(small, {"weight": small.weight, "bias": big.bias}))
        loaded 1 tensors; other shape: bias
    """
    expected = network.state_dict()
    checkpoint = without_wrapper(state_dict)
    matching = {
        key: value for key, value in checkpoint.items() if key in expected and expected[key].shape == value.shape
    }
    if not matching:
        raise UserError(
            f"nothing in the checkpoint fits {type(network).__name__}: it has names such as "
            f"{', '.join(list(checkpoint)[:3]) or '(none)'}; convert it first, or choose the network it was made with"
        )
    network.load_state_dict(matching, strict=False)
    # A counter that old checkpoints lack; its absence says nothing about the weights.
    missing = [key for key in expected if key not in checkpoint and not key.endswith("num_batches_tracked")]
    return LoadReport(
        loaded=tuple(matching),
        other_shape=tuple(key for key in checkpoint if key in expected and key not in matching),
        missing=tuple(missing),
        unused=tuple(key for key in checkpoint if key not in expected),
    )


def _is_projection(key: str) -> bool:
    return re.search(r"(^|\.)projections\.\w+\.weight$", key) is not None


def _is_flat_gate(key: str, value: Tensor) -> bool:
    return ".se.gate." in key and key.endswith(".weight") and value.dim() > 2


_RSA: Rules = (
    (r"(^|\.)theta_conv\.", r"\1projections.query."),
    (r"(^|\.)phi_conv\.", r"\1projections.key."),
    (r"(^|\.)g_conv\.", r"\1projections.value."),
)
_CBAM: Rules = (
    (r"(^|\.)ChannelGate\.mlp\.1\.", r"\1channel.mlp.0."),
    (r"(^|\.)ChannelGate\.mlp\.3\.", r"\1channel.mlp.2."),
    (r"(^|\.)SpatialGate\.spatial\.conv\.", r"\1spatial.convolution."),
    (r"(^|\.)SpatialGate\.spatial\.bn\.", r"\1spatial.norm."),
)
_NON_LOCAL: Rules = (
    (r"^theta\.", "query."),
    # With sub-sampling key and value are a convolution followed by a pool.
    (r"^phi\.(0\.)?", "key."),
    (r"^g\.(0\.)?", "value."),
    # With batch norm W is a convolution followed by it.
    (r"^W\.(0\.)?(weight|bias)$", r"output.\2"),
    (r"^W\.1\.", "norm."),
)
_MONAI_SE_RESNEXT: Rules = (
    (r"^layer0\.", ""),
    (r"\.conv(\d)\.conv\.", r".conv\1."),
    (r"\.conv(\d)\.adn\.N\.", r".bn\1."),
    (r"\.project\.conv\.", ".downsample.0."),
    (r"\.project\.adn\.N\.", ".downsample.1."),
    (r"\.se_layer\.fc\.0\.", ".se.gate.reduce."),
    (r"\.se_layer\.fc\.2\.", ".se.gate.expand."),
    (r"^last_linear\.", "fc."),
)
_SENET_SE_RESNEXT: Rules = (
    (r"^layer0\.", ""),
    (r"\.se_module\.fc1\.", ".se.gate.reduce."),
    (r"\.se_module\.fc2\.", ".se.gate.expand."),
    (r"^last_linear\.", "fc."),
)
_SURVIVAL_CBAM: Rules = (
    (r"\.ca\.fc\.(\d)\.", r".cbam.channel.mlp.\1."),
    (r"\.sa\.conv1\.", ".cbam.spatial.convolution."),
)
_RSANET: Rules = (
    (r"\.layer\.layer\.", "."),
    (r"^conv(\d)\.", r"encoder.level\1."),
    (r"^down(\d)\.down\.", r"down.level\1."),
    (r"^up_concat(\d)\.up\.up\.0\.", r"decoder.level\1.reduce."),
    (r"^up_concat(\d)\.conv\.", r"decoder.level\1.convs."),
    (r"^rsa_block\.", "attention.center."),
)
