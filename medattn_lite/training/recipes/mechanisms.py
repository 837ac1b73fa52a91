"""No paper's table: the grade of a phantom's whole head with each mechanism, for the maps of notebooks 09 to 11.

The papers train their networks for different ends, so their maps cannot be compared. Here one frame, P3D, learns the
same thing from the same heads with every mechanism of the registry in its place, and the voxels that decide are known.
A wider P3D without attention has at least the parameters of the largest of them. More tasks, and intervals over seeds:
`medattn compare`.
"""

from __future__ import annotations

from functools import partial

from medattn_lite.attention import registry
from medattn_lite.training.recipes.recipe import Recipe, Settings, Variant

WIDER = "wider P3D"
_FINE = {"layers": (1, 1, 1, 1), "strides": (1, 2, 1, 1)}  # else the last map of a small head has 2 places an axis
_SMALL = {"layers": (1, 1, 1, 1)}
_settings = partial(Settings, batch_size=4, schedule="steps", folds=5)
# As published, split attention's 3×3×3 convolution stands in the place of the block's; here it would be one more.
_OPTIONS = {"split": {"attention_options": {"kernel_size": 1, "groups": 4}}}
_PLUGGED = {name: f"P3D + {mechanism.short_title}" for name, mechanism in registry.MECHANISMS.items()
            if name != "none" and 3 in mechanism.spatial_dims}  # fmt: skip


def _network(mechanism: str) -> str:
    return "p3d_iam" if mechanism == "iam" else f"p3d+{mechanism}"


MECHANISMS = Recipe(
    name="mechanisms",
    paper="none: a comparison of the papers' mechanisms on one task, made for explanations that can be scored",
    summary="low or high grade of a phantom from its whole head, each mechanism in one frame; and two that must fail",
    task="mechanisms:Mechanisms",
    phantom_task="grade",
    variants=(
        Variant("P3D", "p3d"),
        *(Variant(title, _network(name), options=_OPTIONS.get(name, {})) for name, title in _PLUGGED.items()),
        Variant(WIDER, "p3d"),
        Variant("P3D + IAM, shuffled labels", "p3d_iam", settings={"options": {"shuffled": True}}),
        Variant("P3D + IAM, scanner mark", "p3d_iam", settings={"options": {"marked": True}}),
        Variant("SE-ResNeXt-50", "se_resnext50_3d"),
        Variant("ResNet-50-CBAM", "resnet50_cbam_3d"),
    ),
    comparisons=(
        *((title, "P3D") for title in _PLUGGED.values()),
        (WIDER, "P3D"),
        *((title, WIDER) for title in _PLUGGED.values()),
        ("P3D + IAM", "P3D + IAM, shuffled labels"),
        ("P3D + IAM", "P3D + IAM, scanner mark"),
    ),
    scales={
        "paper": _settings(
            size=(96, 112, 96), epochs=100, milestones=(50, 80), subjects=1000, learning_rate=3e-4,
            phantom={"shape": (96, 112, 96), "spacing_mm": 1.8}, network={WIDER: {"width": 115}},
        ),
        "laptop": _settings(
            size=(48, 56, 48), epochs=16, milestones=(10, 14), subjects=400, learning_rate=1e-3, valid_every=4,
            phantom={"shape": (48, 56, 48), "spacing_mm": 3.5},
            network={
                "p3d": {**_FINE, "width": 16}, "p3d_iam": {**_FINE, "width": 16}, WIDER: {**_FINE, "width": 27},
                "se_resnext50_3d": {**_FINE, "stem_width": 16, "groups": 8, "base_width": 16},
                "resnet50_cbam_3d": {**_FINE, "width": 16},
            },
        ),
        "smoke": _settings(
            size=(24, 28, 24), epochs=1, milestones=(1,), subjects=10, learning_rate=1e-3,
            phantom={"shape": (24, 28, 24), "spacing_mm": 7.0},
            network={
                "p3d": {**_SMALL, "width": 8}, "p3d_iam": {**_SMALL, "width": 8}, WIDER: {**_SMALL, "width": 14},
                "se_resnext50_3d": {**_SMALL, "stem_width": 8, "groups": 4, "base_width": 32},
                "resnet50_cbam_3d": {**_SMALL, "width": 8},
            },
        ),
    },  # fmt: skip
    guesses=(
        "the mechanisms are the papers'; the task, the whole head and the schedule are no paper's",
        "at laptop scale the last two stages have stride 1, so that the last map keeps 6×7×6 places; at 2×2×2 Grad-CAM "
        "could point nowhere",
        "all heads are mirrored left-right half of the time, whatever their grade",
        "the state with the best AUC on the validation patients is tested; where labels are shuffled, training and "
        "validation patients both have shuffled labels (each seed deals anew), and the test keeps the true ones",
        "one frame for all mechanisms, so that a difference is the mechanism's; the wider P3D has at least the "
        "parameters of the largest of them",
        "split attention has 1×1×1 convolutions in four groups: its published 3×3×3 convolution would be one more in "
        "each block",
        "SE-ResNeXt-50 and ResNet-50-CBAM are the survival deck's networks, trained on this task for their maps; other "
        "backbones, so they are not compared",
    ),
)
