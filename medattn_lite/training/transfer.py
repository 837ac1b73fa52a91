"""A finished run of `lesions`, tested untouched on another data set: from phantoms to real patients.

    python -m medattn_lite.training.transfer runs/lesions-phantom-laptop-0 --data open-ms --root data/open_ms_data

Nothing is trained, chosen or tuned on the new patients. Each is brought to the voxel size of the run, normalised in
the same way and scored there. Beside the networks stands what needs none: a threshold on FLAIR, chosen on the
run's own data, on the other new patients, or on the tested patients themselves (which no fair test could beat).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from medattn_lite.data.patient_splits import Split
from medattn_lite.errors import UserError
from medattn_lite.evaluation.segmentation import dice
from medattn_lite.training.recipes import Variant
from medattn_lite.training.records import write_json
from medattn_lite.training.run import Run
from medattn_lite.training.tasks import open_task
from medattn_lite.training.tasks.lesions import Lesions
from medattn_lite.training.tasks.overlap import dice_by_patient
from medattn_lite.training.tasks.task import Prediction

THRESHOLDS = np.round(np.arange(0.0, 6.05, 0.1), 2)  # of normalised FLAIR: 1 is a quarter of white matter


def transfer(
    run: Path, *, data: str, root: Path, device: str | torch.device = "cpu", progress: bool = True
) -> dict[str, Any]:
    """Tests every network of a run on every patient of another data set; writes `transfer-DATA.json` into the run.

    Args:
        run: folder of a finished run of `lesions`.
        data: name of the other data set.
        root: its folder.
        device: to predict on.
        progress: show bars.

    Returns:
        what was written: Dice by patient of each variant (mean over the run's folds, and each fold), and of the
        thresholds.

    Raises:
        UserError: the run is not finished, is of another recipe, or the data do not fit it.
    """
    opened = Run(run)
    plan, recipe, settings, finished = opened.finished_plan, opened.recipe, opened.settings, opened.metrics
    if data == plan.data:
        raise UserError(f"{run} was trained on {data}: name another data set to test it on")
    task = open_task(recipe, settings, data=data, root=root, seed=plan.seed, progress=progress)
    if not task.carries_over:
        raise UserError(f"{run} is a run of {recipe.name}: only runs of lesions are carried over")
    wanted = finished["data_facts"]["channels"]
    if list(task.channels) != wanted:
        raise UserError(f"{run} was trained on {', '.join(wanted)} and {data} has {', '.join(task.channels)}: train "
                        "on the same channels, in the same order")
    table = {}
    for name in finished["variants"]:
        folds = [_predict(opened, task, recipe.variant(name), fold, torch.device(device))
                 for fold in range(finished["folds"])]  # fmt: skip
        rows = [row for own in folds for row in own]
        table[name] = {
            "dice_by_patient": _lesion(rows), "dice_by_fold": [_lesion(own) for own in folds],
            "mean_dice": float(np.mean(list(_lesion(rows).values()))),
            "pooled": {score: interval.as_dict() for score, interval in task.score(rows).items()},
        }  # fmt: skip
    source = open_task(recipe, settings, data=plan.data, root=plan.root, seed=plan.seed, progress=progress)
    result = {
        "run": Path(run).name, "recipe": recipe.name, "scale": plan.scale, "trained_on": plan.data, "tested_on": data,
        "data_facts": task.about(), "lesion_ml": _volumes(task), "variants": table,
        "flair_threshold": flair_threshold(task, source),
        "notes": ["scored at the voxel size of the run, not of the files",
                  "a network trained on phantoms is for learning, not for patients"],
    }  # fmt: skip
    write_json(opened.transfer_file(data), result)
    return result


def flair_threshold(task: Lesions, source: Lesions) -> dict[str, Any]:
    """Dice by patient of "lesion where FLAIR is bright", with the threshold chosen in three ways.

    Args:
        task: the patients tested.
        source: the data that a threshold may be chosen on.
    """
    tested, known = threshold_dice(task), threshold_dice(source)  # (patients, thresholds)
    people = range(len(tested))
    chosen = {"chosen_on_source": [int(known.mean(0).argmax())] * len(tested),
              "best_on_tested": [int(tested.mean(0).argmax())] * len(tested)}  # fmt: skip
    if len(tested) > 1:
        others = [np.delete(tested, person, axis=0).mean(0) for person in people]
        chosen["chosen_on_other_patients"] = [int(own.argmax()) for own in others]
    return {
        name: {
            "threshold": {task.subjects[person]: float(THRESHOLDS[places[person]]) for person in people},
            "dice_by_patient": {task.subjects[person]: float(tested[person, places[person]]) for person in people},
            "mean_dice": float(np.mean([tested[person, places[person]] for person in people])),
        }
        for name, places in chosen.items()
    }


def threshold_dice(task: Lesions) -> np.ndarray:
    """Dice of every patient at each of `THRESHOLDS`, (patients, thresholds)."""
    if "flair" not in task.channels:
        raise UserError(f"{task.data} has no FLAIR channel to put a threshold on; it has {', '.join(task.channels)}")
    place, rows = task.channels.index("flair"), []
    for image, mask in zip(task.images, task.masks, strict=True):
        bright, truth = image[place].float().numpy(), mask[0].numpy().astype(bool)
        found = np.array([(bright > level).sum() for level in THRESHOLDS])
        right = np.array([(bright[truth] > level).sum() for level in THRESHOLDS])
        rows.append(dice(right, found - right, truth.sum() - right))
    return np.array(rows)


def _predict(run: Run, task: Lesions, variant: Variant, fold: int, device: torch.device) -> list[Prediction]:
    everyone = Split((), tuple(sorted(set(task.subjects))))
    own, model = run.trained_on(task, variant, fold, everyone)
    model.to(device)
    with torch.no_grad():
        return [own.predict(model, row, device) for row in range(len(own.subjects))]


def _lesion(rows: Sequence[Prediction]) -> dict[str, float]:
    return {subject: regions["lesion"] for subject, regions in dice_by_patient(rows).items()}


def _volumes(task: Lesions) -> dict[str, float | None]:
    sizes = [None if spacing is None else float(np.prod(spacing)) / 1000 for spacing in task.spacings]
    return {subject: None if size is None else float(mask.sum()) * size
            for subject, mask, size in zip(task.subjects, task.masks, sizes, strict=True)}  # fmt: skip


def written(result: dict[str, Any]) -> str:
    """A result as lines of text."""
    lines = [f"{result['run']}, trained on {result['trained_on']}, tested on {result['tested_on']}: Dice"]
    people = list(result["lesion_ml"])
    lines.append("lesion volume (mL): " + _row({name: result["lesion_ml"][name] for name in people}, digits=1))
    rows = [*result["variants"].items(), *((f"FLAIR threshold, {name.replace('_', ' ')}", own)
                                           for name, own in result["flair_threshold"].items())]  # fmt: skip
    lines += [f"{name}: {_row(own['dice_by_patient'])}; mean {own['mean_dice']:.3f}" for name, own in rows]
    return "\n".join(lines)


def _row(values: dict[str, float | None], digits: int = 3) -> str:
    return ", ".join(f"{name} {'—' if value is None else f'{value:.{digits}f}'}" for name, value in values.items())


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    name, about = "python -m medattn_lite.training.transfer", __doc__.split("\n")[0]
    parser = argparse.ArgumentParser(prog=name, description=about)
    parser.add_argument("run", type=Path, help="folder of a finished run of lesions")
    parser.add_argument("--data", default="open-ms", metavar="NAME", help="data set to test on")
    parser.add_argument("--root", type=Path, required=True, metavar="DIR", help="its folder")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:0, … or mps")
    options = parser.parse_args(arguments)
    from medattn_lite.training.device import pick_device

    try:
        print(written(transfer(options.run, data=options.data, root=options.root, device=pick_device(options.device))))
    except UserError as error:
        print(f"transfer: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
