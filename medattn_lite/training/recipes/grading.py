"""Glioma grading: P3D-ResNet-50 with and without inter-slice attention, and the full 3-D ResNet-50 beside it."""

from __future__ import annotations

from functools import partial

from medattn_lite.networks.registry import GRADING as PAPER
from medattn_lite.training.recipes.recipe import Recipe, Settings, Variant

_published = partial(
    Settings, batch_size=4, learning_rate=3e-4, schedule="steps", folds=5,
    options={"flip_classes": (0,), "spacing_mm": 1.0},
)  # fmt: skip

GRADING = Recipe(
    name="grading",
    paper=PAPER,
    summary="low or high grade from a crop around the tumour: P3D-ResNet-50 with and without IAM",
    task="grading:Grading",
    phantom_task="grade",
    variants=(
        Variant("P3D", "p3d"),
        Variant("P3D + IAM", "p3d_iam"),
        Variant("ResNet-50 3-D", "resnet50_3d"),
        Variant("tumour features", "", trained=False),
        Variant("P3D + IAM + tumour features", "p3d_iam", settings={"options": {"with_features": True}}),
    ),
    comparisons=(
        ("P3D + IAM", "P3D"),
        ("P3D", "ResNet-50 3-D"),
        ("P3D + IAM", "tumour features"),
        ("P3D + IAM + tumour features", "tumour features"),
    ),
    scales={
        "paper": _published(
            size=(128, 128, 128), epochs=100, milestones=(20, 50), subjects=285, phantom={"spacing_mm": 1.0},
        ),
        "laptop": _published(
            size=(32, 48, 48), epochs=20, milestones=(12, 17), subjects=150, valid_every=4,
            phantom={"shape": (56, 64, 56), "spacing_mm": 3.0}, network={"layers": (1, 1, 1, 1), "width": 16},
            learning_rate=1e-3, options={"flip_classes": (0,), "spacing_mm": 3.0},
        ),
        "smoke": _published(
            size=(16, 32, 32), epochs=1, milestones=(1,), subjects=10, valid_every=1,
            phantom={"shape": (28, 32, 28), "spacing_mm": 6.0}, network={"layers": (1, 1, 1, 1), "width": 8},
            folds=5, options={"flip_classes": (0,), "spacing_mm": 6.0},
        ),
    },
    guesses=(
        "optimiser: not stated; Adam, without weight decay",
        "learning rate: printed as 3 × 10^4; read as 3 × 10^-4",
        "input: number of modalities not stated; the data set's, four in BraTS",
        "intensities: mean and standard deviation per image and modality; here the intensity scale of "
        "data/transforms.py, which takes them from part of the head",
        "flips: the paper mirrors low-grade images against the imbalance of classes, which makes 150 of 75; here each "
        "is mirrored every other time it is seen, and the balance of classes stays as it is",
        "scores: the paper prints means over folds; here the patients of all folds are pooled, and the mean over folds "
        "stands beside it where it is another figure",
        "reduction of IAM: not stated; 16",
        "dropout before the last layer: p not stated; 0.5, as in the P3D code",
        "at laptop scale the learning rate is 10^-3: with 3 × 10^-4 the network had learned nothing in this many steps",
        "tumour features: no row of the paper's; a logistic regression on the volume, and on mean and spread of each "
        "channel inside the tumour",
        "P3D + IAM + tumour features: no row of the paper's; the regression on the tumour features, fixed, and a "
        "network that starts at nothing and learns what they leave. The state, the untrained one among them, is chosen "
        "by the likelihood of the validation patients' labels: it says whether the image holds more than its outline",
        "the state with the best AUC on the validation patients is tested; the paper does not say which is",
    ),
    published={
        "P3D": {"accuracy": "85.96 %", "AUC": "84.04 %", "validation accuracy": "87.72 %",
                "validation AUC": "89.52 %"},
        "P3D + IAM": {"accuracy": "89.47 %", "AUC": "86.42 %", "validation accuracy": "91.58 %",
                      "validation AUC": "91.52 %"},
    },
)
