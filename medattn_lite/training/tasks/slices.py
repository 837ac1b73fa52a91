"""One axial slice, one label: is there a tumour, and is it the brain's own or a metastasis.

    loss = −log softmax(f(x))_label          x: (B, C, H, W), mirrored left-right with probability ½

Volumes with masks are cut into slices as `SliceSet` does; pictures in class folders are taken as they are. A row
is a slice, and the slices of a patient stay together in every split.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medattn_lite.data.patient_splits import Split, stratified_kfold
from medattn_lite.data.slice_cutting import cut, sized
from medattn_lite.data.slice_set import SliceSet
from medattn_lite.errors import UserError
from medattn_lite.evaluation.intervals import Interval
from medattn_lite.networks.convert import LoadReport, from_resnest
from medattn_lite.networks.registry import build
from medattn_lite.training.pretrained import fingerprint, start_from
from medattn_lite.training.recipes.recipe import Variant, with_changes
from medattn_lite.training.tasks.binary import binary_differences, binary_quick_score, binary_scores, confusion
from medattn_lite.training.tasks.task import Batch, Prediction, Task
from medattn_lite.training.tasks.volumes import Sample, open_images

CLASS_NAMES = {
    "presence": ("no tumour", "tumour"), "source": ("primary", "metastasis"),
    "grade": ("low grade", "high grade"), "idh": ("IDH wild type", "IDH mutant"),
}  # fmt: skip
FIFTHS = 5  # of an 80-to-20 split
KNOW_SOURCE = ("phantom", "images", "nifti")


class Slices(Task):
    """Presence or source of a tumour by slice.

    Options: `per_subject`, slices of a patient at most (None: all); `match_height`, slices without tumour from the
    heights at which tumours occur; `weights`, a file of ResNeSt weights to start from; `patient`, for pictures in
    class folders: the pattern that finds the patient in a file's name; `label`, on lgg: "grade" or "idh" of the
    patient instead, asked of slices with tumour.
    """

    unit = "slices"

    def load(self) -> None:
        options = self.settings.options
        question = self.question
        dataset = self._open(question)
        self.class_names = CLASS_NAMES[question]
        self.channels = tuple(dataset.channels)
        slices = SliceSet(
            dataset,
            size=self.settings.size,
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

    def recall(self, facts: Mapping[str, Any] | None) -> None:
        super().recall(facts)
        self.class_names = CLASS_NAMES[self.question]
        self.settings = with_changes(self.settings, {"options": {"weights": None}})  # the run's own are read instead

    def prepare(self, sample: Sample) -> Sample:
        """The slices of a raw volume that show enough head, as pictures.

        Returns:
            the sample with `image` (N, C, H, W) at the recipe's size, and `depths`, the index of each slice.
        """
        slices = cut({**sample, "mask": None, "signal": None}, "label", 0.0)
        pictures = [sized(item, sample, self.settings.size).image for item in slices]
        return {**sample, "image": torch.stack(pictures), "depths": [item.depth for item in slices]}

    def _open(self, question: str) -> Sequence:
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
        """Folds by patient, spread by which classes a patient shows; too rare a kind is dealt with its nearest."""
        return self._folds(self.settings.folds)

    def _folds(self, parts: int) -> list[Split]:
        kinds = _kinds(self.subjects, self.strata, parts)
        rows = [(patient, label) for patient, kind in kinds.items() for label in kind]
        return stratified_kfold(*zip(*rows, strict=True), parts, self.seed)

    def build(self, variant: Variant, trained: dict[str, nn.Module]) -> nn.Module:
        """The variant's network, from a file of weights where the options name one."""
        network, report = self._started(variant, trained)
        if report is not None and self.progress:
            print(f"{Path(self.settings.options['weights']).name}: {report}")
        return network

    def _started(self, variant: Variant, trained: dict[str, nn.Module]) -> tuple[nn.Module, LoadReport | None]:
        network, path = super().build(variant, trained), self.settings.options.get("weights")
        return network, start_from(network, path, from_resnest) if path else None

    def batch(self, rows: Sequence[int], generators: Sequence[torch.Generator]) -> Batch:
        """`image` (B, C, H, W), half of them mirrored left-right, and `label` (B,)."""
        images = []
        for row, generator in zip(rows, generators, strict=True):
            image = self.images[row].float()
            images.append(image.flip(-1) if torch.rand((), generator=generator) < 0.5 else image)
        return {"image": torch.stack(images), "label": torch.tensor([self.strata[row] for row in rows])}

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        """Cross-entropy of logits (B, 2)."""
        return F.cross_entropy(output, batch["label"])

    def predict(self, model: nn.Module, row: int, device: torch.device) -> Prediction:
        """Probability of class 1; `row` is the slice's number."""
        logits = model(self.images[row].float()[None].to(device)).float()
        return {"subject": self.subjects[row], "row": int(row), "label": self.strata[row],
                "probability": float(logits.softmax(1)[0, 1])}  # fmt: skip

    def quick_score(self, predictions: Sequence[Prediction]) -> float:
        """See `binary_quick_score`."""
        return binary_quick_score(predictions)

    def score(self, predictions: Sequence[Prediction], *, draws: int = 1000) -> dict[str, Interval]:
        """By slice; intervals by patient. See `binary_scores`."""
        return binary_scores(predictions, draws=draws)

    def compare(self, first: Sequence[Prediction], second: Sequence[Prediction]) -> dict[str, Interval]:
        """Slice by slice, whatever fold it was tested in; see `binary_differences`."""
        return binary_differences(*(sorted(own, key=lambda row: row["row"]) for own in (first, second)))

    def usual_class(self, output: Tensor) -> int:
        """The tumour, where a run asks for its presence."""
        return 1 if self.question == "presence" else super().usual_class(output)

    def in_words(self, output: Tensor, model: nn.Module) -> str:
        """How many slices are of class 1."""
        share = output.softmax(dim=1)[:, 1]
        found = int((share > 0.5).sum())
        return f"{self.class_names[1]} in {found} of {len(share)} slices (probability above 0.5)"

    def details(self, predictions: Sequence[Prediction]) -> dict[str, Any]:
        """The confusion matrix, in slices."""
        return {"confusion": confusion(predictions, self.class_names)}

    def about(self) -> dict[str, Any]:
        """Slices by class, and what a file of weights gave to each variant."""
        counts = {name: self.strata.count(number) for number, name in enumerate(self.class_names)}
        facts = {**super().about(), "size": list(self.settings.size), "classes": counts}
        path = self.settings.options.get("weights")
        if path:
            reports = {variant.name: str(self._started(variant, {})[1]) for variant in self.recipe.variants}
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
    found: dict[str, set[int]] = {}
    for subject, label in zip(subjects, labels, strict=True):
        found.setdefault(subject, set()).add(label)
    kinds = {patient: tuple(sorted(own)) for patient, own in found.items()}
    counts = Counter(kinds.values())
    common = [kind for kind, count in counts.items() if count >= folds]
    if not common:
        return kinds  # the split will say what is wrong
    nearest = {kind: max(common, key=lambda other, kind=kind: (other == kind, other[-1] == kind[-1], counts[other]))
               for kind in counts}  # fmt: skip
    return {patient: nearest[kind] for patient, kind in kinds.items()}
