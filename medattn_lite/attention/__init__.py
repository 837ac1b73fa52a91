"""The attention mechanisms, one a file, in plain torch.

Scores: `dot_scores`, `scaled_dot_scores`, `AdditiveScores`, `softmax_weights`, `attend`,
`Seq2SeqAttention`, `MultiHeadAttention`. Blocks: `SqueezeExcitation`, `CBAM`, `SplitAttention`,
`InterSliceAttention`, `NonLocal`, `SliceAttention`, `RecurrentSliceAttention`, `DualFusionAttention`.

This room imports nothing of the rest of the package.
"""

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
    "dot_scores",
    "scaled_dot_scores",
    "softmax_weights",
]
