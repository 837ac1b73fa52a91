"""What phantoms are worth in patients: lesion networks that learn from few patients, from random weights or phantoms.

    medattn study learning-curve --data lgg --root DIR              every training that is missing, the page
    medattn study learning-curve --data lgg --root DIR --seeds 1    one seed

The tested patients are those of the recipe's first fold, the same for every row; of its training patients 5, 10, 20 and
40 are drawn, each set holding the smaller ones, and with each seed others. Only the starting weights differ: random;
trained on phantoms of gliomas; and, as a control that must not help, trained on the same phantoms with every mask
mirrored to the other half of the head. Each training is a file of its own, so that a stopped study goes on.
"""

from __future__ import annotations

import argparse
import copy
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from medattn_lite.data.files import new_file
from medattn_lite.data.json_files import read_object, write_json
from medattn_lite.data.phantom.phantoms_and_patients import SEQUENCES
from medattn_lite.errors import UserError
from medattn_lite.evaluation.crossed import SeedInterval, crossed_mean_difference
from medattn_lite.training.checkpoint import load_weights, save_weights
from medattn_lite.training.image_store import ImageStore
from medattn_lite.training.recipes import Recipe, Settings, find_recipe
from medattn_lite.training.recipes.recipe import with_changes
from medattn_lite.training.tasks import Task, open_task
from medattn_lite.training.tasks.overlap import dice_by_patient

if TYPE_CHECKING:
    from accelerate import Accelerator

SIZES = (5, 10, 20, 40)
RANDOM, PHANTOMS, WRONG = "random weights", "phantoms", "phantoms, masks mirrored"
ARMS = (RANDOM, PHANTOMS, WRONG)
_REMEDY = "delete it and run the study again"
# gliomas in slices as thick and pixels as large as such patients' files have them
_PHANTOM = {"shape": (28, 116, 96), "spacing_mm": (6.0, 1.9, 1.9)}


@dataclass(frozen=True)
class CurvePlan:
    """What is trained.

    Attributes:
        scale, data: as `medattn train` takes them.
        root: folder of the patients; None for phantoms.
        variant: of the recipe.
        sizes: numbers of patients.
        iterations: steps of each training, on phantoms and on patients.
        phantoms: how many are trained on.
        progress: show bars.
    """

    scale: str
    data: str
    root: Path | None
    variant: str
    sizes: tuple[int, ...]
    iterations: int
    phantoms: int
    progress: bool = True

    @property
    def recipe(self) -> Recipe:
        """The protocol."""
        return find_recipe("lesions")

    @property
    def settings(self) -> Settings:
        """For patients."""
        base = self.recipe.at(self.scale, self.data)
        return with_changes(base, {"iterations": self.iterations, "epochs": None})

    def patients(self) -> Task:
        """The task on patients."""
        return open_task(self.recipe, self.settings, data=self.data, root=self.root, progress=self.progress)

    def gliomas(self, channels: Sequence[str]) -> Task:
        """The task on phantoms with the patients' channels.

        Raises:
            UserError: phantoms have no such channel.
        """
        unknown = [name for name in channels if name not in SEQUENCES]
        if unknown:
            raise UserError(f"phantoms have no channel {unknown[0]}: use a data set of {', '.join(SEQUENCES)}")
        contrasts = tuple(SEQUENCES[name] for name in channels)
        phantom = {**(_PHANTOM if self.scale != "smoke" else self.settings.phantom), "contrasts": contrasts}
        settings = with_changes(self.settings, {"phantom": phantom, "subjects": self.phantoms})
        return open_task(replace(self.recipe, phantom_task="segmentation"), settings, progress=self.progress)


