"""Survival of patients with glioma: SE-ResNeXt-50, ResNet-50-CBAM and DenseNet-121 on the whole head.

Beside them the official head, Cox's likelihood, clinical values next to the image, and clinical values alone.
"""

from __future__ import annotations

from functools import partial

from medattn_lite.networks.registry import SURVIVAL as PAPER
from medattn_lite.training.recipes.recipe import Recipe, Settings, Variant

_SE, _CBAM, _DENSE = "survival_se_resnext50", "survival_resnet50_cbam", "survival_densenet121"
_published = partial(
    Settings, optimiser="adamp", weight_decay=1e-6, sharpness=0.05, schedule="cosine", final_rate=1e-6
)
_OPTIONS = {
    "whole": (78, 120, 120), "spacing_mm": 2.0, "field_mm": (156.0, 240.0, 240.0), "intensity": "z-score",
    "end_point": "overall", "grades": "all", "noise_probability": 0.3, "noise_sd": 0.1, "clinical": False,
    "draws": 1000, "start_at_prior": False,
}  # fmt: skip
_WITH_CLINICAL = {"options": {"clinical": True}}


def _small(width: int, growth: int) -> dict[str, dict]:
    """The three networks with one block per stage (two dense layers per block) and fewer channels."""
    return {
        _SE: {"layers": (1, 1, 1, 1), "stem_width": width, "base_width": 256 // width, "groups": 8},
        _CBAM: {"layers": (1, 1, 1, 1), "width": width},
        _DENSE: {"init_features": width, "growth_rate": growth, "block_config": (2, 2, 2, 2)},
    }


def _fine(width: int, growth: int) -> dict[str, dict]:
    """The same for heads of 7 mm: two stages keep 6×7×6 places, not one of them; DenseNet-121 pads to 29 voxels."""
    sizes = _small(width, growth)
    return {name: {**options, "pad": True} if name == _DENSE else {**options, "strides": (1, 1, 2, 1)}
            for name, options in sizes.items()}  # fmt: skip


SURVIVAL = Recipe(
    name="survival",
    paper=PAPER,
    summary="survival from the whole head by discrete hazards or Cox: three networks, clinical values, and both",
    task="survival:Survival",
    phantom_task="survival",
    variants=(
        Variant("SE-ResNeXt-50", _SE),
        Variant("ResNet-50-CBAM", _CBAM),
        Variant("DenseNet-121", _DENSE),
        Variant("SE-ResNeXt-50 official head", _SE, options={"head": "official"}),
        Variant("SE-ResNeXt-50 Cox", _SE, options={"head": "cox"}),
        Variant("SE-ResNeXt-50 + clinical", _SE, settings=_WITH_CLINICAL),
        Variant("clinical", "", settings=_WITH_CLINICAL, trained=False),
        Variant("SE-ResNeXt-50 risk + clinical", "", settings=_WITH_CLINICAL, needs={"image": "SE-ResNeXt-50"},
                trained=False),
        Variant("outline", "", settings={"options": {"outline": True}}, trained=False),
        Variant("SE-ResNeXt-50 shuffled outcomes", _SE, settings={"options": {"shuffled": True}}),
    ),
    comparisons=(
        ("ResNet-50-CBAM", "SE-ResNeXt-50"),
        ("SE-ResNeXt-50", "outline"),
        ("ResNet-50-CBAM", "outline"),
        ("SE-ResNeXt-50", "SE-ResNeXt-50 shuffled outcomes"),
        ("SE-ResNeXt-50", "clinical"),
        ("SE-ResNeXt-50 + clinical", "clinical"),
        ("SE-ResNeXt-50 risk + clinical", "clinical"),
        ("SE-ResNeXt-50 official head", "SE-ResNeXt-50"),
        ("SE-ResNeXt-50 Cox", "SE-ResNeXt-50"),
    ),
    scales={
        "paper": _published(
            size=(64, 64, 64), batch_size=64, epochs=200, learning_rate=1e-4, cosine_epochs=10, folds=10,
            subjects=1139, options=_OPTIONS,
            phantom={"shape": (78, 120, 120), "spacing_mm": 2.0, "realism": "clinical"},
        ),
        "laptop": Settings(
            size=(22, 26, 22), batch_size=16, epochs=8, learning_rate=1e-3, cosine_epochs=8, folds=5,
            optimiser="adamw", weight_decay=1e-2, schedule="cosine", final_rate=1e-6, valid_every=2,
            subjects=800, phantom={"shape": (48, 56, 48), "spacing_mm": 3.5}, network=_fine(8, 4),
            options={**_OPTIONS, "whole": (48, 56, 48), "pool": 2, "spacing_mm": 3.5, "start_at_prior": True,
                     "mirror": True, "keep_best": True, "outline_weight": 1.0},
        ),
        "smoke": _published(
            size=(29, 29, 29), batch_size=6, epochs=1, learning_rate=1e-3, cosine_epochs=1, folds=2,
            subjects=12, phantom={"shape": (32, 32, 32), "spacing_mm": 6.0}, network=_small(8, 4),
            options={**_OPTIONS, "whole": (32, 32, 32), "spacing_mm": 6.0, "draws": 20, "start_at_prior": True},
        ),
    },
    guesses=(
        "folds: the code makes 10, stratified by death, and runs the first alone; all are run here "
        "(--first-folds 1 runs the first)",
        "the last state is tested: which one the deck reports is not said; its 'valid' patients are those it reports. "
        "At laptop scale the state is tested whose C-index is best on patients of its own",
        "at laptop scale heads of 3.5 mm are averaged to 7 mm and seen whole but for 2 voxels, mirrored half of the "
        "time; AdamW without sharpness-aware minimisation; and beside survival the network is taught two numbers of "
        "each training patient's mask, the tumour's volume and the dead share of its core (outline_weight=0 leaves "
        "that out). No mask is read when it predicts",
        "outline and shuffled outcomes are controls: Cox's model of those two numbers, which must work, and the "
        "network with outcomes shuffled in training and validation, which must fail",
        "one-year survival: follow-up cut at one year, for training and for the scores (--set end_point=one-year)",
        "highest grade: WHO grade 4 in the deck, the highest grade that a data set has here (--set grades=highest)",
        "crops before the network: the code cuts off 15 bottom slices at 1 mm and brings images to (192, 256, 256), "
        "then to 2 mm and (120, 120, 78); here they are brought to 2 mm and to that size in one step, nothing else is "
        "cut",
        "external test: the deck tests on patients of another source; so does medattn study transfer, of a finished "
        "run (phantoms of scanner B, or another data set with the same channels)",
        "the deck's four columns (all or highest grade, overall or one-year): one training, whose predictions are "
        "scored on the patients of the highest grade and with follow-up cut at one year; whether the deck trained anew "
        "for each is not said (--set end_point=one-year, --set grades=highest do)",
        "phantoms at paper scale have the clinic's difference between grades (realism clinical), which the deck's gap "
        "between all grades and the highest needs; at laptop and smoke scale a grade tells by its dead core alone",
        "intensity: the scale of data/transforms.py; the code standardises histograms (--set intensity=histogram), "
        "here with landmarks of the fold's training patients",
        "noise: sd not stated; 0.1",
        "the rows of images follow the package, (D, H, W) = (78, 120, 120), where the deck prints (120, 120, 78)",
        "images whose files know no voxel size are taken to cover 156 × 240 × 240 mm",
        "hazard: logistic; the code's head, whose hazards end at 0.632, is a variant of its own",
        "DenseNet-121: mean over space in front of the last layer; the code's layer does not fit any of its images",
        "learning rate: the code's cosine has a half period of 10 epochs and so rises and falls 10 times in 200",
        "hazards start at 0.5, as in the code; at laptop and smoke scale, whose steps are too few to learn the level, "
        "at the training patients' hazards",
        "a trained network's risk as one more value of Cox's model: fitted on the network's own training patients, "
        "whom it knows too well",
        "Cox, clinical values and both: not in the deck's table; Cox compares the patients of one batch, "
        "and of one process",
    ),
    published={
        "SE-ResNeXt-50": {
            "C-index": "0.733 [0.7124, 0.7540]", "Brier at one year": "0.148",
            "C-index, highest grade": "0.551 [0.5174, 0.5807]", "Brier at one year, highest grade": "0.201",
            "C-index, one-year": "0.606 [0.5665, 0.6459]", "Brier at one year, one-year": "0.164",
            "C-index, one-year, highest grade": "0.55 [0.5073, 0.5918]",
            "Brier at one year, one-year, highest grade": "0.199",
        },
        "ResNet-50-CBAM": {
            "C-index": "0.763 [0.7430, 0.7818]", "Brier at one year": "0.147",
            "C-index, highest grade": "0.625 [0.5952, 0.6528]", "Brier at one year, highest grade": "0.204",
            "C-index, one-year": "0.7961 [0.7676, 0.8255]", "Brier at one year, one-year": "0.14",
            "C-index, one-year, highest grade": "0.65 [0.6066, 0.6909]",
            "Brier at one year, one-year, highest grade": "0.213",
        },
    },
)  # fmt: skip
