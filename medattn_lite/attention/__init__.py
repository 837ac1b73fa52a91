"""The attention mechanisms, one per file, in plain torch.

By name, all with one signature: `create("cbam", channels, spatial_dims=3)`; `names()` and `options(name)` list them.
Scores: `dot_scores`, `scaled_dot_scores`, `AdditiveScores`, `softmax_weights`, `attend`,
`Seq2SeqAttention`, `MultiHeadAttention`. Blocks: those of `registry.MECHANISMS`, each importable from here by the
name of its class, and `SliceAttention` and `DualFusionAttention`.

This room imports nothing of the rest of the package.
"""

from torch import nn

from medattn_lite.attention.cbam import CBAM, ChannelAttention, SpatialAttention
from medattn_lite.attention.dual_fusion import DualFusionAttention, EarlyFusion, GlobalFusion, LocalAttention
from medattn_lite.attention.inter_slice import (
    InterSliceAttention,
    InterSliceChannelAttention,
    InterSliceSpatialAttention,
)
from medattn_lite.attention.maps import AttentionMap
from medattn_lite.attention.multi_head import MultiHeadAttention
from medattn_lite.attention.non_local import NonLocal
from medattn_lite.attention.registry import MECHANISMS, Mechanism, create, names, options
from medattn_lite.attention.rsa import RecurrentSliceAttention
from medattn_lite.attention.scores import (
    AdditiveScores,
    Attended,
    AttentionWeights,
    Seq2SeqAttention,
    attend,
    dot_scores,
    scaled_dot_scores,
    softmax_weights,
)
from medattn_lite.attention.slice_attention import SliceAffinity, SliceAttention
from medattn_lite.attention.split_attention import RadixSoftmax, SplitAttention
from medattn_lite.attention.squeeze_excitation import ExcitationGate, SqueezeExcitation
from medattn_lite.attention.voxel_affinity import VoxelAffinity

__all__ = [
    "CBAM",
    "MECHANISMS",
    "AdditiveScores",
    "Attended",
    "AttentionMap",
    "AttentionWeights",
    "ChannelAttention",
    "DualFusionAttention",
    "EarlyFusion",
    "ExcitationGate",
    "GlobalFusion",
    "InterSliceAttention",
    "InterSliceChannelAttention",
    "InterSliceSpatialAttention",
    "LocalAttention",
    "Mechanism",
    "MultiHeadAttention",
    "NonLocal",
    "RadixSoftmax",
    "RecurrentSliceAttention",
    "Seq2SeqAttention",
    "SliceAffinity",
    "SliceAttention",
    "SpatialAttention",
    "SplitAttention",
    "SqueezeExcitation",
    "VoxelAffinity",
    "attend",
    "create",
    "dot_scores",
    "names",
    "options",
    "scaled_dot_scores",
    "softmax_weights",
]


def __getattr__(name: str) -> type[nn.Module]:
    """A registered mechanism by its class name, also where it is not imported above."""
    for mechanism in MECHANISMS.values():
        if mechanism.class_name == name:
            return mechanism.load()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *(mechanism.class_name for mechanism in MECHANISMS.values())})