class LearningCurve:
    """Trainings of a plan, each kept in a file of its own.

    Args:
        plan: what is trained.
        rows: folder of the files.
        accelerator: accelerate's.
    """

    def __init__(self, plan: CurvePlan, rows: Path, accelerator: Accelerator) -> None:
        self.plan, self.rows, self.accelerator = plan, rows, accelerator
        self.task = plan.patients()
        self.split = self.task.splits()[0]
        most = max(plan.sizes)
        if most > len(self.split.train):
            raise UserError(f"--sizes {most}: the first fold trains on {len(self.split.train)} patients only")
        self._gliomas: Task | None = None

    def row(self, arm: str, size: int, seed: int) -> dict[str, Any]:
        """Dice by tested patient of one training; made if its file is missing.

        Args:
            arm: one of `ARMS`.
            size: number of patients trained on; 0 tests the network as phantoms left it.
            seed: of the weights, the order of the images and the choice of patients.
        """
        path = self.rows / f"{_plain(arm)}-{size}-{seed}.json"
        if path.is_file():
            return read_object(path, remedy=_REMEDY)
        print(f"{arm}, {size} patients, seed {seed}", file=sys.stderr)
        model, seconds = self._start(arm, seed), 0.0
        if size:
            chosen = set(np.random.default_rng(seed).permutation(sorted(self.split.train))[:size].tolist())
            rows = [row for row in self.task.rows(self.split, "train") if self.task.subjects[row] in chosen]
            seconds = self._train(self.task, model, rows, seed)
        from medattn_lite.training.trainer import predict_rows

        task = self._of_variant(self.task)
        tested = predict_rows(task, model, task.rows(self.split, "test"), self.accelerator, quick=True)
        row = {"arm": arm, "size": size, "seed": seed, "seconds": round(seconds, 1), "dice": {
            patient: regions["lesion"] for patient, regions in dice_by_patient(tested).items()}}  # fmt: skip
        write_json(path, row)
        return row

    def _of_variant(self, task: Task) -> Task:
        variant = self.plan.recipe.variant(self.plan.variant)
        return task.for_variant(variant, with_changes(task.settings, variant.settings), self.split)

    def _start(self, arm: str, seed: int) -> nn.Module:
        """The network before it sees a patient."""
        torch.manual_seed(seed)
        model = self._of_variant(self.task).build(self.plan.recipe.variant(self.plan.variant), {})
        if arm == RANDOM:
            return model
        path = self.rows / f"{_plain(arm)}-{seed}.safetensors"
        if not path.is_file():
            if self._gliomas is None:
                self._gliomas = self.plan.gliomas(self.task.channels)
            task = self._gliomas if arm == PHANTOMS else mirrored_masks(self._gliomas)
            print(f"{arm}, seed {seed}", file=sys.stderr)
            self._train(task, model, list(range(len(task.subjects))), seed)
            save_weights(model, path)
        load_weights(model, path)
        return model

    def _train(self, task: Task, model: nn.Module, rows: Sequence[int], seed: int) -> float:
        from medattn_lite.training.trainer import Trainer

        task = self._of_variant(task)
        with tempfile.TemporaryDirectory() as folder:
            trainer = Trainer(task, task.settings, Path(folder), self.accelerator, seed=seed, save_every=10**6,
                              progress=self.plan.progress)  # fmt: skip
            return trainer.fit(model, rows).seconds


def mirrored_masks(task: Task) -> Task:
    """A task whose masks lie in the other half of the head: same images, same sizes of masks, wrong places."""
    wrong = copy.copy(task)
    wrong.masks = ImageStore(mask.flip(-1) for mask in task.masks)
    return wrong


def difference(curve: LearningCurve, arm: str, size: int, seeds: Sequence[int]) -> SeedInterval:
    """Mean Dice of an arm minus that from random weights, with its interval over seeds and tested patients."""
    tables = [[list(curve.row(name, size, seed)["dice"].values()) for seed in seeds] for name in (arm, RANDOM)]
    return crossed_mean_difference(*tables)


def table(curve: LearningCurve, seeds: Sequence[int]) -> list[str]:
    """Lines of a Markdown table: one row per number of patients."""
    lines = [f"| patients | {' | '.join(ARMS)} | {PHANTOMS} − {RANDOM} | {WRONG} − {RANDOM} |", "|---|" + "---|" * 5]
    for size in (0, *curve.plan.sizes):
        cells = []
        for arm in ARMS:
            if size == 0 and arm == RANDOM:
                cells.append("–")
                continue
            means = [float(np.mean(list(curve.row(arm, size, seed)["dice"].values()))) for seed in seeds]
            cells.append(f"{np.mean(means):.3f} ({', '.join(f'{mean:.3f}' for mean in means)})")
        apart = ["–", "–"] if size == 0 else [difference(curve, arm, size, seeds).text() for arm in ARMS[1:]]
        lines.append(f"| {size} | {' | '.join((*cells, *apart))} |")
    return lines


