"""What a survival task answers about itself: its outputs, its prediction in words, what it takes beside an image."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from medattn_lite.errors import UserError
from medattn_lite.evaluation.survival import ONE_YEAR
from medattn_lite.training.tasks.survival_curves import cumulative_hazard
from medattn_lite.training.tasks.task import Task
from medattn_lite.training.time_intervals import interval_breaks


class SurvivalAnswers(Task):
    """A task about survival, as others ask it: for its outputs, its words, and clinical values beside an image."""

    asks = "risk"
    clinical_names: tuple[str, ...]

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
        count = int(model.clinical_features)  # type: ignore[arg-type]
        if not count:
            return [], []
        names = ", ".join(self.clinical_names) or "clinical values"
        return [torch.zeros(1, count)], [f"{names}: taken as the training patients' mean"]
