"""What notebook 07 needs around its subject: the task of the recipe `fusion` at a scale, and answers scored alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from medattn_lite.training.tasks import Task

HEAD_MM = (155, 190, 160)  # (D, H, W) of the box that holds a head


def open_fusion_task(numbers: Mapping[str, Any], *, scale: str, data: str, root: str | None, seed: int) -> Task:
    """Opens the task of the recipe `fusion`, with the images read or made.

    Args:
        numbers: of the notebook at this scale: "window" and "n", and "spacing_mm" of a voxel.
        scale: "smoke", "laptop" or "paper".
        data: name of the data set.
        root: its folder.
        seed: of phantoms and folds.
    """
    from medattn_lite.training.recipes import find_recipe, with_changes
    from medattn_lite.training.tasks import open_task

    recipe, mm = find_recipe("fusion"), numbers["spacing_mm"]
    settings = with_changes(recipe.at(scale), {
        "size": (numbers["window"],) * 3, "subjects": numbers["n"], "batch_size": 2,
        "phantom": {"shape": tuple(round(side / mm) for side in HEAD_MM), "spacing_mm": mm},
        "options": {"spacing_mm": mm, "train_share": 0.67, "overlap": 0.25,
                    "lesion_share": 0.0 if scale == "paper" else 1.0},  # windows to train on that must hold tumour
    })  # fmt: skip
    return open_task(recipe, settings, data=data, root=root, seed=seed, progress=False)


def score_answers(
    task: Any, answers: Mapping[str, Callable[[int], Tensor]], rows: Sequence[int], *, draws: int = 500
) -> tuple[dict[str, list[Any]], dict[str, dict[str, Any]]]:
    """Scores answers on the same patients and prints one line for each.

    Args:
        task: of `open_fusion_task`.
        answers: name → function of a row that gives its regions (R, D, H, W), bool.
        rows: of the patients.
        draws: of the bootstrap.

    Returns:
        what `task.compare` takes, by name; and the scores, name → "WT Dice", … → value with its interval.
    """
    distances = None not in task.spacings  # some files do not know how large their voxels are
    measured, scores = {}, {}
    print(f"{'':20}" + "".join(f"{score:>14}" for score in task.measures))
    for name, answer in answers.items():
        with torch.no_grad():
            measured[name] = [task.measured(answer(row), row, distances=distances) for row in rows]
        scores[name] = task.score(measured[name], draws=draws)
        print(f"{name:20}" + "".join(f"{scores[name][score].value:14.2f}" for score in task.measures))
    return measured, scores
