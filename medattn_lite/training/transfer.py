"""A finished run, tested untouched on patients of another source: an external test, for every recipe.

    medattn study transfer runs/lesions-phantom-laptop-0 --data open-ms --root data/open_ms_data
    medattn study transfer runs/survival-phantom-laptop-0 --data phantom --scanner B --seed 1 --subjects 200

Nothing is trained, chosen or tuned on the new patients. Each is brought to the voxel size of the run, normalised in
the same way and scored there; whatever a fold learned beside its weights (scales of clinical values, histograms,
Cox's model, the baseline and the median risk) is learned on the fold's own training patients again. Each fold's
networks test every new patient, and their answers are averaged; the folds' own scores stand beside. Where the run was
trained from several seeds, those are the first seed's, and of lesions a table has every seed: Dice by patient, lesions
found, and groups of voxels where none is.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import torch

from medattn_lite.data.patient_splits import Split
from medattn_lite.errors import UserError, ends_in_one_line
from medattn_lite.evaluation.intervals import Interval
from medattn_lite.evaluation.segmentation import lesion_counts
from medattn_lite.training.environment_record import write_json
from medattn_lite.training.flair_threshold import THRESHOLDS, flair_threshold, threshold_dice
from medattn_lite.training.inference import evaluating
from medattn_lite.training.recipes import Settings, Variant
from medattn_lite.training.run import Run
from medattn_lite.training.tasks import Task, open_task
from medattn_lite.training.tasks.lesions import Lesions
from medattn_lite.training.tasks.overlap import dice_by_patient
from medattn_lite.training.tasks.task import Prediction, Rows

__all__ = ["THRESHOLDS", "averaged", "threshold_dice", "transfer"]


def transfer(
    run: Path, *, data: str, root: Path | None = None, own_root: Path | None = None, scanner: str = "A",
    seed: int | None = None, subjects: int | None = None, device: str | torch.device = "cpu", progress: bool = True,
) -> dict[str, Any]:  # fmt: skip
    """Tests every network of a run on every patient of another data set; writes `transfer-DATA.json` into the run.

    Args:
        run: folder of a finished run.
        data: name of the other data set; "phantom" for phantoms of another scanner or seed.
        root: its folder; None for phantoms.
        own_root: folder of the run's own data, which a run does not know; None for phantoms.
        scanner: of phantoms, "A" or "B".
        seed: of phantoms; that of the run if left out, which is right for a run on real patients alone.
        subjects: number of phantoms; as in the run if left out.
        device: to predict on.
        progress: show bars.

    Returns:
        what was written: scores of each variant with intervals over patients, of each fold, and differences; for
        lesions also Dice by patient and that of thresholds.

    Raises:
        UserError: the run is not finished, or the data do not fit it.
    """
    opened = Run(run)
    plan, recipe, settings, finished = opened.finished_plan, opened.recipe, opened.settings, opened.metrics
    phantom = data == "phantom"
    seed = plan.seed if seed is None or not phantom else seed
    if data == plan.data and not (phantom and seed != plan.seed):
        raise UserError(f"{run} was trained on {data}: name another data set to test it on"
                        + (", or phantoms of another --seed" if phantom else ""))
    other_settings = _of_scanner(settings, scanner, subjects) if phantom else settings
    tested = open_task(recipe, other_settings, data=data, root=root, seed=seed, progress=progress)
    wanted = finished["data_facts"]["channels"]
    if list(tested.channels) != wanted:
        raise UserError(f"{run} was trained on {', '.join(wanted)} and {data} has {', '.join(tested.channels)}: train "
                        "on the same channels, in the same order")
    source = open_task(recipe, settings, data=plan.data, root=_root(plan.data, own_root, opened), seed=plan.seed,
                       progress=progress)  # fmt: skip
    _require_apart(source, tested)
    both = source.joined(tested)
    variants = [recipe.variant(name) for name in finished["variants"]]
    fair, folds, place = [variant for variant in variants if _is_fair(variant)], finished["folds"], torch.device(device)
    rows = {variant.name: _predict(opened, source, both, variant, folds, place) for variant in fair}
    whole = {name: averaged(by_fold) for name, by_fold in rows.items()}
    result: dict[str, Any] = {
        "run": Path(run).name, "recipe": recipe.name, "scale": plan.scale, "trained_on": plan.data, "tested_on": data,
        **({"scanner": scanner, "seed": seed} if phantom else {}),
        "data_facts": tested.about(),
        "variants": {name: _scores(tested, whole[name], by_fold) for name, by_fold in rows.items()},
        "comparisons": [{"first": first, "second": second,
                         "difference": _plain(tested.compare(whole[first], whole[second]))}
                        for first, second in recipe.comparisons if {first, second} <= set(rows)],
        "notes": ["scored at the voxel size of the run, not of the files",
                  "a network trained on phantoms is for learning, not for patients"],
    }  # fmt: skip
    if _counts_lesions(tested) and _counts_lesions(source):
        result |= {"lesion_ml": _volumes(tested)}
        for variant in fair:
            result["variants"][variant.name]["by_seed"] = [
                _of_seed(seed, rows[variant.name] if not start else
                         _predict(opened, source, both, variant, folds, place, start=start))
                for start, seed in enumerate(plan.training_seeds) if variant.trained or not start
            ]  # fmt: skip
        if "flair" in tested.channels:
            result |= {"flair_threshold": flair_threshold(tested, source)}
    write_json(opened.transfer_file(data if scanner == "A" else f"{data}-{scanner}"), result)
    return result


def averaged(folds: Sequence[Sequence[Prediction]]) -> list[Prediction]:
    """One prediction a row from those of several networks: the mean of every number that they do not agree on.

    Predictions of regions hold counts of voxels, which have no mean: all folds' stand in one list.

    Args:
        folds: of each network, the same rows in the same order.
    """
    if any("regions" in row for row in folds[0]):
        return [row for fold_rows in folds for row in fold_rows]
    return [
        {name: _mean([prediction[name] for prediction in rows]) for name in rows[0]}
        for rows in zip(*folds, strict=True)
    ]


def _mean(values: Sequence[Any]) -> Any:
    first = values[0]
    if all(value == first for value in values) or isinstance(first, str):
        return first
    mean = np.mean(np.array(values, dtype=float), axis=0)
    return mean.tolist() if isinstance(first, list) else type(first)(round(float(mean)) if isinstance(first, int)
                                                                     else mean)  # fmt: skip


def _of_scanner(settings: Settings, scanner: str, subjects: int | None) -> Settings:
    phantom = {**settings.phantom, "scanner": scanner}
    return dataclasses.replace(settings, phantom=phantom, subjects=subjects or settings.subjects)


def _root(data: str, root: Path | None, run: Run) -> Path | None:
    if data != "phantom" and root is None:
        raise UserError(f"{run.folder} was trained on {data} and does not know its folder: name it with --own-root")
    return root


def _require_apart(source: Task, tested: Task) -> None:
    """Raises a UserError where a patient is in both cohorts, or they know other regions."""
    shared = sorted(set(source.subjects) & set(tested.subjects))
    if shared:
        raise UserError(f"{shared[0]} is a patient of both ({len(shared)} in all): test on others, phantoms of another "
                        "--seed")
    regions = [task.regions for task in (source, tested)]
    if regions[0] != regions[1]:
        raise UserError(f"the run knows the regions {', '.join(regions[0])}, {tested.data} {', '.join(regions[1])}: "
                        "test on data with the same ones")


def _is_fair(variant: Variant) -> bool:
    """Whether a variant's folds keep patients apart: one that leaks on purpose has no test."""
    return variant.settings.get("options", {}).get("split_by") != "slice"


