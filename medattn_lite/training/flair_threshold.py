"""What a network must beat on lesions: "lesion where FLAIR is bright", with the threshold chosen in three ways.

Chosen on the run's own data, on the other tested patients, or on the tested patients themselves (which no fair test
could beat).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from medattn_lite.errors import UserError
from medattn_lite.evaluation.segmentation import dice
from medattn_lite.training.tasks.lesions import Lesions

THRESHOLDS = np.round(np.arange(0.0, 6.05, 0.1), 2)  # of normalised FLAIR: 1 is a quarter of white matter


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
        chosen["chosen_on_other_patients"] = [int(dices.argmax()) for dices in others]
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
        counts_above = np.array([(bright > level).sum() for level in THRESHOLDS])
        right = np.array([(bright[truth] > level).sum() for level in THRESHOLDS])
        rows.append(dice(right, counts_above - right, truth.sum() - right))
    return np.array(rows)
