"""No paper's table: the grade of a phantom's whole head with each mechanism, for the maps of notebooks 09 to 11.

The papers train their networks for different ends, so their maps cannot be compared. Here they learn the same thing
from the same heads, whose deciding voxels are known.
"""

from __future__ import annotations

from medattn_lite.training.recipes.recipe import Recipe, Settings, Variant

_FINE = {"layers": (1, 1, 1, 1), "strides": (1, 2, 1, 1)}  # else the last map of a small head has 2 places an axis
_COMMON = {"batch_size": 4, "schedule": "steps", "folds": 5}

MECHANISMS = Recipe(
    name="mechanisms",
    paper="none: a comparison of the papers' mechanisms on one task, made for explanations that can be scored",
    summary="low or high grade of a phantom from its whole head, each mechanism in its network; and two that must fail",
    task="mechanisms:Mechanisms",
    phantom_task="grade",
    variants=(
        Variant("P3D", "p3d"),
        Variant("P3D + IAM", "p3d_iam"),
        Variant("SE-ResNeXt-50", "se_resnext50_3d"),
        Variant("ResNet-50-CBAM", "resnet50_cbam_3d"),
        Variant("P3D + IAM, shuffled labels", "p3d_iam", settings={"options": {"shuffled": True}}),
        Variant("P3D + IAM, scanner mark", "p3d_iam", settings={"options": {"marked": True}}),
    ),
    comparisons=(
        ("P3D + IAM", "P3D"),
        ("SE-ResNeXt-50", "P3D"),
        ("ResNet-50-CBAM", "P3D"),
        ("P3D + IAM", "P3D + IAM, shuffled labels"),
        ("P3D + IAM", "P3D + IAM, scanner mark"),
    ),
    scales={
        "paper": Settings(
            size=(96, 112, 96), epochs=100, milestones=(50, 80), subjects=1000, learning_rate=3e-4,
            phantom={"shape": (96, 112, 96), "spacing_mm": 1.8}, **_COMMON,
        ),
        "laptop": Settings(
            size=(48, 56, 48), epochs=16, milestones=(10, 14), subjects=400, learning_rate=1e-3, valid_every=4,
            phantom={"shape": (48, 56, 48), "spacing_mm": 3.5},
            network={
                "p3d": {**_FINE, "width": 16}, "p3d_iam": {**_FINE, "width": 16},
                "se_resnext50_3d": {**_FINE, "stem_width": 16, "groups": 8, "base_width": 16},
                "resnet50_cbam_3d": {**_FINE, "width": 16},
            },
            **_COMMON,
        ),
        "smoke": Settings(
            size=(24, 28, 24), epochs=1, milestones=(1,), subjects=10, learning_rate=1e-3,
            phantom={"shape": (24, 28, 24), "spacing_mm": 7.0},
            network={
                "p3d": {"layers": (1, 1, 1, 1), "width": 8}, "p3d_iam": {"layers": (1, 1, 1, 1), "width": 8},
                "se_resnext50_3d": {"layers": (1, 1, 1, 1), "stem_width": 8, "groups": 4, "base_width": 32},
                "resnet50_cbam_3d": {"layers": (1, 1, 1, 1), "width": 8},
            },
            **_COMMON,
        ),
    },  # fmt: skip
    guesses=(
        "the networks are the papers'; the task, the whole head and the schedule are no paper's",
        "at laptop scale the last two stages have stride 1, so that the last map keeps 6×7×6 places; at 2×2×2 Grad-CAM "
        "could point nowhere",
        "all heads are mirrored left-right half of the time, whatever their grade",
        "the state with the best AUC on the validation patients is tested; where labels are shuffled, training and "
        "validation patients both have labels dealt at random (each seed deals anew), and the test keeps the true ones",
        "three networks, three backbones: a difference between them is of mechanism and backbone together; only P3D "
        "with and without IAM differ in the mechanism alone",
    ),
)
