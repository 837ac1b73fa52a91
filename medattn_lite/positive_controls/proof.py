"""Why a plain network fails: its receptive field, measured by gradients, and what a candidate's surroundings tell.

    receptive_field(network, control)     (height, width) in pixels that a pixel's logit depends on
    sees_cue(network, drawn)              largest gradient of a candidate's logit with respect to its cue; 0: not seen
    neighbourhood_auc(control)            logistic regression on each candidate's surroundings; 0.5: they tell nothing
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from medattn_lite.data.controls import Control, Drawn, find_control
from medattn_lite.evaluation.auc_intervals import auc_interval
from medattn_lite.evaluation.intervals import Interval
from medattn_lite.positive_controls.train import object_labels, object_logits

IMAGES = 600  # for the logistic regression, half to fit and half to test


def receptive_field(network: nn.Module, control: Control, *, seed: int = 0) -> tuple[int, int]:
    """Height and width in pixels, in plane, of what the logit of the middle pixel depends on.

    Measured as the extent of the input's gradients other than 0, over four random images; ReLUs that are off hide a
    weight in one image and hardly in four.
    """
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(4, control.channels, *control.size, generator=generator, requires_grad=True)
    middle = tuple(length // 2 for length in control.size)
    logits = network.eval()(images)[(slice(None), 0, *middle)]  # (4,)
    gradient = torch.autograd.grad(logits.sum(), images)[0]
    seen = (gradient != 0).flatten(0, -3).any(dim=0)  # (H, W)
    rows, columns = (torch.nonzero(seen.any(dim=dim)).flatten() for dim in (1, 0))
    return int(rows.max() - rows.min() + 1), int(columns.max() - columns.min() + 1)


def sees_cue(network: nn.Module, drawn: Drawn) -> float:
    """The largest gradient of a candidate's mean logit with respect to a pixel of its own cue, over all candidates."""
    images = drawn.images.clone().requires_grad_()
    logits = object_logits(network.eval()(images), drawn.numbers)  # (n, K)
    largest = 0.0
    for number in range(1, logits.shape[1] + 1):
        gradient = torch.autograd.grad(logits[:, number - 1].sum(), images, retain_graph=True)[0]
        cue = drawn.cue & ((drawn.cue_numbers == number) | (drawn.cue_numbers == 0))  # (n, *S)
        largest = max(largest, float((gradient.abs() * cue.unsqueeze(1)).max()))
    return largest


def neighbourhood_auc(control: str | Control, *, seed: int = 1000) -> Interval:
    """AUC of a logistic regression that sees each candidate's surroundings, as wide as `control.field`.

    Its features are the pixels and their squares around one pixel of the candidate, in its own slice and in every
    channel; it is fitted on half of the images and tested on the others. Candidates of an image are one unit.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    control = find_control(control) if isinstance(control, str) else control
    drawn = control.draw(IMAGES, seed=seed)
    patches, labels, image = _patches(drawn, control.field // 2)
    features = np.concatenate([patches, patches**2], axis=1)
    fitted = image < IMAGES // 2
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    model.fit(features[fitted], labels[fitted])
    return auc_interval(labels[~fitted], model.decision_function(features[~fitted]), groups=image[~fitted])


def _patches(drawn: Drawn, reach: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Surroundings (N, C · side²) of one pixel of every candidate, its label, and the number of its image."""
    labels = object_labels(drawn)
    rows, kept, images = [], [], []
    for index in range(len(drawn)):
        for number in range(1, labels.shape[1] + 1):
            places = torch.nonzero(drawn.numbers[index] == number)
            rows.append(_around(drawn.images[index], places[len(places) // 2].tolist(), reach))
            kept.append(int(labels[index, number - 1]))
            images.append(index)
    return np.stack(rows), np.array(kept), np.array(images)


def _around(image: Tensor, place: list[int], reach: int) -> np.ndarray:
    *level, row, column = place
    plane = image[:, level[0]] if level else image  # (C, H, W)
    padded = torch.nn.functional.pad(plane, (reach,) * 4)
    return padded[:, row : row + 2 * reach + 1, column : column + 2 * reach + 1].flatten().numpy()
