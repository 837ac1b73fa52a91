"""Presence and source of a brain tumour by slice: ResNeSt-50 with and without spatial attention; and the leak.

The network for the source is trained on slices with tumour only: ask it of slices in which the other sees one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from medattn_lite.networks.registry import CLASSIFICATION as PAPER
from medattn_lite.training.recipes.recipe import Recipe, Settings, Variant

_GUESSES = (
    "momentum and weight decay of SGD: not stated; 0.9 and 0",
    "start: the paper's is ImageNet; random here unless --set weights=FILE names a ResNeSt-50 file (medattn fetch "
    "resnest50; make paper WEIGHTS=FILE). It knows three channels: with another number the first layer stays random",
    "tested state: 'best performed' could mean chosen on the test folds; here the last one, chosen by nothing",
    "folds: the paper splits 3,670 images of 70 patients and does not say how; here by patient, never by image",
    "contrasts: the paper's images are T1 after contrast alone; here every contrast that the data set has, four on "
    "phantoms",
    "tumour kinds: seven in the paper; a phantom's tumour is a glioma or a metastasis where presence is asked, and the "
    "primary tumour is a high-grade glioma where the source is",
    "intensities: 'normalised'; here the intensity scale of the whole volume, by channel, see data/transforms.py",
    "scores: the paper prints means over folds; here the slices of all folds are pooled, and the mean over folds "
    "stands beside it where it is another figure",
    "size: 'unified to 256×256' may stretch; here slices keep their aspect ratio and are padded",
    "slices: here those with enough head; tumour from 1 % of the largest slice, slivers below that left out",
    "slices without tumour: the paper's are from other patients; here from all, at the heights where tumours occur",
    "ResNeSAt: spatial attention before the addition, 7×7, no batch norm (the printed file sizes fit no other)",
    "beside the paper's two networks: a ResNet-50 of the same size, and slice features, a logistic regression on a few "
    "numbers of each slice (mean, spread and ends of each channel, and how unlike left and right are)",
    "on lgg at laptop scale: every slice at 128 pixels, turned, scaled and changed in intensity beside the mirroring; "
    "AdamW with a one-cycle rate; the mean over both mirror images is predicted",
)


def _small_cnns(width: int) -> Mapping[str, Any]:
    """Each network with one block per stage (two layers per dense block) and fewer channels."""
    residual = {"layers": (1, 1, 1, 1), "width": width}
    return {
        "resnet50_2d": residual,
        "densenet121_2d": {"init_features": width, "growth_rate": 8, "block_config": (2, 2, 2, 2)},
        "se_resnext50_2d": {"layers": (1, 1, 1, 1), "stem_width": width, "base_width": 16, "groups": 8},
        "resnest50": {**residual, "stem_width": 8},
        "resnesat50": {**residual, "stem_width": 8},
    }


def _with_resnet(width: int) -> Mapping[str, Any]:
    """Options of ResNeSt and ResNeSAt, and those of the ResNet-50 beside them, which has no stem of that kind."""
    residual = {"layers": (1, 1, 1, 1), "width": width}
    return {**residual, "stem_width": 8, "resnet50_2d": residual}


_SMALL_CNNS = {"laptop": _small_cnns(16), "smoke": _small_cnns(8)}
_FROM_SCRATCH = 0.01  # published rates are for pretrained weights and 100 epochs


def _scales(*, rate: float) -> Mapping[str, Settings]:
    common: dict[str, Any] = {"batch_size": 16, "optimiser": "sgd", "momentum": 0.9, "schedule": "cosine", "folds": 10}
    options = {"per_subject": None, "match_height": True, "weights": None, "patient": None, "label": None}
    return {
        "paper": Settings(
            size=(256, 256), epochs=100, learning_rate=rate, subjects=70, options=options,
            phantom={"shape": (44, 256, 208), "spacing_mm": (4.0, 0.81, 0.81)}, **common,
        ),
        "laptop": Settings(
            size=(64, 64), epochs=8, learning_rate=_FROM_SCRATCH, subjects=80, options={**options, "per_subject": 12},
            phantom={"shape": (24, 72, 60), "spacing_mm": (7.2, 2.9, 2.9)},
            network=_with_resnet(16), **common,
        ),
        "smoke": Settings(
            size=(32, 32), epochs=1, learning_rate=_FROM_SCRATCH, subjects=8, options={**options, "per_subject": 4},
            phantom={"shape": (10, 36, 30), "spacing_mm": (17.2, 5.8, 5.8)},
            network=_with_resnet(8), **{**common, "folds": 2},
        ),
    }  # fmt: skip


def _beside_cnns(scale: str, settings: Settings) -> Settings:
    """One split, of patients enough for five parts; options of each network by its name where it is made smaller."""
    small = _SMALL_CNNS.get(scale, {})
    options = {name: value for name, value in settings.options.items() if name != "weights"}
    return replace(settings, folds=1, network=small, options=options, subjects=max(settings.subjects, 20))


def _published(*rows: tuple[str, ...]) -> Mapping[str, Mapping[str, str]]:
    names = ("recall", "specificity", "precision", "F1", "accuracy")
    return {variant: dict(zip(names, values, strict=True)) for variant, *values in rows}


_RESNEST, _RESNESAT = Variant("ResNeSt", "resnest50"), Variant("ResNeSAt", "resnesat50")
_LEAKY = Variant("ResNeSAt LEAKY folds by slice", "resnesat50", settings={"options": {"split_by": "slice"}})
_RESNET, _FEATURES = Variant("ResNet-50", "resnet50_2d"), Variant("slice features", "", trained=False)
_BOTH = {
    "task": "slices:Slices",
    "variants": (_RESNEST, _RESNESAT, _RESNET, _FEATURES),
    "comparisons": tuple(("ResNeSAt", other) for other in ("ResNeSt", "ResNet-50", "slice features")),
}
_LEAK = {"task": "leak:LeakySlices", "variants": (_RESNESAT, _LEAKY), "comparisons": ((_LEAKY.name, "ResNeSAt"),)}
_PRESENCE = {
    "phantom_task": "presence",
    "scales": _scales(rate=1e-3),
    "published": _published(
        ("ResNeSt", "0.9733", "0.9772", "0.9803", "0.9768", "0.9751"),
        ("ResNeSAt", "0.9864", "0.9981", "0.9983", "0.9923", "0.9918"),
    ),
}
_SOURCE = {
    "phantom_task": "source",
    "scales": _scales(rate=1e-4),
    "published": _published(
        ("ResNeSt", "0.7927", "0.8684", "0.8718", "0.8304", "0.8283"),
        ("ResNeSAt", "0.8212", "0.8480", "0.8591", "0.8397", "0.8338"),
    ),
}


# Every slice, as large as the patients' files give it; `medattn study ablation --recipe presence --data lgg --root DIR`
# measures what each choice brings
_LGG_LAPTOP = {
    "size": (128, 128), "epochs": 10, "channels_last": True,
    "optimiser": "adamw", "learning_rate": 3e-3, "weight_decay": 1e-2, "momentum": 0.0, "schedule": "one-cycle",
    "options": {"per_subject": None, "turn_degrees": 15.0, "zoom": 0.15, "intensity_change": 0.2, "mirror_test": True},
}  # fmt: skip


def _recipe(name: str, summary: str, *parts: Mapping[str, Any]) -> Recipe:
    return Recipe(name=name, paper=PAPER, summary=summary, guesses=_GUESSES, **parts[0], **parts[1])


PRESENCE = _recipe(
    "presence", "tumour or no tumour in a slice: ResNeSt-50 with and without spatial attention",
    {**_PRESENCE, "by_data": {"lgg": {"laptop": _LGG_LAPTOP}}}, _BOTH,
)  # fmt: skip
SOURCE = _recipe(
    "source", "primary tumour or metastasis in a slice with tumour: with and without spatial attention", _SOURCE, _BOTH
)
PRESENCE_CNNS = Recipe(
    name="presence-cnns",
    paper=PAPER,
    summary="tumour or no tumour in a slice: ResNeSAt beside common CNNs, one split by patient, 80 % to train on",
    task="slices:SlicesOneSplit",
    phantom_task="presence",
    variants=(
        _RESNET,
        Variant("DenseNet-121", "densenet121_2d"),
        Variant("SE-ResNeXt-50", "se_resnext50_2d"),
        _RESNEST,
        _RESNESAT,
    ),
    comparisons=tuple(("ResNeSAt", other) for other in ("ResNet-50", "DenseNet-121", "SE-ResNeXt-50", "ResNeSt")),
    scales={scale: _beside_cnns(scale, settings) for scale, settings in _scales(rate=1e-3).items()},
    guesses=(
        *(guess for guess in _GUESSES if not guess.startswith(("folds:", "scores:", "start:", "beside", "on lgg"))),
        "which CNNs: the paper's figure 3 compares common ones and prints no figures in a table, so that none of the "
        "paper's stand here; ResNet-50, DenseNet-121 and SE-ResNeXt-50 are those that MONAI and this package have",
        "80 to 20: one split, by patient here; of images or of patients is not said. More splits: --folds 5",
        "start: random weights for all",
    ),
)
PRESENCE_LEAK = _recipe(
    "presence-leak", "NO RESULT, a demonstration: presence, with slices of one patient trained on and tested",
    _PRESENCE, _LEAK,
)  # fmt: skip
SOURCE_LEAK = _recipe(
    "source-leak", "NO RESULT, a demonstration: source, with slices of one patient trained on and tested",
    _SOURCE, _LEAK,
)  # fmt: skip
