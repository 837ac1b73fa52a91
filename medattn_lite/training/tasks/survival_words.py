"""What a survival task answers about itself: outputs, predictions in words, extra values, the deck's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from medattn_lite.errors import UserError
from medattn_lite.survival.follow_up import ONE_YEAR
from medattn_lite.survival.predicted_curves import Baseline, cumulative_hazard
from medattn_lite.survival.prediction_scores import risk_group_report
from medattn_lite.survival.published_columns import published_columns
from medattn_lite.survival.time_intervals import interval_breaks
from medattn_lite.training.image_store import ImageStore
from medattn_lite.training.recipes.recipe import Variant
from medattn_lite.training.tasks.clinical import GRADE_ORDER, of_highest_grade
from medattn_lite.training.tasks.task import Prediction, Task


class SurvivalAnswers(Task):
    """A task about survival, as others ask it: for its outputs, its words, and clinical values beside an image."""

    asks = "risk"
    topic = "survival"
    clinical_names: tuple[str, ...]
    run_options: Mapping[str, Any]
    facts: list[dict[str, Any]]
    images: ImageStore
    percentiles: list[Tensor]
    time: np.ndarray  # (N,) days
    event: np.ndarray  # (N,) bool
    survived: Tensor  # (N, 19)
    died: Tensor  # (N, 19)
    outlines: Tensor  # (N, 2), standardised on a fold's training rows
    clinical: Tensor | None  # (N, K), standardised on a fold's training rows
    prior: Tensor  # (19,) hazards of a fold's training rows
    head: str
    baseline: Baseline | None
    median: float | None

    def reads(self, variant: Variant, option: str) -> bool:
        """Whether a variant reads "clinical" values or the "outline": by its own settings, else by those of the run.

        Not by `settings`, which are of the variant that asks: it may ask of a network that it needs.
        """
        return bool({**self.run_options, **variant.settings.get("options", {})}.get(option))

    def details(self, predictions: Sequence[Prediction]) -> dict[str, Any]:
        """Groups of low and high predicted risk; of overall survival of all grades, the deck's other columns."""
        options, details = self.settings.options, {"risk_groups": risk_group_report(predictions)}
        if (options["end_point"], options["grades"]) != ("overall", "all"):
            return details
        known = any(facts.get("grade") in GRADE_ORDER for facts in self.facts)
        highest = {self.subjects[row] for row in of_highest_grade(self.facts)} if known else set()
        return details | {"columns": published_columns(predictions, highest, draws=options["draws"])}

    def published(self) -> dict[str, dict[str, str]]:
        """The deck's figures of this end point and these grades under the scores' own names; its others in full."""
        options = self.settings.options
        return published_scores(self.recipe.published, end_point=options["end_point"], grades=options["grades"])

    def output_names(self, model: nn.Module) -> list[str]:
        """The intervals of time; Cox's head has one risk."""
        if getattr(model, "head", None) == "cox":
            return ["log risk"]
        return [f"interval {number + 1}" for number in range(len(interval_breaks()) - 1)]

    def in_words(self, output: Tensor, model: nn.Module) -> str:
        """Survival at one year; Cox's risk is relative."""
        if model.head == "cox":
            return f"log risk {float(output):.2f} (Cox, relative to no one)"
        hazard = cumulative_hazard(output.cpu(), str(model.head), [ONE_YEAR], interval_breaks(), None)
        return f"survival of {float(np.exp(-hazard[0])):.2f} at {ONE_YEAR:.0f} days"

    def extra_inputs(self, model: nn.Module) -> tuple[list[Tensor], list[str]]:
        """Clinical values of which nothing is known: the training patients' mean."""
        if self.settings.options["intensity"] != "z-score":
            raise UserError("this run standardised histograms on its training patients, which an image alone cannot "
                            "repeat: explain a run with intensity=z-score")  # fmt: skip
        count = int(model.clinical_features)  # type: ignore[arg-type]  # every survival network has it
        if not count:
            return [], []
        names = ", ".join(self.clinical_names) or "clinical values"
        return [torch.zeros(1, count)], [f"{names}: taken as the training patients' mean"]


def published_scores(
    published: Mapping[str, Mapping[str, str]], *, end_point: str, grades: str
) -> dict[str, dict[str, str]]:
    """The deck's figures of one end point and kind of grades under the scores' own names; its others in full.

    Args:
        published: variant → column, such as "C-index, one-year, highest grade" → figure.
        end_point: "overall" or "one-year".
        grades: "all" or "highest".
    """
    suffix = (", one-year" if end_point == "one-year" else "") + (", highest grade" if grades == "highest" else "")

    def column(name: str) -> str:
        score, separator, rest = name.partition(",")
        if separator + rest == suffix:
            return score
        return name if separator else f"{score}, overall, all grades"

    return {variant: {column(name): value for name, value in printed.items()} for variant, printed in published.items()}
