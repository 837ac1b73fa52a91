"""Survival from the whole head: hazards by interval or Cox's risk, with or without clinical values beside the image.

Training sees random crops, testing the whole volume. After training, Cox's risk becomes a survival curve by
Breslow's baseline of the training patients; their median risk divides low from high. Training patients' risks are
fitted too well, so Cox's curves are too sure of themselves: compare Brier scores, not the C-index alone.

The risk to rank by is the cumulative hazard at one year, −log S(365 days): in the order of 1 − S, and distinct where
that rounds to 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from medattn_lite.data.histogram_standardisation import landmarks, match_landmarks, percentiles
from medattn_lite.data.patient_splits import Split
from medattn_lite.data.transforms import crop_or_pad
from medattn_lite.errors import UserError
from medattn_lite.evaluation.intervals import Interval
from medattn_lite.networks.registry import build
from medattn_lite.survival.controls import OUTLINE, deal_outcomes, oracle_scores, outline_values
from medattn_lite.survival.follow_up import ONE_YEAR, FollowUp
from medattn_lite.survival.heads import LINKS
from medattn_lite.survival.kaplan_meier_curves import kaplan_meier
from medattn_lite.survival.losses import cox_loss, discrete_time_nll
from medattn_lite.survival.predicted_curves import Baseline, cumulative_hazard, outputs_of, risk_at_one_year
from medattn_lite.survival.prediction_scores import (
    harrell,
    reference_scores,
    survival_differences,
    survival_scores,
)
from medattn_lite.survival.time_intervals import interval_breaks, interval_labels
from medattn_lite.training.augmentation import mirrored
from medattn_lite.training.image_store import ImageStore
from medattn_lite.training.recipes.recipe import Settings, Variant, with_changes
from medattn_lite.training.tasks.clinical import (
    ClinicalCox,
    clinical_table,
    clinical_values,
    not_used,
    of_highest_grade,
    standardised,
)
from medattn_lite.training.tasks.pooling import pooled
from medattn_lite.training.tasks.survival_words import SurvivalAnswers
from medattn_lite.training.tasks.task import Batch, Prediction, Rows
from medattn_lite.training.tasks.volumes import Sample, open_images, read_all, resample_unknown

END_POINTS = ("overall", "one-year")
GRADES = ("all", "highest")
INTENSITIES = ("z-score", "histogram")


class Survival(SurvivalAnswers):
    """Overall or one-year survival.

    Options: `whole`, shape (D, H, W) of the heads; `pool`, by how much they are made smaller then; `field_mm`, the
    size of an image whose files know no voxel size; `intensity`; `end_point`; `grades`; `noise_probability` and
    `noise_sd`; `clinical`, whether clinical values are read too, by every variant where set for the run; `draws` of
    the bootstrap; `start_at_prior`, whether the last layer starts at the training patients' hazards;
    `mirror`, whether half of the training crops are mirrored left-right; `keep_best`, whether the state is kept whose
    C-index is best on patients of its own, instead of the last; `outline_weight`, of a second loss, the distance of
    two numbers that the network tells of the tumour from those of its mask, in training alone; `outline` and
    `shuffled`, of variants alone, see `survival.controls`.
    """

    per_row = (*SurvivalAnswers.per_row, "percentiles", "facts", "time", "event", "survived", "died", "outlines")

    @property
    def validates(self) -> bool:  # type: ignore[override]  # an attribute of other tasks, here an option
        """The option `keep_best`."""
        return bool(self.settings.options.get("keep_best"))

    def load(self) -> None:
        options = self.run_options = self.settings.options
        for name, known in (("intensity", INTENSITIES), ("end_point", END_POINTS), ("grades", GRADES)):
            if options[name] not in known:
                raise UserError(f"unknown {name} {options[name]!r} of survival: use {' or '.join(known)}")
        dataset = open_images(self)
        self.channels = tuple(dataset.channels)
        self.subjects, self.images, self.percentiles, facts = [], ImageStore(), [], []
        for sample in read_all(self, dataset, keep=_has_follow_up):
            sample = self._of_known_size(sample)
            image = self.crop(sample)["image"]
            self.images.append(image.half())
            self.percentiles.append(percentiles(image, (image != image[:, :1, :1, :1]).any(dim=0)))
            self.subjects.append(sample["subject"])
            facts.append({**sample["meta"], "time": float(sample["time"]), "event": bool(sample["event"]),
                          "outline": outline_values(sample)})  # fmt: skip
        if not facts:
            raise UserError(f"{self.data} knows no follow-up: use a data set with times (phantom, lgg, brats)")
        self._keep(of_highest_grade(facts) if options["grades"] == "highest" else range(len(facts)), facts)

    def recall(self, facts: Mapping[str, Any] | None) -> None:
        super().recall(facts)
        self.run_options = self.settings.options
        if facts is None:  # phantoms know their clinical values without an image
            patients = open_images(self).table().to_dict("records")
            self.clinical_names, _ = clinical_table([clinical_values(patient_facts) for patient_facts in patients])
        else:
            self.clinical_names = tuple(facts["clinical_missing"])
        self.settings = with_changes(self.settings, {"options": {"start_at_prior": False}})  # weights are read instead

    def crop(self, sample: Sample) -> Sample:
        """The whole head, around the middle of the image, at the resolution that the option `pool` leaves."""
        whole = crop_or_pad(self._of_known_size(sample), self.settings.options["whole"])
        return pooled(whole, self.settings.options.get("pool", 1))

    def _of_known_size(self, sample: Sample) -> Sample:
        options = self.settings.options
        if sample.get("source") == "phantom":
            return sample
        return resample_unknown(sample, options["field_mm"], options["spacing_mm"])

    def _keep(self, rows: Sequence[int], facts: Sequence[dict[str, Any]]) -> None:
        self.images = self.images.chosen(rows)
        self.subjects = [self.subjects[row] for row in rows]
        self.percentiles = [self.percentiles[row] for row in rows]
        self.facts = [facts[row] for row in rows]
        time = np.array([patient_facts["time"] for patient_facts in self.facts])
        event = np.array([patient_facts["event"] for patient_facts in self.facts])
        if self.settings.options["end_point"] == "one-year":  # the day after, so that day 365 is still observed
            time, event = np.minimum(time, ONE_YEAR + 1), event & (time <= ONE_YEAR)
        self.time, self.event = time, event
        self.strata = [int(died) for died in event]
        self.breaks = interval_breaks()
        self.days = sorted({*self.breaks[1:].tolist(), ONE_YEAR})
        self.survived, self.died = interval_labels(torch.from_numpy(time), torch.from_numpy(event), self.breaks)
        self.clinical_names, self.clinical_values = clinical_table(
            [clinical_values(patient_facts) for patient_facts in self.facts]
        )
        if self.data in ("nifti", "bids") and (unused := not_used(self.facts)):
            self.remarks.append(unused)
        self.clinical, self.head, self.baseline, self.median = None, "logistic", None, None
        self.image_scale, self.outlines = (0.0, 1.0), torch.zeros(len(self.facts), len(OUTLINE))

    def for_variant(self, variant: Variant, settings: Settings, split: Split) -> Self:
        """Clinical values and histograms are standardised on the fold's training patients."""
        task = super().for_variant(variant, settings, split)
        train = task.rows(split, "train")
        task.head = _head_of(variant)
        # One patient of everybody's mean hazard is added to each interval, so that none has a hazard of 0 or 1.
        died, reached = self.died[train].sum(dim=0), (self.died + self.survived)[train].sum(dim=0)
        task.prior = (died + died.sum() / reached.sum()) / (reached + 1)
        if settings.options.get("shuffled"):
            whose = deal_outcomes(
                [train, task.rows(split, "valid")], count=len(self.time), seed=(self.seed, self.start)
            )
            task.time, task.event = self.time[whose], self.event[whose]
            task.survived, task.died = self.survived[whose], self.died[whose]
        task.outlines = standardised(np.array([facts["outline"] for facts in self.facts]), train)
        read = [task.outlines] if task.reads(variant, "outline") else []
        if task.reads(variant, "clinical"):
            read.append(standardised(self.clinical_values, train))
        task.clinical = torch.cat(read, dim=1) if read else None
        if settings.options["intensity"] == "histogram" and variant.network:
            learned = landmarks([self.percentiles[row] for row in train])
            task.images = ImageStore(match_landmarks(image, before, learned).half()
                                     for image, before in zip(self.images, self.percentiles, strict=True))  # fmt: skip
        return task

    def joined(self, other: Self) -> Self:
        """See `Task.joined`; of clinical values those that this task's patients have."""
        task = super().joined(other)
        rows = [clinical_values(facts) for facts in task.facts]
        table = [[row[name] for name in self.clinical_names] for row in rows]
        task.clinical_values = np.array(table, dtype=float).reshape(len(rows), -1)
        return task

    def build(self, variant: Variant, trained: dict[str, nn.Module]) -> nn.Module:
        """The variant's network, of the size that the settings give for its name; Cox's model where it has none."""
        features = len(self.clinical_names) if self.reads(variant, "clinical") else 0
        if not variant.network:
            outline = len(OUTLINE) if self.reads(variant, "outline") else 0
            return ClinicalCox(outline + features, trained.get("image"))
        size = self.settings.network.get(variant.network, {})
        auxiliary = {"auxiliary": len(OUTLINE)} if self._outline_weight else {}
        model = build(variant.network, **{**size, **self.network_options(), "clinical_features": features, **auxiliary,
                                          **variant.options})  # fmt: skip
        if self.settings.options["start_at_prior"] and model.head != "cox":
            with torch.no_grad():
                model.get_parameter("fc.bias").copy_(outputs_of(self.prior, str(model.head)))
        return model

    def batch(self, rows: Sequence[int], generators: Sequence[torch.Generator]) -> Batch:
        """`image` (B, C, D, H, W); `survived`, `died` (B, 19); `time`, `event` (B,); `clinical` (B, K); `outline`."""
        rows = list(rows)
        crops = [self._crop(self.images[row], generator) for row, generator in zip(rows, generators, strict=True)]
        batch = {"image": torch.stack(crops), "survived": self.survived[rows], "died": self.died[rows],
                 "time": torch.from_numpy(self.time[rows]).float(), "event": torch.from_numpy(self.event[rows]),
                 "outline": self.outlines[rows]}  # fmt: skip
        return batch if self.clinical is None else batch | {"clinical": self.clinical[rows]}

    def _crop(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """A window of `size` anywhere in the image, with noise now and then."""
        options = self.settings.options
        place = [int(torch.randint(max(have - want, 0) + 1, (), generator=generator))
                 for have, want in zip(image.shape[1:], self.settings.size, strict=True)]  # fmt: skip
        window = tuple(slice(first, first + want) for first, want in zip(place, self.settings.size, strict=True))
        crop = image[(slice(None), *window)].float()
        if torch.rand((), generator=generator) < options["noise_probability"]:
            crop = crop + options["noise_sd"] * torch.randn(crop.shape, generator=generator)
        return mirrored(crop, generator) if options.get("mirror") else crop

    def forward(self, model: nn.Module, batch: Batch) -> Tensor:
        """Outputs (B, 19), or (B, 1) of Cox; two more where the outline is learned, too."""
        return model(batch["image"], batch.get("clinical"), auxiliary=bool(self._outline_weight))

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        """Likelihood of hazards, or Cox's, a sum over deaths divided by patients of the batch; and the outline's."""
        if self._outline_weight:
            output, auxiliary = output[:, : -len(OUTLINE)], output[:, -len(OUTLINE) :]
            apart = functional.mse_loss(auxiliary, batch["outline"])
            return self._survival_loss(output, batch) + self._outline_weight * apart
        return self._survival_loss(output, batch)

    @property
    def _outline_weight(self) -> float:
        return float(self.settings.options.get("outline_weight", 0.0))

    def _survival_loss(self, output: Tensor, batch: Batch) -> Tensor:
        if self.head != "cox":
            return discrete_time_nll(*LINKS[self.head](output), batch["survived"], batch["died"])
        return cox_loss(output, batch["time"], batch["event"]) * batch["event"].float().mean()

    def fit_without_gradients(
        self, model: nn.Module, rows: Rows, predict: Callable[[Rows], list[Prediction]]
    ) -> None:
        """Fits the model without images, Breslow's baseline, and the median risk, all on training rows."""
        if isinstance(model, ClinicalCox):
            columns = torch.zeros(len(rows), 0) if self.clinical is None else self.clinical[rows]
            if model.image is not None:
                risks = torch.tensor([[row["image_log_risk"]] for row in predict(rows)])
                self.image_scale = float(risks.mean()), max(float(risks.std()), 1e-6)
                columns = torch.cat([columns, (risks - self.image_scale[0]) / self.image_scale[1]], dim=1)
            model.fit(columns, self.time[rows], self.event[rows])
        if self.head == "cox":
            log_risk = np.array([row["log_risk"] for row in predict(rows)])
            self.baseline = Baseline(log_risk, self.time[rows], self.event[rows], self.days)
        self.median = float(np.median([row["risk"] for row in predict(rows)]))

    def predict(self, model: nn.Module, row: int, device: torch.device) -> Prediction:
        """S on each of `days`, from the whole volume."""
        image = self.images[row].float()[None].to(device)
        clinical = None if self.clinical is None else self.clinical[row][None].to(device)
        time, event = float(self.time[row]), bool(self.event[row])
        prediction: Prediction = {"subject": self.subjects[row], "time": time, "event": event}
        if isinstance(model, ClinicalCox):
            values = image.new_zeros(1, 0) if clinical is None else clinical
            if model.image is not None:
                prediction["image_log_risk"] = self._image_log_risk(model.image, image, clinical)
                scaled = (prediction["image_log_risk"] - self.image_scale[0]) / self.image_scale[1]
                values = torch.cat([values, values.new_tensor([[scaled]])], dim=1)
            output = model(values).float().cpu()
        else:
            output = model(image, clinical).float().cpu()
        if self.head == "cox":
            prediction["log_risk"] = float(output)
        cumulative = self._hazard(output, self.head)
        prediction |= {"risk": risk_at_one_year(cumulative, self.days), "days": self.days,
                       "survival": np.exp(-cumulative).tolist()}  # fmt: skip
        return prediction | {"group": 0 if self.median is None else int(prediction["risk"] > self.median)}

    def _hazard(self, output: Tensor, head: str) -> np.ndarray:
        return cumulative_hazard(output, head, self.days, self.breaks, self.baseline)

    def _image_log_risk(self, model: nn.Module, image: Tensor, clinical: Tensor | None) -> float:
        """Of a network that read the same clinical values, where it was trained with them."""
        output = (model(image, clinical) if getattr(model, "clinical_features", 0) else model(image)).float().cpu()
        if model.head == "cox":
            return float(output)
        return float(np.log(risk_at_one_year(self._hazard(output, str(model.head)), self.days)))

    def quick_score(self, predictions: Sequence[Prediction]) -> float:
        """The C-index; 0.5 where no two patients can be compared."""
        value = harrell(predictions)
        return value if np.isfinite(value) else 0.5

    def score(self, predictions: Sequence[Prediction], *, draws: int | None = None) -> dict[str, Interval]:
        """See `survival_scores`."""
        return survival_scores(predictions, draws=self.settings.options["draws"] if draws is None else draws)

    def compare(self, first: Sequence[Prediction], second: Sequence[Prediction]) -> dict[str, Interval]:
        """See `survival_differences`."""
        return survival_differences(first, second, draws=self.settings.options["draws"])

    def about(self) -> dict[str, Any]:
        """Deaths, follow-up, clinical values, the Brier score to stay below, and a phantom's best possible C-index."""
        follow_up = kaplan_meier(FollowUp(self.time, ~self.event)).median
        facts = super().about() | {
            "end_point": self.settings.options["end_point"], "grades": self.settings.options["grades"],
            "deaths": int(self.event.sum()),
            "deaths_within_one_year": int((self.event & (self.time <= ONE_YEAR)).sum()),
            "median_follow_up_days": follow_up,
            "clinical_missing": {name: int(np.isnan(self.clinical_values[:, k]).sum())
                                 for k, name in enumerate(self.clinical_names)},
            "kaplan_meier_alone": reference_scores(self.time, self.event, self.days),
        }  # fmt: skip
        if self.data != "phantom":
            return facts
        draws = self.settings.options["draws"]
        return facts | {"best_possible_c_index": oracle_scores(self.facts, self.time, self.event, draws=draws)}


def _head_of(variant: Variant) -> str:
    """A network's own; Cox's for what has none."""
    return variant.options.get("head", "logistic") if variant.network else "cox"


def _has_follow_up(sample: Sample) -> bool:
    """A time above 0: a patient of whom nothing was heard after day 0 says nothing."""
    return sample.get("time") is not None and sample.get("event") is not None and sample["time"] > 0