def _predict(
    run: Run, source: Task, both: Task, variant: Variant, folds: int, device: torch.device, *, start: int = 0
) -> list[list[Prediction]]:
    """The tested patients' predictions by the networks of each fold, from one of the run's seeds."""
    new, by_fold = tuple(sorted(set(both.subjects[len(source.subjects) :]))), []
    for number, split in enumerate(source.splits()[:folds]):
        task, model = run.trained_on(both, variant, number, Split(split.train, new, split.valid), start=start)
        model.to(device)

        def predict(rows: Rows, task: Task = task, model: torch.nn.Module = model) -> list[Prediction]:
            with evaluating(model), torch.no_grad():
                return [_prediction(task, model, int(row), device) for row in rows]

        task.fit_without_gradients(model, task.rows(split, "train"), predict)
        by_fold.append(predict(range(len(source.subjects), len(both.subjects))))
    return by_fold


def _prediction(task: Task, model: torch.nn.Module, row: int, device: torch.device) -> Prediction:
    """A task's prediction; of lesions with counts of them, beside those of voxels."""
    if not _counts_lesions(task):
        return task.predict(model, row, device)
    masks = task.segment(model, row, device)
    counts = lesion_counts(masks[0].numpy(), task.masks[row][0].numpy() > 0)
    return {**task.measured(masks, row, distances=False), "lesions": dataclasses.asdict(counts)}


def _of_seed(seed: int, folds: Sequence[Sequence[Prediction]]) -> dict[str, Any]:
    """One seed's Dice and lesions of each patient, the mean over the folds' networks."""
    whole = averaged(folds)
    counts: dict[str, dict[str, float]] = {}
    for subject in sorted({row["subject"] for row in whole}):
        each = [row["lesions"] for row in whole if row["subject"] == subject]
        counts[subject] = {name: float(np.mean([lesions[name] for lesions in each])) for name in each[0]}
    dice = _lesion(whole)
    return {"seed": seed, "dice_by_patient": dice, "mean_dice": float(np.mean(list(dice.values()))),
            "lesions_by_patient": counts}  # fmt: skip


