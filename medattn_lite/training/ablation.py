"""What each choice of a recipe brings: the recipe trained as it is, and again with one choice taken back at a time.

    medattn study ablation --data lgg --root DIR                    every row, the page
    medattn study ablation --data lgg --root DIR --only "64 pixels" one row more, and the page

Nothing is learned about test patients: all trainings happen inside the training patients of the recipe's first fold,
of which some are held out and scored. Each row is a file of its own, so that a stopped study goes on.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from medattn_lite.data.files import new_file
from medattn_lite.data.json_files import read_object, write_json
from medattn_lite.data.patient_splits import Split
from medattn_lite.errors import UserError
from medattn_lite.training.recipes import Recipe, Settings, find_recipe
from medattn_lite.training.recipes.recipe import as_json, with_changes
from medattn_lite.training.tasks import Task, find_task, open_task

if TYPE_CHECKING:
    from accelerate import Accelerator

WHOLE = "as it is"
_LGG = {"widths": (16, 32, 64, 128), "norm_groups": 16, "head_bias": True, "dropout": 0.0}
_STILL = {"mirror_axes": (), "mirror_test": False, "turn_degrees": 0.0, "zoom": 0.0, "intensity_change": 0.0}
# recipe → score, variant, and what is taken back: name → changes of the recipe's settings
STUDIED: Mapping[str, tuple[str, str, Mapping[str, Mapping[str, Any]]]] = MappingProxyType({
    "lesions": ("Dice, sample average", "U-Net", {
        WHOLE: {},
        "pixels one by one, four slices per step": {"batch_size": 4, "options": {"coarse_pixels": 1}},
        "group norm in 8 groups": {"network": {**_LGG, "norm_groups": 8}},
        "half as wide": {"network": {**_LGG, "widths": (8, 16, 32, 64), "norm_groups": 8}},
        "published dropout, 0.2": {"network": {**_LGG, "dropout": 0.2}},
        "Adam, constant rate 1e-3": {"optimiser": "adam", "weight_decay": 1e-5, "learning_rate": 1e-3,
                                     "schedule": "constant"},
        "published loss": {"options": {"dice_weight": 0.0, "weighted": True}},
        "windows as they are": {"options": _STILL},
        "no mirror at test": {"options": {"mirror_test": False}},
        "Dice of each slice": {"options": {"batch_dice": False}},
        "four windows of four slices": {"batch_size": 4, "options": {"window_slices": 4}},
    }),
    "presence": ("AUC", "ResNeSAt", {
        WHOLE: {},
        "slices of 64 pixels": {"size": (64, 64)},
        "SGD, cosine, 1e-2": {"optimiser": "sgd", "momentum": 0.9, "weight_decay": 0.0, "learning_rate": 1e-2,
                              "schedule": "cosine"},
        "slices as they are": {"options": {**{name: _STILL[name] for name in ("turn_degrees", "zoom")},
                                           "intensity_change": 0.0, "mirror_test": False}},
    }),
})  # fmt: skip


def inner_split(task: Task, *, held: int, seed: int) -> Split:
    """Training and held-out patients, both from the training patients of the recipe's first fold.

    Args:
        task: with its images.
        held: how many patients are held out.
        seed: of which.

    Raises:
        UserError: fewer than two patients would be left to train on.
    """
    patients = sorted(task.splits()[0].train)
    if not 1 <= held <= len(patients) - 2:
        raise UserError(f"--held {held}: the first fold trains on {len(patients)} patients; hold out 1 to "
                        f"{len(patients) - 2} of them")
    order = np.random.default_rng(seed).permutation(patients).tolist()
    return Split(tuple(sorted(order[held:])), tuple(sorted(order[:held])), ())


def train_row(
    recipe: Recipe, task: Task, settings: Settings, *, variant: str, held: int, seed: int, accelerator: Accelerator
) -> dict[str, Any]:
    """Trains one variant with some settings and scores it on the held-out patients.

    Returns:
        the predictions, the seconds of training, the number of parameters and the settings, as JSON values.
    """
    from medattn_lite.training.trainer import Trainer, predict_rows

    chosen = recipe.variant(variant)
    split = inner_split(task, held=held, seed=seed)
    task_of_row = task.for_variant(chosen, with_changes(settings, chosen.settings), split)
    torch.manual_seed(seed)
    model = task_of_row.build(chosen, {})
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(task_of_row, task_of_row.settings, Path(folder), accelerator, seed=seed, save_every=10**6,
                          progress=task_of_row.progress)  # fmt: skip
        done = trainer.fit(model, task_of_row.rows(split, "train"))
    predictions = predict_rows(task_of_row, model, task_of_row.rows(split, "test"), accelerator, quick=True)
    return {"predictions": predictions, "seconds": round(done.seconds, 1), "iterations": done.iteration,
            "parameters": sum(p.numel() for p in model.parameters()), "train": len(split.train),
            "settings": as_json(task_of_row.settings)}  # fmt: skip


def table(task: Task, score: str, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Lines of a Markdown table: each row's score, and its difference from the recipe as it is, paired by patient."""
    whole = dict(rows).get(WHOLE)
    lines = [f"| taken back | {score} | minus {WHOLE} | parameters | steps | seconds |", "|---|---|---|---|---|---|"]
    for name, row in rows:
        score_of_row = task.score(row["predictions"])[score]
        apart = "" if whole is None or name == WHOLE else task.compare(
            row["predictions"], whole["predictions"])[score].text()  # fmt: skip
        lines.append(f"| {name} | {score_of_row.text()} | {apart} | {row['parameters']:,} | {row['iterations']} | "
                     f"{row['seconds']:.0f} |")  # fmt: skip
    return lines


