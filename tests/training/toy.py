"""A recipe that trains in a second: which of two blurred discs, 12×12 pixels, a linear layer and a dropout."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medattn_lite.training.recipes.recipe import Recipe, Settings, Variant
from medattn_lite.training.tasks.binary import binary_differences, binary_quick_score, binary_scores
from medattn_lite.training.tasks.task import Task


class ToyTask(Task):
    def load(self) -> None:
        generator = torch.Generator().manual_seed(self.seed)
        self.strata = [index % 2 for index in range(self.settings.subjects)]
        self.subjects = [f"toy-{index}" for index in range(self.settings.subjects)]
        self.channels = ("one",)
        images = torch.randn(len(self.subjects), 1, 12, 12, generator=generator)
        for image, label in zip(images, self.strata, strict=True):
            image[0, 2:5, 2 + 5 * label : 5 + 5 * label] += 2
        self.images = images

    def build(self, variant, trained):
        channels = 4
        head = nn.Sequential(nn.Flatten(), nn.Dropout(self.settings.options.get("dropout", 0.2)),
                             nn.Linear(channels * 144, 2))  # fmt: skip
        return nn.Sequential(nn.Conv2d(1, channels, 3, padding=1), nn.GroupNorm(2, channels), nn.ReLU(), head)

    def batch(self, rows: Sequence[int], generators):
        noise = [0.1 * torch.randn(1, 12, 12, generator=generator) for generator in generators]
        images = torch.stack([self.images[row] + added for row, added in zip(rows, noise, strict=True)])
        return {"image": images, "label": torch.tensor([self.strata[row] for row in rows])}

    def loss(self, output: Tensor, batch):
        return F.cross_entropy(output, batch["label"])

    def predict(self, model, row, device):
        probability = model(self.images[row : row + 1].to(device)).softmax(1)[0, 1]
        return {"subject": self.subjects[row], "label": self.strata[row], "probability": float(probability)}

    def quick_score(self, predictions):
        return binary_quick_score(predictions)

    def score(self, predictions, *, draws: int = 1000):
        return binary_scores(predictions, draws=draws)

    def compare(self, first, second):
        return binary_differences(first, second)


def settings(**changes) -> Settings:
    values = {"size": (12, 12), "batch_size": 4, "learning_rate": 1e-2, "iterations": 30, "folds": 2, "subjects": 24}
    return Settings(**{**values, **changes})


TOY = Recipe(
    name="toy", paper="none", summary="left or right", task="toy:ToyTask", phantom_task="grade",
    variants=(Variant("A", "a"), Variant("B", "b", settings={"learning_rate": 1e-3})), comparisons=(("A", "B"),),
    scales={"smoke": settings()},
)  # fmt: skip


def toy_task(changed: Settings | None = None, seed: int = 0) -> ToyTask:
    return ToyTask(TOY, changed or settings(), seed=seed)
