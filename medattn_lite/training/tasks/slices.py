"""One axial slice, one label: is there a tumour, and is it the brain's own or a metastasis.

    loss = −log softmax(f(x))_label          x: (B, C, H, W), mirrored left-right with probability ½

Volumes with masks are cut into slices as `SliceSet` does; pictures in class folders are taken as they are. A row
is a slice, and the slices of a patient stay together in every split.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medattn_lite.data.dataset import Dataset
from medattn_lite.data.patient_splits import Split, stratified_kfold
from medattn_lite.data.slice_cutting import fit_slice, slices_of
from medattn_lite.data.slice_set import SliceSet
from medattn_lite.errors import UserError
from medattn_lite.evaluation.intervals import Interval
from medattn_lite.networks.convert import LoadReport, from_resnest
from medattn_lite.networks.registry import build
from medattn_lite.training.augmentation import random_intensity, random_turn_in_plane
from medattn_lite.training.pretrained import fingerprint, start_from
from medattn_lite.training.recipes.recipe import Variant, with_changes
from medattn_lite.training.tasks.binary import binary_differences, binary_quick_score, binary_scores, confusion
from medattn_lite.training.tasks.features import FeatureLogistic
from medattn_lite.training.tasks.held_out import HeldOutCase
from medattn_lite.training.tasks.slice_features import PER_CHANNEL, slice_features
from medattn_lite.training.tasks.task import Batch, Prediction, Rows, Task
from medattn_lite.training.tasks.volumes import Sample, open_images

CLASS_NAMES = {
    "presence": ("no tumour", "tumour"), "source": ("primary", "metastasis"),
    "grade": ("low grade", "high grade"), "idh": ("IDH wild type", "IDH mutant"),
}  # fmt: skip
TOPICS = {
    "presence": "tumour in a slice", "source": "source of the tumour in a slice",
    "grade": "grade by slice", "idh": "IDH by slice",
}  # fmt: skip
RESNEST = ("resnest50", "resnesat50")  # whom a file of ResNeSt weights fits
LARGEST_SLICE = 0.01  # of the head: from here a tumour counts as seen, as in `SliceSet`
FIFTHS = 5  # of an 80-to-20 split
KNOW_SOURCE = ("phantom", "images", "nifti")


class Slices(Task):
    """Presence or source of a tumour by slice.

    Options: `per_subject`, slices of a patient at most (None: all); `match_height`, slices without tumour from the
    heights at which tumours occur; `weights`, a file of ResNeSt weights to start from; `patient`, for pictures in
    class folders: the pattern that finds the patient in a file's name; `label`, on lgg: "grade" or "idh" of the
    patient instead, asked of slices with tumour. And, where they are given: `turn_degrees`, `zoom` and
    `intensity_change`, how far pictures are turned, scaled and changed in intensity; `mirror_test`, the mean of a
    picture's and its mirror image's probability is predicted.
    """

    unit = "slices"
    more_options = MappingProxyType({"turn_degrees": 0.0, "zoom": 0.0, "intensity_change": 0.0, "mirror_test": False})

    def load(self) -> None:
        options = self.settings.options
        question = self.question
        dataset = self._open(question)
        self.class_names = CLASS_NAMES[question]
        self.channels = tuple(dataset.channels)
        height, width = self.settings.size
        slices = SliceSet(
            dataset,
            size=(height, width),
            per_subject=options.get("per_subject"),
            seed=self.seed,
            task="label" if self.data == "images" else question,
            match_height=options.get("match_height", True),
            progress=self.progress,
        )
        self.images = slices.images.half().cpu()
        self.subjects, self.strata = slices.subjects, slices.labels.tolist()
        if set(self.strata) != {0, 1}:
            raise UserError(f"{question} needs slices of two classes and {self.data} gave {sorted(set(self.strata))}: "
                            "use other data, or more patients")

    @property
    def question(self) -> str:
        """What is asked of a slice: a key of `CLASS_NAMES`."""
        return self.settings.options.get("label") or self.recipe.phantom_task

    @property
    def topic(self) -> str:  # type: ignore[override]  # of the question, which the settings may change
        """What is asked of a slice, in words."""
        return TOPICS[self.question]

    @property
    def signal_in_input(self) -> bool:  # type: ignore[override]  # of the question, too
        """Whether a slice's label is decided by voxels of its mask."""
        return self.question == "presence"

    def may_have_signal(self, label: int | None) -> bool:
        """A head without a tumour has no slice with one."""
        return bool(label)

    def held_out_case(self, sample: Sample) -> HeldOutCase | None:
        """The slice with most tumour, at the size that the network was trained on."""
        if not self.signal_in_input:
            return super().held_out_case(sample)
        slices = [piece for piece in slices_of(sample, "presence", LARGEST_SLICE) if piece.label == 1]
        if not slices:
            return None
        shown = fit_slice(max(slices, key=lambda piece: piece.tumour), sample, self.settings.size)
        head = (shown.image != shown.image.flatten(1).amin(1)[:, None, None]).any(dim=0)
        return HeldOutCase(shown.image, shown.mask[0] > 0, head, 1, "tumour")

    def recall(self, facts: Mapping[str, Any] | None) -> None:
        super().recall(facts)
        self.class_names = CLASS_NAMES[self.question]
        self.settings = with_changes(self.settings, {"options": {"weights": None}})  # the run's own are read instead

    def prepare(self, sample: Sample) -> Sample:
        """The slices of a raw volume that show enough head, as pictures.

        Returns:
            the sample with `image` (N, C, H, W) at the recipe's size, and `depths`, the index of each slice.
        """
        bare: Sample = {"image": sample["image"], "subject": sample["subject"]}  # whatever a mask says of its slices
        slices = slices_of(bare, "label", 0.0)
        pictures = [fit_slice(item, sample, self.settings.size).image for item in slices]
        return {**sample, "image": torch.stack(pictures), "depths": [item.depth for item in slices]}

    def _open(self, question: str) -> Dataset:
        if question not in ("presence", "source"):
            if self.data != "lgg":
                raise UserError(f"label={question} by slice is for lgg: leave the label out, or use --data lgg")
            return open_images(self, task=question)
        if question == "source" and self.data not in KNOW_SOURCE:
            raise UserError(f"{self.data} does not say where a tumour came from: use phantom, or your own files with "
                            "labels 0 (primary) and 1 (metastasis) as images or nifti")
        if self.data != "images":
            return open_images(self)
        pattern = self.settings.options.get("patient")
        if not pattern:
            raise UserError("pictures do not say whose they are, and folds by picture would leak: give --set "
                            "patient=PATTERN, whose first group finds the patient in a file's name")
        return open_images(self, patient=pattern)

    def splits(self) -> list[Split]:
        """Folds by patient, spread by which classes a patient shows; too rare a kind is assigned with its nearest."""
        return self._folds(self.settings.folds)

    def _folds(self, parts: int) -> list[Split]:
        kinds = _kinds(self.subjects, self.strata, parts)
        rows = [(patient, label) for patient, kind in kinds.items() for label in kind]
        return stratified_kfold([patient for patient, _ in rows], [label for _, label in rows], parts, self.seed)

    def build(self, variant: Variant, trained: dict[str, nn.Module]) -> nn.Module:
        """The variant's network, from a file of weights where the options name one."""
        network, report = self._started(variant, trained)
        if report is not None and self.progress:
            print(f"{Path(self.settings.options['weights']).name}: {report}")
        return network

    def _started(self, variant: Variant, trained: dict[str, nn.Module]) -> tuple[nn.Module, LoadReport | None]:
        if not variant.network:
            return FeatureLogistic(PER_CHANNEL * len(self.channels)), None
        network, path = super().build(variant, trained), self.settings.options.get("weights")
        return network, start_from(network, path, from_resnest) if path and variant.network in RESNEST else None

    def batch(self, rows: Sequence[int], generators: Sequence[torch.Generator]) -> Batch:
        """`image` (B, C, H, W), half of them mirrored left-right and changed as the options say, and `label` (B,)."""
        images = [self._changed(self.images[row].float(), generator)
                  for row, generator in zip(rows, generators, strict=True)]  # fmt: skip
        return {"image": torch.stack(images), "label": torch.tensor([self.strata[row] for row in rows])}

    def _changed(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """A picture (C, H, W) as training sees it."""
        degrees, zoom, change = (self.option(name) for name in ("turn_degrees", "zoom", "intensity_change"))
        image = image.flip(-1) if torch.rand((), generator=generator) < 0.5 else image
        if degrees or zoom or change:
            volume = image[:, None]  # (C, 1, H, W)
            if degrees or zoom:
                volume, _ = random_turn_in_plane(volume, volume[:1], generator, degrees=degrees, zoom=zoom)
            image = (random_intensity(volume, generator, amount=change) if change else volume)[:, 0]
        return image

    def fit_without_gradients(
        self, model: nn.Module, rows: Rows, predict: Callable[[Rows], list[Prediction]]
    ) -> None:
        """Fits the model of a slice's features on training rows."""
        if isinstance(model, FeatureLogistic):
            features = torch.stack([slice_features(self.images[row]) for row in rows])
            model.fit_raw(features, np.array(self.strata)[list(rows)])

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        """Cross-entropy of logits (B, 2)."""
        return F.cross_entropy(output, batch["label"])

    def predict(self, model: nn.Module, row: int, device: torch.device) -> Prediction:
        """Probability of class 1; `row` is the slice's number."""
        image = self.images[row].float()
        seen = slice_features(image)[None] if isinstance(model, FeatureLogistic) else image[None]
        if self.option("mirror_test") and not isinstance(model, FeatureLogistic):
            seen = torch.cat([seen, seen.flip(-1)])
        chances = model(seen.to(device)).float().softmax(1)
        return {"subject": self.subjects[row], "row": int(row), "label": self.strata[row],
                "probability": float(chances[:, 1].mean())}  # fmt: skip

    def quick_score(self, predictions: Sequence[Prediction]) -> float:
        """See `binary_quick_score`."""
        return binary_quick_score(predictions)

    def score(self, predictions: Sequence[Prediction], *, draws: int = 1000) -> dict[str, Interval]:
        """By slice; intervals by patient. See `binary_scores`."""
        return binary_scores(predictions, draws=draws)

    def compare(self, first: Sequence[Prediction], second: Sequence[Prediction]) -> dict[str, Interval]:
        """Slice by slice, whatever fold it was tested in; see `binary_differences`."""
        return binary_differences(*(sorted(rows, key=lambda row: row["row"]) for rows in (first, second)))

    def usual_class(self, output: Tensor) -> int:
        """The tumour, where a run asks for its presence."""
        return 1 if self.question == "presence" else super().usual_class(output)

    def in_words(self, output: Tensor, model: nn.Module) -> str:
        """How many slices are of class 1."""
        share = output.softmax(dim=1)[:, 1]
        positive = int((share > 0.5).sum())
        return f"{self.class_names[1]} in {positive} of {len(share)} slices (probability above 0.5)"

    def details(self, predictions: Sequence[Prediction]) -> dict[str, Any]:
        """The confusion matrix, in slices."""
        return {"confusion": confusion(predictions, self.class_names)}

    def about(self) -> dict[str, Any]:
        """Slices by class, and what a file of weights gave to each variant."""
        counts = {name: self.strata.count(number) for number, name in enumerate(self.class_names)}
        facts = {**super().about(), "size": list(self.settings.size), "classes": counts}
        path = self.settings.options.get("weights")
        if path:
            reports = {variant.name: str(self._started(variant, {})[1]) for variant in self.recipe.variants
                       if variant.network in RESNEST}  # fmt: skip
            facts["weights"] = {"file": Path(path).name, "sha256": fingerprint(path), **reports}
        return facts


class SlicesOneSplit(Slices):
    """`Slices` with one split by patient, 80 % to train on and 20 % to test: for networks of different kinds.

    With more folds, as many of the five possible splits. The settings' `network` gives the options of each network by
    its name, since the networks share none.
    """

    def splits(self) -> list[Split]:
        """The first of five splits by patient, each with another fifth to test."""
        return self._folds(FIFTHS)[: self.settings.folds]

    def build(self, variant: Variant, trained: dict[str, nn.Module]) -> nn.Module:
        """The variant's network, of the size that the settings give for its name; its weights are random."""
        size = self.settings.network.get(variant.network, {})
        return build(variant.network, **{**size, **self.network_options(), **variant.options})


def _kinds(subjects: Sequence[str], labels: Sequence[int], folds: int) -> dict[str, tuple[int, ...]]:
    """Patient → which classes occur among its slices; kinds of fewer patients than folds join a commoner one.

    They join the commonest kind with the same highest class if there is one: one patient whose slices all show
    tumour goes with those who have slices of both sorts.
    """
    labels_by_subject: dict[str, set[int]] = {}
    for subject, label in zip(subjects, labels, strict=True):
        labels_by_subject.setdefault(subject, set()).add(label)
    kinds = {patient: tuple(sorted(labels)) for patient, labels in labels_by_subject.items()}
    counts = Counter(kinds.values())
    common = [kind for kind, count in counts.items() if count >= folds]
    if not common:
        return kinds  # the split will say what is wrong

    def nearest(kind: tuple[int, ...]) -> tuple[int, ...]:
        return max(common, key=lambda other: (other == kind, other[-1] == kind[-1], counts[other]))

    return {patient: nearest(kind) for patient, kind in kinds.items()}