def page(recipe: str, data: str, scale: str, seed: int, lines: Sequence[str], row: Mapping[str, Any]) -> str:
    """The page as Markdown."""
    score, variant, _ = STUDIED[recipe]
    patients = len({prediction["subject"] for prediction in row["predictions"]})
    return "\n".join([
        f"# What each choice brings: {recipe} on {data}", "",
        f"Made by `medattn study ablation --recipe {recipe}`; do not edit by hand.", "",
        f"{variant} of the recipe `{recipe}` at `{scale}`, trained on {row['train']} of the first fold's training "
        f"patients and scored on {patients} others of them; that fold's test patients are not touched. One training a "
        f"row, from seed {seed}: another seed may move a value by more than a choice does. Intervals are by patient "
        f"(n {patients}), differences paired. All rows have the steps that the table says, which may be fewer than the "
        "recipe's.", "", *lines, "",
    ])  # fmt: skip


def main(words: Sequence[str] | None = None) -> int:
    """The study's command."""
    parser = argparse.ArgumentParser(prog="medattn study ablation", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--recipe", default="lesions", choices=tuple(STUDIED))
    parser.add_argument("--scale", default="laptop", help="of the recipe")
    parser.add_argument("--data", default="phantom", help="phantom, lgg, …")
    parser.add_argument("--root", type=Path, help="folder of a real data set")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these rows alone; others that are there stay")
    parser.add_argument("--iterations", type=int, help="steps of each training; the recipe's if left out")
    parser.add_argument("--held", type=int, default=12, help="patients to score on")
    parser.add_argument("--seed", type=int, default=100, help="of the held-out patients and the training")
    parser.add_argument("--rows", type=Path, help="folder of the rows; runs/ablation-RECIPE-DATA if left out")
    parser.add_argument("--out", type=Path, help="page; figures/RECIPE_ablation.md if left out")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    options = parser.parse_args(words)
    rows = options.rows or Path("runs") / f"ablation-{options.recipe}-{options.data}"
    out = options.out or Path("figures") / f"{options.recipe}_ablation.md"
    score, variant, studied = STUDIED[options.recipe]
    unknown = sorted(set(options.only or ()) - set(studied))
    if unknown:
        raise UserError(f"--only {unknown[0]}: there is no such row; use {', '.join(studied)}")
    task = _train_all(options, rows, variant, {name: studied[name] for name in options.only or studied})
    there = [(name, read_object(_file(rows, name, options), remedy="delete it and run the study again"))
             for name in studied if _file(rows, name, options).is_file()]  # fmt: skip
    lines = table(task, score, there)
    text = page(options.recipe, options.data, options.scale, options.seed, lines, there[0][1])
    out.parent.mkdir(parents=True, exist_ok=True)
    with new_file(out.resolve(), overwrite=True) as part:
        part.write_text(text, encoding="utf-8")
    print("\n".join([*lines, str(out)]))
    return 0


def _train_all(
    options: argparse.Namespace, rows: Path, variant: str, studied: Mapping[str, Mapping[str, Any]]
) -> Task:
    from accelerate import Accelerator

    recipe = find_recipe(options.recipe)
    base = recipe.at(options.scale, options.data)
    if options.iterations is not None:
        base = with_changes(base, {"iterations": options.iterations, "epochs": None})
    opened: dict[str, Task] = {}
    accelerator = Accelerator(cpu=True)

    def images(settings: Settings) -> Task:
        # images are read again only where the settings change how they are read
        key = repr((settings.size[-2:] if find_task(recipe).unit == "slices" else None,
                    settings.options.get("slice_pixels"), settings.options.get("per_subject")))  # fmt: skip
        if key not in opened:
            opened[key] = open_task(recipe, settings, data=options.data, root=options.root, progress=not options.quiet)
        return opened[key]

    for name, changes in studied.items():
        path, settings = _file(rows, name, options), with_changes(base, changes)
        if path.is_file():
            continue
        print(f"{options.recipe}, {name}", file=sys.stderr)
        row = train_row(recipe, images(settings), settings, variant=variant, held=options.held, seed=options.seed,
                        accelerator=accelerator)  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, row)
    return images(base)


def _file(rows: Path, name: str, options: argparse.Namespace) -> Path:
    """A row's file: its settings are in the name, so that other steps, seeds or patients are other rows."""
    plain = "".join(letter if letter.isalnum() else "-" for letter in name)
    return rows / f"{options.scale}-{options.iterations or 'all'}-{options.held}-{options.seed}-{plain}.json"


if __name__ == "__main__":
    sys.exit(main())