def page(curve: LearningCurve, seeds: Sequence[int], lines: Sequence[str], picture: str) -> str:
    """The page as Markdown."""
    plan, tested = curve.plan, len(set(curve.split.test))
    return "\n".join([
        "# What phantoms are worth in patients", "",
        "Made by `medattn study learning-curve`; do not edit by hand.", "",
        f"{plan.variant} of the recipe `lesions` at `{plan.scale}`, {plan.iterations} steps on {plan.data}, "
        f"tested on the {tested} of the first fold. Mean Dice over patients and seeds, and in brackets that of each of "
        f"{len(seeds)} seeds. A seed draws the training patients, too; the sets of a seed hold one another. Only the "
        f"starting weights differ: random; those of {plan.iterations} steps on {plan.phantoms} phantoms of gliomas "
        "with the same channels; and, a control that must not help, those of as many steps on the same phantoms with "
        "each mask mirrored to the other half of the head. In the row of 0 patients networks are tested as phantoms "
        "left them. Differences are paired, with 95 % intervals over seeds and tested patients.", "", *lines, "",
        f"![Mean Dice over the number of patients trained on, from random weights and from phantoms]({picture})", "",
    ])  # fmt: skip


def main(words: Sequence[str] | None = None) -> int:
    """The study's command."""
    parser = argparse.ArgumentParser(prog="medattn study learning-curve", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scale", default="laptop", help="of the recipe")
    parser.add_argument("--data", default="phantom", help="phantom, lgg, …")
    parser.add_argument("--root", type=Path, help="folder of a real data set")
    parser.add_argument("--variant", default="nnU-Net-like with batch norm", help="of the recipe lesions")
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES), metavar="N", help="numbers of patients")
    parser.add_argument("--seeds", type=int, default=3, help="how many, from seed 0")
    parser.add_argument("--iterations", type=int, default=400, help="steps of each training")
    parser.add_argument("--phantoms", type=int, default=60, help="how many phantoms to train on")
    parser.add_argument("--rows", type=Path, help="folder of the trainings; runs/learning-curve-DATA if left out")
    parser.add_argument("--out", type=Path, default=Path("figures") / "learning_curve.md", help="page")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    options = parser.parse_args(words)
    if min(options.sizes) < 1 or min(options.seeds, options.iterations, options.phantoms) < 1:
        raise UserError("--sizes, --seeds, --iterations and --phantoms are whole numbers of 1 or more")
    from accelerate import Accelerator

    plan = CurvePlan(options.scale, options.data, options.root, options.variant, tuple(sorted(set(options.sizes))),
                options.iterations, options.phantoms, not options.quiet)  # fmt: skip
    rows = (options.rows or Path("runs") / f"learning-curve-{options.data}") / _settings_name(options)
    rows.mkdir(parents=True, exist_ok=True)
    curve, seeds = LearningCurve(plan, rows, Accelerator(cpu=True)), range(options.seeds)
    lines = table(curve, seeds)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    picture = options.out.with_suffix(".png")
    _draw(curve, seeds, picture)
    with new_file(options.out.resolve(), overwrite=True) as part:
        part.write_text(page(curve, seeds, lines, picture.name), encoding="utf-8")
    print("\n".join([*lines, str(options.out)]))
    return 0


def _draw(curve: LearningCurve, seeds: Sequence[int], path: Path) -> None:
    from medattn_lite import plots

    means = {arm: [float(np.mean([list(curve.row(arm, size, seed)["dice"].values()) for seed in seeds]))
                   for size in curve.plan.sizes] for arm in ARMS}  # fmt: skip
    figure = plots.lines(curve.plan.sizes, means, xlabel="patients trained on", ylabel="mean Dice", log_x=True)
    with new_file(path.resolve(), overwrite=True) as part:
        figure.savefig(part, format="png", dpi=120, bbox_inches="tight")


def _settings_name(options: argparse.Namespace) -> str:
    """Trainings on other data or with other settings are kept in another folder."""
    return f"{options.data}-{options.scale}-{_plain(options.variant)}-{options.iterations}-{options.phantoms}"


def _plain(name: str) -> str:
    return "-".join("".join(letter if letter.isalnum() else " " for letter in name).split())


if __name__ == "__main__":
    sys.exit(main())