def _scores(task: Task, whole: Sequence[Prediction], folds: Sequence[Sequence[Prediction]]) -> dict[str, Any]:
    result: dict[str, Any] = {"pooled": _plain(task.score(whole))}
    each = [{name: interval.value for name, interval in task.score(rows, draws=0).items()} for rows in folds]
    result["folds"] = each
    if task.counts_lesions:
        result |= {"dice_by_patient": _lesion(whole), "dice_by_fold": [_lesion(fold_rows) for fold_rows in folds]}
        result["mean_dice"] = float(np.mean(list(result["dice_by_patient"].values())))
    return result


def _plain(scores: Mapping[str, Interval]) -> dict[str, Any]:
    return {name: interval.as_dict() for name, interval in scores.items()}


def _lesion(rows: Sequence[Prediction]) -> dict[str, float]:
    return {subject: regions["lesion"] for subject, regions in dice_by_patient(rows).items()}


def _counts_lesions(task: Task) -> TypeGuard[Lesions]:
    """Whether a table of lesions by patient is worth having; see `Task.counts_lesions`."""
    return task.counts_lesions


def _volumes(task: Task) -> dict[str, float | None]:
    sizes = [None if spacing is None else float(np.prod(spacing)) / 1000 for spacing in task.spacings]
    return {subject: None if size is None else float(mask.sum()) * size
            for subject, mask, size in zip(task.subjects, task.masks, sizes, strict=True)}  # fmt: skip


def written(result: dict[str, Any]) -> str:
    """A result as lines of text."""
    scanner = f" (scanner {result['scanner']}, seed {result['seed']})" if "scanner" in result else ""
    lines = [f"{result['run']}, trained on {result['trained_on']}, tested on {result['tested_on']}{scanner}: "
             f"{result['data_facts']['patients']} patients"]  # fmt: skip
    for name, variant in result["variants"].items():
        lines.append(
            f"{name}: " + ", ".join(f"{score} {_interval(interval)}" for score, interval in variant["pooled"].items())
        )
    for pair in result["comparisons"]:
        text = ", ".join(f"{score} {_interval(interval)}" for score, interval in pair["difference"].items())
        lines.append(f"{pair['first']} minus {pair['second']}: {text}")
    if "lesion_ml" not in result:
        return "\n".join(lines)
    people = list(result["lesion_ml"])
    lines.append("lesion volume (mL): " + _row({name: result["lesion_ml"][name] for name in people}, digits=1))
    rows = [*result["variants"].items(), *((f"FLAIR threshold, {name.replace('_', ' ')}", facts)
                                           for name, facts in result.get("flair_threshold", {}).items())]  # fmt: skip
    lines += [
        f"Dice of {name}: {_row(facts['dice_by_patient'])}; mean {facts['mean_dice']:.3f}"
        for name, facts in rows
    ]
    for name, facts in result["variants"].items():
        for one in facts.get("by_seed", ()):
            counted = ", ".join(f"{patient} {counts['detected']:g} of {counts['lesions']:g}, "
                                f"{counts['false_positives']:g} false"
                              for patient, counts in one["lesions_by_patient"].items())  # fmt: skip
            lines.append(f"{name}, seed {one['seed']}: Dice {_row(one['dice_by_patient'])}; mean "
                         f"{one['mean_dice']:.3f}; lesions found {counted}")  # fmt: skip
    return "\n".join(lines)


def _interval(interval: Mapping[str, Any]) -> str:
    value, low, high = ("—" if interval[end] is None or interval[end] != interval[end] else f"{interval[end]:.3f}"
                        for end in ("value", "low", "high"))  # fmt: skip
    return f"{value} [{low}, {high}]"


def _row(values: dict[str, float | None], digits: int = 3) -> str:
    return ", ".join(f"{name} {'—' if value is None else f'{value:.{digits}f}'}" for name, value in values.items())


@ends_in_one_line
def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="medattn study transfer", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("--data", default="open-ms", metavar="NAME", help="data set to test on; or phantom")
    parser.add_argument("--root", type=Path, metavar="DIR", help="its folder")
    parser.add_argument("--own-root", type=Path, metavar="DIR", help="folder of the run's own data, where not phantoms")
    parser.add_argument("--scanner", choices=("A", "B"), default="A", help="of phantoms: B is noisier and blurred")
    parser.add_argument("--seed", type=int, metavar="N", help="of phantoms: another one than the run's")
    parser.add_argument("--subjects", type=int, metavar="N", help="number of phantoms")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:0, … or mps")
    options = parser.parse_args(arguments)
    from medattn_lite.training.device import pick_device

    if options.root is None and options.data != "phantom":
        raise UserError(f"--data {options.data} lies in a folder: name it with --root")
    print(written(transfer(
        options.run, data=options.data, root=options.root, own_root=options.own_root, scanner=options.scanner,
        seed=options.seed, subjects=options.subjects, device=pick_device(options.device),
    )))  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
